/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory gets its name first, then the index names it: who dies in between leaves a
 * directory that nothing names, for the next collection. It is locked before it has a name that
 * others see, so that no collection takes it before the index names it. Both is done in one
 * transaction, so that of two who publish one key the second finds the first's.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/collect.h"
#include "storage/snapshot_private.h"
#include "storage/store_private.h"

struct publication {
	struct store *store;
	const struct staging *staging;
	const char *dir;
	const struct snapshot_info *info;
	char name[SNAPSHOT_NAME_LEN + 1]; /* "" when there is nothing in it */
	int64_t size;
	int snapshots_fd, lock_fd;
	bool is_moved;
	struct snapshot_row old; /* what had the key; seq 0: nothing */
	struct garbage garbage;
};

static void publication_done(struct publication *p)
{
	struct err ignored = ERR_INIT;

	fd_cleanup_close(&p->lock_fd);
	/* Named by nothing: it goes with the staging directory. */
	if (p->is_moved && renameat(p->snapshots_fd, p->name, p->staging->fd, p->name) < 0)
		snapshot_remove_dir(p->store, p->name, -1, &ignored);
	fd_cleanup_close(&p->snapshots_fd);
	snapshot_info_done(&p->old.info);
	garbage_done(&p->garbage);
}
#define cleanup_publication __attribute__((cleanup(publication_done)))

/* ---- files ---- */

