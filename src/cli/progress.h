/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H
/*
 * Progress of several things at once, one line each, drawn as docker draws the layers of an image:
 *
 *	e2eb06d8af82: Loading layer [==============>          ]  3.2MB/5.9MB
 *	4bba7b9f4e8a: Loading layer [>                        ]  1.2kB/1.1MB
 *
 * On a terminal a line is drawn again where it stands; whatever is not a terminal gets no bars,
 *only the plain lines of progress_say. Of one thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str;

struct progress;

/* One line. Its fields are progress.c's own. */
struct progress_item {
	struct progress *progress;
	char *id;   /* owned; "" when there is only one thing to tell of */
	char *text; /* owned; "Loading layer" */
	uint64_t n_bytes, total;
	uint64_t drawn_ns; /* when it was drawn last */
	size_t line;	   /* number of its line from the first one, when it has one */
	bool has_line;
};

struct progress {
	int fd;			      /* borrowed */
	unsigned columns, rows;	      /* of the terminal; 0 when there is none */
	struct progress_item **items; /* owned */
	size_t n;
	size_t n_lines; /* drawn so far; the cursor stands at the start of the one below them */
};

/* Shows on FD (borrowed), and draws nothing yet. Progress goes to standard output where docker puts
 * it (load, pull), else to standard error. */
void progress_init(struct progress *p, int fd);
/* Leaves the lines on the screen and frees the items. May be repeated. */
void progress_done(struct progress *p);
#define cleanup_progress __attribute__((cleanup(progress_done)))
/* Takes the lines off the screen instead, as if nothing had been shown. */
void progress_clear(struct progress *p);

/* A new thing to tell of, borrowed from P: ID (12 digits of a layer; "" for none) and TEXT are
 * copied; TOTAL bytes, 0 when unknown. Its line appears with the first count. */
struct progress_item *progress_add(struct progress *p, const char *id, const char *text,
				   uint64_t total);
/* N_BYTES of an item are done; drawn at most ten times a second. ITEM is a struct progress_item *:
 * this is an unpack_progress_fn. */
void progress_count(uint64_t n_bytes, void *item);
/* All of the item is done: drawn at once, full. */
void progress_finish(struct progress_item *item);
/* Says TEXT ("Already exists") in place of the item's bar; where there is no terminal, prints the
 * line "ID: TEXT". */
void progress_say(struct progress_item *item, const char *text);

/* Appends "[=====>     ]  1.5MB/3MB" in at most COLUMNS columns: the bar has 50 or as many as there
 * is room for, none below a few; "  1.5MB" where the total is unknown (0). */
void progress_format(struct str *out, uint64_t n_bytes, uint64_t total, size_t columns);

#endif
