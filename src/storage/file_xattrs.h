/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_FILE_XATTRS_H
#define STORAGE_FILE_XATTRS_H
/* The extended attributes of a file that belong into an archive, and the marks of overlayfs. */
#include "archive/tar_read.h"
#include "base/str.h"

#include <stdbool.h>

struct err;

struct file_xattrs {
	struct tar_xattr *items; /* owned; sorted by name; point into the two below */
	size_t n, cap;
	struct str names, values;
	bool is_opaque; /* trusted.overlay.opaque is "y" */
};

/* Reads those of the open file or directory FD that layers carry: user.* without user.overlay.*,
 * and of regular files security.capability. IN_UPPER: the marks that overlayfs left are looked at
 * too; one that makes the file mean something else than it holds is an error. */
int file_xattrs_read(struct file_xattrs *x, int fd, bool is_file, bool in_upper, struct err *err);
void file_xattrs_done(struct file_xattrs *x);

#endif
