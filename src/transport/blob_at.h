/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_BLOB_AT_H
#define TRANSPORT_BLOB_AT_H
/*
 * Where the bytes of a blob are: in memory, in a piece of a file, or in what a piece of a file
 * decompresses to. Whoever opened it compared its size; its digest is compared by whoever reads it.
 */
#include "base/err.h"
#include "base/str.h"
#include "oci/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct tar_writer;
struct transport_report;

struct blob_at {
	int fd;		       /* owned; -1: TEXT has the bytes */
	uint64_t offset, size; /* of what is stored in FD */
	bool is_inflated;      /* the blob is what those bytes decompress to */
	int64_t plain_size;    /* then: of the blob */
	struct str text;
};

#define BLOB_AT_INIT     \
	{                \
		.fd = -1 \
	}
/* Frees and closes; leaves it empty. */
void blob_at_done(struct blob_at *at);
#define cleanup_blob_at __attribute__((cleanup(blob_at_done)))

/* Bytes of the blob itself. */
uint64_t blob_at_get_size(const struct blob_at *at);
/* All of a blob of at most DOCUMENT_MAX_SIZE bytes, unverified. WHAT names it in errors. */
int blob_at_read(const struct blob_at *at, const char *what, struct str *ret, struct err *err);

/* One blob to be written verbatim. */
struct blob_copy {
	const struct blob_at *at;
	char hex[DIGEST_HEX_LEN + 1];
	int out_fd; /* borrowed; -1 compares the digest only */
};

/* Writes the N blobs, several at a time when their descriptors differ, and compares their digests:
 * ERR_INVALID names the one that is damaged. */
int blob_copy_all(const struct store *store, const struct blob_copy *copies, size_t n,
		  const struct transport_report *report, struct err *err);
/* Adds a file of that name with the blob's bytes to an archive that is written to OUT_FD; verified
 * on the way, so that what was written is worth nothing after an error. */
int blob_copy_to_tar(const struct store *store, struct tar_writer *w, int out_fd, const char *name,
		     const struct blob_copy *copy, const struct transport_report *report,
		     struct err *err);

#endif
