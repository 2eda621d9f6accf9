/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PATTERN_H
#define ENGINE_PATTERN_H
/* Go's regular expressions, as far as filters are written in them, on those of POSIX. */
#include <stdbool.h>

struct str;

/* Appends PATTERN as a POSIX extended expression: \d \w \s and their opposites, \A \z, groups
 * without capture, lazy repetitions (which match the same). A leading (?i) sets RET_IGNORE_CASE.
 * Returns false for what POSIX has nothing for. */
bool pattern_translate(const char *pattern, struct str *out, bool *ret_ignore_case);

/* Whether PATTERN occurs in TEXT, anywhere unless it is anchored. One that does not compile matches
 * nothing, as docker has it. */
bool pattern_matches(const char *pattern, const char *text);

#endif
