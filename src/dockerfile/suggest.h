/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_SUGGEST_H
#define DOCKERFILE_SUGGEST_H
/* What somebody may have meant who typed something that is not there. */
#include <stdbool.h>
#include <stddef.h>

/* The borrowed one of the N OPTIONS that is nearest to TYPED, at most two edits away; of equally
 * near ones the first in the order of bytes. NULL when there is none, or when TYPED itself is
 * among them: then it is not the spelling that is wrong. With IGNORES_CASE letters are compared in
 * lower case. */
const char *suggest_find(const char *typed, const char *const *options, size_t n,
			 bool ignores_case);
/* Owned text to append to a message: " (did you mean from?)", or "". */
char *suggest_text(const char *typed, const char *const *options, size_t n);

#endif
