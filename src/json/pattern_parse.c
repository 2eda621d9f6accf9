/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syntax of Go's regular expressions, read into a tree by recursive descent. What Go refuses is
 * refused: repetition of nothing or of a repetition, counts beyond 1000, unknown escapes.
 */
#include "json/pattern_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "json/rune.h"

enum {
	FLAG_FOLD = 1,
	FLAG_MULTILINE = 2,
	FLAG_DOT_NEWLINE = 4,
	FLAG_LAZY = 8,
};

struct parser {
	const char *p, *end;
	unsigned flags, depth;
	bool failed;
	bool after_repeat; /* the last thing read was a repetition */
};

static struct pattern_node *parse_choice(struct parser *p);

/* ---- nodes ---- */

static struct pattern_node *new_node(enum pattern_type type)
{
	struct pattern_node *n = mem_zalloc(sizeof(*n));

	n->type = type;
	return n;
}

static void add_kid(struct pattern_node *n, struct pattern_node *kid)
{
	n->kids = mem_realloc_array(n->kids, n->n_kids + 1, sizeof(struct pattern_node *));
	n->kids[n->n_kids++] = kid;
}

static void add_assertion(struct pattern_node *to, enum pattern_assertion assertion)
{
	struct pattern_node *n = new_node(PATTERN_ASSERTION);

	n->assertion = assertion;
	add_kid(to, n);
}

static struct pattern_class *add_class(struct pattern_node *to)
{
	struct pattern_node *n = new_node(PATTERN_CLASS);

	add_kid(to, n);
	return &n->class;
}

static void add_literal(const struct parser *p, struct pattern_node *to, uint32_t rune)
{
	pattern_class_add_range(add_class(to), rune, rune, p->flags & FLAG_FOLD);
}

void pattern_node_free(struct pattern_node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n_kids; i++)
		pattern_node_free(n->kids[i]);
	free(n->kids);
	pattern_class_done(&n->class);
	free(n);
}

/* ---- characters ---- */

static bool fail(struct parser *p)
{
	p->failed = true;
	return false;
}

static bool at(const struct parser *p, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(p->end - p->p) >= len && memcmp(p->p, text, len) == 0;
}

/* Takes one character; the end of the text and what is not UTF-8 are failures. */
static uint32_t take_rune(struct parser *p)
{
	uint32_t rune = 0;
	size_t n = 0;

	if (p->p == p->end) {
		fail(p);
		return 0;
	}
	n = rune_decode(p->p, (size_t)(p->end - p->p), &rune);
	if (rune == RUNE_ERROR && n == 1)
		fail(p);
	p->p += n;
	return rune;
}

/* What follows "\x": two digits, or any number of them in braces. */
static uint32_t take_hex(struct parser *p)
{
	bool in_braces = at(p, "{");
	uint32_t rune = 0;
	int n = 0;

	p->p += in_braces;
	for (; in_braces ? !at(p, "}") : n < 2; n++) {
		int digit = p->p < p->end ? num_hex_digit(*p->p) : -1;

		if (digit < 0 || rune > PATTERN_MAX_RUNE) {
			fail(p);
			return 0;
		}
		rune = rune * 16 + (uint32_t)digit;
		p->p++;
	}
	p->p += in_braces;
	if (n == 0 || rune > PATTERN_MAX_RUNE)
		fail(p);
	return rune;
}

static uint32_t take_octal(struct parser *p, char first)
{
	uint32_t rune = (uint32_t)(first - '0');

	/* A single digit other than 0 would be a reference to a group. */
	if (first != '0' && (p->p == p->end || *p->p < '0' || *p->p > '7'))
		fail(p);
	for (int i = 1; i < 3 && p->p < p->end && *p->p >= '0' && *p->p <= '7'; i++)
		rune = rune * 8 + (uint32_t)(*p->p++ - '0');
	return rune;
}

