/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each rule fires where it should, with its message and line, and nowhere else. A case names all of
 * the findings that its file has; one that names none is silent.
 */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/check.h"
#include "dockerfile/ignore.h"

struct check_case {
	const char *text;
	const char *want; /* "RULE LINE: MESSAGE", one a line; "" for silence */
	const char *build_arg;
	const char *ignore;
	const char *target;
	bool only_needed; /* not all stages */
};

/* The images that there are. */
static const struct strv *get_env(void *ctx, const char *image)
{
	static char path[] = "PATH=/bin", version[] = "PYTHON_VERSION=3";
	static char *items[] = {path, version, NULL};
	static const struct strv known = {items, 2, 3};

	return strcmp(image, "unknown") == 0 ? NULL : &known;
}

static const struct strv *get_shell(void *ctx, const char *image)
{
	static char shell[] = "/bin/bash";
	static char *items[] = {shell, NULL};
	static const struct strv bash = {items, 1, 2};

	return strcmp(image, "with-shell") == 0 ? &bash : NULL;
}

static const char *get_platform(void *ctx, const char *image, const char *wanted)
{
	if (strcmp(image, "unknown") == 0)
		return NULL;
	return strcmp(image, "foreign") == 0 ? "linux/arm64" : "linux/amd64";
}

static void describe(const struct check_findings *f, struct str *ret)
{
	for (size_t i = 0; i < f->n; i++)
		str_addf(ret, "%s%s %u: %s", i ? "\n" : "", f->items[i].rule,
			 f->items[i].lines.first, f->items[i].message);
}

static void run(const struct check_case *k, struct str *ret)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_stages struct dockerfile_stages stages = {};
	cleanup_strv struct strv args = STRV_INIT;
	cleanup_ignore struct ignore *ignore = NULL;
	struct check_findings found = {};
	struct err err = ERR_INIT;
	bool is_error = false;

	if (dockerfile_parse("Dockerfile", k->text, strlen(k->text), &file, NULL, &err) < 0 ||
	    dockerfile_get_stages(&file, &stages, NULL, &err) < 0)
		fail_msg("%s: %s", k->text, err.msg);
	if (k->build_arg)
		strv_add(&args, k->build_arg);
	if (k->ignore)
		assert_int_equal(ignore_parse(k->ignore, strlen(k->ignore), &ignore, &err), 0);
	const struct check_input input = {
		.file = &file,
		.stages = &stages,
		.build_args = &args,
		.ignore = ignore,
		.target = k->target,
		.all_stages = !k->only_needed,
		.get_env = get_env,
		.get_shell = get_shell,
		.get_platform = get_platform,
		.platform = "linux/amd64",
	};

	if (dockerfile_check(&input, &found, &is_error, &err) < 0)
		fail_msg("%s: %s", k->text, err.msg);
	describe(&found, ret);
	check_findings_done(&found);
}

static void run_all(const struct check_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cleanup_str struct str got = STR_INIT;

		run(&cases[i], &got);
		if (strcmp(str_get(&got), cases[i].want) != 0)
			fail_msg("%s\n got: %s\nwant: %s", cases[i].text, str_get(&got),
				 cases[i].want);
	}
}
#define RUN_ALL(cases) run_all(cases, ARRAY_LEN(cases))

/* ---- one function for each rule: first the cases in which it fires ---- */

static void stage_name_casing(void **state)
{
	static const struct check_case cases[] = {
		{"FROM scratch AS Builder\n",
		 "StageNameCasing 1: Stage name 'Builder' should be lowercase"},
		{"FROM scratch AS BUILD\n",
		 "StageNameCasing 1: Stage name 'BUILD' should be lowercase"},
		{"FROM scratch AS a\nFROM scratch AS bC\n",
		 "StageNameCasing 2: Stage name 'bC' should be lowercase"},
		{"FROM scratch AS A\nFROM a AS B\n",
		 "StageNameCasing 1: Stage name 'A' should be lowercase\n"
		 "StageNameCasing 2: Stage name 'B' should be lowercase"},
		{"FROM scratch AS builder\n", ""},
		{"FROM scratch AS a-1_b.c\n", ""},
		{"from scratch as builder\n", ""},
		{"FROM scratch\n", ""},
	};

	RUN_ALL(cases);
}

static void from_as_casing(void **state)
{
	static const struct check_case cases[] = {
		{"FROM scratch as a\n",
		 "FromAsCasing 1: 'as' and 'FROM' keywords' casing do not match"},
		{"from scratch AS a\n",
		 "FromAsCasing 1: 'AS' and 'from' keywords' casing do not match"},
		{"FROM scratch aS a\n",
		 "FromAsCasing 1: 'aS' and 'FROM' keywords' casing do not match"},
		{"FROM scratch AS a\nFROM a As b\n",
		 "FromAsCasing 2: 'As' and 'FROM' keywords' casing do not match"},
		{"FROM scratch AS a\n", ""},
		{"from scratch as a\n", ""},
		{"FROM scratch\n", ""},
		/* That is the other rule's. */
		{"From scratch as a\nFROM a\n",
		 "ConsistentInstructionCasing 1: Command 'From' should match the case of the "
		 "command majority (uppercase)"},
	};

	RUN_ALL(cases);
}

