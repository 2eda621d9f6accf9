/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_FOLDER_H
#define TRANSPORT_FOLDER_H
/*
 * Files by name, in a directory or in an archive: what layouts, docker's archives and skopeo's
 * directories are made of. A name leads to a regular file below the directory (openat2(2), no
 * symlink followed) or in the archive (its links followed inside it), and nowhere else.
 */
#include "base/err.h"
#include "storage/unpack.h"

#include <stdbool.h>

struct blob_at;
struct store;
struct str;
struct transport_report;

struct folder {
	int dir_fd;		    /* owned; -1: it is an archive */
	struct archive_index index; /* of the archive */
};

#define FOLDER_INIT                                       \
	{                                                 \
		.dir_fd = -1, .index = ARCHIVE_INDEX_INIT \
	}
/* The directory PATH, as the user typed it. */
int folder_open_dir(const char *path, struct folder *ret, struct err *err);
/* The archive in ARCHIVE_FD, compressed or not, seekable or not. What has to be put by is an
 * unnamed file in the store. */
int folder_open_archive(const struct store *store, int archive_fd,
			const struct transport_report *report, struct folder *ret, struct err *err);
/* The archive file PATH ("open PATH: no such file or directory"). */
int folder_open_file(const struct store *store, const char *path,
		     const struct transport_report *report, struct folder *ret, struct err *err);
void folder_done(struct folder *folder);
#define cleanup_folder __attribute__((cleanup(folder_done)))

/* Whether there is a regular file of that name. */
bool folder_has(const struct folder *folder, const char *name);
/* Where the bytes of file NAME are; ERR_INVALID for a name that could mean something outside ("..",
 * absolute, empty), ERR_NOT_FOUND. */
int folder_find(const struct folder *folder, const char *name, struct blob_at *ret,
		struct err *err);
/* All of a small file. */
int folder_read(const struct folder *folder, const char *name, struct str *ret, struct err *err);
/* The same of member number I of an archive, which is not looked for if it is a file itself. */
int folder_read_member(const struct folder *folder, size_t i, struct str *ret, struct err *err);

#endif