/* The one character that an escape stands for, after its backslash. */
static uint32_t take_escaped(struct parser *p)
{
	static const char letters[] = "a\af\fn\nr\rt\tv\v";
	uint32_t rune = take_rune(p);

	if (p->failed)
		return 0;
	if (rune >= '0' && rune <= '7')
		return take_octal(p, (char)rune);
	if (rune == 'x')
		return take_hex(p);
	for (const char *l = letters; *l; l += 2)
		if (rune == (uint32_t)l[0])
			return (uint32_t)l[1];
	if (rune >= 0x80 || num_hex_digit((char)rune) >= 0 || (rune >= 'A' && rune <= 'Z') ||
	    (rune >= 'a' && rune <= 'z'))
		fail(p);
	return rune;
}

/* ---- classes ---- */

/* "\pN", "\p{Name}", "\P{^Name}", after the letter. */
static void take_unicode_class(struct parser *p, struct pattern_class *class, bool negated)
{
	const char *name = p->p;
	const char *close = NULL;
	size_t len = 0;

	if (p->p == p->end) {
		fail(p);
		return;
	}
	if (*p->p != '{') {
		take_rune(p);
		len = (size_t)(p->p - name);
	} else {
		name++;
		close = memchr(name, '}', (size_t)(p->end - name));
		if (!close) {
			fail(p);
			return;
		}
		if (*name == '^') {
			negated = !negated;
			name++;
		}
		len = (size_t)(close - name);
		p->p = close + 1;
	}
	if (!pattern_class_add_unicode(class, name, len, negated, p->flags & FLAG_FOLD))
		fail(p);
}

/* A backslash and the letter of a class: takes it and adds the class. */
static bool take_class_escape(struct parser *p, struct pattern_class *class)
{
	char letter = p->end - p->p >= 2 && *p->p == '\\' ? p->p[1] : '\0';

	if (letter == 'p' || letter == 'P') {
		p->p += 2;
		take_unicode_class(p, class, letter == 'P');
		return true;
	}
	if (!letter || !pattern_class_add_perl(class, letter, p->flags & FLAG_FOLD))
		return false;
	p->p += 2;
	return true;
}

/* "[:alpha:]" or "[:^alpha:]" within brackets; a name that nobody knows is a failure. */
static bool take_posix_class(struct parser *p, struct pattern_class *class)
{
	const char *name = p->p + 2;
	const char *close = NULL;
	bool negated = false;

	if (!at(p, "[:"))
		return false;
	close = memmem(name, (size_t)(p->end - name), ":]", 2);
	if (!close)
		return false;
	negated = *name == '^';
	name += negated;
	if (close < name || !pattern_class_add_posix(class, name, (size_t)(close - name), negated,
						     p->flags & FLAG_FOLD))
		fail(p);
	p->p = close + 2;
	return true;
}

static uint32_t take_class_rune(struct parser *p)
{
	if (!at(p, "\\"))
		return take_rune(p);
	p->p++;
	return take_escaped(p);
}

/* What stands in brackets, after the first one. */
static void take_class(struct parser *p, struct pattern_node *to)
{
	struct pattern_class *class = add_class(to);
	bool first = true;

	class->negated = at(p, "^");
	p->p += class->negated;
	for (; !p->failed && (first || !at(p, "]")); first = false) {
		uint32_t low = 0;
		uint32_t high = 0;

		if (take_posix_class(p, class) || take_class_escape(p, class))
			continue;
		low = high = take_class_rune(p);
		if (!p->failed && at(p, "-") && p->end - p->p >= 2 && p->p[1] != ']') {
			p->p++;
			high = take_class_rune(p);
		}
		if (high < low)
			fail(p);
		pattern_class_add_range(class, low, high, p->flags & FLAG_FOLD);
	}
	p->p += !p->failed;
}

/* ---- repetition ---- */

/* Digits as Go reads them: -1 for none or a leading zero; a number too large is INT32_MAX. */
static int take_count(const char **at_p, const char *end)
{
	const char *p = *at_p;
	int64_t n = 0;

	if (p == end || *p < '0' || *p > '9' ||
	    (*p == '0' && p + 1 < end && p[1] >= '0' && p[1] <= '9'))
		return -1;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		n = n > INT32_MAX / 10 ? INT32_MAX : n * 10 + (*p - '0');
	*at_p = p;
	return (int)(n > INT32_MAX ? INT32_MAX : n);
}

