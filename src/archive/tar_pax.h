/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TAR_PAX_H
#define ARCHIVE_TAR_PAX_H
/*
 * Pax extended headers: "LENGTH KEY=VALUE\n" records that override fields of the header that
 * follows (type x) or of all that follow (type g).
 */
#include "archive/tar_sparse.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

#define TAR_MAX_XATTRS 256 /* of one entry */

/* Which overrides a struct tar_pax holds. */
enum {
	PAX_PATH = 1 << 0,
	PAX_LINK = 1 << 1,
	PAX_UNAME = 1 << 2,
	PAX_GNAME = 1 << 3,
	PAX_SIZE = 1 << 4,
	PAX_UID = 1 << 5,
	PAX_GID = 1 << 6,
	PAX_MTIME = 1 << 7,
	PAX_SPARSE_NAME = 1 << 8,
	PAX_SPARSE_SIZE = 1 << 9,      /* format 0.0 and 0.1 */
	PAX_SPARSE_REALSIZE = 1 << 10, /* format 1.0, and old star */
	PAX_SPARSE_MAP = 1 << 11,      /* map came in records (0.0, 0.1) */
	PAX_SPARSE_MAJOR = 1 << 12,
	PAX_SPARSE_MINOR = 1 << 13,
};

struct tar_xattr_at {
	size_t name_at;	 /* in `bytes`, NUL-terminated */
	size_t value_at; /* in `bytes` */
	size_t value_len;
};

struct tar_pax {
	unsigned set; /* PAX_* */
	struct str path, link, uname, gname, sparse_name;
	int64_t size, uid, gid;
	int64_t mtime_sec;
	long mtime_nsec;
	int64_t sparse_size, sparse_realsize, sparse_major, sparse_minor;
	int64_t sparse_offset; /* format 0.0: waits for its length */
	bool has_sparse_offset;
	struct tar_map map;
	struct str bytes; /* names and values of extended attributes */
	struct tar_xattr_at xattrs[TAR_MAX_XATTRS];
	size_t n_xattrs;
};

/* Forgets all overrides, keeps the memory. */
void tar_pax_clear(struct tar_pax *p);
void tar_pax_done(struct tar_pax *p);
/* Makes P hold what FROM holds (sparse maps excepted: they never are global). */
void tar_pax_copy(struct tar_pax *p, const struct tar_pax *from);
/* Applies the LEN bytes of records at TEXT, which is written to. An empty value takes an override
 * away; unknown keys are ignored, as POSIX asks. */
int tar_pax_parse(struct tar_pax *p, char *text, size_t len, struct err *err);

#endif
