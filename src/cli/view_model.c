/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model of the live view. Containers are kept from one reading to the next, because a share of
 * the CPU is a difference between two.
 */
#include "cli/view_model.h"

#include "base/err.h"
#include "base/mem.h"
#include "cli/list_common.h"
#include "engine/engine.h"
#include "engine/list.h"
#include "storage/container.h"

#include <string.h>
#include <strings.h>

static void item_done(struct view_item *item)
{
	free(item->name);
	free(item->image);
	*item = (struct view_item){};
}

void view_model_done(struct view_model *m)
{
	for (size_t i = 0; i < m->n; i++)
		item_done(&m->items[i]);
	free(m->items);
	free(m->shown);
	str_done(&m->filter);
	*m = (struct view_model){};
}

const char *view_sort_name(enum view_sort sort)
{
	static const char *const names[N_VIEW_SORTS] = {
		[VIEW_SORT_NAME] = "name",     [VIEW_SORT_CPU] = "cpu",
		[VIEW_SORT_MEMORY] = "memory", [VIEW_SORT_NETWORK] = "network",
		[VIEW_SORT_IO] = "I/O",
	};

	return names[sort];
}

/* ---- reading ---- */

static struct view_item *find_item(struct view_model *m, const char *id)
{
	for (size_t i = 0; i < m->n; i++)
		if (memcmp(m->items[i].id, id, ID_LEN) == 0)
			return &m->items[i];
	return NULL;
}

static struct view_item *new_item(struct view_model *m, const char *id)
{
	struct view_item *item = NULL;

	m->items = mem_realloc_array(m->items, m->n + 1, sizeof(*m->items));
	item = &m->items[m->n++];
	*item = (struct view_item){};
	memcpy(item->id, id, ID_LEN);
	return item;
}

void view_model_begin(struct view_model *m)
{
	for (size_t i = 0; i < m->n; i++)
		m->items[i].is_seen = false;
}

void view_model_add(struct view_model *m, const struct container_row *row,
		    const struct container_state *state, const struct usage *usage)
{
	struct view_item *item = find_item(m, row->id);

	if (!item)
		item = new_item(m, row->id);
	item->is_seen = true;
	str_replace(&item->name, row->name);
	free(item->image);
	item->image = list_container_image(row, false);
	item->state = *state;
	item->before = item->now;
	item->now = *usage;
	item->cpu_percent = usage_cpu_percent(&item->before, &item->now, m->host.n_cpus);
	item->memory_percent = usage_memory_percent(&item->now);
}

void view_model_end(struct view_model *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct view_item item = m->items[i];

		if (!item.is_seen)
			continue;
		m->items[i] = m->items[kept];
		m->items[kept++] = item;
	}
	for (size_t i = kept; i < m->n; i++)
		item_done(&m->items[i]);
	m->n = kept;
	view_model_arrange(m);
}

struct read {
	struct view_model *m;
	struct engine *engine;
};

static int read_one(const struct listed_container *c, void *data, struct err *err)
{
	struct read *r = data;
	struct usage usage;

	usage_read(r->engine, &r->m->host, c->row->id, &c->state, &usage);
	view_model_add(r->m, c->row, &c->state, &usage);
	return 0;
}

int view_model_read(struct view_model *m, struct engine *engine, struct err *err)
{
	struct list_options options = {.all = true};
	struct read r = {.m = m, .engine = engine};
	int rc = 0;

	m->host_before = m->host;
	usage_host_read(&m->host);
	view_model_begin(m);
	rc = list_containers(engine, &options, NULL, read_one, &r, err);
	/* What could not be listed is not gone. */
	if (rc == 0)
		view_model_end(m);
	else
		view_model_arrange(m);
	return rc;
}

/* ---- order ---- */

static double sort_key(const struct view_item *item, enum view_sort sort)
{
	switch (sort) {
	case VIEW_SORT_CPU:
		return item->cpu_percent;
	case VIEW_SORT_MEMORY:
		return (double)item->now.memory;
	case VIEW_SORT_NETWORK:
		return (double)(item->now.received + item->now.sent);
	case VIEW_SORT_IO:
		return (double)(item->now.read_bytes + item->now.written);
	default:
		return 0;
	}
}

/* What runs first; then the most; then by name, so that equal ones keep their places. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct view_item *x = *(const struct view_item *const *)a;
	const struct view_item *y = *(const struct view_item *const *)b;
	enum view_sort sort = *(const enum view_sort *)arg;
	int by_state = container_is_running(&y->state) - container_is_running(&x->state);
	double p = sort_key(x, sort), q = sort_key(y, sort);

	if (by_state)
		return by_state;
	if (p < q || p > q)
		return p < q ? 1 : -1;
	return strcmp(x->name, y->name);
}

static bool passes(const struct view_model *m, const struct view_item *item)
{
	const char *filter = str_get(&m->filter);

	if (m->only_running && !container_is_running(&item->state))
		return false;
	return !*filter || strcasestr(item->name, filter) || strcasestr(item->image, filter) ||
	       strncasecmp(item->id, filter, strlen(filter)) == 0;
}

static void select_index(struct view_model *m, size_t index)
{
	m->index = index < m->n_shown ? index : m->n_shown ? m->n_shown - 1 : 0;
	m->selected[0] = '\0';
	if (m->n_shown)
		memcpy(m->selected, m->shown[m->index]->id, sizeof(m->selected));
}

void view_model_arrange(struct view_model *m)
{
	size_t index = m->index;

	m->shown = mem_realloc_array(m->shown, m->n, sizeof(const struct view_item *));
	m->n_shown = 0;
	for (size_t i = 0; i < m->n; i++)
		if (passes(m, &m->items[i]))
			m->shown[m->n_shown++] = &m->items[i];
	if (m->n_shown)
		qsort_r(m->shown, m->n_shown, sizeof(*m->shown), compare, &m->sort);
	for (size_t i = 0; i < m->n_shown; i++)
		if (strcmp(m->shown[i]->id, m->selected) == 0)
			index = i;
	select_index(m, index);
}

void view_model_move(struct view_model *m, long step)
{
	long index = (long)m->index + step;

	select_index(m, index < 0 ? 0 : (size_t)index);
}

const struct view_item *view_model_selected(const struct view_model *m)
{
	return m->n_shown ? m->shown[m->index] : NULL;
}
