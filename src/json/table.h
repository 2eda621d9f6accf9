/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TABLE_H
#define JSON_TABLE_H
/*
 * Aligned columns, as Go's text/tabwriter makes them with docker's settings: cells at least 10
 * wide, 3 blanks between them. A column is a run of neighbouring lines that have a cell there with
 * another after it, and each run has a width of its own. The last cell of a line is never padded.
 * Widths are those of a terminal (East Asian wide characters take two columns).
 */
#include <stddef.h>

#include "base/str.h"

#define TABLE_MIN_WIDTH	    10
#define TABLE_MIN_WIDTH_TOP 20 /* of `top` */
#define TABLE_PADDING	    3

struct table_cell {
	size_t end;    /* offset in text after the cell */
	size_t width;  /* of its text */
	size_t column; /* of its column, padding included; 0 when not padded */
};

struct table {
	size_t min_width, padding;
	struct str text;
	struct table_cell *cells;
	size_t n_cells, cells_cap;
	size_t *lines; /* index after the last cell of each line */
	size_t n_lines, lines_cap;
};

#define TABLE_INIT                                                     \
	{                                                              \
		.min_width = TABLE_MIN_WIDTH, .padding = TABLE_PADDING \
	}

/* Appends a cell to the current line. Tabs and newlines in TEXT are taken as they are. */
void table_add_cell(struct table *t, const char *text);
/* Ends the current line; one without cells is an empty line. */
void table_end_line(struct table *t);
/* Appends text in which tabs end cells and newlines end lines. */
void table_add_text(struct table *t, const char *text, size_t len);
/* Appends the aligned lines to OUT and empties the table. An unfinished line is ended first. */
void table_format(struct table *t, struct str *out);
void table_done(struct table *t);
#define cleanup_table __attribute__((cleanup(table_done)))

#endif
