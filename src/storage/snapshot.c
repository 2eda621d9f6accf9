/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding snapshots. A build that changes nothing does little else, so a look-up is one statement,
 * prepared once, and three system calls.
 *
 * Who uses a snapshot holds a shared lock of its directory, who removes one holds it alone. The
 * lock belongs to the directory and not to its name: it goes along when the directory is moved to
 * the layers, and the kernel knows where that is now.
 */
/* lint file: paths chosen by the engine */
#include "storage/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "storage/snapshot_private.h"
#include "storage/store_private.h"

enum { MAX_TRIES = 100, LOCK_TRIES = 10 };

void snapshot_info_done(struct snapshot_info *info)
{
	free(info->description);
	free(info->parent);
	*info = (struct snapshot_info){};
}

void snapshot_done(struct snapshot *s)
{
	snapshot_info_done(&s->info);
	fd_cleanup_close(&s->lock_fd);
	free(s->dir);
	*s = (struct snapshot)SNAPSHOT_INIT;
}

/* ---- rows ---- */

static void copy_digest(char to[static DIGEST_HEX_LEN + 1], const char *text)
{
	if (hex_is_valid(text, DIGEST_HEX_LEN))
		memcpy(to, text, DIGEST_HEX_LEN + 1);
}

int snapshot_read_row(struct store *store, sqlite3_stmt *stmt, struct snapshot_row *ret,
		      struct err *err)
{
	const char *boot_id = NULL;
	const char *boot = db_text(stmt, 5);

	*ret = (struct snapshot_row){.seq = sqlite3_column_int64(stmt, 0)};
	if (*boot && store_get_boot_id(store, &boot_id, err) < 0)
		return -err->code;
	ret->is_believed = !*boot || strcmp(boot, boot_id) == 0;
	copy_digest(ret->info.key, db_text(stmt, 1));
	if (hex_is_valid(db_text(stmt, 2), SNAPSHOT_NAME_LEN))
		memcpy(ret->dir, db_text(stmt, 2), sizeof(ret->dir));
	copy_digest(ret->info.chain_hex, db_text(stmt, 3));
	copy_digest(ret->info.diff_hex, db_text(stmt, 4));
	ret->info.kind = (enum snapshot_kind)sqlite3_column_int(stmt, 6);
	ret->info.description = str_dup(db_text(stmt, 7));
	ret->info.parent = str_dup((const char *)sqlite3_column_text(stmt, 8));
	ret->info.size = sqlite3_column_int64(stmt, 9);
	ret->info.created_ns = sqlite3_column_int64(stmt, 10);
	ret->info.used_ns = sqlite3_column_int64(stmt, 11);
	ret->info.n_uses = sqlite3_column_int64(stmt, 12);
	memcpy(ret->info.result, ret->info.key, sizeof(ret->info.result));
	copy_digest(ret->info.result, db_text(stmt, 13));
	ret->info.epoch_s = SNAPSHOT_NO_EPOCH;
	ret->info.late = SNAPSHOT_LATE_UNKNOWN;
	if (sqlite3_column_type(stmt, 14) != SQLITE_NULL) {
		ret->info.epoch_s = sqlite3_column_int64(stmt, 14);
		ret->info.late = (enum snapshot_late)sqlite3_column_int(stmt, 15);
	}
	ret->info.latest_s = sqlite3_column_int64(stmt, 16);
	copy_digest(ret->variant_of, db_text(stmt, 17));
	ret->info.is_empty = sqlite3_column_type(stmt, 2) == SQLITE_NULL &&
			     sqlite3_column_type(stmt, 3) == SQLITE_NULL;
	return 0;
}

bool snapshot_path(const struct snapshot_row *row, char ret[static SNAPSHOT_PATH_LEN])
{
	bool is_layer = *row->info.chain_hex;

	snprintf(ret, SNAPSHOT_PATH_LEN, "%s/%s", is_layer ? STORE_LAYERS : STORE_SNAPSHOTS,
		 is_layer ? row->info.chain_hex : row->dir);
	return is_layer || *row->dir;
}

int snapshot_find_row(struct store *store, const char *key, struct snapshot_row *ret,
		      struct err *err)
{
	cleanup_kept sqlite3_stmt *stmt = NULL;
	int rc = db_keep(store, DB_KEPT_SNAPSHOT, &stmt, err,
			 SNAPSHOT_SELECT " WHERE s.key=ifnull((SELECT target FROM snapshot_alias"
					 " WHERE key=?1),?1)",
			 "t", key);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	return rc > 0 && snapshot_read_row(store, stmt, ret, err) < 0 ? -err->code : rc;
}

/* ---- use ---- */