static void no_empty_continuation(void **state)
{
	static const struct check_case cases[] = {
		{"FROM scratch\nCOPY a \\\n\n  b\n",
		 "NoEmptyContinuation 4: Empty continuation line"},
		{"FROM scratch\nENV a=b \\\n  \n\n  c=d\n",
		 "NoEmptyContinuation 5: Empty continuation line"},
		{"FROM scratch AS a\nRUN x && \\\n\n  y\nRUN x \\\n\n y\n",
		 "NoEmptyContinuation 4: Empty continuation line\n"
		 "NoEmptyContinuation 7: Empty continuation line"},
		{"# escape=`\nFROM scratch\nRUN x `\n\n y\n",
		 "NoEmptyContinuation 5: Empty continuation line"},
		{"FROM scratch\nCOPY a \\\n  b\n", ""},
		{"FROM scratch\nRUN a && \\\n  # why\n  b\n", ""},
		{"FROM scratch\nRUN <<EOF\n\na\n\nEOF\n", ""},
		{"FROM scratch\n\n\nRUN a\n", ""},
	};

	RUN_ALL(cases);
}

static void consistent_instruction_casing(void **state)
{
	static const struct check_case cases[] = {
		{"FROM scratch\ncopy a b\nRUN x\n",
		 "ConsistentInstructionCasing 2: Command 'copy' should match the case of the "
		 "command majority (uppercase)"},
		{"from scratch\nCOPY a b\nrun x\n",
		 "ConsistentInstructionCasing 2: Command 'COPY' should match the case of the "
		 "command majority (lowercase)"},
		{"FROM scratch\nRun x\n",
		 "ConsistentInstructionCasing 2: Command 'Run' should match the case of the "
		 "command majority (uppercase)"},
		/* A draw is for capitals. */
		{"from scratch\nRUN x\n",
		 "ConsistentInstructionCasing 1: Command 'from' should match the case of the "
		 "command majority (uppercase)"},
		{"from scratch as a\nfrOM a\nrun x\n",
		 "ConsistentInstructionCasing 2: Command 'frOM' should match the case of the "
		 "command majority (lowercase)"},
		{"FROM scratch\nCOPY a b\n", ""},
		{"from scratch\ncopy a b\n", ""},
		{"arg A\nFROM scratch\nRUN x\n", ""},
		{"FROM scratch\nONBUILD run x\n", ""},
	};

	RUN_ALL(cases);
}

static void duplicate_stage_name(void **state)
{
	static const struct check_case cases[] = {
		{"FROM scratch AS a\nFROM scratch AS a\n",
		 "DuplicateStageName 2: Duplicate stage name \"a\", stage names should be unique"},
		{"FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS a\n",
		 "DuplicateStageName 3: Duplicate stage name \"a\", stage names should be unique"},
		{"FROM scratch AS a\nFROM scratch AS A\n",
		 "StageNameCasing 2: Stage name 'A' should be lowercase\n"
		 "DuplicateStageName 2: Duplicate stage name \"a\", stage names should be unique"},
		{"FROM scratch AS a\nFROM a AS a\nFROM a AS a\n",
		 "DuplicateStageName 2: Duplicate stage name \"a\", stage names should be "
		 "unique\nDuplicateStageName 3: Duplicate stage name \"a\", stage names should be "
		 "unique"},
		{"FROM scratch AS a\nFROM scratch AS b\n", ""},
		{"FROM scratch\nFROM scratch\n", ""},
		{"FROM busybox AS busybox\n", ""},
		{"FROM scratch AS a\nFROM a\n", ""},
	};

	RUN_ALL(cases);
}

static void reserved_stage_name(void **state)
{
	static const struct check_case cases[] = {
		{"FROM busybox AS scratch\n",
		 "ReservedStageName 1: Stage name should not use the same name as reserved stage "
		 "\"scratch\""},
		{"FROM busybox AS context\n",
		 "ReservedStageName 1: Stage name should not use the same name as reserved stage "
		 "\"context\""},
		{"FROM busybox AS a\nFROM busybox AS context\n",
		 "ReservedStageName 2: Stage name should not use the same name as reserved stage "
		 "\"context\""},
		{"FROM busybox AS Scratch\n",
		 "StageNameCasing 1: Stage name 'Scratch' should be lowercase\n"
		 "ReservedStageName 1: Stage name should not use the same name as reserved stage "
		 "\"scratch\""},
		{"FROM scratch\n", ""},
		{"FROM scratch AS scratch2\n", ""},
		{"FROM scratch AS contexts\n", ""},
		{"FROM busybox AS my-context\n", ""},
	};

	RUN_ALL(cases);
}

#define SIGNALS " to prevent unintended behavior related to OS signals"

