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

/* Bytes that a result may have beyond twice the length of its text: a few lines of ENV a=$a$a would
 * otherwise fill any memory. */
#define EXPAND_MAX (1 << 20)

struct expand_scope {
	/* The borrowed value of NAME, NULL when it is not set. */
	const char *(*get)(void *ctx, const char *name);
	void *ctx;
	char escape; /* '\\' or '`' */
	/* Variables that were used and are not set, once each, the first 200; NULL: nobody
	 * asks. */
	struct strv *ret_unset;
	/* Variables that were used and are set, likewise. */
	struct strv *ret_used;
	bool keeps_quotes;   /* "raw quotes": quotes stay in the result */
	bool keeps_escapes;  /* "raw escapes": so do escapes */
	bool keeps_unset;    /* a variable that is not set stays as it is written */
	bool ignores_quotes; /* they mean nothing: the content of here-documents, whose escape
				is always a backslash */
};

/* The owned word: quotes and escapes removed, variables replaced; white space stays as it is.
 * ERR_INVALID, the word first: "failed to process "${a": syntax error: missing '}'"; others are
 * "unexpected end of statement while looking for matching double-quote", "a: is not allowed to be
 * unset" or what "${a:?...}" says, "unsupported modifier (:=) in substitution". */
int expand_word(const char *text, const struct expand_scope *scope, char **ret, struct err *err);
/* The same in words, as EXPOSE has it: white space splits them, also what comes out of variables
 * outside quotes, and empty ones vanish. Appends. */
int expand_words(const char *text, const struct expand_scope *scope, struct strv *ret,
		 struct err *err);

#endif
