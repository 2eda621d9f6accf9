/* SPDX-License-Identifier: Apache-2.0 */
/* The rules by name, and whether a finding is wanted. */
#include "dockerfile/check_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define PAGE(name) "https://docs.docker.com/go/dockerfile/rule/" name "/"

static const struct rule {
	const char *name, *description, *url;
	bool is_experimental; /* silent until it is asked for */
} rules[N_RULES] = {
	[RULE_STAGE_NAME_CASING] = {"StageNameCasing", "Stage names should be lowercase",
				    PAGE("stage-name-casing")},
	[RULE_FROM_AS_CASING] = {"FromAsCasing",
				 "The 'as' keyword should match the case of the 'from' keyword",
				 PAGE("from-as-casing")},
	[RULE_NO_EMPTY_CONTINUATION] =
		{"NoEmptyContinuation",
		 "Empty continuation lines will become errors in a future release",
		 PAGE("no-empty-continuation")},
	[RULE_CONSISTENT_INSTRUCTION_CASING] =
		{"ConsistentInstructionCasing",
		 "All commands within the Dockerfile should use the same casing (either upper or "
		 "lower)",
		 PAGE("consistent-instruction-casing")},
	[RULE_DUPLICATE_STAGE_NAME] = {"DuplicateStageName", "Stage names should be unique",
				       PAGE("duplicate-stage-name")},
	[RULE_RESERVED_STAGE_NAME] = {"ReservedStageName",
				      "Reserved words should not be used as stage names",
				      PAGE("reserved-stage-name")},
	[RULE_JSON_ARGS_RECOMMENDED] =
		{"JSONArgsRecommended",
		 "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior "
		 "related to OS signals",
		 PAGE("json-args-recommended")},
	[RULE_MAINTAINER_DEPRECATED] =
		{"MaintainerDeprecated",
		 "The MAINTAINER instruction is deprecated, use a label instead to define an image "
		 "author",
		 PAGE("maintainer-deprecated")},
	[RULE_UNDEFINED_ARG_IN_FROM] = {"UndefinedArgInFrom", "FROM command must use declared ARGs",
					PAGE("undefined-arg-in-from")},
	[RULE_WORKDIR_RELATIVE_PATH] =
		{"WorkdirRelativePath",
		 "Relative workdir without an absolute workdir declared within the build can have "
		 "unexpected results if the base image changes",
		 PAGE("workdir-relative-path")},
	[RULE_UNDEFINED_VAR] = {"UndefinedVar", "Variables should be defined before their use",
				PAGE("undefined-var")},
	[RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED] =
		{"MultipleInstructionsDisallowed",
		 "Multiple instructions of the same type should not be used in the same stage",
		 PAGE("multiple-instructions-disallowed")},
	[RULE_LEGACY_KEY_VALUE_FORMAT] =
		{"LegacyKeyValueFormat",
		 "Legacy key/value format with whitespace separator should not be used",
		 PAGE("legacy-key-value-format")},
	[RULE_INVALID_BASE_IMAGE_PLATFORM] =
		{"InvalidBaseImagePlatform",
		 "Base image platform does not match expected target platform", ""},
	[RULE_REDUNDANT_TARGET_PLATFORM] =
		{"RedundantTargetPlatform",
		 "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is "
		 "the default behavior",
		 PAGE("redundant-target-platform")},
	[RULE_SECRETS_USED_IN_ARG_OR_ENV] =
		{"SecretsUsedInArgOrEnv",
		 "Sensitive data should not be used in the ARG or ENV commands",
		 PAGE("secrets-used-in-arg-or-env")},
	[RULE_INVALID_DEFAULT_ARG_IN_FROM] =
		{"InvalidDefaultArgInFrom",
		 "Default value for global ARG results in an empty or invalid base image name",
		 PAGE("invalid-default-arg-in-from")},
	[RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED] =
		{"FromPlatformFlagConstDisallowed",
		 "FROM --platform flag should not use a constant value",
		 PAGE("from-platform-flag-const-disallowed")},
	[RULE_COPY_IGNORED_FILE] = {"CopyIgnoredFile",
				    "Attempting to Copy file that is excluded by .dockerignore",
				    PAGE("copy-ignored-file")},
	[RULE_INVALID_DEFINITION_DESCRIPTION] =
		{"InvalidDefinitionDescription",
		 "Comment for build stage or argument should follow the format: `# <arg/stage "
		 "name> "
		 "<description>`. If this is not intended to be a description comment, add an "
		 "empty line or comment between the instruction and the comment.",
		 PAGE("invalid-definition-description"), .is_experimental = true},
	[RULE_EXPOSE_PROTO_CASING] = {"ExposeProtoCasing",
				      "Protocol in EXPOSE instruction should be lowercase",
				      PAGE("expose-proto-casing")},
	[RULE_EXPOSE_INVALID_FORMAT] =
		{"ExposeInvalidFormat",
		 "IP address and host-port mapping should not be used in EXPOSE instruction. This "
		 "will become an error in a future release",
		 PAGE("expose-invalid-format")},
};

/* ---- options ---- */