static void json_args_recommended(void **state)
{
	static const struct check_case cases[] = {
		{"FROM scratch\nCMD a\n",
		 "JSONArgsRecommended 2: JSON arguments recommended for CMD" SIGNALS},
		{"FROM scratch\nENTRYPOINT a\n",
		 "JSONArgsRecommended 2: JSON arguments recommended for ENTRYPOINT" SIGNALS},
		{"FROM scratch\nENTRYPOINT a\nCMD b\n",
		 "JSONArgsRecommended 2: JSON arguments recommended for ENTRYPOINT" SIGNALS "\n"
		 "JSONArgsRecommended 3: JSON arguments recommended for CMD" SIGNALS},
		{"from scratch\ncmd ['a']\n",
		 "JSONArgsRecommended 2: JSON arguments recommended for cmd" SIGNALS},
		{"FROM scratch\nCMD a\nSHELL [\"x\"]\n",
		 "JSONArgsRecommended 2: JSON arguments recommended for CMD" SIGNALS},
		{"FROM scratch\nCMD [\"a\"]\nENTRYPOINT [\"b\"]\n", ""},
		{"FROM scratch\nRUN a\n", ""},
		{"FROM scratch\nSHELL [\"/bin/bash\", \"-c\"]\nCMD a\n", ""},
		{"FROM scratch AS a\nSHELL [\"/bin/bash\"]\nFROM a\nENTRYPOINT x\n", ""},
		{"FROM with-shell\nCMD a\n", ""},
		{"FROM scratch\nHEALTHCHECK CMD a\n", ""},
	};

	RUN_ALL(cases);
}

static void maintainer_deprecated(void **state)
{
	static const char message[] = "MaintainerDeprecated 2: Maintainer instruction is "
				      "deprecated in favor of using label";
	const struct check_case cases[] = {
		{"FROM scratch\nMAINTAINER me\n", message},
		{"from scratch\nmaintainer me\n", message},
		{"FROM scratch\nMAINTAINER a <b@c>\nRUN x\n", message},
		{"FROM scratch\nMAINTAINER a\nFROM scratch\n", message},
		{"FROM scratch\nLABEL org.opencontainers.image.authors=me\n", ""},
		{"FROM scratch\nLABEL maintainer=me\n", ""},
		{"FROM scratch\n# MAINTAINER me\nRUN MAINTAINER x\n", ""},
		{"FROM scratch\nENV MAINTAINER=me\n", ""},
	};

	RUN_ALL(cases);
}

static void undefined_arg_in_from(void **state)
{
	static const struct check_case cases[] = {
		{"FROM busybox:$TAG\n",
		 "InvalidDefaultArgInFrom 1: Default value for ARG busybox:$TAG results in empty "
		 "or invalid base image name\n"
		 "UndefinedArgInFrom 1: FROM argument 'TAG' is not declared"},
		{"ARG VERSION=1\nFROM busybox:${VERSON}a\n",
		 "UndefinedArgInFrom 2: FROM argument 'VERSON' is not declared (did you mean "
		 "VERSION?)"},
		{"FROM --platform=$BULIDPLATFORM busybox\n",
		 "UndefinedArgInFrom 1: FROM argument 'BULIDPLATFORM' is not declared (did you "
		 "mean BUILDPLATFORM?)"},
		{"FROM scratch AS a\nARG T=1\nFROM busybox${T}\n",
		 "UndefinedArgInFrom 3: FROM argument 'T' is not declared"},
		{"ARG A=b\nFROM $A\n", ""},
		{"FROM --platform=$BUILDPLATFORM busybox\n", ""},
		{"ARG A\nFROM busybox${A}\n", ""},
		{"FROM busybox-$TARGETARCH\n", ""},
		{"ARG A\nFROM $A\n",
		 "InvalidDefaultArgInFrom 2: Default value for ARG $A results in empty or invalid "
		 "base image name",
		 "A=busybox"},
	};

	RUN_ALL(cases);
}

#define IF_CHANGES " can have unexpected results if the base image changes"

static void workdir_relative_path(void **state)
{
	static const struct check_case cases[] = {
		{"FROM busybox\nWORKDIR app\n",
		 "WorkdirRelativePath 2: Relative workdir \"app\"" IF_CHANGES},
		{"FROM busybox\nWORKDIR ./a\nWORKDIR b\n",
		 "WorkdirRelativePath 2: Relative workdir \"./a\"" IF_CHANGES},
		{"FROM busybox\nENV D=x\nWORKDIR $D/y\n",
		 "WorkdirRelativePath 3: Relative workdir \"x/y\"" IF_CHANGES},
		{"FROM busybox AS a\nWORKDIR /x\nFROM busybox\nWORKDIR y\n",
		 "WorkdirRelativePath 4: Relative workdir \"y\"" IF_CHANGES},
		{"FROM busybox\nWORKDIR /app\n", ""},
		{"FROM busybox\nWORKDIR /app\nWORKDIR sub\n", ""},
		{"FROM busybox AS a\nWORKDIR /x\nFROM a\nWORKDIR y\n", ""},
		{"FROM busybox\nENV D=/x\nWORKDIR $D\n", ""},
		{"FROM busybox\nRUN cd app\n", ""},
	};

	RUN_ALL(cases);
}

#define UNDEFINED "Usage of undefined variable "

