/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's two loops: headers until an entry is whole, then the entry's data.
 *
 * Headers: extension headers (pax x and g, GNU L and K) are collected until a header of a file
 * comes, then all are merged into one struct tar_entry; a pax value wins over a GNU long name,
 * which wins over the header's own field. Data: the entry's map of extents (one extent when the
 * file is not sparse) says where the stored bytes belong; pieces are handed out as the source gave
 * them.
 *
 * The end is a block of zeros, as GNU tar has it; what follows is not looked at. A stream that
 * stops without one was cut off, and says so: a shortened archive must not pass for a whole one.
 */
#include "archive/tar_read.h"

#include "archive/tar_reader.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

/* Bytes handed out at once at most; the count is returned as a ssize_t. */
enum { TAKE_MAX = 1 << 30 };

struct tar_reader *tar_reader_new(struct byte_source *src)
{
	struct tar_reader *r = mem_zalloc(sizeof(*r));

	r->src = src;
	return r;
}

void tar_reader_free(struct tar_reader *r)
{
	if (!r)
		return;
	tar_pax_done(&r->global);
	tar_pax_done(&r->local);
	tar_map_done(&r->map);
	str_done(&r->long_path);
	str_done(&r->long_link);
	str_done(&r->extension);
	str_done(&r->path);
	str_done(&r->link);
	free(r);
}

void tar_reader_cleanup(struct tar_reader **r)
{
	tar_reader_free(*r);
	*r = NULL;
}

uint64_t tar_reader_count(const struct tar_reader *r)
{
	return r->n_entries;
}

uint64_t tar_reader_offset(const struct tar_reader *r)
{
	return r->offset;
}

const char *tar_quote(const char *name, char buf[static TAR_QUOTE_LEN])
{
	size_t len = strlen(name), used = 0;
	const size_t keep = 112; /* bytes kept of each end of a long name */
	bool cut = len > 2 * keep;

	for (size_t i = 0; i < len && used + 8 < TAR_QUOTE_LEN; i++) {
		unsigned char c = (unsigned char)name[i];

		if (cut && i == keep) {
			used += (size_t)snprintf(buf + used, TAR_QUOTE_LEN - used, "...");
			i = len - keep;
			c = (unsigned char)name[i];
		}
		if (c < ' ' || c == 0x7f)
			used += (size_t)snprintf(buf + used, TAR_QUOTE_LEN - used, "\\%03o", c);
		else
			buf[used++] = (char)c;
	}
	buf[used] = '\0';
	return buf;
}

static int in_entry(struct tar_reader *r, struct err *err)
{
	char quoted[TAR_QUOTE_LEN];

	return err_wrap(err, "entry %s", tar_quote(str_get(&r->path), quoted));
}

/* An error between entries is placed by the last entry that was whole. */
static int after_entry(struct tar_reader *r, struct err *err)
{
	char quoted[TAR_QUOTE_LEN];

	if (!r->n_entries)
		return err_wrap(err, "first entry");
	return err_wrap(err, "after entry %s", tar_quote(str_get(&r->path), quoted));
}

static int err_truncated(struct err *err)
{
	return err_set(err, ERR_INVALID, "the archive is truncated");
}

/* Makes at least one byte available: 1, 0 at the end of the stream, -code. */
static int fill(struct tar_reader *r, struct err *err)
{
	ssize_t n = 0;

	if (r->chunk_len)
		return 1;
	n = r->src->next(r->src, &r->chunk, err);
	if (n < 0)
		return (int)n;
	r->chunk_len = (size_t)n;
	return n > 0;
}

static size_t take(struct tar_reader *r, size_t want, const uint8_t **ret)
{
	size_t n = want < r->chunk_len ? want : r->chunk_len;

	*ret = r->chunk;
	r->chunk += n;
	r->chunk_len -= n;
	r->offset += n;
	return n;
}

/* Lets the source pass over what is not wanted, up to the last byte: reading that one shows that
 * the archive has them all. Returns how many. */
static uint64_t pass_over(struct tar_reader *r, uint64_t len)
{
	if (!r->src->skip || r->chunk_len || len < 2)
		return 0;
	r->src->skip(r->src, len - 1);
	r->offset += len - 1;
	return len - 1;
}

