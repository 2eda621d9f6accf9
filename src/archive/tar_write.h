/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TAR_WRITE_H
#define ARCHIVE_TAR_WRITE_H
/*
 * A streaming tar writer: ustar headers, and a pax header (POSIX.1-2001) before an entry only where
 * ustar cannot say it: long or non-ASCII names, ids and sizes beyond its fields, times with
 * fractions or outside 1970 to 2242, extended attributes (SCHILY.xattr.*), sparse files
 * (GNU.sparse 1.0). The same entries give the same bytes everywhere.
 */
#include "archive/tar_read.h"
#include "archive/tar_sparse.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct tar_writer;

/* Owned; writes to FD (borrowed, blocking) from where it stands, through a buffer. */
struct tar_writer *tar_writer_new(int fd);
void tar_writer_free(struct tar_writer *w);
void tar_writer_cleanup(struct tar_writer **w);
#define cleanup_tar_writer __attribute__((cleanup(tar_writer_cleanup)))

/* In each of these: -code when the descriptor takes no more (ERR_SYSTEM), or when the entry cannot
 * be said so that tare's own reader takes it: longer names or more metadata than its limits
 * (INVALID). The archive is of no use then. To begin an entry before the last one's content is
 * whole, or to give more than was announced, is a programming error. */

/* Begins an entry; `path` and `link` are written as they are (a directory should end in "/"), uname
 * and gname too (NULL: empty). A file's e->size bytes follow by tar_writer_data. */
int tar_writer_add(struct tar_writer *w, const struct tar_entry *e, struct err *err);
/* The same for a file with holes: only the bytes of the N extents (in order, not touching) follow.
 * At most TAR_MAX_EXTENTS - 1 of them. */
int tar_writer_add_sparse(struct tar_writer *w, const struct tar_entry *e,
			  const struct tar_extent *extents, size_t n, struct err *err);
/* The next LEN bytes of the entry's content. */
int tar_writer_data(struct tar_writer *w, const void *bytes, size_t len, struct err *err);
/* LEN bytes of content from FROM_FD at OFFSET, without a copy where the kernel can; a file that
 * became shorter is an error. */
int tar_writer_copy(struct tar_writer *w, int from_fd, uint64_t offset, uint64_t len,
		    struct err *err);
/* The same for a file that others may be writing to: what it has lost of the LEN bytes goes out as
 * zeros. Returns 1 then, else 0. */
int tar_writer_copy_padded(struct tar_writer *w, int from_fd, uint64_t offset, uint64_t len,
			   struct err *err);
/* Writes everything buffered, so that the caller may write the entry's content to the descriptor
 * itself (another process does); LEN bytes of it are then taken as written, padding follows with
 * the next call. */
int tar_writer_hand_over(struct tar_writer *w, uint64_t len, struct err *err);
/* Ends the archive with two zero blocks and flushes. */
int tar_writer_finish(struct tar_writer *w, struct err *err);

#endif
