/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing all that has ended: a list first, then one removal after another, each complete in
 * itself.
 */
#include "engine/prune.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "storage/container.h"
#include "storage/store.h"
#include "json/value.h"

#include <ftw.h>
#include <sys/stat.h>

struct prune {
	struct engine *engine;
	const struct strv *filters;
	struct strv ids;
};

/* ---- sizes ---- */

static int64_t tree_bytes;

static int add_size(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (S_ISREG(st->st_mode))
		tree_bytes += st->st_size;
	return 0;
}

int64_t engine_tree_size(const char *path)
{
	tree_bytes = 0;
	nftw(path, add_size, 32, FTW_PHYS | FTW_MOUNT);
	return tree_bytes;
}

/* ---- filters ---- */

static bool has_label(const char *labels_json, const char *condition)
{
	cleanup_json json_t *labels = NULL;
	struct err ignored = ERR_INIT;
	const char *eq = strchrnul(condition, '=');
	cleanup_free char *key = str_ndup(condition, (size_t)(eq - condition));
	const char *value = NULL;

	if (json_parse(labels_json, strlen(labels_json), 4 << 20, "labels", &labels, &ignored) < 0)
		return false;
	value = json_string_value(json_object_get(labels, key));
	return value && (!*eq || strcmp(value, eq + 1) == 0);
}

static int parse_until(const char *text, int64_t *ret)
{
	int64_t ago = 0;
	double seconds = 0;

	if (num_parse_duration(text, &ago) == 0) {
		*ret = clock_real_ns() - ago;
		return 0;
	}
	if (clock_parse_rfc3339(text, ret) == 0)
		return 0;
	if (num_parse_double(text, &seconds) < 0)
		return -1;
	*ret = (int64_t)(seconds * 1e9);
	return 0;
}

static int passes(const struct container_row *row, const char *filter, struct err *err)
{
	int64_t until = 0;

	if (str_has_prefix(filter, "label!="))
		return !has_label(row->labels, filter + strlen("label!="));
	if (str_has_prefix(filter, "label="))
		return has_label(row->labels, filter + strlen("label="));
	if (str_has_prefix(filter, "until=") && parse_until(filter + strlen("until="), &until) == 0)
		return row->created_ns < until;
	return err_set(err, ERR_INVALID, "invalid filter '%.*s'", (int)strcspn(filter, "=!"),
		       filter);
}

static int collect(const struct container_row *row, void *data, struct err *err)
{
	struct prune *p = data;
	struct container_state state;

	strv_foreach (i, p->filters) {
		int rc = passes(row, p->filters->items[i], err);

		if (rc <= 0)
			return rc;
	}
	if (pending_is_held(p->engine, row->id))
		return 0;
	container_state_read(p->engine, row->id, &state);
	if (!container_is_running(&state))
		strv_add(&p->ids, row->id);
	return 0;
}

int engine_prune_containers(struct engine *engine, const struct strv *filters, struct strv *removed,
			    int64_t *freed, struct err *err)
{
	struct prune p = {.engine = engine, .filters = filters};
	int rc = 0;

	/* A filter that makes no sense is refused also when there is nothing to remove. */
	strv_foreach (i, filters) {
		rc = passes(&(struct container_row){.labels = "{}"}, filters->items[i], err);
		if (rc < 0)
			return rc;
	}
	rc = 0;
	pending_sweep(engine);
	rc = container_list(engine->store, false, collect, &p, err);
	for (size_t i = 0; rc >= 0 && i < p.ids.n; i++) {
		cleanup_free char *upper = store_container_path(engine->store, p.ids.items[i],
								"upper");
		int64_t size = engine_tree_size(upper);
		struct err one = ERR_INIT;

		/* One that was started meanwhile stays, and is no failure of the others. */
		if (engine_settle_ended(engine, p.ids.items[i], &one) < 0)
			continue;
		strv_add(removed, p.ids.items[i]);
		*freed += size;
	}
	strv_done(&p.ids);
	if (rc >= 0)
		event_prune(engine, "container", *freed);
	return rc;
}
