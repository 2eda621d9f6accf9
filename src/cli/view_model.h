/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_MODEL_H
#define CLI_VIEW_MODEL_H
/*
 * What the live view shows: containers with their state and use, in the order and through the
 * filter that the user chose, and which of them is selected. The selection stays with a container,
 * not with a line.
 */
#include "base/rand.h"
#include "base/str.h"
#include "engine/state.h"
#include "engine/usage.h"

#include <stdbool.h>
#include <stddef.h>

struct container_row;
struct engine;
struct err;

enum view_sort {
	VIEW_SORT_NAME,
	VIEW_SORT_CPU,
	VIEW_SORT_MEMORY,
	VIEW_SORT_NETWORK,
	VIEW_SORT_IO,
	N_VIEW_SORTS,
};

struct view_item {
	char id[ID_LEN + 1];
	char *name, *image; /* owned */
	struct container_state state;
	bool is_seen;
	struct usage before, now;
	double cpu_percent, memory_percent;
};

struct view_model {
	struct view_item *items; /* owned; all that exist, as listed */
	size_t n;
	const struct view_item **shown; /* owned array: what passes, in order */
	size_t n_shown;
	char selected[ID_LEN + 1]; /* "" when nothing is shown */
	size_t index;		   /* of it in shown */
	enum view_sort sort;
	bool only_running;
	struct str filter; /* part of a name, an image or an id, in any case */
	struct usage_host host, host_before;
};

/* Frees everything inside and leaves it all zero. */
void view_model_done(struct view_model *m);
/* Reads all containers and what they use. 0 or -code. */
int view_model_read(struct view_model *m, struct engine *engine, struct err *err);
/* A container that view_model_read found; what the parts of it do, for tests. */
void view_model_begin(struct view_model *m);
void view_model_add(struct view_model *m, const struct container_row *row,
		    const struct container_state *state, const struct usage *usage);
void view_model_end(struct view_model *m);
/* Applies sort and filter anew. */
void view_model_arrange(struct view_model *m);
/* Moves the selection by STEP lines, as far as there are. */
void view_model_move(struct view_model *m, long step);
/* The selected container, or NULL. */
const struct view_item *view_model_selected(const struct view_model *m);
/* "cpu". */
const char *view_sort_name(enum view_sort sort);

#endif
