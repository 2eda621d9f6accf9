/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TAR_READER_H
#define ARCHIVE_TAR_READER_H
/* The inside of the tar reader, shared by its two halves: the stream (tar_read.c) and the merging
 * of headers into entries (tar_entry.c). For nobody else. */
#include "archive/tar_header.h"
#include "archive/tar_pax.h"
#include "archive/tar_read.h"
#include "archive/tar_sparse.h"
#include "base/str.h"

struct tar_reader {
	struct byte_source *src;
	const uint8_t *chunk; /* what is left of the source's last piece */
	size_t chunk_len;
	uint64_t offset; /* in the stream, of what comes next */
	uint64_t n_entries;
	uint64_t metadata; /* counts against TAR_MAX_METADATA */
	bool ended;

	uint8_t block[TAR_BLOCK];
	struct tar_header header;
	struct tar_pax global, local;
	struct str long_path, long_link, extension;
	struct str path, link; /* the entry's own */
	struct tar_xattr xattrs[TAR_MAX_XATTRS];
	struct tar_entry entry;

	struct tar_map map;
	size_t extent;	      /* the one being read */
	uint64_t extent_done; /* bytes of it already handed out */
	uint64_t stored_left; /* bytes of the entry still in the stream, padding not counted */
	uint64_t padding;
	uint64_t read_at; /* position of tar_reader_read */
};

/* LEN bytes of the stream into BUF, or over the top of them when BUF is NULL; its end is an error.
 */
int tar_reader_need(struct tar_reader *r, uint8_t *buf, uint64_t len, struct err *err);
/* Takes LEN bytes from what TAR_MAX_METADATA allows. */
int tar_reader_count_metadata(struct tar_reader *r, uint64_t len, struct err *err);
/* Bytes that fill SIZE up to whole blocks. */
uint64_t tar_padding(uint64_t size);

/* Makes r->entry, r->map and the data counters of r->header, r->block, r->local and the GNU long
 * names. May read the beginning of the entry's data. */
int tar_entry_merge(struct tar_reader *r, struct err *err);

#endif
