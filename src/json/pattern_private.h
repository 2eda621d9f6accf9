/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_PATTERN_PRIVATE_H
#define JSON_PATTERN_PRIVATE_H
/* Internal to json: the parts of a regular expression between its text and its states. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_MAX_RUNE   0x10ffffu
#define PATTERN_MAX_REPEAT 1000 /* of one {n,m}, and of all that stand in each other */
#define PATTERN_MAX_NEST   1000
#define PATTERN_NO_MAX	   (-1)

struct pattern_range {
	uint32_t first, last;
};

/* One part of a class: characters that are (not) in some ranges, without regard to case. */
struct class_item {
	struct pattern_range *ranges; /* owned unless is_static */
	size_t n_ranges;
	bool is_static, negated, fold;
};

/* A set of characters: those of any item, or of none. */
struct pattern_class {
	struct class_item *items; /* owned */
	size_t n_items;
	bool negated;
};

enum pattern_assertion {
	ASSERT_TEXT_BEGIN,
	ASSERT_TEXT_END,
	ASSERT_LINE_BEGIN,
	ASSERT_LINE_END,
	ASSERT_WORD,
	ASSERT_NO_WORD,
};

enum pattern_type {
	PATTERN_CLASS,
	PATTERN_ASSERTION,
	PATTERN_SEQUENCE,
	PATTERN_CHOICE,
	PATTERN_REPEAT
};

/* The syntax tree. An empty sequence matches the empty text. */
struct pattern_node {
	enum pattern_type type;
	enum pattern_assertion assertion;
	struct pattern_class class;
	struct pattern_node **kids; /* owned, as are the nodes */
	size_t n_kids;
	int min, max; /* of a REPEAT; max may be PATTERN_NO_MAX */
};

/* The tree of TEXT, owned; NULL when Go refuses it. */
struct pattern_node *pattern_parse(const char *text);
void pattern_node_free(struct pattern_node *n);

/* Adds the characters FIRST..LAST to CLASS as an item. */
void pattern_class_add_range(struct pattern_class *class, uint32_t first, uint32_t last, bool fold);
/* Adds a class by its name: of POSIX ("alpha"), of Perl (the letter of \d \s \w) or of Unicode.
 * False when there is none. */
bool pattern_class_add_posix(struct pattern_class *class, const char *name, size_t len,
			     bool negated, bool fold);
bool pattern_class_add_perl(struct pattern_class *class, char letter, bool fold);
bool pattern_class_add_unicode(struct pattern_class *class, const char *name, size_t len,
			       bool negated, bool fold);
bool pattern_class_has(const struct pattern_class *class, uint32_t rune);
void pattern_class_done(struct pattern_class *class);

#endif
