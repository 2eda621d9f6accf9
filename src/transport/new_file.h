/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_NEW_FILE_H
#define TRANSPORT_NEW_FILE_H
/*
 * A file that gets its name when it is whole: until new_file_commit it has none (O_TMPFILE, where
 * the filesystem can), so that whatever ends us leaves nothing half written under a name somebody
 * knows.
 */
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct new_file {
	int dir_fd;	 /* owned */
	int fd;		 /* owned; what is written to */
	char *name;	 /* owned: what it will be called */
	char *temporary; /* owned: what it is called until then; NULL for nothing */
	char *shown;	 /* owned: for errors */
};

#define NEW_FILE_INIT                  \
	{                              \
		.dir_fd = -1, .fd = -1 \
	}
/* In the directory DIR_FD (borrowed); SHOWN names the file in errors. */
int new_file_open_at(int dir_fd, const char *name, const char *shown, mode_t mode,
		     struct new_file *ret, struct err *err);
/* PATH as the user typed it. What has the name already must be a regular file: ERR_INVALID in
 * docker's words for a directory, a device, a symbolic link, or a directory that is not there. */
int new_file_open(const char *path, mode_t mode, struct new_file *ret, struct err *err);
/* The same, but a pipe or a device is written to as it is, also through a link ("/dev/stdout"). */
int new_file_open_any(const char *path, mode_t mode, struct new_file *ret, struct err *err);
/* Syncs it and gives it its name, in place of what had it. With SYNC_DIR the name is durable too.
 */
int new_file_commit(struct new_file *file, bool sync_dir, struct err *err);
/* Whatever was not committed is gone. */
void new_file_done(struct new_file *file);
#define cleanup_new_file __attribute__((cleanup(new_file_done)))

#endif
