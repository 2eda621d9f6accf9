/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout as text. Lines are collected as directions first, so that what meets in a cell becomes
 * one character; a joint that passes the rail of another network goes beneath it.
 */
#include "base/mem.h"
#include "cli/network_layout.h"
#include "cli/view_grid.h"

#include <string.h>

#define STRIPE_ROWS 500 /* pictures are drawn in pieces, so that a grid has a limit */

enum { UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8 };

static const char *const line_chars[] = {
	[UP | DOWN] = "│",
	[LEFT | RIGHT] = "─",
	[DOWN | RIGHT] = "┌",
	[DOWN | LEFT] = "┐",
	[UP | RIGHT] = "└",
	[UP | LEFT] = "┘",
	[UP | DOWN | RIGHT] = "├",
	[UP | DOWN | LEFT] = "┤",
	[LEFT | RIGHT | DOWN] = "┬",
	[LEFT | RIGHT | UP] = "┴",
	[UP | DOWN | LEFT | RIGHT] = "┼",
};

static const uint16_t colors[] = {LOOK_CYAN, LOOK_GREEN, LOOK_YELLOW, LOOK_BLUE, LOOK_RED};
static const uint16_t style_looks[] = {
	[LAYOUT_PLAIN] = LOOK_PLAIN,
	[LAYOUT_DIM] = LOOK_DIM,
	[LAYOUT_PORT] = LOOK_BOLD,
};

struct drawing {
	struct grid grid;
	size_t top; /* the first row of the stripe */
};

static void put(struct drawing *d, size_t row, size_t column, uint16_t look, const char *text)
{
	if (row >= d->top)
		grid_puts(&d->grid, row - d->top, column, d->grid.columns, look, text);
}

static void put_line(struct drawing *d, size_t row, size_t column, uint16_t look,
		     unsigned directions)
{
	const char *text = line_chars[directions];

	if (!d->grid.is_utf8)
		text = directions == (UP | DOWN) ? "|" : directions == (LEFT | RIGHT) ? "-" : "+";
	put(d, row, column, look, text);
}

static void put_border(struct drawing *d, const struct layout_box *box, uint16_t look)
{
	size_t right = box->x + box->width - 1, bottom = box->y + box->height - 1;

	for (size_t x = box->x + 1; x < right; x++) {
		put_line(d, box->y, x, look, LEFT | RIGHT);
		put_line(d, bottom, x, look, LEFT | RIGHT);
	}
	for (size_t y = box->y + 1; y < bottom; y++) {
		put_line(d, y, box->x, look, UP | DOWN);
		put_line(d, y, right, look, UP | DOWN);
	}
	put_line(d, box->y, box->x, look, DOWN | RIGHT);
	put_line(d, box->y, right, look, DOWN | LEFT);
	put_line(d, bottom, box->x, look, UP | RIGHT);
	put_line(d, bottom, right, look, UP | LEFT);
}

static void draw_box(struct drawing *d, const struct network_layout *layout,
		     const struct layout_box *box)
{
	uint16_t look = LOOK_PLAIN;
	cleanup_free char *title = str_printf(" %s ", box->title);
	cleanup_free char *subtitle = str_printf("%s ", box->subtitle);
	size_t x = box->x + 2;

	if (box->rail != SIZE_MAX)
		look = colors[layout->rails[box->rail].color % ARRAY_LEN(colors)];
	put_border(d, box, look);
	if (box->y >= d->top) {
		x = grid_puts(&d->grid, box->y - d->top, x, box->width, LOOK_BOLD, title);
		if (box->subtitle[0])
			put(d, box->y, x, LOOK_DIM, subtitle);
	}
	for (size_t i = 0; i < box->n_lines; i++)
		put(d, box->y + 1 + i, box->x + 2, style_looks[box->lines[i].style],
		    box->lines[i].text);
}

static void draw_joint(struct drawing *d, const struct network_layout *layout,
		       const struct layout_joint *joint)
{
	const struct layout_rail *rail = &layout->rails[joint->rail];
	uint16_t look = colors[rail->color % ARRAY_LEN(colors)];

	for (size_t x = rail->x + 1; x < joint->x_end; x++)
		put_line(d, joint->y, x, look, LEFT | RIGHT);
	put_line(d, joint->y, joint->x_end, LOOK_PLAIN, UP | DOWN | LEFT);
}

static void draw_rail(struct drawing *d, const struct layout_rail *rail)
{
	uint16_t look = colors[rail->color % ARRAY_LEN(colors)];

	put_line(d, rail->y, rail->x, look, LEFT | RIGHT | DOWN);
	for (size_t y = rail->y + 1; y < rail->y_end; y++)
		put_line(d, y, rail->x, look, UP | DOWN);
}

/* Where a joint leaves its rail. */
static void draw_branch(struct drawing *d, const struct network_layout *layout,
			const struct layout_joint *joint)
{
	const struct layout_rail *rail = &layout->rails[joint->rail];

	put_line(d, joint->y, rail->x, colors[rail->color % ARRAY_LEN(colors)],
		 joint->y == rail->y_end ? UP | RIGHT : UP | DOWN | RIGHT);
}

void network_layout_draw(const struct network_layout *layout, bool is_utf8, bool has_colour,
			 struct str *out)
{
	struct drawing d = {.grid = {.is_utf8 = is_utf8, .has_colour = has_colour}};

	for (d.top = 0; d.top < layout->height; d.top += STRIPE_ROWS) {
		size_t left = layout->height - d.top;

		grid_resize(&d.grid, left < STRIPE_ROWS ? left : STRIPE_ROWS, layout->width);
		for (size_t i = 0; i < layout->n_boxes; i++)
			draw_box(&d, layout, &layout->boxes[i]);
		for (size_t i = 0; i < layout->n_joints; i++)
			draw_joint(&d, layout, &layout->joints[i]);
		for (size_t i = 0; i < layout->n_rails; i++)
			draw_rail(&d, &layout->rails[i]);
		for (size_t i = 0; i < layout->n_joints; i++)
			draw_branch(&d, layout, &layout->joints[i]);
		grid_print(&d.grid, out);
	}
	grid_done(&d.grid);
}
