/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small terminal that only knows lines: sequences of ECMA-48 are recognised so that they can be
 * left out.
 */
#include "cli/view_text.h"

#include "base/mem.h"

#include <string.h>

#define TAB    8
#define ESCAPE '\033'
#define BELL   '\a'

void view_text_clear(struct view_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->lines[(t->first + i) % VIEW_TEXT_LINES]);
	str_done(&t->line);
	*t = (struct view_text){};
}

static void end_line(struct view_text *t)
{
	char *line = str_take(&t->line);

	t->column = 0;
	t->has_return = false;
	if (t->n < VIEW_TEXT_LINES) {
		t->lines[(t->first + t->n++) % VIEW_TEXT_LINES] = line;
		return;
	}
	free(t->lines[t->first]);
	t->lines[t->first] = line;
	t->first = (t->first + 1) % VIEW_TEXT_LINES;
	t->n_dropped++;
}

static void add_char(struct view_text *t, char c)
{
	if (t->has_return) {
		str_truncate(&t->line, 0);
		t->column = 0;
		t->has_return = false;
	}
	if (t->line.len < VIEW_TEXT_LINE_LEN)
		str_add_char(&t->line, c);
	/* bytes that go on with a character take no column */
	t->column += ((unsigned char)c & 0xC0) != 0x80;
}

static void add_plain(struct view_text *t, char c)
{
	unsigned char byte = (unsigned char)c;

	if (c == '\n') {
		end_line(t);
	} else if (c == '\r') {
		t->has_return = true;
	} else if (c == '\t') {
		do
			add_char(t, ' ');
		while (t->column % TAB);
	} else if (c == ESCAPE) {
		t->state = VIEW_TEXT_ESCAPE;
	} else if (byte >= ' ' && byte != 0x7F) {
		add_char(t, c);
	}
}

/* ECMA-48: what may follow ESC. Sequences of two characters end at once, but for those with
 * intermediate bytes (0x20 to 0x2F), which select character sets. */
static enum view_text_state after_escape(char c)
{
	if (c == '[')
		return VIEW_TEXT_CONTROL;
	if (c != '\0' && strchr("]PX^_", c))
		return VIEW_TEXT_STRING;
	if (c == ESCAPE || (c >= 0x20 && c <= 0x2F))
		return VIEW_TEXT_ESCAPE;
	return VIEW_TEXT_PLAIN;
}

static void add_byte(struct view_text *t, char c)
{
	/* A line's end ends every sequence: a torn one must not swallow the rest of a log. */
	if (c == '\n')
		t->state = VIEW_TEXT_PLAIN;
	switch (t->state) {
	case VIEW_TEXT_PLAIN:
		add_plain(t, c);
		break;
	case VIEW_TEXT_ESCAPE:
		t->state = after_escape(c);
		break;
	case VIEW_TEXT_CONTROL:
		if (c >= 0x40 && c <= 0x7E)
			t->state = VIEW_TEXT_PLAIN;
		break;
	case VIEW_TEXT_STRING:
		if (c == BELL)
			t->state = VIEW_TEXT_PLAIN;
		else if (c == ESCAPE)
			t->state = VIEW_TEXT_STRING_END;
		break;
	case VIEW_TEXT_STRING_END:
		t->state = c == '\\' ? VIEW_TEXT_PLAIN : VIEW_TEXT_STRING;
		break;
	}
}

void view_text_add(struct view_text *t, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		add_byte(t, data[i]);
}

size_t view_text_count(const struct view_text *t)
{
	return t->n + (t->line.len > 0);
}

const char *view_text_line(const struct view_text *t, size_t i)
{
	return i < t->n ? t->lines[(t->first + i) % VIEW_TEXT_LINES] : str_get(&t->line);
}
