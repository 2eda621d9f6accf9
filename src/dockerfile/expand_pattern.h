/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_EXPAND_PATTERN_H
#define DOCKERFILE_EXPAND_PATTERN_H
/*
 * Patterns of ${v#p}, ${v%p} and ${v/p/r}: `*` is any text within a line, `?` any character but a
 * newline, a backslash takes either's meaning away. Of this module only.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

/* Appends VALUE without its shortest (or LONGEST) beginning, or end with FROM_END, that PATTERN
 * matches. ERR_INVALID: "invalid pattern (x) in substitution: invalid escape '\a'", or both are too
 * long to be compared. */
int expand_trim(const char *value, const char *pattern, bool from_end, bool longest,
		struct str *ret, struct err *err);
/* Appends VALUE with the first (or ALL) of what PATTERN matches replaced; not more than about LIMIT
 * bytes. */
int expand_replace(const char *value, const char *pattern, const char *replacement, bool all,
		   size_t limit, struct str *ret, struct err *err);

#endif
