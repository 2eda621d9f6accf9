/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_NETWORK_LAYOUT_H
#define CLI_NETWORK_LAYOUT_H
/*
 * Where everything of a picture of networks stands, in cells of a terminal. A network is a box from
 * which a rail runs down; containers are boxes to the right of the rails, and a joint leads from
 * the rail of a network to the line with the container's address in it. The terminal and the SVG
 * draw the same layout.
 *
 * Networks that share containers make one group; groups that have nothing in common stand side by
 * side where there is room.
 */
#include "base/str.h"
#include "engine/network_model.h"

#include <stdbool.h>
#include <stddef.h>

enum layout_style { LAYOUT_PLAIN, LAYOUT_DIM, LAYOUT_PORT };

/* A line inside a box. */
struct layout_line {
	char *text; /* owned, cut to the box; only printable characters */
	enum layout_style style;
};

struct layout_box {
	size_t x, y, width, height;
	char *title, *subtitle; /* owned; in the upper border */
	bool is_network;
	size_t rail;		   /* of a network: index of its rail; SIZE_MAX without one */
	struct layout_line *lines; /* owned; height - 2 of them */
	size_t n_lines;
};

/* From Y (in the lower border of its network) down to Y_END (its last joint). */
struct layout_rail {
	size_t x, y, y_end;
	size_t color; /* counts the networks */
};

/* From a rail to the left border of a box. */
struct layout_joint {
	size_t rail, y, x_end;
};

struct network_layout {
	struct layout_box *boxes;
	size_t n_boxes;
	struct layout_rail *rails;
	size_t n_rails;
	struct layout_joint *joints;
	size_t n_joints;
	size_t width, height;
};

struct layout_options {
	size_t width;		       /* columns that there are; at least 20 are used */
	bool is_ascii;		       /* what is not ASCII becomes "?" */
	bool is_page;		       /* as wide as it takes to be no column: for pictures */
	const bool *selected_networks; /* one for each of the model's; NULL: all */
};

/* Frees what is inside; a zeroed one is fine. */
void network_layout_done(struct network_layout *layout);
#define cleanup_network_layout __attribute__((cleanup(network_layout_done)))

/* Fills RET (all zero) from a sorted MODEL. */
void network_layout_make(const struct network_model *model, const struct layout_options *options,
			 struct network_layout *ret);

/* Appends the picture as lines of text, with colours when it HAS_COLOUR. */
void network_layout_draw(const struct network_layout *layout, bool is_utf8, bool has_colour,
			 struct str *out);
/* Appends it as an SVG document that needs nothing else. */
void network_layout_svg(const struct network_layout *layout, struct str *out);

#endif
