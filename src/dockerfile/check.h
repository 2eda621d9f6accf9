/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_CHECK_H
#define DOCKERFILE_CHECK_H
/*
 * BuildKit's 22 checks of Dockerfiles. Most need the text alone; what depends on arguments, images
 * and the context's ignore file is told by the caller.
 */
#include "dockerfile/instruction.h"

struct ignore;

struct check_finding {
	const char *rule;	 /* "StageNameCasing" */
	const char *description; /* its general sentence */
	const char *url;	 /* of the rule's page, "" for the one without; the table's */
	char *message;		 /* owned: "Stage name 'Build' should be lowercase" */
	struct dockerfile_lines lines;
};

struct check_findings {
	struct check_finding *items; /* owned array, by line */
	size_t n;
};

struct check_input {
	const struct dockerfile *file;
	const struct dockerfile_stages *stages;
	const struct strv *build_args; /* "K=V" of the command line */
	const struct ignore *ignore;   /* of the main context; NULL */
	const char *target;	       /* stage; NULL: the last */
	bool all_stages;	       /* look into those that the target does not need, too */
	/* What is known of the base image IMAGE (as FROM has it, expanded): its platform
	 * ("linux/amd64") as it really is when WANTED was asked for, its environment ("K=V"), the
	 * SHELL in its configuration; NULL when unknown. Each function may be NULL: nobody knows.
	 * Without its environment no variable of a stage counts as undefined. */
	const char *(*get_platform)(void *ctx, const char *image, const char *wanted);
	const struct strv *(*get_env)(void *ctx, const char *image);
	const struct strv *(*get_shell)(void *ctx, const char *image);
	void *ctx;
	const char *platform; /* that is built for: "linux/amd64"; NULL: the host's */
};

/* All findings, but for those that "# check=skip=..." names, in the directive or in a comment just
 * above an instruction; BUILDKIT_DOCKERFILE_CHECK among the build arguments takes the directive's
 * place. The rule InvalidDefinitionDescription is experimental: only "experimental=..." wakes it.
 * RET_IS_ERROR: "error=true" was said. ERR_INVALID: "failed to parse check options: ...". Never
 * fails for what is wrong with the file otherwise. */
int dockerfile_check(const struct check_input *input, struct check_findings *ret,
		     bool *ret_is_error, struct err *err);
void check_findings_done(struct check_findings *f);
/* What a build with "error=true" fails with: "lint violation found for rules: A, B". Owned; NULL
 * when there are no findings. */
char *check_findings_format_error(const struct check_findings *f);

#endif
