/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout as SVG. A cell is 8 by 18 units and every text is stretched to its cells, so that it
 * fits its box in whatever font there is. Colours are chosen by the reader's light or dark setting;
 * nothing is loaded from anywhere.
 */
#include "base/mem.h"
#include "cli/network_layout.h"
#include "json/rune.h"

#include <string.h>

#define CELL_WIDTH  8
#define CELL_HEIGHT 18
#define MARGIN	    12
#define BASELINE    13 /* of text, from the top of its cell */
#define CORNER	    4
#define N_COLORS    6

static const char head[] =
	"<style>\n"
	"svg{--bg:#fff;--box:#fff;--net:#f6f8fa;--line:#818b98;--text:#1f2328;--dim:#59636e;"
	"--port:#0550ae;\n"
	"--k0:#0969da;--k1:#1a7f37;--k2:#9a6700;--k3:#8250df;--k4:#bc4c00;--k5:#bf3989;"
	"background:var(--bg)}\n"
	"@media (prefers-color-scheme:dark){svg{--bg:#0d1117;--box:#0d1117;--net:#161b22;"
	"--line:#6e7681;--text:#e6edf3;--dim:#9198a1;--port:#79c0ff;\n"
	"--k0:#58a6ff;--k1:#3fb950;--k2:#d29922;--k3:#bc8cff;--k4:#ffa657;--k5:#f778ba}}\n"
	"text{font:13px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;"
	"fill:var(--text);white-space:pre}\n"
	".t{font-weight:bold}.d{fill:var(--dim)}.p{fill:var(--port)}\n"
	".b{fill:var(--box);stroke:var(--line)}.n{fill:var(--net)}.e{fill:var(--bg)}\n"
	".l{fill:none;stroke-width:2}\n"
	"</style>\n";

static const char *const style_classes[] = {
	[LAYOUT_PLAIN] = "",
	[LAYOUT_DIM] = "d",
	[LAYOUT_PORT] = "p",
};

/* The middle of a cell. */
static size_t middle_x(size_t x)
{
	return MARGIN + x * CELL_WIDTH + CELL_WIDTH / 2;
}

static size_t middle_y(size_t y)
{
	return MARGIN + y * CELL_HEIGHT + CELL_HEIGHT / 2;
}

static void add_escaped(struct str *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			str_add(out, "&lt;");
			break;
		case '>':
			str_add(out, "&gt;");
			break;
		case '&':
			str_add(out, "&amp;");
			break;
		case '"':
			str_add(out, "&quot;");
			break;
		default:
			str_add_char(out, *text);
		}
	}
}

/* Text at a cell; returns the cell behind it. */
static size_t add_text(struct str *out, size_t x, size_t y, const char *class, const char *text)
{
	size_t width = rune_text_width(text, strlen(text));

	if (width == 0)
		return x;
	str_addf(out, "<text x=\"%zu\" y=\"%zu\" textLength=\"%zu\" lengthAdjust=\"%s\"",
		 (size_t)MARGIN + x * CELL_WIDTH, MARGIN + y * CELL_HEIGHT + BASELINE,
		 width * CELL_WIDTH, "spacingAndGlyphs");
	if (class[0])
		str_addf(out, " class=\"%s\"", class);
	str_add_char(out, '>');
	add_escaped(out, text);
	str_add(out, "</text>\n");
	return x + width;
}

static void add_box(struct str *out, const struct network_layout *layout,
		    const struct layout_box *box)
{
	size_t title = rune_text_width(box->title, strlen(box->title));
	size_t subtitle = rune_text_width(box->subtitle, strlen(box->subtitle));
	size_t x = box->x + 3;

	str_addf(out,
		 "<rect class=\"b%s\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%zu\" rx=\"%d\"",
		 box->is_network ? " n" : "", middle_x(box->x), middle_y(box->y),
		 (box->width - 1) * CELL_WIDTH, (box->height - 1) * CELL_HEIGHT, CORNER);
	if (box->rail != SIZE_MAX)
		str_addf(out, " style=\"stroke:var(--k%zu)\"",
			 layout->rails[box->rail].color % N_COLORS);
	str_add(out, "/>\n");
	/* the border makes room for the title */
	str_addf(out, "<rect class=\"e\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"2\"/>\n",
		 (size_t)MARGIN + (box->x + 2) * CELL_WIDTH, middle_y(box->y) - 1,
		 (title + 2 + (subtitle ? subtitle + 1 : 0)) * CELL_WIDTH);
	x = add_text(out, x, box->y, "t", box->title);
	add_text(out, x + 1, box->y, "d", box->subtitle);
	for (size_t i = 0; i < box->n_lines; i++)
		add_text(out, box->x + 2, box->y + 1 + i, style_classes[box->lines[i].style],
			 box->lines[i].text);
}

static void add_rail(struct str *out, const struct layout_rail *rail)
{
	str_addf(out, "<path class=\"l\" style=\"stroke:var(--k%zu)\" d=\"M%zu %zuV%zu\"/>\n",
		 rail->color % N_COLORS, middle_x(rail->x), middle_y(rail->y),
		 middle_y(rail->y_end));
}

static void add_joint(struct str *out, const struct network_layout *layout,
		      const struct layout_joint *joint)
{
	const struct layout_rail *rail = &layout->rails[joint->rail];
	size_t color = rail->color % N_COLORS;

	str_addf(out, "<path class=\"l\" style=\"stroke:var(--k%zu)\" d=\"M%zu %zuH%zu\"/>\n",
		 color, middle_x(rail->x), middle_y(joint->y), middle_x(joint->x_end));
	str_addf(out, "<circle style=\"fill:var(--k%zu)\" cx=\"%zu\" cy=\"%zu\" r=\"3\"/>\n", color,
		 middle_x(rail->x), middle_y(joint->y));
}

void network_layout_svg(const struct network_layout *layout, struct str *out)
{
	size_t width = MARGIN * 2 + layout->width * CELL_WIDTH;
	size_t height = MARGIN * 2 + layout->height * CELL_HEIGHT;

	str_addf(out,
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
		 "viewBox=\"0 0 %zu %zu\" role=\"img\" aria-label=\"Networks\">\n",
		 width, height, width, height);
	str_add(out, head);
	for (size_t i = 0; i < layout->n_boxes; i++)
		add_box(out, layout, &layout->boxes[i]);
	for (size_t i = 0; i < layout->n_rails; i++)
		add_rail(out, &layout->rails[i]);
	for (size_t i = 0; i < layout->n_joints; i++)
		add_joint(out, layout, &layout->joints[i]);
	str_add(out, "</svg>\n");
}
