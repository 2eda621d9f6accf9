/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_IGNORE_H
#define DOCKERFILE_IGNORE_H
/*
 * .dockerignore: which files of a context do not belong to it; and the patterns of COPY --exclude.
 * `**` is any depth, `!` takes back, the last match wins, a match of a directory holds for what is
 * in it.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct ignore; /* compiled patterns */

/* Compiles the text of an ignore file. ERR_INVALID for a bad pattern, with the line's number. */
int ignore_parse(const char *text, size_t len, struct ignore **ret, struct err *err);
/* The same of single patterns (COPY --exclude). */
int ignore_compile(const struct strv *patterns, struct ignore **ret, struct err *err);
void ignore_free(struct ignore *ig);
void ignore_cleanup(struct ignore **ig);
#define cleanup_ignore __attribute__((cleanup(ignore_cleanup)))

/* What is known of a directory on the way down, so that each level is matched once. */
struct ignore_state {
	bool excluded; /* the directory itself is */
	/* For each pattern whether it matched the directory or one above it; owned; NULL at the
	 * top. */
	bool *matched;
};

/* Whether PATH (relative, clean, no leading slash) is excluded. PARENT is the state of its
 * directory, NULL at the top, or for a path alone, whose directories are then asked one by one (as
 * docker does, with its differences: "a/b", "!a" leaves a/b out of a walk). RET (may be NULL, for
 * files) becomes PATH's own, freed by ignore_state_done. */
bool ignore_match(const struct ignore *ig, const char *path, const struct ignore_state *parent,
		  struct ignore_state *ret);
/* The same of PATH alone, level by level from the top, as a walk comes to it. RET (may be NULL)
 * becomes its state; nothing is known of "". */
bool ignore_match_way(const struct ignore *ig, const char *path, struct ignore_state *ret);
void ignore_state_done(struct ignore_state *state);
/* Whether something below the excluded directory PATH may be taken back, so that it has to be
 * looked into. */
bool ignore_may_take_back(const struct ignore *ig, const char *path);
/* Whether there are no patterns at all; NULL is empty. */
bool ignore_is_empty(const struct ignore *ig);

#endif
