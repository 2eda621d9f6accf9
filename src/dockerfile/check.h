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
	const char *url;	 /* of the rule's page; owned by the table */
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
	/* The platform of an image ("linux/amd64") as it really is, NULL when unknown, and its
	 * environment ("K=V"): both for rules that depend on base images; NULL: nobody knows. */
	const char *(*get_platform)(void *ctx, const char *image);
	const struct strv *(*get_env)(void *ctx, const char *image);
	void *ctx;
	const char *platform; /* that is built for: "linux/amd64" */
};

/* All findings, but for those that "# check=skip=..." names (or BUILDKIT_DOCKERFILE_CHECK among the
 * build arguments). RET_IS_ERROR: "error=true" was said. */
int dockerfile_check(const struct check_input *input, struct check_findings *ret,
		     bool *ret_is_error, struct err *err);
void check_findings_done(struct check_findings *f);

#endif
