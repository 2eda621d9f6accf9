/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's log (fileformat2.html#the_write_ahead_log) ends for its readers at the first frame whose
 * checksum is wrong, and each checksum continues the one before: one damaged byte hides all that
 * was written after it. Here every frame of the last generation (they share two random numbers, the
 * salts) gets the checksum that its bytes have, so that they are read again. What is damaged in
 * them, the reader of the rows must see.
 */
#include "storage/repair_private.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define MAX_WAL	    ((size_t)256 << 20)
#define WAL_HEADER  32
#define FRAME_START 24
#define WAL_MAGIC   0x377f0682 /* checksums of little-endian words */
#define WAL_VERSION 3007000
#define PAGE_SIZE   2048 /* what an index is made with (db.c) */

enum { AT_MAGIC = 0, AT_VERSION = 4, AT_PAGE_SIZE = 8, AT_SALTS = 16, AT_SUM = 24 };
enum { FRAME_SALTS = 8, FRAME_SUM = 16, SALTS_LEN = 8 };

static void put_u32(uint8_t *to, uint32_t value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof(value));
}

static uint32_t get_u32(const uint8_t *from)
{
	uint32_t value = 0;

	memcpy(&value, from, sizeof(value));
	return be32toh(value);
}

/* "s0 += x0 + s1; s1 += x1 + s0" for each pair of words. */
static void add_sum(uint32_t sum[2], const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint32_t words[2];

		memcpy(words, bytes + i, sizeof(words));
		sum[0] += le32toh(words[0]) + sum[1];
		sum[1] += le32toh(words[1]) + sum[0];
	}
}

static void put_sum(uint8_t *to, const uint32_t sum[2])
{
	put_u32(to, sum[0]);
	put_u32(to + 4, sum[1]);
}

struct wal {
	uint8_t *bytes;
	size_t len, page_size;
};

static uint8_t *frame_at(const struct wal *w, size_t i)
{
	size_t at = WAL_HEADER + i * (FRAME_START + w->page_size);

	return at + FRAME_START + w->page_size <= w->len ? w->bytes + at : NULL;
}

static size_t choose_page_size(const uint8_t *header)
{
	uint32_t size = get_u32(header + AT_PAGE_SIZE);

	return size >= 512 && size <= 65536 && (size & (size - 1)) == 0 ? size : PAGE_SIZE;
}

/* The salts of the last generation: the header's, or those that the first frames agree on. */
static void choose_salts(const struct wal *w, uint8_t salts[SALTS_LEN])
{
	const uint8_t *first = frame_at(w, 0), *second = frame_at(w, 1);

	memcpy(salts, w->bytes + AT_SALTS, SALTS_LEN);
	if (first && second && memcmp(first + FRAME_SALTS, second + FRAME_SALTS, SALTS_LEN) == 0)
		memcpy(salts, first + FRAME_SALTS, SALTS_LEN);
}

/* A frame whose salts are others ends the generation, unless only they are damaged: then the next
 * has the right ones. */
static bool belongs(const struct wal *w, size_t i, const uint8_t salts[SALTS_LEN])
{
	const uint8_t *frame = frame_at(w, i), *next = frame_at(w, i + 1);

	return memcmp(frame + FRAME_SALTS, salts, SALTS_LEN) == 0 ||
	       (next && memcmp(next + FRAME_SALTS, salts, SALTS_LEN) == 0);
}

static void rewrite_sums(struct wal *w)
{
	uint8_t salts[SALTS_LEN];
	uint32_t sum[2] = {};

	w->page_size = choose_page_size(w->bytes);
	choose_salts(w, salts);
	put_u32(w->bytes + AT_MAGIC, WAL_MAGIC);
	put_u32(w->bytes + AT_VERSION, WAL_VERSION);
	put_u32(w->bytes + AT_PAGE_SIZE, (uint32_t)w->page_size);
	memcpy(w->bytes + AT_SALTS, salts, SALTS_LEN);
	add_sum(sum, w->bytes, AT_SUM);
	put_sum(w->bytes + AT_SUM, sum);
	for (size_t i = 0; frame_at(w, i) && belongs(w, i, salts); i++) {
		uint8_t *frame = frame_at(w, i);

		memcpy(frame + FRAME_SALTS, salts, SALTS_LEN);
		add_sum(sum, frame, FRAME_SALTS);
		add_sum(sum, frame + FRAME_START, w->page_size);
		put_sum(frame + FRAME_SUM, sum);
	}
}

int repair_wal(int dir_fd, const char *name, bool is_dry_run)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_free uint8_t *before = NULL;
	struct wal w = {};
	int rc = fd_read_file_at(dir_fd, name, MAX_WAL, &text);

	if (rc == -ENOENT || (rc >= 0 && text.len < WAL_HEADER))
		return 0;
	if (rc < 0)
		return rc;
	w.bytes = (uint8_t *)text.buf;
	w.len = text.len;
	before = mem_dup(text.buf, text.len);
	rewrite_sums(&w);
	if (memcmp(before, text.buf, text.len) == 0)
		return 0;
	rc = is_dry_run ? 0 : fd_write_file_at(dir_fd, name, text.buf, text.len, 0600);
	return rc < 0 ? rc : 1;
}