static void undefined_var(void **state)
{
	static const struct check_case cases[] = {
		{"FROM scratch\nCOPY $foo .\n", "UndefinedVar 2: " UNDEFINED "'$foo'"},
		{"FROM scratch\nENV PATH=$PAHT:/app\n",
		 "UndefinedVar 2: " UNDEFINED "'$PAHT' (did you mean $PATH?)"},
		{"FROM scratch\nARG V=$foo\n", "UndefinedVar 2: " UNDEFINED "'$foo'"},
		{"FROM scratch\nLABEL a=${b} c=$d\n",
		 "UndefinedVar 2: " UNDEFINED "'$b'\nUndefinedVar 2: " UNDEFINED "'$d'"},
		{"FROM scratch\nWORKDIR /$a\nUSER $b\nVOLUME $c\nSTOPSIGNAL $d\n",
		 "UndefinedVar 2: " UNDEFINED "'$a'\nUndefinedVar 3: " UNDEFINED
		 "'$b'\nUndefinedVar 4: " UNDEFINED "'$c'\nUndefinedVar 5: " UNDEFINED "'$d'"},
		{"FROM scratch\nADD --chown=$u a /$b\n",
		 "UndefinedVar 2: " UNDEFINED "'$u'\nUndefinedVar 2: " UNDEFINED "'$b'"},
		{"FROM scratch\nRUN --mount=type=cache,target=$dir x\n",
		 "UndefinedVar 2: " UNDEFINED "'$dir'"},
		{"FROM scratch\nCOPY <<E /x\n$a $a\nE\n", "UndefinedVar 2: " UNDEFINED "'$a'"},
		{"ARG G=1\nFROM scratch\nCOPY $G /\n", "UndefinedVar 3: " UNDEFINED "'$G'"},
		{"FROM scratch\nENV a=1 b=$a\n", "UndefinedVar 2: " UNDEFINED "'$a'"},
		{"FROM scratch\nCOPY $TARGETARCH /\n",
		 "UndefinedVar 2: " UNDEFINED "'$TARGETARCH'"},
		{"FROM scratch AS a\nARG V=1\nFROM scratch\nCOPY $V /\n",
		 "UndefinedVar 4: " UNDEFINED "'$V'"},
		{"FROM scratch\nARG foo\nCOPY $foo .\n", ""},
		{"FROM scratch\nRUN echo $foo\nCMD [\"$x\"]\n", ""},
		{"FROM python\nARG V=$PYTHON_VERSION\n", ""},
		{"FROM unknown\nCOPY $foo .\n", ""},
		{"ARG G=1\nFROM scratch\nARG G\nCOPY $G /\n", ""},
		{"FROM scratch AS a\nARG V=1\nFROM a\nCOPY $V /\n", ""},
		{"FROM scratch\nENV a=1\nENV b=$a\n", ""},
		{"FROM scratch\nARG a=1 b=$a\n", ""},
		{"FROM scratch\nCOPY \\$foo '$bar' /\n", ""},
		{"FROM scratch\nCOPY <<'E' /x\n$a\nE\n", ""},
		{"FROM scratch\nARG V=$foo\n", "", "V=1"},
		{"FROM scratch\nONBUILD COPY $x /\nEXPOSE $P\n", ""},
		{"FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n", ""},
		{"FROM scratch\nENV P=$PATH\n", ""},
	};

	RUN_ALL(cases);
}

#define ONLY_LAST                                                                               \
	" instructions should not be used in the same stage because only the last one will be " \
	"used"

static void multiple_instructions_disallowed(void **state)
{
	static const struct check_case cases[] = {
		{"FROM scratch\nCMD [\"a\"]\nCMD [\"b\"]\n",
		 "MultipleInstructionsDisallowed 2: Multiple CMD" ONLY_LAST},
		{"FROM scratch\nENTRYPOINT [\"a\"]\nRUN x\nENTRYPOINT [\"b\"]\n",
		 "MultipleInstructionsDisallowed 2: Multiple ENTRYPOINT" ONLY_LAST},
		{"FROM scratch\nHEALTHCHECK CMD a\nHEALTHCHECK NONE\n",
		 "MultipleInstructionsDisallowed 2: Multiple HEALTHCHECK" ONLY_LAST},
		{"FROM scratch\nCMD [\"a\"]\nCMD [\"b\"]\nCMD [\"c\"]\n",
		 "MultipleInstructionsDisallowed 2: Multiple CMD" ONLY_LAST
		 "\nMultipleInstructionsDisallowed 3: Multiple CMD" ONLY_LAST},
		{"FROM scratch\nCMD [\"a\"]\nENTRYPOINT [\"b\"]\nHEALTHCHECK NONE\n", ""},
		{"FROM scratch AS a\nCMD [\"a\"]\nFROM scratch\nCMD [\"b\"]\n", ""},
		{"FROM scratch AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]\n", ""},
		{"FROM scratch\nENV a=b\nENV a=c\nUSER a\nUSER b\n", ""},
	};

	RUN_ALL(cases);
}

static void legacy_key_value_format(void **state)
{
#define LEGACY(k) "\"" k " key=value\" should be used instead of legacy \"" k " key value\" format"
	static const struct check_case cases[] = {
		{"FROM scratch\nENV a b\n", "LegacyKeyValueFormat 2: " LEGACY("ENV")},
		{"FROM scratch\nLABEL a b c\n", "LegacyKeyValueFormat 2: " LEGACY("LABEL")},
		{"from scratch\nenv a b\n", "LegacyKeyValueFormat 2: " LEGACY("env")},
		{"FROM scratch\nENV a b=c \\\n d\n", "LegacyKeyValueFormat 2: " LEGACY("ENV")},
		{"FROM scratch\nENV a=b\n", ""},
		{"FROM scratch\nENV a=b c=d\n", ""},
		{"FROM scratch\nLABEL a=\"b c\"\n", ""},
		{"FROM scratch\nARG a\nARG b=c\n", ""},
	};

	RUN_ALL(cases);
}

