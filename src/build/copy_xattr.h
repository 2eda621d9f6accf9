/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_COPY_XATTR_H
#define BUILD_COPY_XATTR_H
/* Extended attributes that belong to a file wherever it is copied: all but those by which this
 * host's kernel marks files for itself (labels, measurements, overlayfs). */
#include "base/str.h"

/* Appends names and values, sorted, to RET; nothing where there are none or they cannot be read. */
void copy_xattr_describe(int fd, struct str *ret);
/* Gives TO those of FROM. What the file system of TO does not take is left out. 0 or -errno. */
int copy_xattr_copy(int from, int to);
/* Copies to the name TO what is noted of the time of the name FROM (SNAPSHOT_TIME_NOTE), if
 * anything is; neither is followed. 0 or -errno. */
int copy_xattr_note(int from_dir, const char *from, int to_dir, const char *to);

#endif
