/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_PATTERN_H
#define JSON_PATTERN_H
/*
 * Regular expressions of filters, in the syntax of Go's package regexp (RE2): flags, named groups,
 * lazy repetition, classes of Perl, POSIX and Unicode, \Q...\E. Lookaround and references are no
 * part of it.
 *
 * A match costs at most the length of the text times that of the expression, whatever the
 * expression is: all ways to match are followed at once, none is tried after another.
 *
 * What is matched are names and identifiers, which are ASCII. Beyond it the classes \p{...} know no
 * characters.
 */
#include <stdbool.h>

struct pattern;

/* The expression TEXT; NULL for one that Go does not compile either, or that would need more than
 * PATTERN_MAX_STATES states. */
struct pattern *pattern_new(const char *text);
void pattern_free(struct pattern *p);

/* Whether P occurs in TEXT, anywhere unless it is anchored. P keeps its working memory. */
bool pattern_occurs(struct pattern *p, const char *text);

/* docker's test of a filter's value: VALUE is TEXT itself, or an expression that occurs in it. One
 * that does not compile matches only itself. */
bool pattern_matches(const char *value, const char *text);

#define PATTERN_MAX_STATES (1u << 20)

/* Several values of one filter, compiled once for many texts. */
struct pattern_set;

/* Takes over nothing; VALUE is copied. */
struct pattern_set *pattern_set_new(void);
void pattern_set_add(struct pattern_set *set, const char *value);
void pattern_set_free(struct pattern_set *set); /* NULL is fine */
/* Whether one of the values matches TEXT as pattern_matches says. */
bool pattern_set_matches(struct pattern_set *set, const char *text);

#endif
