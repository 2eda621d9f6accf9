/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TAR_SPARSE_H
#define ARCHIVE_TAR_SPARSE_H
/*
 * Maps of sparse files: which ranges of the restored file have bytes in the archive. Four notations
 * (old GNU, pax 0.0, 0.1 and 1.0) are read into one ordered list of extents.
 */
#include <stddef.h>
#include <stdint.h>

struct err;

/* An honest map has one extent for each 4 KiB at worst; this is half a GiB of such a file. */
#define TAR_MAX_EXTENTS (128 * 1024)

struct tar_extent {
	uint64_t offset; /* in the restored file */
	uint64_t len;
};

struct tar_map {
	struct tar_extent *extents; /* owned */
	size_t n, cap;
};

/* Forgets the extents, keeps the memory. */
void tar_map_clear(struct tar_map *m);
void tar_map_done(struct tar_map *m);
/* Appends an extent; refuses disorder, overlap, overflow and more than TAR_MAX_EXTENTS. Values are
 * as they stand in the archive. */
int tar_map_add(struct tar_map *m, int64_t offset, int64_t len, struct err *err);
/* The N 24-byte entries of an old GNU header or of its extension blocks; an empty one ends them. */
int tar_map_add_old_gnu(struct tar_map *m, const uint8_t *entries, size_t n, struct err *err);
/* "offset,length,offset,length…" of pax format 0.1. */
int tar_map_parse_list(struct tar_map *m, const char *list, struct err *err);
/* Checks the whole map against the restored size and the bytes that are stored for it. */
int tar_map_check(const struct tar_map *m, uint64_t real_size, uint64_t stored, struct err *err);

#endif
