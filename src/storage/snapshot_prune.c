/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is, and removal. What goes is locked first, so that nobody can begin to use it; then
 * the index forgets it; then it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "storage/cache_mount.h"
#include "storage/collect.h"
#include "storage/layer.h"
#include "storage/reclaim.h"
#include "storage/snapshot_private.h"
#include "storage/store_private.h"

enum { BATCH = 64 }; /* so many are locked at a time */

struct item {
	struct snapshot_row row; /* of a cache mount: nothing but the info */
	bool is_mount, in_use, is_shared;
};

struct inventory {
	struct store *store;
	struct item *items; /* owned; oldest use first */
	size_t n;
};

static void inventory_done(struct inventory *v)
{
	for (size_t i = 0; i < v->n; i++)
		snapshot_info_done(&v->items[i].row.info);
	free(v->items);
}
#define cleanup_inventory __attribute__((cleanup(inventory_done)))

/* ---- what there is ---- */

static struct item *push(struct inventory *v)
{
	v->items = mem_realloc_array(v->items, v->n + 1, sizeof(*v->items));
	v->items[v->n] = (struct item){};
	return &v->items[v->n++];
}

/* A descriptor that holds the directory of ROW alone, -1 when somebody uses it. There may be none.
 */
static int lock_alone(struct store *store, const struct snapshot_row *row, bool *ret_is_used)
{
	char path[SNAPSHOT_PATH_LEN];
	cleanup_close int fd = -1;

	*ret_is_used = false;
	if (!snapshot_path(row, path))
		return -1;
	fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	*ret_is_used = flock(fd, LOCK_EX | LOCK_NB) < 0;
	return *ret_is_used ? -1 : take_fd(fd);
}

static int load_rows(struct inventory *v, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(v->store, &stmt, err,
			    "SELECT x.*,EXISTS(SELECT 1 FROM image_layer a WHERE a.chain_id="
			    "x.chain) FROM (" SNAPSHOT_SELECT ") x",
			    "");

	while (rc >= 0 && (rc = db_step(v->store, stmt, err)) > 0) {
		struct item *item = push(v);

		if (snapshot_read_row(v->store, stmt, &item->row, err) < 0)
			return -err->code;
		item->is_shared = sqlite3_column_int(stmt, SNAPSHOT_COLUMNS);
	}
	for (size_t i = 0; rc >= 0 && i < v->n; i++) {
		int fd = lock_alone(v->store, &v->items[i].row, &v->items[i].in_use);

		/* Whether it is used was all there is to know: nothing is removed here. */
		if (fd >= 0)
			close(fd);
	}
	return rc;
}

static int add_mount(const struct snapshot_info *info, void *data, struct err *err)
{
	struct inventory *v = data;
	struct item *item = push(v);
	cleanup_cache_locks struct cache_locks locks = {};

	item->row.info = *info;
	item->row.info.description = str_dup(info->description);
	item->row.info.parent = NULL;
	item->is_mount = true;
	item->in_use = !cache_mount_lock_alone(v->store, info->key, &locks);
	return 0;
}

static int compare_uses(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;

	if (a->row.info.used_ns != b->row.info.used_ns)
		return a->row.info.used_ns < b->row.info.used_ns ? -1 : 1;
	return strcmp(a->row.info.key, b->row.info.key);
}

static int load(struct inventory *v, struct err *err)
{
	if (load_rows(v, err) < 0 || cache_mount_list(v->store, add_mount, v, err) < 0)
		return -err->code;
	if (v->n)
		qsort(v->items, v->n, sizeof(*v->items), compare_uses);
	return 0;
}

/* ---- conditions ---- */

static const char *type_of(const struct item *item)
{
	return item->is_mount ? "exec.cachemount" : "regular";
}

static const char *word_of(bool is_true)
{
	return is_true ? "true" : "false";
}

/* What a filter's KEY is about; NULL for none. */
static const char *value_of(const struct item *item, const char *key)
{
	const struct snapshot_info *info = &item->row.info;
	const struct {
		const char *key, *value;
	} rows[] = {
		{"id", info->key},
		{"parent", info->parent ? info->parent : ""},
		{"parents", info->parent ? info->parent : ""},
		{"type", type_of(item)},
		{"description", info->description ? info->description : ""},
		{"inuse", word_of(item->in_use)},
		{"shared", word_of(item->is_shared)},
		{"private", word_of(!item->is_shared)},
		{"mutable", word_of(item->is_mount)},
		{"immutable", word_of(!item->is_mount)},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].key, key) == 0)
			return rows[i].value;
	return NULL;
}

/* Ids are shown short, as docker's are. */
static bool is_value(const char *key, const char *value, const char *wanted)
{
	bool is_id = strcmp(key, "id") == 0 || str_has_prefix(key, "parent");

	return strcmp(value, wanted) == 0 ||
	       (is_id && strlen(wanted) >= SNAPSHOT_ID_LEN && str_has_prefix(value, wanted));
}

