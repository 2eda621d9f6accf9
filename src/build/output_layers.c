/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of an archive as somebody wants them compressed, whatever the store keeps: what is in it
 * came from builds and images of before, and the bytes of an archive must not depend on those.
 * The helper makes them as it makes the store's own, so both are the same.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "oci/manifest.h"
#include "storage/blob.h"
#include "storage/store.h"
#include "storage/unpack.h"
#include "transport/source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int open_spool(const struct store *store, struct err *err)
{
	int fd = openat(store_get_root_fd(store), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(err, errno, "create a file for the archive of a layer") : fd;
}

/* Passes a descriptor on. */
static int take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static int run(const struct store *store, const struct unpack_job *job, struct unpack_result *ret,
	       struct err *err)
{
	return unpack_run(store, job, 1, -1, NULL, NULL, ret, NULL, err);
}

/* The plain archive of LAYER, in a file without a name. */
static int spool_plain(struct store *store, const struct layer_info *layer, struct err *err)
{
	struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result done = {};
	cleanup_close int spool = open_spool(store, err);
	int64_t size = 0;
	cleanup_close int fd = spool < 0 ? -1 : blob_open(store, layer->blob_hex, &size, err);

	if (fd < 0)
		return -err->code;
	job.in_fd = fd;
	job.offset = 0;
	job.length = (uint64_t)size;
	job.plain_fd = spool;
	if (run(store, &job, &done, err) < 0)
		return -err->code;
	if (strcmp(done.diff_hex, layer->diff_hex) != 0)
		return err_set(err, ERR_INVALID,
			       "the archive of layer " DIGEST_PREFIX "%s is damaged",
			       layer->diff_hex);
	return take(&spool);
}

static int add_file(struct source *source, const char *hex, int *fd, struct descriptor *ret)
{
	memcpy(ret->hex, hex, sizeof(ret->hex));
	ret->size = lseek(*fd, 0, SEEK_END);
	source_add_file(source, hex, take(fd), ret->size);
	return 0;
}

int output_pack_layer(struct store *store, const struct layer_info *layer, const char *format,
		      struct source *source, struct descriptor *ret, struct err *err)
{
	struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result done = {};
	cleanup_close int plain = spool_plain(store, layer, err);
	cleanup_close int packed = plain < 0 ? -1 : open_spool(store, err);

	if (packed < 0)
		return -err->code;
	if (strcmp(format, "plain") == 0)
		return add_file(source, layer->diff_hex, &plain, ret);
	job.in_fd = plain;
	job.offset = 0;
	job.length = (uint64_t)lseek(plain, 0, SEEK_END);
	job.blob_fd = packed;
	job.wants_gzip = strcmp(format, "gzip") == 0;
	if (run(store, &job, &done, err) < 0)
		return -err->code;
	return add_file(source, done.blob_hex, &packed, ret);
}