/* "{n}", "{n,}" or "{n,m}"; false for anything else, which is an ordinary brace. */
static bool take_braces(struct parser *p, int *min, int *max)
{
	const char *q = p->p + 1;

	*min = take_count(&q, p->end);
	if (*min < 0 || q == p->end)
		return false;
	*max = *min;
	if (*q == ',') {
		q++;
		*max = PATTERN_NO_MAX;
		if (q < p->end && *q != '}')
			*max = take_count(&q, p->end);
		if (q < p->end && *max < 0 && *q != '}')
			return false;
	}
	if (q == p->end || *q != '}')
		return false;
	p->p = q + 1;
	return true;
}

/* Whether no repetition in N, with those around it, asks for more than LEFT copies. */
static bool repeat_is_small(const struct pattern_node *n, int left)
{
	if (n->type == PATTERN_REPEAT) {
		int count = n->max < 0 ? n->min : n->max;

		if (n->max == 0)
			return true;
		if (count > left)
			return false;
		left = count > 0 ? left / count : left;
	}
	for (size_t i = 0; i < n->n_kids; i++)
		if (!repeat_is_small(n->kids[i], left))
			return false;
	return true;
}

/* Wraps the last thing in TO. */
static void apply_repeat(struct parser *p, struct pattern_node *to, int min, int max)
{
	struct pattern_node *n = NULL;

	/* A question mark only says which of the matches is meant. */
	p->p += at(p, "?");
	if (to->n_kids == 0 || p->after_repeat || min > PATTERN_MAX_REPEAT ||
	    max > PATTERN_MAX_REPEAT || (max >= 0 && min > max)) {
		fail(p);
		return;
	}
	n = new_node(PATTERN_REPEAT);
	n->min = min;
	n->max = max;
	add_kid(n, to->kids[to->n_kids - 1]);
	to->kids[to->n_kids - 1] = n;
	if ((min >= 2 || max >= 2) && !repeat_is_small(n, PATTERN_MAX_REPEAT))
		fail(p);
}

/* A repetition at P: takes it. */
static bool take_repeat(struct parser *p, struct pattern_node *to)
{
	int min = 0;
	int max = PATTERN_NO_MAX;

	switch (*p->p) {
	case '*':
		break;
	case '+':
		min = 1;
		break;
	case '?':
		max = 1;
		break;
	case '{':
		if (!take_braces(p, &min, &max))
			return false;
		apply_repeat(p, to, min, max);
		return true;
	default:
		return false;
	}
	p->p++;
	apply_repeat(p, to, min, max);
	return true;
}

/* ---- groups ---- */

/* "P<name>" or "<name>", after the question mark. */
static bool take_name(struct parser *p)
{
	const char *name = NULL;

	if (!at(p, "P<") && !at(p, "<"))
		return false;
	p->p += *p->p == 'P' ? 2 : 1;
	name = p->p;
	while (p->p < p->end && *p->p != '>') {
		uint32_t rune = take_rune(p);

		/* Go takes words of ASCII. */
		if (rune >= 0x80 || !rune_is_word(rune))
			fail(p);
	}
	if (p->p == p->end || p->p == name)
		fail(p);
	p->p += p->p < p->end;
	return true;
}

static unsigned flag_of(uint32_t letter)
{
	switch (letter) {
	case 'i':
		return FLAG_FOLD;
	case 'm':
		return FLAG_MULTILINE;
	case 's':
		return FLAG_DOT_NEWLINE;
	case 'U':
		return FLAG_LAZY;
	default:
		return 0;
	}
}

/* "i-s:" or "i-s)", after the question mark; true when a group follows. */
static bool take_flags(struct parser *p)
{
	unsigned flags = p->flags;
	bool off = false;
	bool seen = false;

	for (;;) {
		uint32_t c = take_rune(p);
		unsigned flag = flag_of(c);

		if (p->failed)
			return false;
		if (c == ':' || c == ')') {
			if (off && !seen)
				return fail(p);
			p->flags = flags;
			return c == ':';
		}
		if (c == '-' && !off) {
			off = true;
			seen = false;
			continue;
		}
		if (!flag)
			return fail(p);
		flags = off ? flags & ~flag : flags | flag;
		seen = true;
	}
}

