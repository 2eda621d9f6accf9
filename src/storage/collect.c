/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer goes by one rename into a staging directory, which is then removed with all in it: there
 * is no moment at which a name under layers/ stands for half of a layer. The staging directory is
 * made before the rename, so that whoever is killed in between leaves one without an owner, which
 * makes the next command finish the work.
 */
#include "storage/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "oci/digest.h"
#include "storage/db.h"
#include "storage/image.h"
#include "storage/layer.h"
#include "storage/names.h"
#include "storage/snapshot_private.h"
#include "storage/staging.h"
#include "storage/store_private.h"

/* No boot and no owner: a sweep takes it for a dead staging directory, which is what it is for. */
#define MARK STORE_STAGING "/leftovers"

/* A remover waits for importers this long: for one that is just ending. */
enum { LOCK_TRIES = 20 };
static const struct timespec lock_pause = {.tv_nsec = 5000000};

struct collector {
	struct store *store;
	int trash_fd; /* borrowed; -1 without one */
	int layers_fd, blobs_fd;
};

#define COLLECTOR_INIT(s)                                                     \
	{                                                                     \
		.store = (s), .trash_fd = -1, .layers_fd = -1, .blobs_fd = -1 \
	}

static void collector_done(struct collector *c)
{
	fd_cleanup_close(&c->layers_fd);
	fd_cleanup_close(&c->blobs_fd);
}
#define cleanup_collector __attribute__((cleanup(collector_done)))

void garbage_done(struct garbage *garbage)
{
	strv_done(&garbage->layers);
	strv_done(&garbage->blobs);
	staging_done(&garbage->trash);
	*garbage = (struct garbage)GARBAGE_INIT;
}