static void invalid_base_image_platform(void **state)
{
#define PULLED(image, have, want)                                                      \
	"Base image " image " was pulled with platform \"" have "\", expected \"" want \
	"\" for current build"
	static const struct check_case cases[] = {
		{"FROM foreign\n",
		 "InvalidBaseImagePlatform 1: " PULLED("foreign", "linux/arm64", "linux/amd64")},
		{"ARG A=foreign\nFROM $A AS x\n",
		 "InvalidBaseImagePlatform 2: " PULLED("foreign", "linux/arm64", "linux/amd64")},
		{"FROM --platform=$BUILDPLATFORM foreign\n",
		 "InvalidBaseImagePlatform 1: " PULLED("foreign", "linux/arm64", "linux/amd64")},
		{"FROM --platform=linux/arm64 busybox AS arm64\n",
		 "InvalidBaseImagePlatform 1: " PULLED("busybox", "linux/amd64", "linux/arm64")},
		{"FROM busybox\n", ""},
		{"FROM scratch\n", ""},
		{"FROM unknown\n", ""},
		{"FROM busybox AS foreign\nFROM foreign\n", ""},
		{"FROM --platform=linux/arm64 foreign AS arm64\n", ""},
	};

	RUN_ALL(cases);
}

static void redundant_target_platform(void **state)
{
#define REDUNDANT(v)                                                                               \
	"RedundantTargetPlatform 1: Setting platform to predefined " v " in FROM is redundant as " \
	"this is the default behavior"
	static const struct check_case cases[] = {
		{"FROM --platform=$TARGETPLATFORM busybox\n", REDUNDANT("$TARGETPLATFORM")},
		{"FROM --platform=${TARGETPLATFORM} busybox\n", REDUNDANT("${TARGETPLATFORM}")},
		{"FROM --platform=${TARGETPLATFORM:-x} scratch AS a\n",
		 REDUNDANT("${TARGETPLATFORM:-x}")},
		{"FROM --platform=\"$TARGETPLATFORM\" busybox\n", REDUNDANT("$TARGETPLATFORM")},
		{"FROM busybox\n", ""},
		{"FROM --platform=$BUILDPLATFORM busybox\n", ""},
		{"FROM --platform=$TARGETOS/$TARGETARCH busybox\n", ""},
		{"FROM --platform=${TARGETPLATFORM%64}64 busybox AS x\n",
		 "RedundantTargetPlatform 1: Setting platform to predefined "
		 "${TARGETPLATFORM%64}64 in FROM is redundant as this is the default behavior"},
		{"ARG P=linux/amd64\nFROM --platform=$P busybox\n", ""},
	};

	RUN_ALL(cases);
}

static void secrets_used_in_arg_or_env(void **state)
{
#define SECRET(k, v) "Do not use ARG or ENV instructions for sensitive data (" k " \"" v "\")"
	static const struct check_case cases[] = {
		{"FROM scratch\nARG AWS_SECRET_ACCESS_KEY\n",
		 "SecretsUsedInArgOrEnv 2: " SECRET("ARG", "AWS_SECRET_ACCESS_KEY")},
		{"FROM scratch\nENV GITHUB_TOKEN=x\n",
		 "SecretsUsedInArgOrEnv 2: " SECRET("ENV", "GITHUB_TOKEN")},
		{"FROM scratch\nARG a password=x\n",
		 "SecretsUsedInArgOrEnv 2: " SECRET("ARG", "password")},
		{"FROM scratch\nENV a=1 apikey=2 my_auth=3\n",
		 "SecretsUsedInArgOrEnv 2: " SECRET(
			 "ENV", "apikey") "\nSecretsUsedInArgOrEnv 2: " SECRET("ENV", "my_auth")},
		{"FROM scratch\nARG Db_Passwd\nENV git_key=1\n",
		 "SecretsUsedInArgOrEnv 2: " SECRET(
			 "ARG", "Db_Passwd") "\nSecretsUsedInArgOrEnv 3: " SECRET("ENV",
										  "git_key")},
		{"FROM scratch\nARG MONKEY TOKENIZER AUTHOR\n", ""},
		{"FROM scratch\nENV PUBLIC_KEY=x\n", ""},
		{"FROM scratch\nENV PASSWORD_FILE=/run/secrets/p KEY_VERSION=1\n", ""},
		{"FROM scratch\nLABEL token=x\n", ""},
		{"ARG TOKEN\nFROM scratch\n", ""},
		{"FROM scratch\nRUN --mount=type=secret,id=token x\n", ""},
	};

	RUN_ALL(cases);
}

