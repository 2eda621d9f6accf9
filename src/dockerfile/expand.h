/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_EXPAND_H
#define DOCKERFILE_EXPAND_H
/*
 * Words of a Dockerfile: quotes, escapes and variables, as BuildKit's shell lexer has them:
 * $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r}
 * ${v//p/r}.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct expand_scope {
	/* The borrowed value of NAME, NULL when it is not set. */
	const char *(*get)(void *ctx, const char *name);
	void *ctx;
	char escape; /* '\\' or '`' */
	/* Variables that were used and are not set, once each; NULL: nobody asks. */
	struct strv *ret_unset;
	/* Variables that were used; NULL. */
	struct strv *ret_used;
	bool keeps_quotes;  /* "raw quotes": quotes stay in the result */
	bool keeps_escapes; /* "raw escapes": so do escapes */
	bool plain_quotes;  /* quotes are letters like others, as in here-documents */
	bool keeps_unset;   /* a variable that is not set stays as it is written */
};

/* The owned word: quotes and escapes removed, variables replaced. ERR_INVALID ("unexpected end of
 * statement while looking for matching double-quote", "syntax error: missing '}'", "x: parameter
 * not set"...). */
int expand_word(const char *text, const struct expand_scope *scope, char **ret, struct err *err);
/* The same, and blanks that come out of unquoted variables split words, as EXPOSE has it. Appends.
 */
int expand_words(const char *text, const struct expand_scope *scope, struct strv *ret,
		 struct err *err);

#endif
