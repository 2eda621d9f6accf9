/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream of an archive that is being written.
 *
 * Headers, padding and small files are collected in one buffer, so that a tree of small files costs
 * one write for each 256 KiB. Content of a large file goes from descriptor to descriptor inside the
 * kernel: copy_file_range(2) into a file, sendfile(2) into a pipe or across file systems, and when
 * the kernel refuses both, through the buffer like everything else. Which of them is used shows in
 * no byte of the archive.
 */
#include "archive/tar_write.h"

#include "archive/tar_format.h"
#include "archive/tar_header.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUFFER_SIZE = 256 * 1024,
	DIRECT_MIN = 128 * 1024, /* less is copied: cheaper than to flush the buffer before it */
	DIRECT_MAX = 1 << 30,	 /* in one call */
};

/* How large files are copied: the first that the kernel has not refused. */
enum copy_way { COPY_RANGE, COPY_SENDFILE, COPY_BUFFER };

struct tar_writer {
	int fd;
	enum copy_way way;
	uint64_t left; /* content of the entry still to come */
	size_t padding;
	struct str header, map;
	size_t used; /* of the buffer */
	uint8_t buf[BUFFER_SIZE];
};

struct tar_writer *tar_writer_new(int fd)
{
	/* Not zeroed: of the buffer only what was filled is read. */
	struct tar_writer *w = mem_alloc(sizeof(*w));
	struct stat st;

	memset(w, 0, offsetof(struct tar_writer, buf));
	w->fd = fd;
	w->way = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? COPY_RANGE : COPY_SENDFILE;
	return w;
}

void tar_writer_free(struct tar_writer *w)
{
	if (!w)
		return;
	str_done(&w->header);
	str_done(&w->map);
	free(w);
}

void tar_writer_cleanup(struct tar_writer **w)
{
	tar_writer_free(*w);
	*w = NULL;
}

static int write_out(struct tar_writer *w, const void *bytes, size_t len, struct err *err)
{
	int rc = fd_write_full(w->fd, bytes, len);

	return rc < 0 ? err_sys(err, -rc, "write the archive") : 0;
}

static int flush(struct tar_writer *w, struct err *err)
{
	size_t used = w->used;

	w->used = 0;
	return used ? write_out(w, w->buf, used, err) : 0;
}

static int put(struct tar_writer *w, const void *bytes, size_t len, struct err *err)
{
	const uint8_t *p = bytes;

	while (len) {
		size_t room = BUFFER_SIZE - w->used;
		size_t n = len < room ? len : room;

		if (!w->used && len >= BUFFER_SIZE)
			return write_out(w, p, len, err);
		memcpy(w->buf + w->used, p, n);
		w->used += n;
		p += n;
		len -= n;
		if (w->used == BUFFER_SIZE && flush(w, err) < 0)
			return -err->code;
	}
	return 0;
}

static int put_zeros(struct tar_writer *w, uint64_t len, struct err *err)
{
	while (len) {
		size_t room = BUFFER_SIZE - w->used;
		size_t n = len < room ? (size_t)len : room;

		memset(w->buf + w->used, 0, n);
		w->used += n;
		len -= n;
		if (w->used == BUFFER_SIZE && flush(w, err) < 0)
			return -err->code;
	}
	return 0;
}

static int end_entry(struct tar_writer *w, struct err *err)
{
	size_t padding = w->padding;

	assert(!w->left);
	w->padding = 0;
	return put_zeros(w, padding, err);
}

/* Headers of an entry whose content is CONTENT bytes behind the w->map. */
static int begin_entry(struct tar_writer *w, const struct tar_entry *e, uint64_t content,
		       bool sparse, struct err *err)
{
	int rc = end_entry(w, err);

	if (rc < 0)
		return rc;
	if (content > (uint64_t)INT64_MAX - w->map.len)
		return err_set(err, ERR_INVALID, "too large for an archive");
	str_truncate(&w->header, 0);
	rc = tar_format_headers(&w->header, e, w->map.len + content, sparse, err);
	if (rc >= 0)
		rc = put(w, w->header.buf, w->header.len, err);
	if (rc >= 0)
		rc = put(w, str_get(&w->map), w->map.len, err);
	if (rc < 0)
		return rc;
	w->left = content;
	w->padding = (TAR_BLOCK - content % TAR_BLOCK) % TAR_BLOCK;
	return 0;
}

int tar_writer_add(struct tar_writer *w, const struct tar_entry *e, struct err *err)
{
	str_truncate(&w->map, 0);
	return begin_entry(w, e, e->type == TAR_FILE ? e->size : 0, false, err);
}

