/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blobs. A quick look asks for size and type; a full one reads each: layers by the helper, some
 * at a time, which also says whether what is in them is the layer of the index; the others here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "storage/check_private.h"
#include "storage/unpack.h"

#define BATCH	   8 /* blobs given to the helper together */
#define BUFFER_LEN (256 * 1024)

static void __attribute__((format(printf, 2, 3)))
set_bad(struct check_blob *b, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	b->is_bad = true;
	str_replace(&b->text, text);
}

/* Of the file in the blob's place; 0 when there is none. */
static ino_t get_inode(const struct check *c, const struct check_blob *b)
{
	struct stat st;

	return hex_is_valid(b->hex, DIGEST_HEX_LEN) &&
			       fstatat(c->blobs_fd, b->hex, &st, AT_SYMLINK_NOFOLLOW) == 0
		       ? st.st_ino
		       : 0;
}

/* A descriptor of the blob, or -1 when there is something wrong with it already. */
static int open_blob(struct check *c, struct check_blob *b)
{
	cleanup_close int fd = -1;
	struct stat st;

	b->inode = get_inode(c, b);
	/* FIFOs and devices are not waited for. */
	fd = hex_is_valid(b->hex, DIGEST_HEX_LEN)
		     ? openat(c->blobs_fd, b->hex, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
		     : -1;
	if (fd < 0 && (errno == ENOENT || c->blobs_fd < 0))
		set_bad(b, "is missing");
	else if (fd < 0)
		set_bad(b, "cannot be opened: %s", strerrordesc_np(errno));
	else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		set_bad(b, "is not a file");
	else if (b->size >= 0 && st.st_size != b->size)
		set_bad(b, "its size is %lld, not %lld", (long long)st.st_size, (long long)b->size);
	return b->is_bad ? -1 : take_fd(fd);
}

/* ---- content ---- */

static void hash_here(struct check_blob *b, int fd)
{
	cleanup_free uint8_t *buffer = mem_alloc(BUFFER_LEN);
	uint8_t digest[SHA256_LEN];
	char hex[DIGEST_HEX_LEN + 1];
	struct sha256 h;
	ssize_t n = 0;

	sha256_init(&h);
	while ((n = fd_read_full(fd, buffer, BUFFER_LEN)) > 0)
		sha256_update(&h, buffer, (size_t)n);
	sha256_final(&h, digest);
	hex_format(digest, SHA256_LEN, hex);
	if (n < 0)
		set_bad(b, "cannot be read: %s", strerrordesc_np((int)-n));
	else if (strcmp(hex, b->hex) != 0)
		set_bad(b, "content differs: its digest is %.12s", hex);
}

struct batch {
	struct check *check;
	struct check_blob *blobs[BATCH];
	struct unpack_job jobs[BATCH];
	size_t n;
};

static void batch_close(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		fd_cleanup_close(&batch->jobs[i].in_fd);
	batch->n = 0;
}
#define cleanup_batch __attribute__((cleanup(batch_close)))

static void batch_drop(struct batch *batch, size_t i)
{
	fd_cleanup_close(&batch->jobs[i].in_fd);
	batch->n--;
	for (; i < batch->n; i++) {
		batch->jobs[i] = batch->jobs[i + 1];
		batch->blobs[i] = batch->blobs[i + 1];
	}
}

static void compare_result(struct check *c, struct check_blob *b, const struct unpack_result *r)
{
	const struct layer_info *info = &c->layers[b->layer].info;

	if (strcmp(r->raw_hex, b->hex) != 0)
		set_bad(b, "content differs: its digest is %.12s", r->raw_hex);
	else if (strcmp(r->diff_hex, info->diff_hex) != 0)
		set_bad(b, "is another layer: its diff ID is %.12s, not %.12s", r->diff_hex,
			info->diff_hex);
}

/* A job that fails ends the others, so it is taken out and they begin again. */
static int batch_run(struct batch *batch, struct err *err)
{
	struct unpack_result results[BATCH] = {};
	size_t failed = 0;

	while (batch->n > 0) {
		if (unpack_run(batch->check->store, batch->jobs, batch->n, -1, NULL, NULL, results,
			       &failed, err) >= 0)
			break;
		if (err->code != ERR_INVALID || failed >= batch->n)
			return -err->code;
		set_bad(batch->blobs[failed], "cannot be unpacked: %s", err->msg);
		batch_drop(batch, failed);
		err_clear(err);
	}
	for (size_t i = 0; i < batch->n; i++)
		compare_result(batch->check, batch->blobs[i], &results[i]);
	batch_close(batch);
	return 0;
}

static int batch_add(struct batch *batch, struct check_blob *b, int fd, struct err *err)
{
	struct unpack_job *job = &batch->jobs[batch->n];

	*job = (struct unpack_job)UNPACK_JOB_INIT;
	job->in_fd = fd;
	job->length = (uint64_t)b->size;
	batch->blobs[batch->n++] = b;
	return batch->n < BATCH ? 0 : batch_run(batch, err);
}

static int look_at_all(struct check *c, struct err *err)
{
	cleanup_batch struct batch batch = {.check = c};

	for (size_t i = 0; i < c->n_blobs; i++) {
		struct check_blob *b = &c->blobs[i];
		cleanup_close int fd = open_blob(c, b);

		if (fd < 0 || !c->options->full)
			continue;
		if (b->layer == CHECK_NONE)
			hash_here(b, fd);
		else if (batch_add(&batch, b, take_fd(fd), err) < 0)
			return -err->code;
	}
	return batch_run(&batch, err);
}

/* What was removed while we looked is no problem; what came back is whole. */
static int confirm(struct check *c, struct check_blob *b, struct err *err)
{
	int rc = check_is_named(c->store, CHECK_SQL_BLOB, b->hex, err);

	if (rc < 0)
		return rc;
	if (rc == 0 || (strcmp(b->text, "is missing") == 0 &&
			faccessat(c->blobs_fd, b->hex, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
		b->is_bad = false;
	return 0;
}

int check_is_still_bad(struct check *c, const struct check_blob *b, struct err *err)
{
	return b->inode == get_inode(c, b) ? check_is_named(c->store, CHECK_SQL_BLOB, b->hex, err)
					   : 0;
}

int check_look_at_blobs(struct check *c, struct err *err)
{
	if (look_at_all(c, err) < 0)
		return -err->code;
	for (size_t i = 0; i < c->n_blobs; i++)
		if (c->blobs[i].is_bad && confirm(c, &c->blobs[i], err) < 0)
			return -err->code;
	c->totals.n_blobs = c->n_blobs;
	return 0;
}
