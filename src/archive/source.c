/* SPDX-License-Identifier: Apache-2.0 */
/* The two simplest sources of bytes: memory and a descriptor. */
#include "archive/source.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

static ssize_t mem_next(struct byte_source *src, const uint8_t **ret, struct err *err)
{
	struct mem_source *m = (struct mem_source *)src;
	size_t n = m->step && m->step < m->len ? m->step : m->len;

	*ret = m->bytes;
	m->bytes += n;
	m->len -= n;
	return (ssize_t)n;
}

void mem_source_init(struct mem_source *m, const void *bytes, size_t len, size_t step)
{
	*m = (struct mem_source){.base.next = mem_next, .bytes = bytes, .len = len, .step = step};
}

static ssize_t fd_next(struct byte_source *src, const uint8_t **ret, struct err *err)
{
	struct fd_source *f = (struct fd_source *)src;
	ssize_t n = fd_read_full(f->fd, f->buf, FD_SOURCE_BUFFER);

	if (n < 0)
		return err_sys(err, (int)-n, "read the archive");
	*ret = f->buf;
	return n;
}

void fd_source_init(struct fd_source *f, int fd)
{
	*f = (struct fd_source){.base.next = fd_next, .fd = fd, .buf = mem_alloc(FD_SOURCE_BUFFER)};
}

static ssize_t pread_full(int fd, uint8_t *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t range_next(struct byte_source *src, const uint8_t **ret, struct err *err)
{
	struct fd_source *f = (struct fd_source *)src;
	size_t want = f->left < FD_SOURCE_BUFFER ? (size_t)f->left : FD_SOURCE_BUFFER;
	ssize_t n = pread_full(f->fd, f->buf, want, f->offset);

	if (n < 0)
		return err_sys(err, (int)-n, "read the archive");
	if ((size_t)n < want)
		return err_set(err, ERR_INVALID, "the archive is truncated: its file has ended");
	f->offset += (uint64_t)n;
	f->left -= (uint64_t)n;
	*ret = f->buf;
	return n;
}

static void range_skip(struct byte_source *src, uint64_t n)
{
	struct fd_source *f = (struct fd_source *)src;

	n = n < f->left ? n : f->left;
	f->offset += n;
	f->left -= n;
}

void fd_source_init_range(struct fd_source *f, int fd, uint64_t offset, uint64_t length)
{
	*f = (struct fd_source){
		.base.next = range_next,
		.base.skip = range_skip,
		.fd = fd,
		.buf = mem_alloc(FD_SOURCE_BUFFER),
		.offset = offset,
		.left = length,
	};
}

void fd_source_done(struct fd_source *f)
{
	free(f->buf);
	f->buf = NULL;
}
