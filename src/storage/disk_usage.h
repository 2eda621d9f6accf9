/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_DISK_USAGE_H
#define STORAGE_DISK_USAGE_H
/*
 * What files take on the disk, counted as du(1) does: the blocks of everything in a tree, its
 * directories included, and each file once, however many names it has. Not apparent sizes: a sparse
 * file counts what was written, a file of one byte a whole block.
 */
#include <stddef.h>
#include <stdint.h>

struct disk_inode;

/* Knows the files with several names that were counted before, in any tree. */
struct disk_usage {
	struct disk_inode *seen; /* owned; a hash table */
	size_t n, cap;
};

#define DISK_USAGE_INIT \
	{               \
	}
/* Forgets what was seen. May be repeated. */
void disk_usage_done(struct disk_usage *usage);
#define cleanup_disk_usage __attribute__((cleanup(disk_usage_done)))

/* Bytes that NAME in DIR_FD takes, a tree or a file; NAME "." is the directory itself with all
 * below it. The tree may belong to a container that changes it: no link is followed, no mount is
 * crossed, what disappears or cannot be read counts nothing. Of any depth; blocks for as long as it
 * takes to read. */
int64_t disk_usage_add(struct disk_usage *usage, int dir_fd, const char *name);
/* The same of NAME alone, without what is below it. */
int64_t disk_usage_add_entry(struct disk_usage *usage, int dir_fd, const char *name);

#endif
