/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_UNPACK_H
#define STORAGE_UNPACK_H
/*
 * Work on bulk data with the helper `tare-unpack`, a program of its own because decompression and
 * hashing need libraries that no other command should carry, and because what parses an enemy's
 * archives must have nothing but its input and the directory it fills.
 *
 * A job reads one archive once and makes of it whatever has a descriptor: a tree, a listing, a blob
 * to keep, plain bytes. Every digest is taken on the way, so a job with no output at all verifies.
 */
#include "base/err.h"
#include "oci/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Called now and then with the bytes of the archive read so far. */
typedef void (*unpack_progress_fn)(uint64_t n_bytes, void *data);

#define UNPACK_STREAM UINT64_MAX /* unpack_job.length: read(2) to the end, OFFSET is not used */

/* Descriptors are borrowed, and -1 where nothing is wanted. */
struct unpack_job {
	int in_fd;		 /* archive or compressed stream */
	uint64_t offset, length; /* of it in the file, read with pread(2) */
	int dir_fd;		 /* the empty directory to unpack into (open for reading) */
	int list_fd;	    /* gets the listing of what was unpacked (storage/tree_list.h), or of
			       what is there already (storage/layer_list.h) */
	int blob_fd;	    /* gets what is kept as the layer's blob: the bytes as they came
			       when they are gzip or zstd, else the plain bytes compressed
			       with zstd */
	int raw_fd;	    /* gets the bytes as they came */
	int plain_fd;	    /* gets the decompressed bytes */
	uint64_t *n_read;   /* kept at the bytes read of it so far, before each call of
			       PROGRESS; NULL */
	bool wants_gzip;    /* what came plain is compressed with gzip, not zstd */
	uint64_t max_plain; /* more decompressed bytes than this are an error; 0: any number */
	bool is_no_layer;   /* ".wh.NAME" is a name like any other */
};

#define UNPACK_JOB_INIT                                                                           \
	{                                                                                         \
		.in_fd = -1, .length = UNPACK_STREAM, .dir_fd = -1, .list_fd = -1, .blob_fd = -1, \
		.raw_fd = -1, .plain_fd = -1                                                      \
	}

struct unpack_result {
	char raw_hex[DIGEST_HEX_LEN + 1];  /* digest of the bytes as they came */
	char diff_hex[DIGEST_HEX_LEN + 1]; /* digest of the bytes decompressed */
	char blob_hex[DIGEST_HEX_LEN + 1]; /* of what went to blob_fd; "" without one */
	char list_hex[DIGEST_HEX_LEN + 1]; /* of what went to list_fd; "" without one */
	int64_t raw_size, plain_size, blob_size;
	char raw_format[8];  /* "plain", "gzip", "zstd", "xz", "bzip2" */
	char blob_format[8]; /* "gzip", "zstd"; "" without blob_fd */
	int64_t size;	     /* bytes of file content unpacked; 0 without dir_fd */
	int64_t entries;     /* of the archive; 0 without dir_fd */
};

/* Runs the N jobs, at most as many at a time as there are processors, and fills RET[0..N-1]. The
 * helpers keep LOCK_FD (-1: none) open, so that what they write into stays locked even when we die
 * before them. PROGRESS may be NULL; it gets the sum of all jobs. Blocks until every helper is
 * gone. The first job that fails ends the others; its error is ours (ERR_INVALID for a bad archive)
 * and RET_FAILED (may be NULL) its number. */
int unpack_run(const struct store *store, const struct unpack_job *jobs, size_t n, int lock_fd,
	       unpack_progress_fn progress, void *data, struct unpack_result *ret,
	       size_t *ret_failed, struct err *err);

/* ---- the members of an archive that is a container of blobs (docker save, oci-archive) ---- */

enum archive_member_type { MEMBER_FILE, MEMBER_DIR, MEMBER_LINK };

struct archive_member {
	char *name; /* owned; clean: no leading "./" or "/", no "..", no trailing slash */
	char *link; /* owned; for MEMBER_LINK (symlink or hard link) the clean name it means inside
		       the archive, NULL when that lies outside */
	enum archive_member_type type;
	bool is_replaced;      /* a later member has the same name */
	uint64_t offset, size; /* of a file's bytes in `fd` */
};

struct archive_index {
	int fd; /* owned; plain tar: the archive itself, or a copy without a name */
	struct archive_member *members; /* owned; as they come in the archive */
	size_t n;
	uint32_t *by_name; /* owned; their numbers by name, those of one name as they come */
};

#define ARCHIVE_INDEX_INIT \
	{                  \
		.fd = -1   \
	}
#define ARCHIVE_MAX_MEMBERS 65536

/* Lists the members of ARCHIVE_FD without unpacking them. An archive that is compressed or cannot
 * be read twice (a pipe) is first written, decompressed, to a file without a name in the directory
 * SPOOL_FD. ERR_INVALID for a bad archive or more members than ARCHIVE_MAX_MEMBERS. */
int archive_index_open(const struct store *store, int archive_fd, int spool_fd,
		       unpack_progress_fn progress, void *data, struct archive_index *ret,
		       struct err *err);
void archive_index_done(struct archive_index *index);
#define cleanup_archive_index __attribute__((cleanup(archive_index_done)))
/* Orders the members of an index that was filled by hand, as archive_index_open has them. */
void archive_index_sort(struct archive_index *index);
/* The last file of that name (clean), links followed 8 times at most; NULL when there is none. */
const struct archive_member *archive_index_lookup(const struct archive_index *index,
						  const char *name);

#endif
