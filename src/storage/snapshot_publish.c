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
	struct snapshot_times times;
	int snapshots_fd, lock_fd;
	bool is_moved;
	int64_t was_s; /* the epoch of the files before; SNAPSHOT_NO_EPOCH: they are a step's */
	bool is_aside; /* what has the key was made anew: it gets a key beside it */
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

	if (fd < 0)
		return err_sys(err, errno, "open staging/%s/%s", p->staging->name, upper);
	p->times.epoch_s = p->info->epoch_s;
	p->times.was_s = p->was_s;
	p->times.began_ns = p->info->began_ns;
	if (snapshot_settle(fd, &p->times, err) < 0)
		return -err->code;
	if (p->times.late == SNAPSHOT_LATE_NOTED && p->info->late == SNAPSHOT_LATE_UNKNOWN)
		p->times.late = SNAPSHOT_LATE_UNKNOWN;
	if (!p->times.is_empty)
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

/* Whether what has the key comes of the same run of its step. */
static bool is_same_run(const struct publication *p)
{
	return p->old.info.created_ns == p->info->created_ns &&
	       strcmp(p->old.info.result, p->info->result) == 0;
}

/* 1 when what is there is to stay: it is usable, with another epoch, too. */
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
	if (p->was_s != SNAPSHOT_NO_EPOCH)
		return snapshot_fits(&p->old.info, p->info->epoch_s) && is_same_run(p);
	return !p->info->replaces && is_usable(p->store, &p->old) &&
	       snapshot_row_serves(p->store, &p->old, p->info->epoch_s);
}

/* The row's key, and whose variant it is (NULL). */
static const char *choose_key(const struct publication *p, char ret[static DIGEST_HEX_LEN + 1])
{
	struct snapshot_row row = {.info = *p->info};

	memcpy(ret, p->info->key, DIGEST_HEX_LEN + 1);
	if (!p->is_aside)
		return NULL;
	snapshot_variant_key(&row, p->info->epoch_s, ret);
	return p->info->key;
}

static const char *choose_result(const struct publication *p,
				 char another[static DIGEST_HEX_LEN + 1])
{
	if (p->was_s == SNAPSHOT_NO_EPOCH && p->old.seq && p->info->replaces) {
		rand_hex(DIGEST_HEX_LEN / 2, another);
		return another;
	}
	return *p->info->result ? p->info->result : NULL;
}

static int insert_row(struct publication *p, int64_t now_ns, struct err *err)
{
	const struct snapshot_info *info = p->info;
	const char *boot_id = NULL;
	char another[DIGEST_HEX_LEN + 1];
	char key[DIGEST_HEX_LEN + 1];
	const char *variant_of = choose_key(p, key);
	const char *result = choose_result(p, another);
	bool is_retimed = p->was_s != SNAPSHOT_NO_EPOCH;

	if (store_get_boot_id(p->store, &boot_id, err) < 0)
		return -err->code;
	return db_run(p->store, err,
		      "INSERT INTO snapshot(key,dir,boot,kind,description,parent,size,created_ns,"
		      "result,epoch,late,latest,variant_of)"
		      " VALUES(?,?,?,?,?,?,?,?,?,nullif(?,9223372036854775807),?,?,?)",
		      "tttittiitiiit", key, *p->name ? p->name : NULL, *p->name ? boot_id : NULL,
		      (int64_t)info->kind, info->description ? info->description : "", info->parent,
		      p->times.size, is_retimed ? info->created_ns : now_ns, result, info->epoch_s,
		      (int64_t)p->times.late, p->times.latest_s, variant_of);
}

static int insert(struct publication *p, struct err *err)
{
	int64_t now_ns = clock_real_ns();

	if (insert_row(p, now_ns, err) < 0)
		return -err->code;
	return db_run(p->store, err,
		      "INSERT OR REPLACE INTO snapshot_use(seq,used_ns,n_uses)"
		      " VALUES(last_insert_rowid(),?,1)",
		      "i", now_ns);
}

/* What has the key goes, or, when it is the same with another epoch, gets another key. */
static int make_room(struct publication *p, struct err *err)
{
	bool is_retimed = p->was_s != SNAPSHOT_NO_EPOCH;

	if (is_retimed && p->old.seq && is_same_run(p))
		return snapshot_set_aside(p->store, &p->old, &p->garbage, err);
	p->is_aside = is_retimed;
	if (is_retimed || !p->old.seq)
		return 0;
	return snapshot_delete_row(p->store, &p->old, &p->garbage, err);
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
	if (make_room(p, err) < 0 || (*p->name && move(p, err) < 0) || insert(p, err) < 0)
		return -err->code;
	garbage_prepare(p->store, &p->garbage);
	if (db_commit(p->store, err) < 0)
		return -err->code;
	p->is_moved = false;
	return 1;
}

static int publish_all(struct publication *p, struct err *err)
{
	struct err ignored = ERR_INIT;
	int rc = 0;

	assert(hex_is_valid(p->info->key, DIGEST_HEX_LEN));
	if (settle(p, err) < 0)
		return -err->code;
	rc = publish(p, err);
	if (rc <= 0)
		return rc;
	storage_remove_garbage(p->store, &p->garbage);
	/* Somebody may have what was replaced mounted: then it goes later. */
	if (p->was_s == SNAPSHOT_NO_EPOCH && *p->old.dir &&
	    snapshot_remove_dir(p->store, p->old.dir, p->staging->fd, &ignored) <= 0)
		storage_mark_leftovers(p->store);
	return 0;
}

int snapshot_publish_retimed(struct store *store, const struct staging *staging, const char *dir,
			     const struct snapshot_info *info, int64_t was_s, struct err *err)
{
	cleanup_publication struct publication p = {.store = store,
						    .staging = staging,
						    .dir = dir,
						    .info = info,
						    .was_s = was_s,
						    .snapshots_fd = -1,
						    .lock_fd = -1,
						    .garbage = GARBAGE_INIT};

	return publish_all(&p, err);
}

int snapshot_publish(struct store *store, const struct staging *staging, const char *dir,
		     const struct snapshot_info *info, struct err *err)
{
	return snapshot_publish_retimed(store, staging, dir, info, SNAPSHOT_NO_EPOCH, err);
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
	if (*row->info.chain_hex && delete_layer(store, row->info.chain_hex, garbage, err) < 0)
		return -err->code;
	/* Nobody finds the same with other epochs any more. */
	return *row->variant_of ? 0 : snapshot_drop_variants(store, row->info.key, 0, garbage, err);
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
