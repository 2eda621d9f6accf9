/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_CHECK_PRIVATE_H
#define DOCKERFILE_CHECK_PRIVATE_H
/* What the parts of the checks share. Of this module only. */
#include "dockerfile/check.h"

enum check_rule {
	RULE_STAGE_NAME_CASING,
	RULE_FROM_AS_CASING,
	RULE_NO_EMPTY_CONTINUATION,
	RULE_CONSISTENT_INSTRUCTION_CASING,
	RULE_DUPLICATE_STAGE_NAME,
	RULE_RESERVED_STAGE_NAME,
	RULE_JSON_ARGS_RECOMMENDED,
	RULE_MAINTAINER_DEPRECATED,
	RULE_UNDEFINED_ARG_IN_FROM,
	RULE_WORKDIR_RELATIVE_PATH,
	RULE_UNDEFINED_VAR,
	RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED,
	RULE_LEGACY_KEY_VALUE_FORMAT,
	RULE_INVALID_BASE_IMAGE_PLATFORM,
	RULE_REDUNDANT_TARGET_PLATFORM,
	RULE_SECRETS_USED_IN_ARG_OR_ENV,
	RULE_INVALID_DEFAULT_ARG_IN_FROM,
	RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED,
	RULE_COPY_IGNORED_FILE,
	RULE_INVALID_DEFINITION_DESCRIPTION,
	RULE_EXPOSE_PROTO_CASING,
	RULE_EXPOSE_INVALID_FORMAT,
	N_RULES,
};

/* ---- which rules ask ---- */

struct check_options {
	bool skips_all, wakes_all;
	struct strv skipped, woken; /* names of rules */
	bool is_error;
};

/* Parses "skip=A,B;error=true;experimental=all". ERR_INVALID. */
int check_options_parse(const char *text, struct check_options *ret, struct err *err);
void check_options_done(struct check_options *o);

/* ---- variables ---- */

struct check_vars {
	struct strv names, values; /* as many of each */
};

/* The borrowed value of NAME, NULL when it is not set. */
const char *check_vars_get(const struct check_vars *vars, const char *name);
void check_vars_set(struct check_vars *vars, const char *name, const char *value);
/* Sets those of PAIRS ("K=V"). */
void check_vars_set_pairs(struct check_vars *vars, const struct strv *pairs);
void check_vars_copy(struct check_vars *to, const struct check_vars *from);
void check_vars_done(struct check_vars *vars);
#define cleanup_check_vars __attribute__((cleanup(check_vars_done)))

/* ---- a run of all rules ---- */

struct check_found {
	struct check_finding finding;
	size_t order; /* of being found */
};

struct check {
	const struct check_input *in;
	struct check_options options;
	bool is_muted; /* nobody builds the stage that is looked at */
	char *platform;
	struct check_vars globals;    /* values that FROM sees */
	struct strv declared_globals; /* names, with or without a value */
	struct check_found *found;    /* owned array */
	size_t n_found, cap_found;
};

/* Adds a finding of RULE at SYNTAX unless somebody asked not to hear of it. */
void dockerfile_report(struct check *c, enum check_rule rule,
		       const struct dockerfile_instruction *syntax, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same of bare lines. */
void check_report_lines(struct check *c, enum check_rule rule, struct dockerfile_lines lines,
			const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The value that --build-arg gives NAME; borrowed, NULL when it gives none. */
const char *check_build_arg(const struct check *c, const char *name);

/* ---- the rules ---- */

/* Rules that need the text alone. */
void check_text(struct check *c);
/* Makes the globals, and the rules of FROM. */
void check_from(struct check *c);
/* The image of stage I with its variables replaced; owned, NULL when that fails. */
char *check_expand_image(const struct check *c, size_t i);
/* The earlier stage that the base image IMAGE of stage I is, or -1. */
int check_find_base(const struct check *c, const char *image, size_t i);
/* What happens inside stages. */
void check_stages(struct check *c);
/* RET[i] (as many as stages) becomes whether the target needs stage I. */
void check_mark_needed(const struct check *c, bool *ret);

#endif
