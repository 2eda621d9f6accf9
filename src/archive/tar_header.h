/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TAR_HEADER_H
#define ARCHIVE_TAR_HEADER_H
/* One 512-byte tar header block: numbers, checksum, the three dialects (v7, POSIX ustar, GNU). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define TAR_BLOCK 512

struct tar_header {
	char path[155 + 1 + 100 + 1];
	char link[100 + 1];
	char uname[32 + 1];
	char gname[32 + 1];
	char type;   /* the type flag as it stands there; NUL becomes '0' */
	bool is_gnu; /* old GNU magic: bytes from 345 on are not a prefix */
	int64_t mode, uid, gid, size, mtime;
	int64_t dev_major, dev_minor; /* 0 where the dialect has none */
};

/* Decodes BLOCK. Returns 1, or 0 for a block of zeros (end of archive), or -code when checksum or a
 * number is wrong. Text fields need not be terminated in the block; here they are. */
int tar_header_parse(const uint8_t block[TAR_BLOCK], struct tar_header *ret, struct err *err);

/* A number field of LEN bytes: octal text with blanks around it, or base-256 (first bit set; GNU).
 * 0 and *RET, or -EINVAL when it is neither, -ERANGE when it does not fit. A blank field is 0. */
int tar_number_parse(const uint8_t *field, size_t len, int64_t *ret);

#endif