void storage_mark_leftovers(struct store *store)
{
	cleanup_close int fd = openat(store->root_fd, MARK,
				      O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		log_debug("mark leftovers: %m");
}

bool storage_has_leftovers(struct store *store)
{
	return faccessat(store->root_fd, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int storage_hold(struct store *store, struct err *err)
{
	cleanup_close int fd = store_open_dir(store, STORE_LAYERS, err);

	if (fd < 0 || store_lock(fd, LOCK_SH, "the layers directory", err) < 0)
		return -err->code;
	return take_fd(fd);
}

void storage_release(struct store *store, int *fd)
{
	if (*fd < 0)
		return;
	fd_cleanup_close(fd);
	if (storage_has_leftovers(store))
		storage_collect(store);
}

/* The layers directory's lock, alone: 1, or 0 while somebody imports. */
static int lock_layers(struct collector *c, int tries)
{
	while (flock(c->layers_fd, LOCK_EX | LOCK_NB) < 0) {
		if (--tries <= 0)
			return 0;
		nanosleep(&lock_pause, NULL);
	}
	return 1;
}

static int collector_begin(struct collector *c, struct err *err)
{
	c->layers_fd = store_open_dir(c->store, STORE_LAYERS, err);
	if (c->layers_fd < 0)
		return c->layers_fd;
	c->blobs_fd = store_open_dir(c->store, STORE_BLOBS, err);
	return c->blobs_fd < 0 ? c->blobs_fd : 0;
}

/* Those of IDS that SQL does not find in the index. */
static int find_unnamed(struct store *store, const char *sql, const struct strv *ids,
			struct strv *ret, struct err *err)
{
	strv_foreach (i, ids) {
		cleanup_stmt sqlite3_stmt *stmt = NULL;
		int rc = db_prepare(store, &stmt, err, sql, "t", ids->items[i]);

		if (rc >= 0)
			rc = db_step(store, stmt, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			strv_add(ret, ids->items[i]);
	}
	return 0;
}

/* On a disk too full for a staging directory: the record goes first, and without it nobody takes
 * what is left for a layer. */
static int remove_in_place(struct collector *c, const char *chain_id)
{
	cleanup_free char *record = str_printf("%s/" LAYER_RECORD, chain_id);

	if (unlinkat(c->layers_fd, record, 0) < 0 && errno != ENOENT)
		return -errno;
	return fd_remove_tree_at(c->layers_fd, chain_id);
}

/* Moves one layer out of sight; one that a build works with stays for later. */
static int move_layer(struct collector *c, const char *chain_id, struct err *err)
{
	cleanup_close int fd = openat(c->layers_fd, chain_id,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = 0;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		storage_mark_leftovers(c->store);
		return 0;
	}
	if (c->trash_fd < 0)
		rc = remove_in_place(c, chain_id);
	else if (renameat(c->layers_fd, chain_id, c->trash_fd, chain_id) < 0 && errno != ENOENT)
		rc = errno == ENOSPC || errno == EDQUOT ? remove_in_place(c, chain_id) : -errno;
	return rc < 0 ? err_sys(err, -rc, "remove " STORE_LAYERS "/%s", chain_id) : 0;
}

/* What of LAYERS and BLOBS the index does not name. It goes only when the index that says so is on
 * the disk: the filesystem's journal could else forget the files before the index does, and a power
 * cut would bring a damaged image back. */
static int remove_all(struct collector *c, const struct strv *layers, const struct strv *blobs,
		      struct err *err)
{
	cleanup_strv struct strv old_layers = STRV_INIT;
	cleanup_strv struct strv old_blobs = STRV_INIT;

	if (db_follow(c->store, err) < 0 ||
	    find_unnamed(c->store, "SELECT 1 FROM layer WHERE chain_id=?", layers, &old_layers,
			 err) < 0 ||
	    find_unnamed(c->store,
			 "SELECT 1 FROM image WHERE id=?1"
			 " UNION ALL SELECT 1 FROM layer WHERE blob=?1"
			 " UNION ALL SELECT 1 FROM target_blob WHERE digest=?1 LIMIT 1",
			 blobs, &old_blobs, err) < 0)
		return -err->code;
	if (old_layers.n + old_blobs.n > 0 && db_sync(c->store, err) < 0)
		return -err->code;
	strv_foreach (i, &old_layers) {
		if (move_layer(c, old_layers.items[i], err) < 0)
			return -err->code;
	}
	strv_foreach (i, &old_blobs) {
		if (unlinkat(c->blobs_fd, old_blobs.items[i], 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "remove " STORE_BLOBS "/%s", old_blobs.items[i]);
	}
	return 0;
}

void garbage_prepare(struct store *store, struct garbage *garbage)
{
	struct err err = ERR_INIT;

	if (garbage->layers.n + garbage->blobs.n > 0 &&
	    staging_create(store, &garbage->trash, &err) < 0)
		log_debug("remove layers: %s", err.msg);
}

void storage_remove_garbage(struct store *store, const struct garbage *garbage)
{
	cleanup_collector struct collector c = COLLECTOR_INIT(store);
	struct err err = ERR_INIT;

	if (garbage->layers.n + garbage->blobs.n == 0)
		return;
	c.trash_fd = garbage->trash.fd;
	if (collector_begin(&c, &err) < 0)
		log_debug("remove layers: %s", err.msg);
	else if (lock_layers(&c, LOCK_TRIES) &&
		 remove_all(&c, &garbage->layers, &garbage->blobs, &err) >= 0)
		return;
	storage_mark_leftovers(store);
}

/* The names in DIR_FD that are 64 digits. */
static int list_digests(int dir_fd, struct strv *ret, struct err *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e = NULL;

	if (!dir) {
		int saved = errno;

		fd_cleanup_close(&fd);
		return err_sys(err, saved, "list the store");
	}
	while ((e = readdir(dir)))
		if (hex_is_valid(e->d_name, DIGEST_HEX_LEN))
			strv_add(ret, e->d_name);
	closedir(dir);
	return 0;
}

/* Removes all that the index does not name, by way of TRASH: 1, or 0 when somebody imports at this
 * moment. TRIES as lock_layers. */
static int collect_unnamed(struct store *store, int tries, const struct staging *trash,
			   struct err *err)
{
	cleanup_collector struct collector c = COLLECTOR_INIT(store);
	/* All that the index does not name is looked for below. */
	cleanup_garbage struct garbage garbage = GARBAGE_INIT;
	cleanup_strv struct strv layers = STRV_INIT;
	cleanup_strv struct strv blobs = STRV_INIT;

	if (collector_begin(&c, err) < 0)
		return -err->code;
	c.trash_fd = trash->fd;
	if (!lock_layers(&c, tries))
		return 0;
	if (image_forget_passing(store, &garbage, err) < 0 ||
	    snapshot_collect(store, c.trash_fd, &garbage, err) < 0 ||
	    list_digests(c.layers_fd, &layers, err) < 0 ||
	    list_digests(c.blobs_fd, &blobs, err) < 0 || remove_all(&c, &layers, &blobs, err) < 0)
		return -err->code;
	return 1;
}

static void make_trash(struct store *store, struct staging *ret)
{
	struct err err = ERR_INIT;

	if (staging_create(store, ret, &err) < 0)
		log_debug("collect: %s", err.msg);
}

void storage_collect(struct store *store)
{
	cleanup_staging struct staging trash = STAGING_INIT;
	struct err err = ERR_INIT;
	bool had_dead = staging_has_dead(store);
	int rc = 0;

	/* What this process does not see in the index may be there for the next one. */
	if (store->is_commit_unsure) {
		storage_mark_leftovers(store);
		return;
	}
	/* What says that something is left goes first: until all is done, our own directory says
	 * so. On a full disk there may be room for it only afterwards. */
	make_trash(store, &trash);
	staging_collect(store);
	if (trash.fd < 0)
		make_trash(store, &trash);
	/* Where something is known to be left, two who end at once must not both give up. */
	rc = collect_unnamed(store, had_dead ? LOCK_TRIES : 1, &trash, &err);
	if (rc < 0)
		log_debug("collect: %s", err.msg);
	/* What could not be looked at now stays marked for later. */
	if (rc <= 0 && had_dead)
		storage_mark_leftovers(store);
	names_save(store);
}

void storage_sweep(struct store *store)
{
	if (staging_has_dead(store))
		storage_collect(store);
}
