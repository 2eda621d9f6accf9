/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_DRAW_H
#define CLI_VIEW_DRAW_H
/* The frames of the live view, from what is to be seen to a grid of any size. */
#include "cli/view_grid.h"
#include "cli/view_model.h"
#include "cli/view_text.h"

#include <stdbool.h>
#include <stddef.h>

enum view_mode {
	VIEW_LIST,
	VIEW_LOGS,    /* one container's log, all over the screen */
	VIEW_INSPECT, /* what inspect says of one */
	VIEW_HELP,
};

struct view_screen {
	enum view_mode mode;
	const struct view_model *model;
	const struct view_text *text; /* of the mode; in the list, the selected one's log */
	const char *text_name;	      /* whose it is; NULL for nobody's */
	size_t scroll;	     /* logs: lines up from the end; else lines down from the top */
	size_t first;	     /* of the list: the topmost line's index; see view_draw */
	const char *prompt;  /* what is being asked or typed; NULL */
	const char *message; /* what happened last; "" for nothing */
	bool is_error;	     /* the message is */
};

/* Draws S into G. s->first follows the selection, and s->scroll is bounded to the text. */
void view_draw(struct grid *g, struct view_screen *s);
/* Lines of text that a full-screen mode shows at once. */
size_t view_page(const struct grid *g);
/* A bar of WIDTH columns that is PERCENT full: "||||    ". */
void view_bar(double percent, size_t width, char *buf);

#endif