static void set_rules(char *value, bool *ret_all, struct strv *ret)
{
	cleanup_strv struct strv names = STRV_INIT;

	*ret_all = strcmp(value, "all") == 0;
	if (*ret_all)
		return;
	strv_done(ret);
	strv_split(&names, value, ',');
	strv_foreach (i, &names)
		strv_add(ret, str_trim(names.items[i]));
}

static int parse_option(char *text, struct check_options *o, struct err *err)
{
	char *equals = strchr(text, '=');
	const char *key = NULL;
	char *value = NULL;

	if (!equals)
		return err_set(err, ERR_INVALID, "invalid check option \"%s\"", text);
	*equals = '\0';
	key = str_trim(text);
	value = str_trim(equals + 1);
	if (strcmp(key, "skip") == 0) {
		set_rules(value, &o->skips_all, &o->skipped);
	} else if (strcmp(key, "experimental") == 0) {
		set_rules(value, &o->wakes_all, &o->woken);
	} else if (strcmp(key, "error") != 0) {
		return err_set(err, ERR_INVALID, "invalid check option \"%s\"", key);
	} else if (num_parse_bool(value, &o->is_error) < 0) {
		return err_set(err, ERR_INVALID,
			       "failed to parse check option \"%s=%s\": strconv.ParseBool: parsing "
			       "\"%s\": invalid syntax",
			       key, value, value);
	}
	return 0;
}

int check_options_parse(const char *text, struct check_options *ret, struct err *err)
{
	cleanup_free char *copy = str_dup(text);
	const char *trimmed = str_trim(copy);
	cleanup_strv struct strv parts = STRV_INIT;
	struct check_options o = {};

	if (*trimmed)
		strv_split(&parts, trimmed, ';');
	strv_foreach (i, &parts) {
		if (parse_option(parts.items[i], &o, err) == 0)
			continue;
		check_options_done(&o);
		return -err->code;
	}
	*ret = o;
	return 0;
}

void check_options_done(struct check_options *o)
{
	strv_done(&o->skipped);
	strv_done(&o->woken);
	*o = (struct check_options){};
}

/* Whether O alone wants (an experimental rule) or does not want (any other) RULE. */
static bool names_rule(const struct check_options *o, const struct rule *rule)
{
	if (rule->is_experimental)
		return o->wakes_all || strv_has(&o->woken, rule->name);
	return o->skips_all || strv_has(&o->skipped, rule->name);
}

/* The options in a line "check=..." of the comment above SYNTAX, the first one's up to a blank.
 * What does not parse is an ordinary comment. */
static void get_own_options(const struct dockerfile_instruction *syntax, struct check_options *ret)
{
	cleanup_strv struct strv lines = STRV_INIT;
	struct err ignored = ERR_INIT;

	if (!syntax->doc || !strstr(syntax->doc, "check"))
		return;
	strv_split(&lines, syntax->doc, '\n');
	strv_foreach (i, &lines) {
		char *line = str_trim(lines.items[i]);
		char *value = NULL;

		if (!str_has_prefix(line, "check"))
			continue;
		value = str_trim(line + strlen("check"));
		if (*value != '=')
			continue;
		value = str_trim(value + 1);
		value[strcspn(value, " \t")] = '\0';
		(void)check_options_parse(value, ret, &ignored);
		return;
	}
}

static bool is_wanted(const struct check *c, const struct rule *rule,
		      const struct dockerfile_instruction *syntax)
{
	struct check_options own = {};
	bool is_named = names_rule(&c->options, rule);

	if (!is_named && syntax) {
		get_own_options(syntax, &own);
		is_named = names_rule(&own, rule);
		check_options_done(&own);
	}
	return is_named == rule->is_experimental;
}

/* ---- findings ---- */

static void add_finding(struct check *c, enum check_rule rule, struct dockerfile_lines lines,
			char *message)
{
	struct check_found *found = NULL;

	if (c->n_found == c->cap_found) {
		c->cap_found = c->cap_found ? 2 * c->cap_found : 8;
		c->found = mem_realloc_array(c->found, c->cap_found, sizeof(*c->found));
	}
	found = &c->found[c->n_found];
	*found = (struct check_found){
		.finding = {rules[rule].name, rules[rule].description, rules[rule].url, message,
			    lines},
		.order = c->n_found++,
	};
}

__attribute__((format(printf, 1, 0))) static char *format_message(const char *fmt, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		abort();
	return text;
}

void dockerfile_report(struct check *c, enum check_rule rule,
		       const struct dockerfile_instruction *syntax, const char *fmt, ...)
{
	va_list args;

	if (c->is_muted || !is_wanted(c, &rules[rule], syntax))
		return;
	va_start(args, fmt);
	add_finding(c, rule, syntax->lines, format_message(fmt, args));
	va_end(args);
}

void check_report_lines(struct check *c, enum check_rule rule, struct dockerfile_lines lines,
			const char *fmt, ...)
{
	va_list args;

	if (!is_wanted(c, &rules[rule], NULL))
		return;
	va_start(args, fmt);
	add_finding(c, rule, lines, format_message(fmt, args));
	va_end(args);
}
