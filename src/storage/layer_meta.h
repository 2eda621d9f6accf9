/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_META_H
#define STORAGE_LAYER_META_H
/* Owner, mode, extended attributes and times of what a layer brings, in the order that keeps them.
 */

#include "archive/tar_pax.h"
#include "archive/tar_read.h"

struct err;

/* Leaves of E's attributes those that are restored, in ROOM, which must live as long as E. */
void layer_meta_select(struct tar_entry *e, struct tar_xattr room[static TAR_MAX_XATTRS]);

/* For an open file or directory. Times of files only: a directory's wait (layer_tree_add_dir). E
 * went through layer_meta_select; attributes that the filesystem has not are taken out of it. */
int layer_set_file_meta(int fd, struct tar_entry *e, struct err *err);
int layer_set_dir_meta(int fd, struct tar_entry *e, struct err *err);
/* For a symlink, FIFO or device NAME just made in PARENT_FD; nothing is opened or followed. */
int layer_set_node_meta(int parent_fd, const char *name, const struct tar_entry *e,
			struct err *err);

#endif
