/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a build that was cut short has left: directories that no row names, rows whose files are not
 * there or that no power cut has left believable, and the files of claims that nobody holds.
 */
/* lint file: paths chosen by the engine */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/collect.h"
#include "storage/snapshot_private.h"
#include "storage/store_private.h"

/* ---- directories ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in snapshots/, sorted: 1; 0 when there is no such directory. */
static int list_dirs(struct store *store, struct strv *ret)
{
	int fd = openat(store->root_fd, STORE_SNAPSHOTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_cleanup_close(&fd);
		return 0;
	}
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.')
			strv_add(ret, e->d_name);
	closedir(dir);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_names);
	return 1;
}

static bool has_name(const struct strv *sorted, const char *name)
{
	return sorted->n &&
	       bsearch(&name, sorted->items, sorted->n, sizeof(*sorted->items), compare_names);
}

static int list_rows(struct store *store, const char *sql, struct strv *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql, "");

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0)
		strv_add(ret, db_text(stmt, 0));
	return rc;
}

static int is_named(struct store *store, const char *name, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT 1 FROM snapshot WHERE dir=?", "t", name);

	return rc < 0 ? rc : db_step(store, stmt, err);
}

/* Whoever publishes holds the directory's lock until the index names it: so it is asked again with
 * the lock. */
static int remove_stray(struct store *store, const char *name, int trash_fd, struct err *err)
{
	cleanup_close int lock_fd = -1;
	int rc = snapshot_lock_alone(store, name, &lock_fd);

	if (rc == 0)
		storage_mark_leftovers(store);
	if (rc <= 0)
		return 0;
	rc = is_named(store, name, err);
	return rc != 0 ? rc : snapshot_discard(store, name, trash_fd, err);
}

static int remove_strays(struct store *store, const struct strv *dirs, int trash_fd,
			 struct err *err)
{
	cleanup_strv struct strv named = STRV_INIT;

	if (list_rows(store, "SELECT dir FROM snapshot WHERE dir IS NOT NULL ORDER BY dir", &named,
		      err) < 0)
		return -err->code;
	strv_foreach (i, dirs) {
		if (!has_name(&named, dirs->items[i]) &&
		    remove_stray(store, dirs->items[i], trash_fd, err) < 0)
			return -err->code;
	}
	return 0;
}

/* ---- rows ---- */

static bool is_there(struct store *store, const struct snapshot_row *row)
{
	char path[SNAPSHOT_PATH_LEN];

	return row->info.is_empty ||
	       (snapshot_path(row, path) &&
		faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

/* Keys of rows that lead nowhere. Who makes a layer of one holds the layers' lock meanwhile. */
static int find_lost(struct store *store, struct strv *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, SNAPSHOT_SELECT, "");

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0) {
		struct snapshot_row row = {};

		rc = snapshot_read_row(store, stmt, &row, err);
		if (rc >= 0 && (!row.is_believed || !is_there(store, &row)))
			strv_add(ret, row.info.key);
		snapshot_info_done(&row.info);
	}
	return rc;
}

static int delete_lost(struct store *store, const struct strv *keys, struct garbage *garbage,
		       struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	strv_foreach (i, keys) {
		struct snapshot_row row = {};
		int rc = snapshot_find_row(store, keys->items[i], &row, err);

		if (rc > 0 && (!row.is_believed || !is_there(store, &row)))
			rc = snapshot_delete_row(store, &row, garbage, err);
		snapshot_info_done(&row.info);
		if (rc < 0)
			return rc;
	}
	if (db_run(store, err,
		   "DELETE FROM snapshot_alias WHERE target NOT IN (SELECT key FROM snapshot)",
		   "") < 0)
		return -err->code;
	return db_commit(store, err);
}

int snapshot_find_strays(struct store *store, struct strv *ret_dirs, struct strv *ret_lost,
			 struct err *err)
{
	cleanup_strv struct strv dirs = STRV_INIT;
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = 0;

	list_dirs(store, &dirs);
	strv_foreach (i, &dirs) {
		rc = is_named(store, dirs.items[i], err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			strv_add(ret_dirs, dirs.items[i]);
	}
	rc = db_prepare(store, &stmt, err, SNAPSHOT_SELECT, "");
	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0) {
		struct snapshot_row row = {};

		rc = snapshot_read_row(store, stmt, &row, err);
		/* Of another boot nothing is expected. */
		if (rc >= 0 && row.is_believed && !is_there(store, &row))
			strv_add(ret_lost, row.info.key);
		snapshot_info_done(&row.info);
	}
	return rc;
}

/* ---- claims ---- */

static void remove_claims(struct store *store)
{
	cleanup_free char *path = str_printf("%s/" SNAPSHOT_CLAIMS, store->runroot);
	int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);

	if (!dir) {
		fd_cleanup_close(&dir_fd);
		return;
	}
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		cleanup_close int fd = e->d_name[0] == '.'
					       ? -1
					       : openat(dir_fd, e->d_name,
							O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dir_fd, e->d_name, 0);
	}
	closedir(dir);
}

int snapshot_collect(struct store *store, int trash_fd, struct garbage *garbage, struct err *err)
{
	cleanup_strv struct strv dirs = STRV_INIT;
	cleanup_strv struct strv lost = STRV_INIT;

	remove_claims(store);
	if (list_dirs(store, &dirs) == 0)
		return 0;
	if (find_lost(store, &lost, err) < 0 ||
	    (lost.n && delete_lost(store, &lost, garbage, err) < 0))
		return -err->code;
	return remove_strays(store, &dirs, trash_fd, err);
}
