/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TAR_FORMAT_H
#define ARCHIVE_TAR_FORMAT_H
/* Header blocks of one entry as bytes: a pax header where ustar cannot say it, and the ustar
 * header. For the writer (tar_write.c). */
#include "archive/tar_read.h"
#include "archive/tar_sparse.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/* Appends to RET, in whole blocks. STORED is what the archive will hold of a file, its sparse map
 * included. SPARSE: the content begins with a map of format 1.0, e->size counts the holes too. */
int tar_format_headers(struct str *ret, const struct tar_entry *e, uint64_t stored, bool sparse,
		       struct err *err);

/* Appends the map of N extents of a file of SIZE bytes (GNU.sparse 1.0), in whole blocks. A hole at
 * the end is said by an extent without bytes: GNU tar sets the size by it. */
void tar_format_map(struct str *ret, uint64_t size, const struct tar_extent *extents, size_t n);

#endif