static void invalid_default_arg_in_from(void **state)
{
#define BAD_DEFAULT(v) "Default value for ARG " v " results in empty or invalid base image name"
	static const struct check_case cases[] = {
		{"ARG TAG\nFROM busybox:$TAG\n",
		 "InvalidDefaultArgInFrom 2: " BAD_DEFAULT("busybox:$TAG"), "TAG=1"},
		{"ARG IMAGE\nFROM $IMAGE\n", "InvalidDefaultArgInFrom 2: " BAD_DEFAULT("$IMAGE"),
		 "IMAGE=busybox"},
		{"ARG A=\nFROM ${A}\n", "InvalidDefaultArgInFrom 2: " BAD_DEFAULT("${A}")},
		{"ARG A=B\nFROM $A AS x\n", "InvalidDefaultArgInFrom 2: " BAD_DEFAULT("$A"), "A=b"},
		{"ARG TAG=latest\nFROM busybox:$TAG\n", ""},
		{"ARG TAG\nFROM busybox:${TAG:-latest}\n", ""},
		{"ARG V\nFROM busybox:stable$V\n", ""},
		{"FROM busybox\n", ""},
		{"ARG A=b\nARG C=$A\nFROM $C\n", ""},
	};

	RUN_ALL(cases);
}

static void from_platform_flag_const_disallowed(void **state)
{
#define CONSTANT(v) "FROM --platform flag should not use constant value \"" v "\""
	static const struct check_case cases[] = {
		{"FROM --platform=linux/amd64 busybox\n",
		 "FromPlatformFlagConstDisallowed 1: " CONSTANT("linux/amd64")},
		{"FROM --platform=linux/amd64 busybox AS a\nFROM a\n",
		 "FromPlatformFlagConstDisallowed 1: " CONSTANT("linux/amd64")},
		{"FROM --platform=amd64 busybox\n",
		 "FromPlatformFlagConstDisallowed 1: " CONSTANT("amd64")},
		{"FROM --platform=linux/arm64 foreign AS arm\n",
		 "FromPlatformFlagConstDisallowed 1: " CONSTANT("linux/arm64")},
		{"FROM --platform=$BUILDPLATFORM busybox\n", ""},
		{"FROM --platform=linux/amd64 busybox AS build_amd64\n", ""},
		{"FROM --platform=linux/amd64 busybox AS linux\n", ""},
		{"FROM --platform=linux/$TARGETARCH busybox\n", ""},
		{"FROM busybox\n", ""},
	};

	RUN_ALL(cases);
}

static void copy_ignored_file(void **state)
{
#define IGNORED(what, path) \
	"Attempting to " what " file \"" path "\" that is excluded by .dockerignore"
	static const struct check_case cases[] = {
		{"FROM scratch\nCOPY a /\n", "CopyIgnoredFile 2: " IGNORED("Copy", "a"), NULL,
		 "a\n"},
		{"FROM scratch\nADD ./tmp/x /\n", "CopyIgnoredFile 2: " IGNORED("Add", "tmp/x"),
		 NULL, "*/x\n"},
		{"FROM scratch\nCOPY d/e/f /\n", "CopyIgnoredFile 2: " IGNORED("Copy", "d/e/f"),
		 NULL, "d\n"},
		{"FROM scratch\nCOPY a b /\n", "CopyIgnoredFile 2: " IGNORED("Copy", "b"), NULL,
		 "# no\nb\n"},
		{"FROM scratch\nARG F=a\nCOPY /$F /\n", "CopyIgnoredFile 3: " IGNORED("Copy", "a"),
		 NULL, "*\n!b\n"},
		{"FROM scratch\nCOPY a /\n", "", NULL, "b\n"},
		{"FROM scratch\nCOPY a /\n", ""},
		{"FROM scratch\nCOPY a /\n", "", NULL, "*\n!a\n"},
		{"FROM scratch\nCOPY d /\n", "", NULL, "d\n!d/keep\n"},
		{"FROM scratch\nCOPY . /\n", "", NULL, "*\n!src\n"},
		{"FROM scratch AS s\nFROM scratch\nCOPY --from=s a /\n", "", NULL, "a\n"},
		{"FROM scratch\nADD https://x/a git@x:a.git /\n", "", NULL, "**\n"},
		{"FROM scratch\nCOPY <<a /\nx\na\n", "", NULL, "*\n"},
	};

	RUN_ALL(cases);
}

static void invalid_definition_description(void **state)
{
#define FOLLOW(k, n) "Comment for " k " should follow the format: `# " n " <description>`"
#define AWAKE	     "# check=experimental=all\n"
	static const struct check_case cases[] = {
		{AWAKE "# bar does things\nARG foo=1\nFROM scratch\n",
		 "InvalidDefinitionDescription 3: " FOLLOW("ARG", "foo")},
		{AWAKE "\n# bar is it\nFROM scratch AS base\n",
		 "InvalidDefinitionDescription 4: " FOLLOW("FROM", "base")},
		{"# check=experimental=InvalidDefinitionDescription\nFROM scratch\n# x\nARG a b\n",
		 "InvalidDefinitionDescription 4: " FOLLOW("ARG", "<arg_key>")},
		{"FROM scratch\n# x\nARG a\n",
		 "InvalidDefinitionDescription 3: " FOLLOW("ARG", "a"),
		 "BUILDKIT_DOCKERFILE_CHECK=experimental=all"},
		/* It sleeps until it is woken, and no skip=all puts it to sleep again. */
		{"# bar is it\nFROM scratch AS base\n", ""},
		{"# check=skip=all\nFROM scratch\n# x\nARG a\n", ""},
		{AWAKE "# foo does things\nARG foo=1\nFROM scratch\n", ""},
		{AWAKE "# all about it\n# base is it\nFROM scratch AS Base\n",
		 "StageNameCasing 4: Stage name 'Base' should be lowercase"},
		{AWAKE "# nothing\n\nARG foo=1\nFROM scratch\n", ""},
		{AWAKE "# a stage without a name\nFROM scratch\n", ""},
		{AWAKE "FROM scratch\n# about env\nENV a=b\n", ""},
		{AWAKE "# b too\nARG a b\nFROM scratch\n", ""},
	};

	RUN_ALL(cases);
}

