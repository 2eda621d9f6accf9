/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_GLOB_H
#define DOCKERFILE_GLOB_H
/* Go's filepath.Match: `*` and `?` not across slashes, `[a-z]`, `[^a]`, `\` escapes. */
#include <stdbool.h>

/* 1 when PATTERN matches the whole of NAME, 0 when not, -ERR_INVALID when the pattern is bad. */
int glob_match(const char *pattern, const char *name);
/* Whether TEXT has a character that makes it a pattern: `*`, `?` or `[` without a `\` before it. */
bool glob_is_pattern(const char *text);

/* PATH without empty parts, "." and, as far as that goes without looking at files, ".."; owned; "."
 * for nothing (Go's filepath.Clean). */
char *glob_clean(const char *path);

#endif
