/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map of a file with holes.
 *
 * Where a file system has a hole depends on its block size and on how the file was written. So it
 * is only asked for what need not be read (SEEK_DATA, lseek(2)); within the data every aligned 4
 * KiB of zeros counts as a hole too. The same content then has the same map everywhere.
 *
 * A map has a limit. When a file has more pieces, the smallest holes are filled, twice the size at
 * a time, until half of the pieces are left: which ones, again follows from the content alone.
 */
#include "storage/file_map.h"

#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

enum { SCAN_SIZE = 64 * 1024, MAX_PIECES = TAR_MAX_EXTENTS - 1 };

void file_map_done(struct file_map *m)
{
	free(m->extents);
	free(m->buf);
	*m = (struct file_map){};
}

static uint64_t end_of(const struct tar_extent *e)
{
	return e->offset + e->len;
}

static void fill_small_holes(struct file_map *m)
{
	while (m->n > MAX_PIECES / 2) {
		size_t kept = 0;

		m->min_hole *= 2;
		for (size_t i = 1; i < m->n; i++) {
			struct tar_extent *last = &m->extents[kept], *e = &m->extents[i];

			if (e->offset - end_of(last) < m->min_hole)
				last->len = end_of(e) - last->offset;
			else
				m->extents[++kept] = *e;
		}
		m->n = kept + 1;
	}
}

static void add_block(struct file_map *m, uint64_t offset, size_t len)
{
	struct tar_extent *last = m->n ? &m->extents[m->n - 1] : NULL;

	if (last && offset - end_of(last) < m->min_hole) {
		last->len = offset + len - last->offset;
		return;
	}
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->extents = mem_realloc_array(m->extents, m->cap, sizeof(m->extents[0]));
	}
	m->extents[m->n++] = (struct tar_extent){offset, len};
	if (m->n == MAX_PIECES)
		fill_small_holes(m);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* Adds the blocks between START (aligned) and END that are not zeros. 1, 0 when the file ends
 * before, -errno. */
static int scan(struct file_map *m, int fd, uint64_t start, uint64_t end)
{
	while (start < end) {
		size_t want = end - start < SCAN_SIZE ? (size_t)(end - start) : SCAN_SIZE;
		ssize_t n = pread(fd, m->buf, want, (off_t)start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (size_t at = 0; at < (size_t)n; at += FILE_MAP_BLOCK) {
			size_t rest = (size_t)n - at;
			size_t len = rest < FILE_MAP_BLOCK ? rest : FILE_MAP_BLOCK;

			if (!is_zero(m->buf + at, len))
				add_block(m, start + at, len);
		}
		/* A read that stopped within a block was cut short by the end of the file. */
		if ((size_t)n % FILE_MAP_BLOCK)
			return start + (uint64_t)n == end;
		start += (uint64_t)n;
	}
	return 1;
}

/* The next range of data at or behind AT, widened to whole blocks: 1, 0 for none, -errno. */
static int next_data(int fd, uint64_t at, uint64_t size, struct tar_extent *ret)
{
	const uint64_t mask = FILE_MAP_BLOCK - 1;
	off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole = 0;
	uint64_t start = 0, end = 0;

	/* ENXIO: nothing but a hole up to the end of the file. */
	if (data < 0)
		return errno == ENXIO ? 0 : -errno;
	if ((uint64_t)data >= size)
		return 0;
	hole = lseek(fd, data, SEEK_HOLE);
	if (hole < 0)
		return errno == ENXIO ? 0 : -errno;
	start = (uint64_t)data & ~mask;
	start = start < at ? at : start;
	end = ((uint64_t)hole + mask) & ~mask;
	*ret = (struct tar_extent){start, (end < size ? end : size) - start};
	return 1;
}

static bool has_hole(int fd, uint64_t size)
{
	off_t hole = lseek(fd, 0, SEEK_HOLE);

	return hole >= 0 && (uint64_t)hole < size;
}

int file_map_read(struct file_map *m, int fd, uint64_t size)
{
	uint64_t at = 0;
	int rc = 0;

	m->n = 0;
	m->min_hole = FILE_MAP_BLOCK;
	if (!has_hole(fd, size))
		return 0;
	if (!m->buf)
		m->buf = mem_alloc(SCAN_SIZE);
	do {
		struct tar_extent data = {};

		rc = next_data(fd, at, size, &data);
		if (rc > 0)
			rc = scan(m, fd, data.offset, end_of(&data));
		at = end_of(&data);
	} while (rc > 0 && at < size);
	if (rc < 0)
		return rc;
	return !(m->n == 1 && m->extents[0].offset == 0 && m->extents[0].len == size);
}
