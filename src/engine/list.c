/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the index, newest first. Tests that need no state come before the state is read
 * only in so far as a list of names would not need it at all: reading it costs two small files.
 */
#include "engine/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/list_private.h"
#include "engine/pending.h"
#include "storage/container.h"
#include "storage/image.h"

struct listing {
	struct engine *engine;
	const struct list_options *options;
	const struct list_filter *filter;
	bool all; /* also those that do not run */
	bool needs_state;
	struct strv ancestors;	 /* ids of images, with those made from them */
	struct strv overdue;	 /* ids of containers that are to be removed */
	char before[ID_LEN + 1]; /* ids of containers; "" when not asked for */
	char since[ID_LEN + 1];
	bool seen_before, seen_since; /* the pass has come to them */
	int64_t n;		      /* listed so far */
	list_fn fn;
	void *data;
};

static void listing_done(struct listing *l)
{
	strv_done(&l->ancestors);
	strv_done(&l->overdue);
}

/* The id of the last container that KEY names. */
static int find_container(struct listing *l, enum filter_id key, char ret[static ID_LEN + 1],
			  struct err *err)
{
	const struct strv *values = &l->filter->values[key];

	strv_foreach (i, values) {
		cleanup_container struct container_record record = {};

		if (container_lookup_by_ref(l->engine->store, values->items[i], &record, err) < 0)
			return -err->code;
		memcpy(ret, record.row.id, ID_LEN + 1);
	}
	return 0;
}

static void find_ancestors(struct listing *l)
{
	const struct strv *names = &l->filter->values[FILTER_ANCESTOR];

	strv_foreach (i, names) {
		cleanup_image struct image image = IMAGE_INIT;
		struct err ignored = ERR_INIT;

		if (image_lookup(l->engine->store, names->items[i], &image, &ignored) > 0)
			image_list_made_from(l->engine->store, image.id, &l->ancestors, &ignored);
	}
}

static int resolve(struct listing *l, struct err *err)
{
	l->all = l->options->all || l->options->limit > 0;
	l->needs_state = !l->all || !l->options->without_state;
	if (!l->filter)
		return 0;
	l->all = l->all || l->filter->values[FILTER_STATUS].n;
	if (l->filter->values[FILTER_STATUS].n || l->filter->values[FILTER_EXITED].n ||
	    l->filter->values[FILTER_HEALTH].n)
		l->needs_state = true;
	find_ancestors(l);
	if (find_container(l, FILTER_BEFORE, l->before, err) < 0)
		return -err->code;
	return find_container(l, FILTER_SINCE, l->since, err);
}

/* Keeps track of before and since; whether ROW lies between them. */
static bool is_between(struct listing *l, const struct container_row *row)
{
	bool ok = (!*l->before || l->seen_before) && !l->seen_since;

	if (strcmp(row->id, l->before) == 0)
		l->seen_before = true;
	if (strcmp(row->id, l->since) == 0) {
		l->seen_since = true;
		ok = false;
	}
	return ok;
}

static bool passes(const struct listing *l, const struct listed_container *c)
{
	if (!l->all && !container_is_running(&c->state))
		return false;
	if (!l->filter)
		return true;
	if (l->filter->values[FILTER_ANCESTOR].n && !strv_has(&l->ancestors, c->row->image_id))
		return false;
	return list_filter_matches(l->filter, l->engine, c->row, &c->state);
}

/* A container whose monitor was killed is settled before it is shown. One that should be gone, with
 * nobody left to do it, is not listed, and goes after the pass. */
static bool is_left_over(struct listing *l, const struct container_row *row,
			 struct container_state *state)
{
	struct err ignored = ERR_INIT;

	if (!container_is_overdue(state, row->auto_remove) || pending_is_held(l->engine, row->id))
		return false;
	if (row->auto_remove) {
		strv_add(&l->overdue, row->id);
		return true;
	}
	engine_settle(l->engine, row->id, false, &ignored);
	container_state_read(l->engine, row->id, state);
	return false;
}

static int list_row(const struct container_row *row, void *data, struct err *err)
{
	struct listing *l = data;
	struct listed_container c = {.row = row};

	if (l->options->limit > 0 && l->n >= l->options->limit)
		return 0;
	if (!is_between(l, row))
		return 0;
	if (l->needs_state || row->auto_remove)
		container_state_read(l->engine, row->id, &c.state);
	if (is_left_over(l, row, &c.state))
		return 0;
	/* Of one that does not run it takes another look. */
	if (l->filter && l->filter->values[FILTER_HEALTH].n)
		c.state.health = health_read(l->engine, row->id, &c.state);
	if (!passes(l, &c))
		return 0;
	l->n++;
	return l->fn(&c, l->data, err);
}

int list_containers(struct engine *engine, const struct list_options *options,
		    const struct list_filter *filter, list_fn fn, void *data, struct err *err)
{
	cleanup_with(listing_done) struct listing l = {
		.engine = engine, .options = options, .filter = filter, .fn = fn, .data = data};

	int rc = 0;

	pending_sweep(engine);
	if (resolve(&l, err) < 0)
		return -err->code;
	rc = container_list(engine->store, filter && list_filter_needs_json(filter), list_row, &l,
			    err);
	strv_foreach (i, &l.overdue) {
		struct err ignored = ERR_INIT;

		engine_settle(engine, l.overdue.items[i], true, &ignored);
	}
	return rc;
}
