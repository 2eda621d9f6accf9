/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_TEXT_H
#define CLI_VIEW_TEXT_H
/*
 * The last lines of a stream that a terminal was meant for: what a container printed. Sequences
 * that would colour text or move a cursor are taken out, tabs become blanks, a carriage return
 * begins the line anew. Bounded: old lines go, long ones are cut.
 */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define VIEW_TEXT_LINES	   2000
#define VIEW_TEXT_LINE_LEN 4096

enum view_text_state {
	VIEW_TEXT_PLAIN,
	VIEW_TEXT_ESCAPE,     /* after ESC */
	VIEW_TEXT_CONTROL,    /* inside CSI: up to a letter */
	VIEW_TEXT_STRING,     /* inside OSC, DCS and their like: up to BEL or ST */
	VIEW_TEXT_STRING_END, /* after ESC in there */
};

struct view_text {
	char *lines[VIEW_TEXT_LINES]; /* owned; a ring */
	size_t first, n;
	size_t n_dropped; /* old lines that went */
	struct str line;  /* the unfinished last one */
	size_t column;
	bool has_return; /* a carriage return came, and nothing after it */
	enum view_text_state state;
};

/* Takes LEN bytes more; a sequence or a line may go on in the next ones. */
void view_text_add(struct view_text *t, const char *data, size_t len);
/* Forgets all. */
void view_text_clear(struct view_text *t);
/* Lines, the unfinished one among them when there is anything in it. */
size_t view_text_count(const struct view_text *t);
/* Line I of these, borrowed until more is added. */
const char *view_text_line(const struct view_text *t, size_t i);

#endif
