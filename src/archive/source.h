/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_SOURCE_H
#define ARCHIVE_SOURCE_H
/*
 * Where bytes come from. A source hands out borrowed pieces of its own buffer, so that a byte of a
 * file goes from the decompressor to write(2) without being copied in between.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct byte_source {
	/* The next piece: returns its length (> 0) and points *RET at it, valid until the next
	 * call; 0 at the end of the stream, again and again; -code after filling ERR. May block. */
	ssize_t (*next)(struct byte_source *src, const uint8_t **ret, struct err *err);
	/* Passes over the next N bytes unread, NULL where the source cannot. Beyond the end is no
	 * error; there is nothing more to read then. */
	void (*skip)(struct byte_source *src, uint64_t n);
};

/* Bytes in memory, handed out in pieces of STEP bytes (0: all at once). */
struct mem_source {
	struct byte_source base;
	const uint8_t *bytes; /* borrowed */
	size_t len;
	size_t step;
};

/* Fills M. BYTES must outlive it; nothing is to be freed. */
void mem_source_init(struct mem_source *m, const void *bytes, size_t len, size_t step);

/* A descriptor that is read in full pieces of FD_SOURCE_BUFFER bytes; only the last is shorter. */
#define FD_SOURCE_BUFFER (256 * 1024)

struct fd_source {
	struct byte_source base;
	int fd;		       /* borrowed */
	uint8_t *buf;	       /* owned */
	uint64_t offset, left; /* of a range */
};

/* Fills F; FD is read from where it stands, in blocking calls. Undone by fd_source_done. */
void fd_source_init(struct fd_source *f, int fd);
/* The same for LENGTH bytes of a file from OFFSET, with pread(2): where FD stands does not matter
 * and stays. A file that ends before them is ERR_INVALID. */
void fd_source_init_range(struct fd_source *f, int fd, uint64_t offset, uint64_t length);
/* Frees the buffer; the descriptor stays open. */
void fd_source_done(struct fd_source *f);

#endif
