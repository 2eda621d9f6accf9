/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions as lists of states (Thompson's construction), and the match that follows all
 * of them at once (Pike's): for each character of the text one pass over the states that are alive.
 */
#include "json/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/pattern_private.h"
#include "json/rune.h"

#define NO_RUNE UINT32_MAX /* before the text, and after it */

enum state_type { STATE_CLASS, STATE_ASSERTION, STATE_SPLIT, STATE_MATCH };

/* A class and an assertion go on to the next state in the list, a split to two others. */
struct state {
	enum state_type type;
	enum pattern_assertion assertion;
	const struct pattern_class *class;
	uint32_t to[2];
};

struct pattern {
	struct pattern_node *tree; /* owns the classes */
	struct state *states;
	size_t n_states, states_cap;
	bool too_large;
	/* Of a match: the states alive now and after this character, and a stack. */
	uint32_t *now, *next, *stack, *marks;
	size_t n_now, n_next;
	uint32_t mark;
};

/* ---- states ---- */

static uint32_t add_state(struct pattern *p, struct state state)
{
	if (p->n_states == PATTERN_MAX_STATES) {
		p->too_large = true;
		return 0;
	}
	if (p->n_states == p->states_cap) {
		p->states_cap = p->states_cap ? p->states_cap * 2 : 32;
		p->states = mem_realloc_array(p->states, p->states_cap, sizeof(*p->states));
	}
	p->states[p->n_states] = state;
	return (uint32_t)p->n_states++;
}

static uint32_t add_split(struct pattern *p, uint32_t to)
{
	return add_state(p, (struct state){STATE_SPLIT, .to = {to, to}});
}

static void compile(struct pattern *p, const struct pattern_node *n);

static void compile_choice(struct pattern *p, const struct pattern_node *n)
{
	cleanup_free uint32_t *ends = mem_alloc(n->n_kids * sizeof(*ends));

	for (size_t i = 0; i + 1 < n->n_kids && !p->too_large; i++) {
		uint32_t split = add_split(p, 0);

		p->states[split].to[0] = split + 1;
		compile(p, n->kids[i]);
		ends[i] = add_split(p, 0);
		p->states[split].to[1] = (uint32_t)p->n_states;
	}
	compile(p, n->kids[n->n_kids - 1]);
	for (size_t i = 0; i + 1 < n->n_kids && !p->too_large; i++)
		p->states[ends[i]].to[0] = p->states[ends[i]].to[1] = (uint32_t)p->n_states;
}

/* Any number of KID, also none. */
static void compile_loop(struct pattern *p, const struct pattern_node *kid)
{
	uint32_t split = add_split(p, 0);

	compile(p, kid);
	add_split(p, split);
	p->states[split].to[0] = split + 1;
	p->states[split].to[1] = (uint32_t)p->n_states;
}

static void compile_repeat(struct pattern *p, const struct pattern_node *n)
{
	int n_optional = n->max - n->min;
	cleanup_free uint32_t *splits = NULL;

	for (int i = 0; i < n->min && !p->too_large; i++)
		compile(p, n->kids[0]);
	if (n->max == PATTERN_NO_MAX) {
		compile_loop(p, n->kids[0]);
		return;
	}
	splits = mem_alloc(((size_t)n_optional + 1) * sizeof(*splits));
	for (int i = 0; i < n_optional && !p->too_large; i++) {
		splits[i] = add_split(p, 0);
		p->states[splits[i]].to[0] = splits[i] + 1;
		compile(p, n->kids[0]);
	}
	for (int i = 0; i < n_optional && !p->too_large; i++)
		p->states[splits[i]].to[1] = (uint32_t)p->n_states;
}

static void compile(struct pattern *p, const struct pattern_node *n)
{
	if (p->too_large)
		return;
	switch (n->type) {
	case PATTERN_CLASS:
		add_state(p, (struct state){STATE_CLASS, .class = &n->class});
		return;
	case PATTERN_ASSERTION:
		add_state(p, (struct state){STATE_ASSERTION, .assertion = n->assertion});
		return;
	case PATTERN_SEQUENCE:
		for (size_t i = 0; i < n->n_kids; i++)
			compile(p, n->kids[i]);
		return;
	case PATTERN_CHOICE:
		compile_choice(p, n);
		return;
	case PATTERN_REPEAT:
		compile_repeat(p, n);
		return;
	}
}

struct pattern *pattern_new(const char *text)
{
	struct pattern *p = mem_zalloc(sizeof(*p));

	p->tree = pattern_parse(text);
	if (p->tree) {
		compile(p, p->tree);
		add_state(p, (struct state){STATE_MATCH});
	}
	if (!p->tree || p->too_large) {
		pattern_free(p);
		return NULL;
	}
	p->now = mem_alloc(p->n_states * sizeof(uint32_t));
	p->next = mem_alloc(p->n_states * sizeof(uint32_t));
	p->stack = mem_alloc((p->n_states + 1) * 2 * sizeof(uint32_t));
	p->marks = mem_zalloc(p->n_states * sizeof(uint32_t));
	return p;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pattern_node_free(p->tree);
	free(p->states);
	free(p->now);
	free(p->next);
	free(p->stack);
	free(p->marks);
	free(p);
}

/* ---- the match ---- */

static bool is_word(uint32_t rune)
{
	return rune < 0x80 && rune_is_word(rune);
}

static bool assertion_holds(enum pattern_assertion assertion, uint32_t before, uint32_t after)
{
	switch (assertion) {
	case ASSERT_TEXT_BEGIN:
		return before == NO_RUNE;
	case ASSERT_TEXT_END:
		return after == NO_RUNE;
	case ASSERT_LINE_BEGIN:
		return before == NO_RUNE || before == '\n';
	case ASSERT_LINE_END:
		return after == NO_RUNE || after == '\n';
	case ASSERT_WORD:
		return is_word(before) != is_word(after);
	case ASSERT_NO_WORD:
		return is_word(before) == is_word(after);
	}
	return false;
}

/* Makes STATE alive in `next`, and what can be reached from it between the characters BEFORE and
 * AFTER. True when that is the end of the expression. */
static bool enter(struct pattern *p, uint32_t state, uint32_t before, uint32_t after)
{
	size_t n = 0;

	p->stack[n++] = state;
	while (n > 0) {
		uint32_t i = p->stack[--n];
		const struct state *s = &p->states[i];

		if (p->marks[i] == p->mark)
			continue;
		p->marks[i] = p->mark;
		switch (s->type) {
		case STATE_MATCH:
			return true;
		case STATE_CLASS:
			p->next[p->n_next++] = i;
			break;
		case STATE_ASSERTION:
			if (assertion_holds(s->assertion, before, after))
				p->stack[n++] = i + 1;
			break;
		case STATE_SPLIT:
			p->stack[n++] = s->to[1];
			p->stack[n++] = s->to[0];
			break;
		}
	}
	return false;
}

/* Begins the states between two characters; the marks of another text are worth nothing. */
static void begin_step(struct pattern *p)
{
	uint32_t *swap = p->now;

	p->now = p->next;
	p->next = swap;
	p->n_now = p->n_next;
	p->n_next = 0;
	if (++p->mark == 0) {
		memset(p->marks, 0, p->n_states * sizeof(*p->marks));
		p->mark = 1;
	}
}

bool pattern_occurs(struct pattern *p, const char *text)
{
	const char *end = text + strlen(text);
	uint32_t before = NO_RUNE;
	uint32_t rune = NO_RUNE;

	p->n_next = 0;
	for (;;) {
		uint32_t last = rune;

		begin_step(p);
		rune = NO_RUNE;
		if (text < end)
			text += rune_decode(text, (size_t)(end - text), &rune);
		for (size_t i = 0; i < p->n_now; i++)
			if (pattern_class_has(p->states[p->now[i]].class, last) &&
			    enter(p, p->now[i] + 1, last, rune))
				return true;
		before = last;
		if (enter(p, 0, before, rune))
			return true;
		if (rune == NO_RUNE)
			return false;
	}
}

/* ---- values of filters ---- */

static bool is_plain(const char *value)
{
	return !value[strcspn(value, "\\.+*?()|[]{}^$")];
}

bool pattern_matches(const char *value, const char *text)
{
	struct pattern *p = NULL;
	bool found = false;

	if (is_plain(value))
		return strstr(text, value);
	if (strcmp(value, text) == 0)
		return true;
	p = pattern_new(value);
	found = p && pattern_occurs(p, text);
	pattern_free(p);
	return found;
}

struct pattern_set {
	struct strv values;
	struct pattern **patterns; /* of each value; NULL: plain text, or no expression */
};

struct pattern_set *pattern_set_new(void)
{
	return mem_zalloc(sizeof(struct pattern_set));
}

void pattern_set_add(struct pattern_set *set, const char *value)
{
	set->patterns = mem_realloc_array(set->patterns, set->values.n + 1,
					  sizeof(struct pattern *));
	set->patterns[set->values.n] = is_plain(value) ? NULL : pattern_new(value);
	strv_add(&set->values, value);
}

void pattern_set_free(struct pattern_set *set)
{
	if (!set)
		return;
	strv_foreach (i, &set->values)
		pattern_free(set->patterns[i]);
	free(set->patterns);
	strv_done(&set->values);
	free(set);
}

bool pattern_set_matches(struct pattern_set *set, const char *text)
{
	strv_foreach (i, &set->values) {
		const char *value = set->values.items[i];

		if (strcmp(value, text) == 0 || (is_plain(value) && strstr(text, value)) ||
		    (set->patterns[i] && pattern_occurs(set->patterns[i], text)))
			return true;
	}
	return false;
}
