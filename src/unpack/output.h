/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_OUTPUT_H
#define UNPACK_OUTPUT_H
/* One stream of bytes that leaves by a descriptor, counted and, where somebody wants it, hashed.
 * Nothing is buffered, so nothing is left to flush. */
#include "archive/digest.h"
#include "storage/space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct output {
	int fd;		       /* owned; -1: nothing is wanted, and everything here does nothing */
	const char *what;      /* in errors: "the blob" */
	struct digest *digest; /* owned; NULL: none is wanted */
	struct space space;
	bool is_file; /* takes space */
	uint64_t size;
};

#define OUTPUT_INIT      \
	{                \
		.fd = -1 \
	}

/* Fills O, which owns FD from now on; WHAT is static. 0, or -code without a digest. */
int output_init(struct output *o, int fd, const char *what, bool with_digest, struct err *err);
/* 0 or -code: also when the disk's reserve would be used. */
int output_write(struct output *o, const void *bytes, size_t len, struct err *err);
/* Closes the descriptor, where some filesystems tell of a failed write, and fills RET ("" without a
 * digest). */
int output_finish(struct output *o, char ret[static DIGEST_TEXT_LEN], struct err *err);
/* Drops everything. */
void output_done(struct output *o);
#define cleanup_output __attribute__((cleanup(output_done)))

#endif