/* "KEY", which must be true, "KEY=VALUE", "KEY!=VALUE", or "KEY~=PART": 1, 0, or -code. */
static int matches(const struct item *item, const char *filter, struct err *err)
{
	size_t len = strcspn(filter, "=!~");
	cleanup_free char *key = str_ndup(filter, len);
	const char *value = value_of(item, key);
	const char *operator= filter + len;

	if (!value || (*operator&& * operator!= '=' && operator[1] != '='))
		return err_set(err, ERR_INVALID, "invalid filter '%s'", filter);
	if (!*operator)
		return strcmp(value, "true") == 0;
	if (*operator== '=')
		return is_value(key, value, operator+ 1);
	if (*operator== '!')
		return !is_value(key, value, operator+ 2);
	return strstr(value, operator+ 2) != NULL;
}

static int matches_all(const struct item *item, const struct strv *filters, struct err *err)
{
	for (size_t i = 0; filters && i < filters->n; i++) {
		int rc = matches(item, filters->items[i], err);

		if (rc <= 0)
			return rc;
	}
	return 1;
}

int snapshot_list(struct store *store, const struct strv *filters, snapshot_fn fn, void *data,
		  struct err *err)
{
	cleanup_inventory struct inventory v = {.store = store};

	if (load(&v, err) < 0)
		return -err->code;
	for (size_t i = 0; i < v.n; i++) {
		const struct item *item = &v.items[i];
		int rc = matches_all(item, filters, err);

		if (rc > 0)
			rc = fn(&item->row.info, item->in_use, item->is_shared, data, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- removal ---- */

struct pruning {
	struct store *store;
	const struct snapshot_prune *how;
	struct staging trash; /* none on a disk too full for it */
	struct reclaim reclaim;
	struct strv *lines;
	int64_t left;  /* bytes of what stays, as far as we are; without what images have */
	int64_t limit; /* so much may stay; -1: whatever is wanted goes */
};

static void pruning_done(struct pruning *p)
{
	staging_done(&p->trash);
	reclaim_done(&p->reclaim);
}
#define cleanup_pruning __attribute__((cleanup(pruning_done)))

/* What its removal gives back. */
static int64_t size_alone(const struct item *item)
{
	return item->is_shared ? 0 : item->row.info.size;
}

static void tell(struct pruning *p, const struct item *item)
{
	const struct snapshot_info *info = &item->row.info;
	bool has_more = p->how->is_verbose && info->description;

	if (p->lines)
		strv_addf(p->lines, "%.*s%s%s", SNAPSHOT_ID_LEN, info->key, has_more ? "\t" : "",
			  has_more ? info->description : "");
}

static int prune_mount(struct pruning *p, const struct item *item, struct err *err)
{
	cleanup_free char *path = str_printf(STORE_CACHES "/%s", item->row.info.key);
	cleanup_cache_locks struct cache_locks locks = {};

	if (!cache_mount_lock_alone(p->store, item->row.info.key, &locks))
		return 0;
	reclaim_add_path(&p->reclaim, p->store, path);
	if (cache_mount_discard(p->store, item->row.info.key, p->trash.fd, err) < 0)
		return -err->code;
	p->left -= item->row.info.size;
	tell(p, item);
	return 0;
}

/* Up to BATCH snapshots that are locked together. */
struct batch {
	const struct item *items[BATCH]; /* NULL: it became something else */
	int fds[BATCH];			 /* owned; -1: there is no directory */
	size_t n;
	struct garbage garbage;
};

static void batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		fd_cleanup_close(&b->fds[i]);
	garbage_done(&b->garbage);
	*b = (struct batch){.garbage = GARBAGE_INIT};
}
#define cleanup_batch __attribute__((cleanup(batch_done)))

/* Forgets the row as it was seen: when it is another by now, that one stays. */
static int forget(struct pruning *p, struct batch *b, size_t i, struct err *err)
{
	const struct snapshot_row *seen = &b->items[i]->row;
	struct snapshot_row row = {};
	int rc = snapshot_find_row(p->store, seen->info.key, &row, err);

	if (rc > 0 && row.seq == seen->seq && strcmp(row.info.chain_hex, seen->info.chain_hex) == 0)
		rc = snapshot_delete_row(p->store, &row, &b->garbage, err);
	else
		b->items[i] = NULL;
	snapshot_info_done(&row.info);
	return rc;
}

static int forget_all(struct pruning *p, struct batch *b, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(p->store, true, err) < 0)
		return -err->code;
	tx = p->store;
	for (size_t i = 0; i < b->n; i++)
		if (forget(p, b, i, err) < 0)
			return -err->code;
	if (db_run(p->store, err,
		   "DELETE FROM snapshot_alias WHERE target NOT IN (SELECT key FROM snapshot)",
		   "") < 0)
		return -err->code;
	garbage_prepare(p->store, &b->garbage);
	return db_commit(p->store, err);
}

static int remove_dirs(struct pruning *p, struct batch *b, struct err *err)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct snapshot_row *row = NULL;
		char path[SNAPSHOT_PATH_LEN];

		if (!b->items[i])
			continue;
		row = &b->items[i]->row;
		if (*row->dir && b->fds[i] >= 0 && snapshot_path(row, path)) {
			reclaim_add_path(&p->reclaim, p->store, path);
			if (snapshot_discard(p->store, row->dir, p->trash.fd, err) < 0)
				return -err->code;
		}
		fd_cleanup_close(&b->fds[i]);
		p->left -= size_alone(b->items[i]);
		tell(p, b->items[i]);
	}
	return 0;
}

