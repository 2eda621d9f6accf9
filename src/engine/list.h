/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LIST_H
#define ENGINE_LIST_H
/*
 * Containers as `ps` lists them: newest first, with the state of each, as far as docker's filters
 * let them through. Values of one key are alternatives, different keys must all hold; only labels
 * must all hold among themselves.
 */
#include "base/err.h"
#include "engine/state.h"

#include <stdbool.h>
#include <stdint.h>

struct container_row;
struct engine;
struct list_filter;

struct list_options {
	bool all;      /* also those that do not run */
	int64_t limit; /* this many of the newest, running or not; 0 or less: no limit */
	/* Leaves listed_container.state empty where nothing else needs it, which saves two files a
	 * container. */
	bool without_state;
};

struct listed_container {
	const struct container_row
		*row; /* borrowed; the JSON columns only where a filter needs them */
	struct container_state state;
};

/* Called for each one; < 0 stops the listing with that error. */
typedef int (*list_fn)(const struct listed_container *c, void *data, struct err *err);

/* An owned, empty filter. */
struct list_filter *list_filter_new(void);
void list_filter_free(struct list_filter *filter);
void list_filter_cleanup(struct list_filter **filter);
#define cleanup_list_filter __attribute__((cleanup(list_filter_cleanup)))

/* Adds "key=value". Keys: id name label exited status ancestor before since volume network publish
 * expose health is-task. ERR_INVALID with docker's text for another key or a value that it cannot
 * have. Nothing is looked up yet. */
int list_filter_add(struct list_filter *filter, const char *condition, struct err *err);

/* Lets ids of networks count for their names. */
void list_filter_find_networks(struct list_filter *filter, struct engine *engine);

/* Whether a container of ENGINE passes FILTER, as far as its row, its state and, of ports, its run
 * directory say (before, since and ancestor depend on others and are left to list_containers). ROW
 * needs its JSON columns where list_filter_needs_json. */
bool list_filter_matches(const struct list_filter *filter, const struct engine *engine,
			 const struct container_row *row, const struct container_state *state);
bool list_filter_needs_json(const struct list_filter *filter);

/* Calls FN for the containers that OPTIONS and FILTER (may be NULL) let through. ERR_NOT_FOUND when
 * the container of before or since does not exist; an image of ancestor that does not exist matches
 * nothing. */
int list_containers(struct engine *engine, const struct list_options *options,
		    const struct list_filter *filter, list_fn fn, void *data, struct err *err);

#endif