int tar_writer_add_sparse(struct tar_writer *w, const struct tar_entry *e,
			  const struct tar_extent *extents, size_t n, struct err *err)
{
	uint64_t content = 0;

	if (n >= TAR_MAX_EXTENTS)
		return err_set(err, ERR_INVALID, "sparse map with more than %d extents",
			       TAR_MAX_EXTENTS - 1);
	for (size_t i = 0; i < n; i++)
		content += extents[i].len;
	str_truncate(&w->map, 0);
	tar_format_map(&w->map, e->size, extents, n);
	return begin_entry(w, e, content, true, err);
}

int tar_writer_data(struct tar_writer *w, const void *bytes, size_t len, struct err *err)
{
	assert(len <= w->left);
	w->left -= len;
	return put(w, bytes, len, err);
}

/* One step inside the kernel: bytes copied, 0 at the end of the file, -errno. */
static ssize_t copy_directly(struct tar_writer *w, int from_fd, uint64_t offset, uint64_t len)
{
	size_t want = len < DIRECT_MAX ? (size_t)len : DIRECT_MAX;
	off_t at = (off_t)offset;
	ssize_t n = w->way == COPY_RANGE ? copy_file_range(from_fd, &at, w->fd, NULL, want, 0)
					 : sendfile(w->fd, from_fd, &at, want);

	return n < 0 ? -errno : n;
}

/* One step through the buffer: bytes copied, 0 at the end of the file, -code. */
static ssize_t copy_buffered(struct tar_writer *w, int from_fd, uint64_t offset, uint64_t len,
			     struct err *err)
{
	size_t room = BUFFER_SIZE - w->used;
	ssize_t n = 0;

	do
		n = pread(from_fd, w->buf + w->used, len < room ? (size_t)len : room,
			  (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "read");
	w->used += (size_t)n;
	if (w->used == BUFFER_SIZE && flush(w, err) < 0)
		return -err->code;
	return n;
}

/* The next piece of a file, by the best way there is. An error of a direct copy only says that the
 * next way is to be tried: the last one tells reading and writing apart. */
static ssize_t copy_piece(struct tar_writer *w, int from_fd, uint64_t offset, uint64_t len,
			  struct err *err)
{
	while (len >= DIRECT_MIN && w->way != COPY_BUFFER) {
		ssize_t n = flush(w, err);

		if (n < 0)
			return n;
		n = copy_directly(w, from_fd, offset, len);
		if (n > 0)
			return n;
		/* Files of procfs and the like are at their end for the kernel when they are not.
		 */
		if (n == 0)
			break;
		if (n != -EINTR)
			w->way++;
	}
	return copy_buffered(w, from_fd, offset, len, err);
}

/* Copies up to LEN bytes and says how many there were. */
static int copy_available(struct tar_writer *w, int from_fd, uint64_t offset, uint64_t len,
			  uint64_t *ret_len, struct err *err)
{
	uint64_t done = 0;

	assert(len <= w->left);
	while (done < len) {
		ssize_t n = copy_piece(w, from_fd, offset + done, len - done, err);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		done += (uint64_t)n;
	}
	w->left -= done;
	*ret_len = done;
	return 0;
}

int tar_writer_copy(struct tar_writer *w, int from_fd, uint64_t offset, uint64_t len,
		    struct err *err)
{
	uint64_t done = 0;
	int rc = copy_available(w, from_fd, offset, len, &done, err);

	if (rc >= 0 && done < len)
		return err_set(err, ERR_SYSTEM, "the file became shorter while it was read");
	return rc;
}

int tar_writer_copy_padded(struct tar_writer *w, int from_fd, uint64_t offset, uint64_t len,
			   struct err *err)
{
	uint64_t done = 0;
	int rc = copy_available(w, from_fd, offset, len, &done, err);

	if (rc < 0 || done == len)
		return rc;
	w->left -= len - done;
	rc = put_zeros(w, len - done, err);
	return rc < 0 ? rc : 1;
}

int tar_writer_hand_over(struct tar_writer *w, uint64_t len, struct err *err)
{
	assert(len <= w->left);
	w->left -= len;
	return flush(w, err);
}

int tar_writer_finish(struct tar_writer *w, struct err *err)
{
	int rc = end_entry(w, err);

	if (rc >= 0)
		rc = put_zeros(w, 2 * TAR_BLOCK, err);
	return rc < 0 ? rc : flush(w, err);
}
