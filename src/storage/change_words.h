/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CHANGE_WORDS_H
#define STORAGE_CHANGE_WORDS_H
/* Words of a Dockerfile instruction: splitting, quotes, expansion. Of this module only. */
#include "base/err.h"
#include "base/str.h"

/* Splits at white space outside quotes; quotes and backslashes stay in the words. */
void words_split(const char *text, struct strv *ret);
/* Removes quotes and expands $NAME, ${NAME}, ${NAME:-word}, ${NAME:+word} from ENV ("NAME=value").
 * Appends to RET. ERR_INVALID for a quote or brace that does not end. */
int words_expand(const char *word, const struct strv *env, struct str *ret, struct err *err);
/* 1 when TEXT is a JSON list, whose strings are appended to RET; 0 when it is none. ERR_INVALID for
 * one that has other things than strings. */
int words_parse_json(const char *text, struct strv *ret, struct err *err);

#endif
