/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_BLOB_H
#define STORAGE_BLOB_H
/*
 * Blobs of the store, blobs/sha256/<64 digits>: configurations, layers as they came (or compressed
 * by us), manifests and indexes. Each was verified before it got its name.
 */
#include "base/err.h"
#include "oci/digest.h"

#include <stdint.h>

struct store;
struct str;

/* A descriptor for reading, and the size (RET_SIZE may be NULL). ERR_NOT_FOUND when it is missing
 * or no regular file. Its content is as good as the disk: who hands it on verifies. */
int blob_open(struct store *store, const char *hex, int64_t *ret_size, struct err *err);
/* A small one (DOCUMENT_MAX_SIZE), verified. */
int blob_read(struct store *store, const char *hex, struct str *ret, struct err *err);

/* What the index knows of an unpacked layer. */
struct layer_info {
	char chain_hex[DIGEST_HEX_LEN + 1];
	char diff_hex[DIGEST_HEX_LEN + 1];
	char blob_hex[DIGEST_HEX_LEN + 1]; /* "" when none is kept (brought in by 0.1.0) */
	int64_t blob_size;
	char blob_format[8]; /* "gzip", "zstd", "plain" */
	int64_t size;	     /* bytes of file content */
	int64_t plain_size;  /* of the archive decompressed; 0 unknown */
	int64_t entries;
	char list_hex[DIGEST_HEX_LEN + 1]; /* digest of its listing; "" when there is none */
};

/* The layers of an image, base first: *RET is an owned array of *RET_N. */
int layer_info_list(struct store *store, const char *image_id, struct layer_info **ret,
		    size_t *ret_n, struct err *err);
/* One layer by its chain ID (64 digits): 1 and RET, or 0 when the index has none. */
int layer_info_lookup(struct store *store, const char *chain_hex, struct layer_info *ret,
		      struct err *err);

#endif
