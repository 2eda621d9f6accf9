/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TAR_READ_H
#define ARCHIVE_TAR_READ_H
/*
 * A streaming tar reader for archives that an enemy may have written.
 *
 * Reads v7, ustar, star, pax and GNU archives (long names, sparse files in all four notations,
 * base-256 numbers, extended attributes) from a struct byte_source, one entry after another:
 *
 *	while ((rc = tar_reader_next(r, &entry, err)) > 0)
 *		while ((n = tar_reader_data(r, &bytes, &offset, err)) > 0)
 *			…
 *
 * Names are handed out as they stand: a caller that creates files must treat "..", absolute names
 * and symlinks itself. What the reader guarantees is that names hold no NUL and at most
 * TAR_MAX_PATH bytes, owners and devices are in the kernel's range, sparse maps are in order, and
 * that an archive which stops early is an error that names the entry.
 */
#include "archive/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct err;
struct tar_reader;

#define TAR_MAX_PATH	   4096		       /* bytes of a name or a link's target */
#define TAR_MAX_HEADER	   (1024 * 1024)       /* bytes of one pax or long name header */
#define TAR_MAX_ENTRIES	   (2 * 1000 * 1000)   /* entries of one archive */
#define TAR_MAX_METADATA   (256 * 1024 * 1024) /* bytes of all such headers and sparse maps */
#define TAR_MAX_TAIL	   (16 * 1024 * 1024)  /* bytes behind the end, for who reads them */
#define TAR_MAX_EXTENSIONS 16		       /* such headers before one entry */

enum tar_type {
	TAR_FILE,
	TAR_HARD_LINK,
	TAR_SYMLINK,
	TAR_CHAR,
	TAR_BLOCK_DEVICE,
	TAR_DIR,
	TAR_FIFO,
};

struct tar_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/* Everything in it is borrowed from the reader until the next tar_reader_next. */
struct tar_entry {
	enum tar_type type;
	const char *path;
	const char *link;  /* target of a link, else "" */
	const char *uname; /* may be "" */
	const char *gname;
	mode_t mode; /* 07777 at most */
	uid_t uid;
	gid_t gid;
	uint64_t size;	 /* of the file as restored, holes included; 0 for all but files */
	uint64_t stored; /* bytes that the archive holds of it */
	struct timespec mtime;
	unsigned dev_major, dev_minor;
	const struct tar_xattr *xattrs;
	size_t n_xattrs;
};

/* Owned; SRC is borrowed and must live as long. */
struct tar_reader *tar_reader_new(struct byte_source *src);
void tar_reader_free(struct tar_reader *r);
void tar_reader_cleanup(struct tar_reader **r);
#define cleanup_tar_reader __attribute__((cleanup(tar_reader_cleanup)))

/* The next entry, whatever was left of the last one's data skipped: 1, or 0 at the end of the
 * archive (bytes behind the end are not read), or -code. After an error only free is allowed. */
int tar_reader_next(struct tar_reader *r, struct tar_entry *ret, struct err *err);

/* The next stored bytes of the entry: their count (> 0), a borrowed pointer valid until the next
 * call on the reader, and their place in the restored file; 0 at the end of the data. What no call
 * returned is a hole and reads as zeros. */
ssize_t tar_reader_data(struct tar_reader *r, const uint8_t **ret, uint64_t *ret_offset,
			struct err *err);

/* The entry's content in order, holes as zeros: up to LEN bytes into BUF; 0 at its end. Not to be
 * mixed with tar_reader_data in one entry. */
ssize_t tar_reader_read(struct tar_reader *r, void *buf, size_t len, struct err *err);

/* Where in the stream the bytes begin that tar_reader_data would return next: for an entry just
 * returned the beginning of what the archive stores of it. */
uint64_t tar_reader_offset(const struct tar_reader *r);

/* Entries returned so far. */
uint64_t tar_reader_count(const struct tar_reader *r);

/* NAME made fit for a message: unprintable bytes as \ooo, the middle cut when it is long. */
#define TAR_QUOTE_LEN 256
const char *tar_quote(const char *name, char buf[static TAR_QUOTE_LEN]);

#endif
