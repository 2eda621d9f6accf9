/* SPDX-License-Identifier: Apache-2.0 */
/* The two simplest sources of bytes: memory and a descriptor. */
#include "archive/source.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

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

void fd_source_done(struct fd_source *f)
{
	free(f->buf);
	f->buf = NULL;
}