static void expose_proto_casing(void **state)
{
#define PROTO(p) "Defined protocol '" p "' in EXPOSE instruction should be lowercase"
	static const struct check_case cases[] = {
		{"FROM scratch\nEXPOSE 80/TcP\n", "ExposeProtoCasing 2: " PROTO("80/TcP")},
		{"FROM scratch\nEXPOSE 53/UDP 80\n", "ExposeProtoCasing 2: " PROTO("53/UDP")},
		{"FROM scratch\nARG P=80/TCP\nEXPOSE $P\n",
		 "ExposeProtoCasing 3: " PROTO("80/TCP")},
		{"FROM scratch\nEXPOSE 80-90/TCP 1/UDP\n",
		 "ExposeProtoCasing 2: " PROTO("1/UDP") "\nExposeProtoCasing 2: " PROTO(
			 "80-90/TCP")},
		{"FROM scratch\nEXPOSE 80/tcp\n", ""},
		{"FROM scratch\nEXPOSE 80\n", ""},
		{"FROM scratch\nARG P=80/udp\nEXPOSE $P 1-2/sctp\n", ""},
		{"FROM scratch\nONBUILD EXPOSE 80/TCP\n", ""},
	};

	RUN_ALL(cases);
}

static void expose_invalid_format(void **state)
{
#define MAPPING(p) \
	"EXPOSE instruction should not define an IP address or host-port mapping, found '" p "'"
	static const struct check_case cases[] = {
		{"FROM scratch\nEXPOSE 127.0.0.1:80:80\n",
		 "ExposeInvalidFormat 2: " MAPPING("127.0.0.1:80:80")},
		{"FROM scratch\nEXPOSE 80:80\n", "ExposeInvalidFormat 2: " MAPPING("80:80")},
		{"FROM scratch\nEXPOSE [::1]:80:80\n",
		 "ExposeInvalidFormat 2: " MAPPING("[::1]:80:80")},
		{"FROM scratch\nENV P=1:2\nEXPOSE $P 80\n",
		 "ExposeInvalidFormat 3: " MAPPING("1:2")},
		{"FROM scratch\nEXPOSE 8080:80/TCP\n",
		 "ExposeProtoCasing 2: " PROTO("8080:80/TCP") "\nExposeInvalidFormat 2: " MAPPING(
			 "8080:80/TCP")},
		{"FROM scratch\nEXPOSE 80\n", ""},
		{"FROM scratch\nEXPOSE 80/tcp 90-100/udp\n", ""},
		{"FROM scratch\nENV P=\"80 81\"\nEXPOSE $P\n", ""},
		{"FROM scratch\nEXPOSE 8080-8090\n", ""},
	};

	RUN_ALL(cases);
}

/* ---- what is asked for ---- */

static void obeys_options(void **state)
{
#define BOTH "FROM scratch AS A\nMAINTAINER me\n"
	static const char casing[] = "StageNameCasing 2: Stage name 'A' should be lowercase";
	static const char maintainer[] = "MaintainerDeprecated 3: Maintainer instruction is "
					 "deprecated in favor of using label";
	const struct check_case cases[] = {
		{"# check=skip=all\n" BOTH, ""},
		{"# check=skip=StageNameCasing,MaintainerDeprecated\n" BOTH, ""},
		{"# check=skip=StageNameCasing\n" BOTH, maintainer},
		{"# check=skip= MaintainerDeprecated , JSONArgsRecommended\n" BOTH, casing},
		{"# check=skip=MaintainerDeprecated;error=true\n" BOTH, casing},
		{"# check=error=true;skip=stagenamecasing,MaintainerDeprecated\n" BOTH, casing},
		/* The argument takes the directive's place. */
		{"# check=skip=all\n" BOTH, maintainer,
		 "BUILDKIT_DOCKERFILE_CHECK=skip=StageNameCasing"},
		/* A comment just above an instruction is for that one. */
		{"# check=skip=StageNameCasing\n\n# check=skip=MaintainerDeprecated\n" BOTH,
		 "MaintainerDeprecated 5: Maintainer instruction is deprecated in favor of using "
		 "label"},
		{"\nFROM scratch AS A\n# check=skip=MaintainerDeprecated\nMAINTAINER me\n", casing},
		{"\nFROM scratch AS A\n# check=skip=all for now\nMAINTAINER me\n", casing},
		{"FROM scratch\n# check=nonsense\nMAINTAINER me\n", maintainer},
	};

	RUN_ALL(cases);
}

