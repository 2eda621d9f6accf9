/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's directory appears by one rename, complete, and disappears by one rename into staging,
 * so that a name under layers/ always stands for all of it. Whoever publishes holds the directory's
 * lock shared until the index has the name; whoever removes holds it alone and asks the index
 * again.
 */
#include "storage/layer.h"

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
#include "base/rand.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/store_private.h"
#include "sys/path.h"

#define RECORD "layer.json"

/* layer-N/diff in the staging directory; returns a descriptor of it. */
static int create_dirs(const struct staging *staging, const char *dir, struct err *err)
{
	cleanup_close int outer = -1;
	int fd = -1;

	if (mkdirat(staging->fd, dir, 0700) < 0)
		return err_sys(err, errno, "create staging/%s/%s", staging->name, dir);
	outer = openat(staging->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* The root of the container: an archive may say otherwise, a umask may not. */
	if (outer < 0 || mkdirat(outer, "diff", 0755) < 0 || fchmodat(outer, "diff", 0755, 0) < 0)
		return err_sys(err, errno, "create staging/%s/%s/diff", staging->name, dir);
	fd = openat(outer, "diff", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open staging/%s/%s/diff", staging->name, dir) : fd;
}

int layer_stage(struct store *store, const struct staging *staging, size_t index,
		const char *parent_hex, int archive_fd, unpack_progress_fn progress, void *data,
		struct layer *ret, struct err *err)
{
	cleanup_close int dir_fd = -1;
	struct unpack_job job = UNPACK_JOB_INIT;

	snprintf(ret->dir, sizeof(ret->dir), "layer-%zu", index);
	dir_fd = create_dirs(staging, ret->dir, err);
	if (dir_fd < 0)
		return dir_fd;
	job.in_fd = archive_fd;
	job.dir_fd = dir_fd;
	if (unpack_run(store, &job, 1, staging->fd, progress, data, &ret->result, NULL, err) < 0)
		return -err->code;
	digest_chain(parent_hex, ret->result.diff_hex, ret->chain_hex);
	return 0;
}

static int write_record(const struct staging *staging, const struct layer *layer, struct err *err)
{
	cleanup_free char *path = str_printf("%s/" RECORD, layer->dir);
	cleanup_free char *text = str_printf("{\"diffID\":\"" DIGEST_PREFIX
					     "%s\",\"size\":%lld,\"entries\":%lld}\n",
					     layer->result.diff_hex, (long long)layer->result.size,
					     (long long)layer->result.entries);
	int rc = fd_replace_file_at(staging->fd, path, text, strlen(text), 0600, true);

	return rc < 0 ? err_sys(err, -rc, "write staging/%s/%s", staging->name, path) : 0;
}

/* rename(2) of a directory onto one that is not empty says so: then the layer is there already. */
static int rename_into_place(const struct staging *staging, int layers_fd,
			     const struct layer *layer, struct err *err)
{
	if (renameat(staging->fd, layer->dir, layers_fd, layer->chain_hex) == 0)
		return 0;
	if (errno == EEXIST || errno == ENOTEMPTY)
		return 0;
	return err_sys(err, errno, "rename to " STORE_LAYERS "/%s", layer->chain_hex);
}

int layer_publish(const struct staging *staging, int layers_fd, const struct layer *layers,
		  size_t n_layers, struct err *err)
{
	if (n_layers == 0)
		return 0;
	if (syncfs(staging->fd) < 0)
		return err_sys(err, errno, "sync the unpacked layers");
	for (size_t i = 0; i < n_layers; i++)
		if (write_record(staging, &layers[i], err) < 0 ||
		    rename_into_place(staging, layers_fd, &layers[i], err) < 0)
			return -err->code;
	if (fsync(layers_fd) < 0)
		return err_sys(err, errno, "sync the layers directory");
	return 0;
}

/* A file without a name until it is complete. -EOPNOTSUPP where the filesystem has none. */
static int write_unnamed(int dir_fd, const char *hex, const void *p, size_t len)
{
	cleanup_close int fd = openat(dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char path[PATH_FD_LEN];
	int rc = 0;

	if (fd < 0)
		return errno == EISDIR || errno == ENOENT ? -EOPNOTSUPP : -errno;
	rc = fd_write_full(fd, p, len);
	if (rc < 0)
		return rc;
	if (fdatasync(fd) < 0)
		return -errno;
	if (linkat(AT_FDCWD, path_of_fd(fd, path), dir_fd, hex, AT_SYMLINK_FOLLOW) < 0 &&
	    errno != EEXIST)
		return -errno;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int layer_write_blob(struct store *store, const char *hex, const void *p, size_t len,
		     struct err *err)
{
	cleanup_close int dir_fd = store_open_dir(store, STORE_BLOBS, err);
	int rc = 0;

	if (dir_fd < 0)
		return dir_fd;
	rc = write_unnamed(dir_fd, hex, p, len);
	if (rc == -EOPNOTSUPP)
		rc = fd_replace_file_at(dir_fd, hex, p, len, 0600, true);
	return rc < 0 ? err_sys(err, -rc, "write " STORE_BLOBS "/%s", hex) : 0;
}

/* Whether SQL, which counts, finds ID in the index. */
static int is_named(struct store *store, const char *sql, const char *id, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql, "t", id);

	return rc < 0 ? rc : db_step(store, stmt, err);
}

/* Moves one layer out of sight, unless the index names it. */
static int move_layer(struct store *store, const struct staging *trash, int layers_fd,
		      const char *chain_id, struct err *err)
{
	int rc = is_named(store, "SELECT 1 FROM layer WHERE chain_id=?", chain_id, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (renameat(layers_fd, chain_id, trash->fd, chain_id) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove " STORE_LAYERS "/%s", chain_id);
	return 0;
}

static int remove_blob(struct store *store, int blobs_fd, const char *hex, struct err *err)
{
	int rc = is_named(store, "SELECT 1 FROM image WHERE id=?", hex, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (unlinkat(blobs_fd, hex, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove " STORE_BLOBS "/%s", hex);
	return 0;
}

int layer_remove_unused(struct store *store, const char *image_id, const struct strv *chain_ids,
			struct err *err)
{
	cleanup_staging struct staging trash = STAGING_INIT;
	cleanup_close int layers_fd = store_open_dir(store, STORE_LAYERS, err);
	cleanup_close int blobs_fd = layers_fd < 0 ? -1 : store_open_dir(store, STORE_BLOBS, err);

	if (blobs_fd < 0 || staging_create(store, &trash, err) < 0 ||
	    store_lock(layers_fd, LOCK_EX, "the layers directory", err) < 0)
		return -err->code;
	strv_foreach (i, chain_ids) {
		if (move_layer(store, &trash, layers_fd, chain_ids->items[i], err) < 0)
			return -err->code;
	}
	return image_id ? remove_blob(store, blobs_fd, image_id, err) : 0;
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

int layer_collect(struct store *store, struct err *err)
{
	cleanup_strv struct strv layers = STRV_INIT;
	cleanup_strv struct strv blobs = STRV_INIT;
	cleanup_staging struct staging trash = STAGING_INIT;
	cleanup_close int layers_fd = store_open_dir(store, STORE_LAYERS, err);
	cleanup_close int blobs_fd = layers_fd < 0 ? -1 : store_open_dir(store, STORE_BLOBS, err);

	if (blobs_fd < 0 || staging_create(store, &trash, err) < 0)
		return -err->code;
	if (flock(layers_fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	if (list_digests(layers_fd, &layers, err) < 0 || list_digests(blobs_fd, &blobs, err) < 0)
		return -err->code;
	strv_foreach (i, &layers) {
		if (move_layer(store, &trash, layers_fd, layers.items[i], err) < 0)
			return -err->code;
	}
	strv_foreach (i, &blobs) {
		if (remove_blob(store, blobs_fd, blobs.items[i], err) < 0)
			return -err->code;
	}
	return 0;
}