static int run_batch(struct pruning *p, struct batch *b, struct err *err)
{
	int rc = b->n ? forget_all(p, b, err) : 0;

	if (rc == 0)
		rc = remove_dirs(p, b, err);
	if (rc == 0) {
		reclaim_add_garbage(&p->reclaim, p->store, &b->garbage);
		storage_remove_garbage(p->store, &b->garbage);
	} else {
		/* What the index may have forgotten, and is there still. */
		storage_mark_leftovers(p->store);
	}
	batch_done(b);
	return rc;
}

/* 1 when ITEM is to go. */
static int is_wanted(const struct pruning *p, const struct item *item, struct err *err)
{
	int rc = matches_all(item, p->how->filters, err);

	if (rc <= 0)
		return rc;
	return !item->in_use && (p->how->all || !item->is_shared) &&
	       item->row.info.used_ns < p->how->until_ns && (p->limit < 0 || p->left > p->limit);
}

/* Whether the layer of ITEM is locked already: steps of different builds may have left the same
 * one.
 */
static bool has_layer_of(const struct batch *b, const struct item *item)
{
	for (size_t i = 0; i < b->n; i++)
		if (*item->row.info.chain_hex &&
		    strcmp(b->items[i]->row.info.chain_hex, item->row.info.chain_hex) == 0)
			return true;
	return false;
}

static int add_to_batch(struct pruning *p, struct batch *b, const struct item *item,
			struct err *err)
{
	bool is_used = false;
	int fd = has_layer_of(b, item) ? -1 : lock_alone(p->store, &item->row, &is_used);

	if (is_used)
		return 0;
	b->items[b->n] = item;
	b->fds[b->n++] = fd;
	/* What stays is counted as it goes. */
	return b->n == BATCH || p->limit >= 0 ? run_batch(p, b, err) : 0;
}

static int prune_all(struct pruning *p, const struct inventory *v, struct err *err)
{
	cleanup_batch struct batch b = {.garbage = GARBAGE_INIT};

	for (size_t i = 0; i < v->n; i++) {
		const struct item *item = &v->items[i];
		int rc = is_wanted(p, item, err);

		if (rc > 0)
			rc = item->is_mount ? prune_mount(p, item, err)
					    : add_to_batch(p, &b, item, err);
		if (rc < 0)
			return rc;
	}
	return run_batch(p, &b, err);
}

static int64_t free_bytes(const struct store *store)
{
	struct statvfs fs;

	if (fstatvfs(store->root_fd, &fs) < 0)
		return INT64_MAX;
	return (int64_t)(fs.f_bavail * fs.f_frsize);
}

/* How much of TOTAL may stay, as BuildKit reckons; -1 when nothing was said of it. */
static int64_t find_limit(const struct store *store, const struct snapshot_prune *how,
			  int64_t total)
{
	int64_t missing = how->min_free_bytes ? how->min_free_bytes - free_bytes(store) : 0;
	int64_t limit = how->max_bytes;

	if (!how->max_bytes && !how->min_free_bytes && !how->reserved_bytes)
		return -1;
	if (!limit && how->min_free_bytes)
		limit = total;
	if (missing > 0 && limit > total - missing)
		limit = total > missing ? total - missing : 0;
	return limit > how->reserved_bytes ? limit : how->reserved_bytes;
}

static int prune(struct store *store, const struct snapshot_prune *how, struct strv *ret_lines,
		 int64_t *ret_reclaimed, struct err *err)
{
	cleanup_inventory struct inventory v = {.store = store};
	cleanup_pruning struct pruning p = {.store = store,
					    .how = how,
					    .trash = STAGING_INIT,
					    .reclaim = RECLAIM_INIT,
					    .lines = ret_lines};
	struct err ignored = ERR_INIT;

	if (load(&v, err) < 0)
		return -err->code;
	for (size_t i = 0; i < v.n; i++)
		p.left += size_alone(&v.items[i]);
	p.limit = find_limit(store, how, p.left);
	if (v.n && staging_create(store, &p.trash, &ignored) < 0)
		p.trash.fd = -1;
	if (prune_all(&p, &v, err) < 0)
		return -err->code;
	staging_done(&p.trash);
	storage_collect(store);
	*ret_reclaimed += reclaim_get_bytes(&p.reclaim, store);
	return 0;
}

int snapshot_prune_run(struct store *store, const struct snapshot_prune *how,
		       struct strv *ret_lines, int64_t *ret_reclaimed, struct err *err)
{
	int rc = 0;

	*ret_reclaimed = 0;
	rc = prune(store, how, ret_lines, ret_reclaimed, err);
	if (rc >= 0 || (err->errnum != ENOSPC && err->errnum != EDQUOT) ||
	    !store_release_reserve(store))
		return rc;
	err_clear(err);
	rc = prune(store, how, ret_lines, ret_reclaimed, err);
	store_ensure_reserve(store);
	return rc;
}