/* Who only looks whether it is in use has it for a moment; who removes it, to the end. */
static bool lock_shared(int fd)
{
	static const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* Locks the directory PATH below the root: 1; 0 when it is gone, or about to go. */
static int lock_dir(struct store *store, const char *path, int *ret_fd)
{
	cleanup_close int fd = openat(store->root_fd, path,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat held, named;

	if (fd < 0 || !lock_shared(fd) || fstat(fd, &held) < 0 ||
	    fstatat(store->root_fd, path, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    held.st_ino != named.st_ino || held.st_dev != named.st_dev)
		return 0;
	*ret_fd = take_fd(fd);
	return 1;
}

int snapshot_locate(struct store *store, struct snapshot *s, struct err *err)
{
	char link[32];
	char path[4096 - sizeof(SNAPSHOT_DIFF) - 1];
	ssize_t len = 0;

	if (s->lock_fd < 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", s->lock_fd);
	len = readlink(link, path, sizeof(path));
	if (len < 0 || (size_t)len == sizeof(path))
		return err_sys(err, len < 0 ? errno : ENAMETOOLONG, "find a snapshot in %s",
			       store->root);
	free(s->dir);
	s->dir = str_printf("%.*s/" SNAPSHOT_DIFF, (int)len, path);
	return 0;
}

/* Takes what ROW says into use: 1, or 0 when it is not there. */
static int take(struct store *store, struct snapshot_row *row, struct snapshot *ret)
{
	char path[SNAPSHOT_PATH_LEN];
	cleanup_close int fd = -1;

	if (!row->info.is_empty && (!snapshot_path(row, path) || !lock_dir(store, path, &fd)))
		return 0;
	*ret = (struct snapshot){.info = row->info, .lock_fd = take_fd(fd)};
	row->info = (struct snapshot_info){};
	if (!ret->info.is_empty)
		ret->dir = str_printf("%s/%s/" SNAPSHOT_DIFF, store->root, path);
	return 1;
}

int snapshot_open(struct store *store, const char *key, struct snapshot *ret, struct err *err)
{
	*ret = (struct snapshot)SNAPSHOT_INIT;
	/* It may be moved, or made again, between the look at the index and the one at the disk. */
	for (int i = 0; i < 2; i++) {
		struct snapshot_row row = {};
		int rc = snapshot_find_row(store, key, &row, err);

		if (rc <= 0)
			return rc;
		rc = row.is_believed ? take(store, &row, ret) : 0;
		snapshot_info_done(&row.info);
		if (rc > 0)
			return rc;
	}
	return 0;
}

int snapshot_open_for(struct store *store, const char *key, int64_t epoch_s, struct snapshot *ret,
		      struct err *err)
{
	struct snapshot_row row = {};
	int rc = snapshot_open(store, key, ret, err);

	if (rc <= 0 || snapshot_fits(&ret->info, epoch_s))
		return rc;
	/* What stands under the key has another epoch's times. */
	rc = snapshot_find_row(store, key, &row, err);
	snapshot_done(ret);
	if (rc > 0)
		rc = snapshot_open_variant(store, &row, epoch_s, ret, err);
	if (rc == 0 && *row.info.key && row.is_believed &&
	    snapshot_row_serves(store, &row, epoch_s))
		rc = take(store, &row, ret);
	snapshot_info_done(&row.info);
	return rc;
}

int snapshot_lease(struct store *store, struct err *err)
{
	cleanup_close int fd = store_open_dir(store, STORE_SNAPSHOTS, err);

	if (fd < 0 || store_lock(fd, LOCK_SH, "the build cache", err) < 0)
		return -err->code;
	return take_fd(fd);
}

/* ---- who makes a key ---- */

static char *claim_path(const struct store *store, const char *key)
{
	assert(hex_is_valid(key, DIGEST_HEX_LEN));
	return str_printf("%s/" SNAPSHOT_CLAIMS "/%s", store->runroot, key);
}

/* Whether PATH still stands for the open file FD: whoever is done with it removes it. */
static bool is_same_file(const char *path, int fd)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

int snapshot_claim(struct store *store, const char *key, int *ret_fd, struct err *err)
{
	cleanup_free char *dir = str_printf("%s/" SNAPSHOT_CLAIMS, store->runroot);
	cleanup_free char *path = claim_path(store, key);
	int rc = fd_mkdir_p(dir, 0700);

	if (rc < 0)
		return err_sys(err, -rc, "create %s", dir);
	for (int i = 0; i < MAX_TRIES; i++) {
		cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return err_sys(err, errno, "create %s", path);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			*ret_fd = take_fd(fd);
			return 0;
		}
		if (is_same_file(path, fd)) {
			*ret_fd = take_fd(fd);
			return 1;
		}
	}
	return err_set(err, ERR_UNAVAILABLE, "%s is removed again and again", path);
}

void snapshot_unclaim(struct store *store, const char *key, int *fd)
{
	cleanup_free char *path = claim_path(store, key);

	if (*fd < 0)
		return;
	if (is_same_file(path, *fd))
		unlink(path);
	fd_cleanup_close(fd);
}

/* ---- small changes ---- */

int snapshot_add_alias(struct store *store, const char *key, const char *target, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;

	assert(hex_is_valid(key, DIGEST_HEX_LEN) && hex_is_valid(target, DIGEST_HEX_LEN));
	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	if (db_run(store, err, "INSERT OR REPLACE INTO snapshot_alias(key,target) VALUES(?,?)",
		   "tt", key, target) < 0)
		return -err->code;
	return db_commit(store, err);
}

static int touch_one(struct store *store, const char *key, int64_t now_ns, struct err *err)
{
	cleanup_kept sqlite3_stmt *stmt = NULL;
	int rc = db_keep(store, DB_KEPT_SNAPSHOT_USE, &stmt, err,
			 "UPDATE snapshot_use SET used_ns=?2,n_uses=n_uses+1 WHERE seq=(SELECT seq"
			 " FROM snapshot WHERE key=ifnull((SELECT target FROM snapshot_alias WHERE"
			 " key=?1),?1))",
			 "ti", key, now_ns);

	return rc < 0 ? rc : db_step(store, stmt, err);
}

int snapshot_touch(struct store *store, const char *const *keys, size_t n, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	int64_t now_ns = clock_real_ns();

	if (n == 0)
		return 0;
	if (db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	for (size_t i = 0; i < n; i++)
		if (touch_one(store, keys[i], now_ns, err) < 0)
			return -err->code;
	return db_commit(store, err);
}
