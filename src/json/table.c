/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables: all text lies in one buffer, a cell is where it ends. Widths are found in one pass over
 * the cells: where a line is the first of a column's run, the run is measured and given its width.
 */
#include "json/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/rune.h"

static void add_cell(struct table *t, const char *text, size_t len)
{
	if (t->n_cells == t->cells_cap) {
		t->cells_cap = t->cells_cap ? t->cells_cap * 2 : 256;
		t->cells = mem_realloc_array(t->cells, t->cells_cap, sizeof(*t->cells));
	}
	str_add_bytes(&t->text, text, len);
	t->cells[t->n_cells++] = (struct table_cell){t->text.len, rune_text_width(text, len), 0};
}

void table_add_cell(struct table *t, const char *text)
{
	add_cell(t, text, strlen(text));
}

void table_end_line(struct table *t)
{
	if (t->n_lines == t->lines_cap) {
		t->lines_cap = t->lines_cap ? t->lines_cap * 2 : 64;
		t->lines = mem_realloc_array(t->lines, t->lines_cap, sizeof(*t->lines));
	}
	t->lines[t->n_lines++] = t->n_cells;
}

void table_add_text(struct table *t, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *p = text;

		while (p < end && *p != '\t' && *p != '\n')
			p++;
		add_cell(t, text, (size_t)(p - text));
		if (p < end && *p == '\n')
			table_end_line(t);
		else if (p + 1 == end)
			add_cell(t, "", 0); /* a tab ends the text: an empty cell follows */
		text = p + 1;
	}
}

static size_t line_first(const struct table *t, size_t line)
{
	return line > 0 ? t->lines[line - 1] : 0;
}

/* Cells of LINE that have another one after them. */
static size_t line_columns(const struct table *t, size_t line)
{
	size_t n = t->lines[line] - line_first(t, line);

	return n > 0 ? n - 1 : 0;
}

/* Measures the run of COLUMN that begins at LINE and stores its width in every cell of it. */
static void column_measure(struct table *t, size_t line, size_t column)
{
	size_t width = t->min_width, last = line;

	for (; last < t->n_lines && line_columns(t, last) > column; last++) {
		size_t w = t->cells[line_first(t, last) + column].width + t->padding;

		width = w > width ? w : width;
	}
	for (size_t i = line; i < last; i++)
		t->cells[line_first(t, i) + column].column = width;
}

static void table_measure(struct table *t)
{
	for (size_t line = 0; line < t->n_lines; line++) {
		size_t above = line > 0 ? line_columns(t, line - 1) : 0;

		for (size_t column = above; column < line_columns(t, line); column++)
			column_measure(t, line, column);
	}
}

static void format_cell(const struct table *t, size_t i, struct str *out)
{
	const struct table_cell *c = &t->cells[i];
	size_t start = i > 0 ? t->cells[i - 1].end : 0;

	if (c->end > start)
		str_add_bytes(out, t->text.buf + start, c->end - start);
	if (c->column > c->width) {
		size_t fill = c->column - c->width;

		memset(str_reserve(out, fill), ' ', fill);
		out->len += fill;
		out->buf[out->len] = '\0';
	}
}

void table_format(struct table *t, struct str *out)
{
	size_t cell = 0;

	if (t->n_cells > (t->n_lines ? t->lines[t->n_lines - 1] : 0))
		table_end_line(t);
	table_measure(t);
	for (size_t line = 0; line < t->n_lines; line++) {
		for (; cell < t->lines[line]; cell++)
			format_cell(t, cell, out);
		str_add_char(out, '\n');
	}
	t->n_cells = 0;
	t->n_lines = 0;
	str_truncate(&t->text, 0);
}

void table_done(struct table *t)
{
	str_done(&t->text);
	free(t->cells);
	free(t->lines);
	t->cells = NULL;
	t->lines = NULL;
	t->n_cells = t->cells_cap = t->n_lines = t->lines_cap = 0;
}