static void refuses_options(void **state)
{
	static const struct {
		const char *option, *message;
	} cases[] = {
		{"x", "failed to parse check options: invalid check option \"x\""},
		{"skip=all;x=1", "failed to parse check options: invalid check option \"x\""},
		{"error=maybe",
		 "failed to parse check options: failed to parse check option "
		 "\"error=maybe\": strconv.ParseBool: parsing \"maybe\": invalid syntax"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *text = str_printf("# check=%s\nFROM scratch\n", cases[i].option);
		cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
		cleanup_stages struct dockerfile_stages stages = {};
		struct check_findings found = {};
		struct check_input input = {.file = &file, .stages = &stages};
		struct err err = ERR_INIT;
		bool is_error = false;

		assert_int_equal(
			dockerfile_parse("Dockerfile", text, strlen(text), &file, NULL, &err), 0);
		assert_int_equal(dockerfile_get_stages(&file, &stages, NULL, &err), 0);
		assert_int_equal(dockerfile_check(&input, &found, &is_error, &err), -ERR_INVALID);
		assert_string_equal(err.msg, cases[i].message);
	}
}

/* Of a stage that nobody builds only the text is looked at. */
static void looks_at_needed_stages(void **state)
{
	static const char text[] =
		"FROM scratch AS a\nCMD x\nFROM scratch AS b\nENTRYPOINT y\n"
		"FROM scratch AS c\nCOPY --from=b x /\nRUN --mount=from=d,target=/m z\n"
		"FROM scratch AS d\nWORKDIR w\nFROM a\nMAINTAINER m\n";
	static const char maintainer[] = "MaintainerDeprecated 11: Maintainer instruction is "
					 "deprecated in favor of using label";
	static const char cmd[] =
		"JSONArgsRecommended 2: JSON arguments recommended for CMD" SIGNALS;
	static const char entrypoint[] =
		"JSONArgsRecommended 4: JSON arguments recommended for ENTRYPOINT" SIGNALS;
	cleanup_free char *of_last = str_printf("%s\n%s", cmd, maintainer);
	cleanup_free char *of_c = str_printf("%s\n%s", entrypoint, maintainer);
	const struct check_case cases[] = {
		{text, of_last, .only_needed = true},
		{text, of_c, .only_needed = true, .target = "C"},
		{text, maintainer, .only_needed = true, .target = "nobody"},
	};

	RUN_ALL(cases);
}

static void describes_rules(void **state)
{
	static const char text[] = "# check=error=true\nFROM scratch AS A\nMAINTAINER a\n"
				   "FROM foreign AS B\n";
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_stages struct dockerfile_stages stages = {};
	struct check_findings found = {}, none = {};
	const struct check_input input = {.file = &file,
					  .stages = &stages,
					  .get_platform = get_platform,
					  .platform = "linux/amd64"};
	cleanup_free char *error = NULL;
	struct err err = ERR_INIT;
	bool is_error = false;

	assert_int_equal(dockerfile_parse("Dockerfile", text, strlen(text), &file, NULL, &err), 0);
	assert_int_equal(dockerfile_get_stages(&file, &stages, NULL, &err), 0);
	assert_int_equal(dockerfile_check(&input, &found, &is_error, &err), 0);
	assert_true(is_error);
	assert_int_equal(found.n, 4);
	assert_string_equal(found.items[0].url,
			    "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/");
	assert_string_equal(found.items[1].description,
			    "The MAINTAINER instruction is deprecated, use a label instead to "
			    "define an image author");
	assert_string_equal(found.items[3].url, "");
	error = check_findings_format_error(&found);
	assert_string_equal(error, "lint violation found for rules: StageNameCasing, "
				   "MaintainerDeprecated, InvalidBaseImagePlatform");
	assert_null(check_findings_format_error(&none));
	check_findings_done(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stage_name_casing),
		cmocka_unit_test(from_as_casing),
		cmocka_unit_test(no_empty_continuation),
		cmocka_unit_test(consistent_instruction_casing),
		cmocka_unit_test(duplicate_stage_name),
		cmocka_unit_test(reserved_stage_name),
		cmocka_unit_test(json_args_recommended),
		cmocka_unit_test(maintainer_deprecated),
		cmocka_unit_test(undefined_arg_in_from),
		cmocka_unit_test(workdir_relative_path),
		cmocka_unit_test(undefined_var),
		cmocka_unit_test(multiple_instructions_disallowed),
		cmocka_unit_test(legacy_key_value_format),
		cmocka_unit_test(invalid_base_image_platform),
		cmocka_unit_test(redundant_target_platform),
		cmocka_unit_test(secrets_used_in_arg_or_env),
		cmocka_unit_test(invalid_default_arg_in_from),
		cmocka_unit_test(from_platform_flag_const_disallowed),
		cmocka_unit_test(copy_ignored_file),
		cmocka_unit_test(invalid_definition_description),
		cmocka_unit_test(expose_proto_casing),
		cmocka_unit_test(expose_invalid_format),
		cmocka_unit_test(obeys_options),
		cmocka_unit_test(refuses_options),
		cmocka_unit_test(looks_at_needed_stages),
		cmocka_unit_test(describes_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