/* What follows an opening parenthesis. */
static void take_group(struct parser *p, struct pattern_node *to)
{
	unsigned flags = p->flags;

	if (at(p, "?")) {
		p->p++;
		if (!take_name(p) && !take_flags(p)) {
			p->after_repeat = false;
			return; /* "(?i)": flags for the rest of this group */
		}
	}
	if (++p->depth > PATTERN_MAX_NEST) {
		fail(p);
		return;
	}
	add_kid(to, parse_choice(p));
	p->depth--;
	p->flags = flags;
	if (!at(p, ")"))
		fail(p);
	p->p += !p->failed;
	p->after_repeat = false;
}

/* ---- sequences ---- */

static void take_quoted(struct parser *p, struct pattern_node *to)
{
	while (p->p < p->end && !at(p, "\\E") && !p->failed)
		add_literal(p, to, take_rune(p));
	if (at(p, "\\E"))
		p->p += 2;
}

/* A backslash outside of brackets. */
static void take_escape(struct parser *p, struct pattern_node *to)
{
	static const struct {
		char letter;
		enum pattern_assertion assertion;
	} rows[] = {
		{'A', ASSERT_TEXT_BEGIN},
		{'z', ASSERT_TEXT_END},
		{'b', ASSERT_WORD},
		{'B', ASSERT_NO_WORD},
	};
	char letter = p->end - p->p >= 2 ? p->p[1] : '\0';
	struct pattern_class class = {};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (letter && rows[i].letter == letter) {
			add_assertion(to, rows[i].assertion);
			p->p += 2;
			return;
		}
	}
	if (take_class_escape(p, &class)) {
		*add_class(to) = class;
		return;
	}
	p->p++;
	if (letter == 'Q') {
		p->p++;
		take_quoted(p, to);
	} else {
		add_literal(p, to, take_escaped(p));
	}
}

/* One thing that can be repeated. */
static void take_atom(struct parser *p, struct pattern_node *to)
{
	bool multiline = p->flags & FLAG_MULTILINE;

	switch (*p->p) {
	case '(':
		p->p++;
		take_group(p, to);
		return;
	case '[':
		p->p++;
		take_class(p, to);
		return;
	case '\\':
		take_escape(p, to);
		return;
	case '.':
		p->p++;
		if (p->flags & FLAG_DOT_NEWLINE)
			pattern_class_add_range(add_class(to), 0, PATTERN_MAX_RUNE, false);
		else
			*add_class(to) = (struct pattern_class){.negated = true};
		if (!(p->flags & FLAG_DOT_NEWLINE))
			pattern_class_add_range(&to->kids[to->n_kids - 1]->class, '\n', '\n',
						false);
		return;
	case '^':
		p->p++;
		add_assertion(to, multiline ? ASSERT_LINE_BEGIN : ASSERT_TEXT_BEGIN);
		return;
	case '$':
		p->p++;
		add_assertion(to, multiline ? ASSERT_LINE_END : ASSERT_TEXT_END);
		return;
	default:
		add_literal(p, to, take_rune(p));
	}
}

static struct pattern_node *parse_sequence(struct parser *p)
{
	struct pattern_node *n = new_node(PATTERN_SEQUENCE);

	p->after_repeat = false;
	while (!p->failed && p->p < p->end && *p->p != '|' && *p->p != ')') {
		if (take_repeat(p, n)) {
			p->after_repeat = true;
			continue;
		}
		take_atom(p, n);
		p->after_repeat = false;
	}
	return n;
}

static struct pattern_node *parse_choice(struct parser *p)
{
	struct pattern_node *n = new_node(PATTERN_CHOICE);

	add_kid(n, parse_sequence(p));
	while (!p->failed && at(p, "|")) {
		p->p++;
		add_kid(n, parse_sequence(p));
	}
	return n;
}

struct pattern_node *pattern_parse(const char *text)
{
	struct parser p = {.p = text, .end = text + strlen(text)};
	struct pattern_node *n = parse_choice(&p);

	if (!p.failed && p.p == p.end)
		return n;
	pattern_node_free(n);
	return NULL;
}
