/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grid. The terminal's idea of a character's width may differ from ours, so the cursor is
 * placed anew behind every character that is not ASCII: a mistake stays in its cell.
 */
#include "cli/view_grid.h"

#include "base/mem.h"
#include "json/rune.h"

#include <string.h>

#define GRID_MAX	1000
#define ESC		"\033["
#define COLOUR_OF(look) ((look) >> 4 & 7)
#define NOWHERE		SIZE_MAX

void grid_resize(struct grid *g, size_t rows, size_t columns)
{
	g->rows = rows > GRID_MAX ? GRID_MAX : rows;
	g->columns = columns > GRID_MAX ? GRID_MAX : columns;
	g->cells = mem_realloc_array(g->cells, g->rows * g->columns, sizeof(*g->cells));
	g->shown = mem_realloc_array(g->shown, g->rows * g->columns, sizeof(*g->shown));
	g->is_unknown = true;
	grid_clear(g);
}

void grid_done(struct grid *g)
{
	free(g->cells);
	free(g->shown);
	*g = (struct grid){};
}

void grid_clear(struct grid *g)
{
	for (size_t i = 0; i < g->rows * g->columns; i++)
		g->cells[i] = (struct grid_cell){' ', LOOK_PLAIN};
}

/* ---- drawing ---- */

/* Marks that stand on the character before them, joiners, variation selectors, and what turns the
 * direction of text. */
static bool has_no_width(uint32_t r)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x300, 0x36F},	    {0x483, 0x489},   {0x591, 0x5BD},	{0x610, 0x61A},
		{0x64B, 0x65F},	    {0x6D6, 0x6DC},   {0x900, 0x902},	{0x93C, 0x93C},
		{0x941, 0x948},	    {0xE31, 0xE31},   {0xE34, 0xE3A},	{0xE47, 0xE4E},
		{0x1160, 0x11FF},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F},
		{0x202A, 0x202E},   {0x2060, 0x206F}, {0x20D0, 0x20FF}, {0x302A, 0x302D},
		{0xFE00, 0xFE0F},   {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0x1F3FB, 0x1F3FF},
		{0xE0000, 0xE0FFF},
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (r >= ranges[i].first && r <= ranges[i].last)
			return true;
	return false;
}

static void put_cell(struct grid *g, size_t row, size_t column, uint32_t rune, uint16_t look)
{
	struct grid_cell *cell = &g->cells[row * g->columns + column];

	/* half of a wide character cannot stay */
	if (cell->rune == 0 && column > 0 && rune != 0)
		cell[-1].rune = ' ';
	if (column + 1 < g->columns && cell[1].rune == 0)
		cell[1].rune = ' ';
	*cell = (struct grid_cell){rune, look};
}

size_t grid_put(struct grid *g, size_t row, size_t column, size_t width, uint16_t look,
		const char *text, size_t len)
{
	size_t end = column + width < g->columns ? column + width : g->columns;

	if (row >= g->rows)
		return column;
	for (size_t i = 0; i < len;) {
		uint32_t rune = 0;

		i += rune_decode(text + i, len - i, &rune);
		if (has_no_width(rune))
			continue;
		if (rune == RUNE_ERROR || (rune != ' ' && !rune_is_print(rune)) ||
		    (rune >= 0x80 && !g->is_utf8))
			rune = '?';
		unsigned n = rune_width(rune);

		if (column + n > end)
			break;
		put_cell(g, row, column, rune, look);
		if (n == 2)
			put_cell(g, row, column + 1, 0, look);
		column += n;
	}
	return column;
}

size_t grid_puts(struct grid *g, size_t row, size_t column, size_t width, uint16_t look,
		 const char *text)
{
	return grid_put(g, row, column, width, look, text, strlen(text));
}

void grid_puts_right(struct grid *g, size_t row, size_t column, size_t width, uint16_t look,
		     const char *text)
{
	size_t n = rune_text_width(text, strlen(text));

	grid_puts(g, row, column + (n < width ? width - n : 0), width, look, text);
}

void grid_look(struct grid *g, size_t row, size_t column, size_t width, uint16_t look)
{
	if (row >= g->rows)
		return;
	for (size_t i = column; i < column + width && i < g->columns; i++)
		g->cells[row * g->columns + i].look |= look;
}

/* ---- sending ---- */

struct pen {
	size_t row, column; /* of the terminal's cursor; NOWHERE when not known */
	uint16_t look;
};

static void set_look(struct pen *pen, const struct grid *g, uint16_t look, struct str *out)
{
	if (pen->look == look)
		return;
	pen->look = look;
	str_add(out, ESC "0");
	if (look & LOOK_BOLD)
		str_add(out, ";1");
	if (look & LOOK_DIM)
		str_add(out, ";2");
	if (look & LOOK_REVERSE)
		str_add(out, ";7");
	if (COLOUR_OF(look) && g->has_colour)
		str_addf(out, ";3%d", COLOUR_OF(look));
	str_add_char(out, 'm');
}

static void emit_cell(struct pen *pen, const struct grid *g, size_t row, size_t column,
		      struct str *out)
{
	const struct grid_cell *cell = &g->cells[row * g->columns + column];

	if (pen->row != row || pen->column != column)
		str_addf(out, ESC "%zu;%zuH", row + 1, column + 1);
	set_look(pen, g, cell->look, out);
	str_add_rune(out, cell->rune);
	pen->row = row;
	pen->column = cell->rune < 0x80 ? column + 1 : NOWHERE;
}

static bool is_same(const struct grid_cell *a, const struct grid_cell *b)
{
	return a->rune == b->rune && a->look == b->look;
}

void grid_emit(struct grid *g, struct str *out)
{
	struct pen pen = {.row = NOWHERE, .column = NOWHERE, .look = UINT16_MAX};
	size_t before = out->len;

	if (g->is_unknown)
		str_add(out, ESC "0m" ESC "2J");
	for (size_t row = 0; row < g->rows; row++) {
		for (size_t column = 0; column < g->columns; column++) {
			size_t i = row * g->columns + column;

			/* The second half goes with the first. */
			if (g->cells[i].rune != 0 &&
			    (g->is_unknown || !is_same(&g->cells[i], &g->shown[i])))
				emit_cell(&pen, g, row, column, out);
		}
	}
	if (out->len != before)
		str_add(out, ESC "0m");
	memcpy(g->shown, g->cells, g->rows * g->columns * sizeof(*g->cells));
	g->is_unknown = false;
}

static size_t row_end(const struct grid *g, size_t row)
{
	size_t end = g->columns;

	while (end > 0 && g->cells[row * g->columns + end - 1].rune == ' ')
		end--;
	return end;
}

void grid_print(const struct grid *g, struct str *out)
{
	for (size_t row = 0; row < g->rows; row++) {
		struct pen pen = {};

		for (size_t column = 0, end = row_end(g, row); column < end; column++) {
			const struct grid_cell *cell = &g->cells[row * g->columns + column];

			if (g->has_colour)
				set_look(&pen, g, cell->look, out);
			if (cell->rune != 0)
				str_add_rune(out, cell->rune);
		}
		if (pen.look != LOOK_PLAIN)
			str_add(out, ESC "0m");
		str_add_char(out, '\n');
	}
}
