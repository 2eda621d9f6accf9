/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_GRID_H
#define CLI_VIEW_GRID_H
/*
 * A screen of characters in memory. A frame is drawn into it, and what differs from the frame
 * before goes to the terminal, in one piece: nothing flickers and little is sent. Whatever text is
 * put here, only printable characters leave: names and logs are their authors' words, not ours.
 */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Looks of a cell: bits, and a colour. */
enum {
	LOOK_PLAIN = 0,
	LOOK_BOLD = 1,
	LOOK_DIM = 2,
	LOOK_REVERSE = 4,
	LOOK_RED = 1 << 4, /* SGR 30 + n above bit 4 */
	LOOK_GREEN = 2 << 4,
	LOOK_YELLOW = 3 << 4,
	LOOK_BLUE = 4 << 4,
	LOOK_CYAN = 6 << 4,
};

struct grid_cell {
	uint32_t rune; /* 0: the second half of a wide one */
	uint16_t look;
};

struct grid {
	size_t rows, columns;
	struct grid_cell *cells; /* owned; the frame being drawn */
	struct grid_cell *shown; /* owned; what the terminal has */
	bool is_unknown;	 /* nobody knows what the terminal has: all is sent */
	bool has_colour, is_utf8;
};

/* Makes it ROWS x COLUMNS, empty, and nothing of it sent. At most 1000 x 1000. */
void grid_resize(struct grid *g, size_t rows, size_t columns);
void grid_done(struct grid *g);
/* Blanks everywhere. */
void grid_clear(struct grid *g);
/* Puts TEXT (LEN bytes of UTF-8) at ROW, COLUMN, cut to WIDTH columns and to the grid; returns the
 * column after it. Controls and bytes that are not UTF-8 become "?", characters without width are
 * left out. */
size_t grid_put(struct grid *g, size_t row, size_t column, size_t width, uint16_t look,
		const char *text, size_t len);
/* The same for a C string. */
size_t grid_puts(struct grid *g, size_t row, size_t column, size_t width, uint16_t look,
		 const char *text);
/* The same, at the right end of WIDTH columns. */
void grid_puts_right(struct grid *g, size_t row, size_t column, size_t width, uint16_t look,
		     const char *text);
/* Gives WIDTH cells from COLUMN on LOOK as well. */
void grid_look(struct grid *g, size_t row, size_t column, size_t width, uint16_t look);
/* Appends what makes the terminal show the frame; nothing when it does. */
void grid_emit(struct grid *g, struct str *out);
/* Appends the frame as lines of text, without the blanks at their ends; looks only with has_colour.
 * For what is no screen. */
void grid_print(const struct grid *g, struct str *out);

#endif
