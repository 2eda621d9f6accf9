/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing all that has ended: a list first, then one removal after another, each complete in
 * itself.
 */
#include "engine/prune.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "storage/container.h"
#include "storage/image.h"
#include "storage/store.h"
#include "json/value.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/file.h>
#include <sys/stat.h>

#define UNTIL "until="

struct prune {
	struct engine *engine;
	const struct strv *filters;
	struct strv ids;
};

int engine_lock_prune(const struct engine *engine, const char *what, struct err *err)
{
	cleanup_free char *path = str_printf("%s/prune.%s", engine->runroot, what);
	/* lint: a file of the engine's own */
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == ENOENT && fd_mkdir_p(engine->runroot, 0700) == 0)
		/* lint: a file of the engine's own */
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* A full disk is when people prune: then all kinds share the lock of what is there. */
	if (fd < 0 && (errno == ENOSPC || errno == EDQUOT))
		/* lint: the engine's own directory */
		fd = open(engine->runroot, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? err_set(err, ERR_CONFLICT, "a prune operation is already running")
			       : err_sys(err, errno, "lock %s", path);
	return take_fd(fd);
}

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

static int passes(const struct container_row *row, const char *filter, struct err *err)
{
	int64_t until = 0;

	if (str_has_prefix(filter, "label!="))
		return !has_label(row->labels, filter + strlen("label!="));
	if (str_has_prefix(filter, "label="))
		return has_label(row->labels, filter + strlen("label="));
	if (!str_has_prefix(filter, UNTIL))
		return err_set(err, ERR_INVALID, "invalid filter '%.*s'", (int)strcspn(filter, "="),
			       filter);
	if (clock_parse_point(filter + strlen(UNTIL), clock_real_ns(), &until, err) < 0)
		return -err->code;
	return row->created_ns < until;
}

/* What makes no sense is refused also when there is nothing to remove. */
static int check_filters(const struct strv *filters, struct err *err)
{
	bool has_until = false;

	strv_foreach (i, filters) {
		bool is_until = str_has_prefix(filters->items[i], UNTIL);

		if (is_until && has_until)
			return err_set(err, ERR_INVALID, "more than one until filter specified");
		has_until |= is_until;
		if (passes(&(struct container_row){.labels = "{}"}, filters->items[i], err) < 0)
			return -err->code;
	}
	return 0;
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
	cleanup_close int lock = -1;
	int rc = check_filters(filters, err);

	if (rc == 0)
		rc = lock = engine_lock_prune(engine, "containers", err);
	if (rc < 0)
		return rc;
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

/* ---- images ---- */

static int collect_image(const struct image_row *row, void *data, struct err *err)
{
	strv_add(data, row->id);
	return 0;
}

int engine_prune_images(struct engine *engine, bool all, const struct image_filter *filter,
			struct strv *lines, int64_t *freed, struct err *err)
{
	cleanup_strv struct strv before = STRV_INIT;
	struct image_filter every;
	cleanup_close int lock = engine_lock_prune(engine, "images", err);
	int rc = 0;

	if (lock < 0)
		return lock;
	image_filter_init(&every);
	every.all = true;
	rc = image_list(engine->store, &every, collect_image, &before, err);
	image_filter_done(&every);
	if (rc >= 0)
		rc = image_prune(engine->store, all, filter, lines, freed, err);
	if (rc < 0)
		return rc;
	event_images_pruned(engine, &before, lines);
	event_prune(engine, "image", *freed);
	engine_remove_replaced(engine);
	return 0;
}
