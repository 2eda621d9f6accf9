/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_UNPACK_H
#define STORAGE_UNPACK_H
/*
 * Unpacking an archive with the helper `tare-unpack`, a program of its own because decompression
 * and bulk hashing need libraries that no other command should carry.
 */
#include "base/err.h"
#include "oci/digest.h"

#include <stdint.h>

struct store;

/* Called now and then with the bytes of the archive read so far. */
typedef void (*unpack_progress_fn)(uint64_t n_bytes, void *data);

struct unpack_result {
	char diff_hex[DIGEST_HEX_LEN + 1];	 /* digest of the archive uncompressed */
	char compressed_hex[DIGEST_HEX_LEN + 1]; /* digest of the archive as it came */
	int64_t compressed_size;
	int64_t size; /* bytes of file content */
	int64_t entries;
	char *tree_hash; /* NULL when the helper gave none */
	char *text;	 /* the helper's whole result, one line of JSON */
};

/* Frees what it owns; a zeroed one is fine. */
void unpack_result_done(struct unpack_result *result);
#define cleanup_unpack __attribute__((cleanup(unpack_result_done)))

/* Unpacks ARCHIVE_FD (plain, gzip or zstd, read to its end) into the directory DIR_FD. The helper
 * keeps LOCK_FD open, so that what it writes into stays locked even when we die before it. PROGRESS
 * may be NULL. Blocks until the helper is gone; its error is ours. */
int unpack_archive(const struct store *store, int archive_fd, int dir_fd, int lock_fd,
		   unpack_progress_fn progress, void *data, struct unpack_result *ret,
		   struct err *err);

#endif