static int settle(struct publication *p, struct err *err)
{
	cleanup_free char *upper = str_printf("%s/upper", p->dir);
	cleanup_close int fd = openat(p->staging->fd, upper,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool is_empty = false;

	if (fd < 0)
		return err_sys(err, errno, "open staging/%s/%s", p->staging->name, upper);
	if (snapshot_settle(fd, p->info->epoch_s, &p->size, &is_empty, err) < 0)
		return -err->code;
	if (!is_empty)
		rand_hex(SNAPSHOT_NAME_LEN / 2, p->name);
	return 0;
}

/* Makes NAME/diff of it, locked, still in the staging directory. */
static int wrap(struct publication *p, struct err *err)
{
	cleanup_free char *upper = str_printf("%s/upper", p->dir);
	cleanup_free char *diff = str_printf("%s/" SNAPSHOT_DIFF, p->name);

	if (mkdirat(p->staging->fd, p->name, 0700) < 0 ||
	    renameat(p->staging->fd, upper, p->staging->fd, diff) < 0)
		return err_sys(err, errno, "rename staging/%s/%s", p->staging->name, upper);
	p->lock_fd = openat(p->staging->fd, p->name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->lock_fd < 0 || flock(p->lock_fd, LOCK_SH | LOCK_NB) < 0)
		return err_sys(err, errno, "lock staging/%s/%s", p->staging->name, p->name);
	return 0;
}

static int move(struct publication *p, struct err *err)
{
	p->snapshots_fd = store_open_dir(p->store, STORE_SNAPSHOTS, err);
	if (p->snapshots_fd < 0 || wrap(p, err) < 0)
		return -err->code;
	if (renameat(p->staging->fd, p->name, p->snapshots_fd, p->name) < 0)
		return err_sys(err, errno, "rename to " STORE_SNAPSHOTS "/%s", p->name);
	p->is_moved = true;
	return 0;
}

/* ---- rows ---- */

static bool is_usable(struct store *store, const struct snapshot_row *row)
{
	char path[SNAPSHOT_PATH_LEN];

	if (!row->is_believed)
		return false;
	return row->info.is_empty ||
	       (snapshot_path(row, path) &&
		faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

/* 1 when what is there is to stay. */
static int look_at_old(struct publication *p, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(p->store, &stmt, err, SNAPSHOT_SELECT " WHERE s.key=?", "t",
			    p->info->key);

	if (rc == 0)
		rc = db_step(p->store, stmt, err);
	if (rc <= 0)
		return rc;
	if (snapshot_read_row(p->store, stmt, &p->old, err) < 0)
		return -err->code;
	return !p->info->replaces && is_usable(p->store, &p->old);
}

static int insert(struct publication *p, struct err *err)
{
	const struct snapshot_info *info = p->info;
	const char *boot_id = NULL;
	int64_t now_ns = clock_real_ns();
	char another[DIGEST_HEX_LEN + 1];
	const char *result = *info->result ? info->result : NULL;

	rand_hex(DIGEST_HEX_LEN / 2, another);
	if (p->old.seq && info->replaces)
		result = another;

	if (store_get_boot_id(p->store, &boot_id, err) < 0 ||
	    db_run(p->store, err,
		   "INSERT INTO snapshot(key,dir,boot,kind,description,parent,size,created_ns,"
		   "result) VALUES(?,?,?,?,?,?,?,?,?)",
		   "tttittiit", info->key, *p->name ? p->name : NULL, *p->name ? boot_id : NULL,
		   (int64_t)info->kind, info->description ? info->description : "", info->parent,
		   p->size, now_ns, result) < 0)
		return -err->code;
	return db_run(p->store, err,
		      "INSERT OR REPLACE INTO snapshot_use(seq,used_ns,n_uses)"
		      " VALUES(last_insert_rowid(),?,1)",
		      "i", now_ns);
}

/* 1 when it is ours that has the key now. */
static int publish(struct publication *p, struct err *err)
{
	cleanup_transaction struct store *tx = NULL;
	int rc = 0;

	if (db_begin(p->store, false, err) < 0)
		return -err->code;
	tx = p->store;
	rc = look_at_old(p, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if ((p->old.seq && snapshot_delete_row(p->store, &p->old, &p->garbage, err) < 0) ||
	    (*p->name && move(p, err) < 0) || insert(p, err) < 0)
		return -err->code;
	garbage_prepare(p->store, &p->garbage);
	if (db_commit(p->store, err) < 0)
		return -err->code;
	p->is_moved = false;
	return 1;
}

int snapshot_publish(struct store *store, const struct staging *staging, const char *dir,
		     const struct snapshot_info *info, struct err *err)
{
	cleanup_publication struct publication p = {.store = store,
						    .staging = staging,
						    .dir = dir,
						    .info = info,
						    .snapshots_fd = -1,
						    .lock_fd = -1,
						    .garbage = GARBAGE_INIT};
	struct err ignored = ERR_INIT;
	int rc = 0;

	assert(hex_is_valid(info->key, DIGEST_HEX_LEN));
	if (settle(&p, err) < 0)
		return -err->code;
	rc = publish(&p, err);
	if (rc <= 0)
		return rc;
	storage_remove_garbage(store, &p.garbage);
	/* Somebody may have what was replaced mounted: then it goes later. */
	if (*p.old.dir && snapshot_remove_dir(store, p.old.dir, staging->fd, &ignored) <= 0)
		storage_mark_leftovers(store);
	return 0;
}

/* ---- removal ---- */

static int delete_layer(struct store *store, const char *chain_hex, struct garbage *garbage,
			struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT l.blob,l.size+ifnull(l.blob_size,0) FROM layer l WHERE"
			    " l.chain_id=?1 AND NOT EXISTS(SELECT 1 FROM image_layer a WHERE"
			    " a.chain_id=?1) AND NOT EXISTS(SELECT 1 FROM snapshot s WHERE"
			    " s.chain=?1)",
			    "t", chain_hex);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc <= 0)
		return rc;
	strv_add(&garbage->layers, chain_hex);
	if (*db_text(stmt, 0))
		strv_add(&garbage->blobs, db_text(stmt, 0));
	garbage->size += sqlite3_column_int64(stmt, 1);
	return db_run(store, err, "DELETE FROM layer WHERE chain_id=?", "t", chain_hex);
}

int snapshot_delete_row(struct store *store, const struct snapshot_row *row,
			struct garbage *garbage, struct err *err)
{
	if (db_run(store, err, "DELETE FROM snapshot WHERE seq=?", "i", row->seq) < 0 ||
	    db_run(store, err, "DELETE FROM snapshot_use WHERE seq=?", "i", row->seq) < 0)
		return -err->code;
	return *row->info.chain_hex ? delete_layer(store, row->info.chain_hex, garbage, err) : 0;
}

int snapshot_lock_alone(struct store *store, const char *name, int *ret_fd)
{
	char path[SNAPSHOT_PATH_LEN];
	cleanup_close int fd = -1;

	snprintf(path, sizeof(path), STORE_SNAPSHOTS "/%s", name);
	fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fd < 0 && errno == ENOENT ? -ENOENT : 0;
	*ret_fd = take_fd(fd);
	return 1;
}

int snapshot_discard(struct store *store, const char *name, int trash_fd, struct err *err)
{
	cleanup_close int dir_fd = openat(store->root_fd, STORE_SNAPSHOTS,
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = 0;

	if (dir_fd < 0)
		return err_sys(err, errno, "open " STORE_SNAPSHOTS);
	/* A disk too full for a rename is one more reason to remove it. What is removed piece by
	 * piece must not be named by the index that a power cut leaves. */
	if (trash_fd < 0 || renameat(dir_fd, name, trash_fd, name) < 0) {
		if (db_sync(store, err) < 0)
			return -err->code;
		rc = fd_remove_tree_at(dir_fd, name);
	}
	return rc < 0 ? err_sys(err, -rc, "remove " STORE_SNAPSHOTS "/%s", name) : 1;
}

int snapshot_remove_dir(struct store *store, const char *name, int trash_fd, struct err *err)
{
	cleanup_close int lock_fd = -1;
	int rc = snapshot_lock_alone(store, name, &lock_fd);

	return rc <= 0 ? rc == -ENOENT : snapshot_discard(store, name, trash_fd, err);
}
