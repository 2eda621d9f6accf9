/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_CHECK_STAGE_H
#define DOCKERFILE_CHECK_STAGE_H
/* A stage as it is after some of its instructions. Of the checks only. */
#include "dockerfile/check_private.h"

struct stage_state {
	struct check_vars vars; /* environment and arguments, as instructions see them */
	struct strv declared;	/* names of ARG, with or without a value */
	bool knows_env;		/* the environment of its base image is known */
	bool has_shell;		/* SHELL was said */
	bool has_workdir;	/* WORKDIR was said, here or in a stage below */
	/* The last of each in this stage, for those of which only one counts. */
	const struct dockerfile_instruction *last[KEYWORD_COUNT];
};

/* WORD of I with its variables replaced; those that are not set are reported. Owned, NULL when it
 * does not expand. */
char *check_expand(struct check *c, const struct stage_state *s, const struct instruction *i,
		   const char *word);
/* The same of the text of a here-document, in which quotes are plain. Only reports. */
void check_content(struct check *c, const struct stage_state *s, const struct instruction *i,
		   const char *text);
/* Of many words. Only reports. */
void check_words(struct check *c, const struct stage_state *s, const struct instruction *i,
		 const struct strv *words);

/* Rules of one instruction each, that need the state. */
void check_copy(struct check *c, struct stage_state *s, const struct instruction *i);
void check_expose(struct check *c, struct stage_state *s, const struct instruction *i);
/* What looks like a secret in the name NAME of an ENV or ARG. */
void check_secret(struct check *c, const struct instruction *i, const char *name);

#endif