/* LEN bytes into BUF, or over the top of them when BUF is NULL: 1, 0 when the stream ended before
 * the first of them, -code. */
static int read_exact(struct tar_reader *r, uint8_t *buf, uint64_t len, struct err *err)
{
	uint64_t done = 0;

	while (done < len) {
		const uint8_t *bytes = NULL;
		size_t want = len - done < SIZE_MAX ? (size_t)(len - done) : SIZE_MAX;
		int rc = 0;

		if (!buf && pass_over(r, len - done)) {
			done = len - 1;
			continue;
		}
		rc = fill(r, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return done ? err_truncated(err) : 0;
		size_t n = take(r, want, &bytes);

		if (buf)
			memcpy(buf + done, bytes, n);
		done += n;
	}
	return 1;
}

int tar_reader_need(struct tar_reader *r, uint8_t *buf, uint64_t len, struct err *err)
{
	int rc = len ? read_exact(r, buf, len, err) : 1;

	return rc == 0 ? err_truncated(err) : rc;
}

int tar_reader_count_metadata(struct tar_reader *r, uint64_t len, struct err *err)
{
	r->metadata += len;
	if (r->metadata > TAR_MAX_METADATA)
		return err_set(err, ERR_INVALID, "more than %d MiB of metadata in the archive",
			       TAR_MAX_METADATA >> 20);
	return 0;
}

uint64_t tar_padding(uint64_t size)
{
	return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

/* Collects the body of an extension header into r->extension. */
static int read_extension(struct tar_reader *r, struct err *err)
{
	int64_t size = r->header.size;
	uint8_t *to = NULL;
	int rc = 0;

	if (size < 0 || size > TAR_MAX_HEADER)
		return err_set(err, ERR_INVALID, "an extended header of more than %d bytes",
			       TAR_MAX_HEADER);
	rc = tar_reader_count_metadata(r, (uint64_t)size, err);
	if (rc < 0)
		return rc;
	str_truncate(&r->extension, 0);
	to = (uint8_t *)str_reserve(&r->extension, (size_t)size);
	rc = tar_reader_need(r, to, (uint64_t)size, err);
	if (rc < 0)
		return rc;
	r->extension.len = (size_t)size;
	r->extension.buf[size] = '\0';
	return tar_reader_need(r, NULL, tar_padding((uint64_t)size), err);
}

static int take_pax(struct tar_reader *r, struct err *err)
{
	return tar_pax_parse(&r->local, r->extension.buf, r->extension.len, err);
}

static int take_global_pax(struct tar_reader *r, struct err *err)
{
	int rc = tar_pax_parse(&r->global, r->extension.buf, r->extension.len, err);

	tar_map_clear(&r->global.map);
	r->global.set &= (unsigned)(PAX_SPARSE_NAME - 1);
	tar_pax_copy(&r->local, &r->global);
	return rc;
}

static int take_long_path(struct tar_reader *r, struct err *err)
{
	str_truncate(&r->long_path, 0);
	str_add(&r->long_path, r->extension.buf);
	return 0;
}

static int take_long_link(struct tar_reader *r, struct err *err)
{
	str_truncate(&r->long_link, 0);
	str_add(&r->long_link, r->extension.buf);
	return 0;
}

static int take_nothing(struct tar_reader *r, struct err *err)
{
	return 0;
}

/* Headers that are not entries. */
static const struct extension {
	char flag;
	int (*take)(struct tar_reader *r, struct err *err);
} extensions[] = {
	{'x', take_pax},	{'X', take_pax}, /* X: Solaris, before the standard */
	{'g', take_global_pax}, {'L', take_long_path},
	{'K', take_long_link},	{'V', take_nothing}, /* GNU volume label */
};

static const struct extension *lookup_extension(char flag)
{
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
		if (extensions[i].flag == flag)
			return &extensions[i];
	return NULL;
}

/* Reads headers up to the one of an entry: 1 with all collected, 0 at the end of the archive. */
static int read_headers(struct tar_reader *r, struct err *err)
{
	tar_pax_copy(&r->local, &r->global);
	str_truncate(&r->long_path, 0);
	str_truncate(&r->long_link, 0);
	for (int n = 0;; n++) {
		const struct extension *ext = NULL;
		int rc = read_exact(r, r->block, TAR_BLOCK, err);

		if (rc < 0)
			return rc;
		if (rc == 0)
			return err_set(err, ERR_INVALID,
				       "the archive is truncated (it has no end mark)");
		rc = tar_header_parse(r->block, &r->header, err);
		if (rc <= 0)
			return rc;
		ext = lookup_extension(r->header.type);
		if (!ext)
			return 1;
		if (n == TAR_MAX_EXTENSIONS)
			return err_set(err, ERR_INVALID, "more than %d extended headers in a row",
				       n);
		rc = read_extension(r, err);
		if (rc >= 0)
			rc = ext->take(r, err);
		if (rc < 0)
			return rc;
	}
}

static int skip_rest(struct tar_reader *r, struct err *err)
{
	int rc = tar_reader_need(r, NULL, r->stored_left, err);

	r->stored_left = 0;
	if (rc >= 0)
		rc = tar_reader_need(r, NULL, r->padding, err);
	r->padding = 0;
	return rc;
}

int tar_reader_next(struct tar_reader *r, struct tar_entry *ret, struct err *err)
{
	int rc = 0;

	if (r->ended)
		return 0;
	if (skip_rest(r, err) < 0)
		return in_entry(r, err);
	rc = read_headers(r, err);
	if (rc < 0)
		return after_entry(r, err);
	if (rc == 0) {
		r->ended = true;
		return 0;
	}
	if (r->n_entries == TAR_MAX_ENTRIES) {
		err_set(err, ERR_INVALID, "more than %d entries", TAR_MAX_ENTRIES);
		return after_entry(r, err);
	}
	if (tar_entry_merge(r, err) < 0)
		return in_entry(r, err);
	r->n_entries++;
	*ret = r->entry;
	return 1;
}

/* Up to LIMIT stored bytes of the current extent. */
static ssize_t take_data(struct tar_reader *r, uint64_t limit, const uint8_t **ret,
			 uint64_t *ret_offset, struct err *err)
{
	const struct tar_extent *e = NULL;
	uint64_t want = 0;
	int rc = 0;

	while (r->extent < r->map.n && r->extent_done == r->map.extents[r->extent].len) {
		r->extent++;
		r->extent_done = 0;
	}
	if (r->extent == r->map.n)
		return 0;
	e = &r->map.extents[r->extent];
	rc = fill(r, err);
	if (rc == 0)
		err_truncated(err);
	if (rc <= 0)
		return in_entry(r, err);
	want = e->len - r->extent_done;
	want = want < limit ? want : limit;
	want = take(r, want < TAKE_MAX ? (size_t)want : TAKE_MAX, ret);
	*ret_offset = e->offset + r->extent_done;
	r->extent_done += want;
	r->stored_left -= want;
	return (ssize_t)want;
}

ssize_t tar_reader_data(struct tar_reader *r, const uint8_t **ret, uint64_t *ret_offset,
			struct err *err)
{
	return take_data(r, UINT64_MAX, ret, ret_offset, err);
}

/* Where the next stored byte belongs; the end of the file when there is none. */
static uint64_t next_data_offset(const struct tar_reader *r)
{
	uint64_t done = r->extent_done;

	for (size_t i = r->extent; i < r->map.n; i++, done = 0)
		if (done < r->map.extents[i].len)
			return r->map.extents[i].offset + done;
	return r->entry.size;
}

ssize_t tar_reader_read(struct tar_reader *r, void *buf, size_t len, struct err *err)
{
	size_t done = 0;

	while (done < len && r->read_at < r->entry.size) {
		uint64_t data_at = next_data_offset(r), offset = 0, hole = data_at - r->read_at;
		const uint8_t *bytes = NULL;
		ssize_t n = 0;

		if (hole) {
			n = (ssize_t)(hole < len - done ? hole : len - done);
			memset((char *)buf + done, 0, (size_t)n);
		} else {
			n = take_data(r, len - done, &bytes, &offset, err);
			if (n < 0 || !bytes)
				return n;
			memcpy((char *)buf + done, bytes, (size_t)n);
		}
		done += (size_t)n;
		r->read_at += (uint64_t)n;
	}
	return (ssize_t)done;
}
