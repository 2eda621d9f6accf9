/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_PRIVATE_H
#define CLI_VIEW_PRIVATE_H
/* The live view between its loop (view.c) and its keys (view_press.c). */
#include "base/rand.h"
#include "base/str.h"
#include "cli/view_child.h"
#include "cli/view_draw.h"
#include "cli/view_grid.h"
#include "cli/view_model.h"
#include "cli/view_text.h"
#include "engine/engine.h"
#include "event/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct cli;

enum asking { ASK_NOTHING, ASK_FILTER, ASK_REMOVE };

struct view {
	struct cli *cli;
	struct engine engine;
	struct view_model model;
	struct view_text log, page;
	struct view_screen screen;
	struct grid grid;
	struct loop loop;
	struct loop_source keys, output;
	struct loop_signals signals;
	struct view_jobs jobs;
	struct view_follow follow;
	char followed[ID_LEN + 1]; /* whose log is in log; "" */
	char followed_name[256];
	int64_t followed_start_ns; /* the run it was opened in */
	size_t n_log_bytes;	   /* read since the last refresh */
	enum asking asking;
	char asked_id[ID_LEN + 1];
	bool asked_force;
	struct str prompt, message;
	uint64_t message_until;
	uint64_t refresh_at, drawn_at, follow_at;
	bool is_dirty, is_over;
	int status;
};

/* Does what KEY (view_keys.h) means now. */
void view_press(struct view *v, int key);
/* Tells the user TEXT on the last line, for a while. */
void view_say(struct view *v, bool is_error, const char *text);
/* Leaves, with exit status STATUS. */
void view_end(struct view *v, int status);
/* Takes the terminal, in whatever size it is now, and draws everything anew. 0 or -errno. */
int view_show(struct view *v);
/* Gives the terminal to the shell until this process is continued. */
void view_suspend(struct view *v);

#endif
