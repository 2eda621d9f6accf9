/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_FILE_MAP_H
#define STORAGE_FILE_MAP_H
/* Which parts of a file with holes are worth storing. */
#include "archive/tar_sparse.h"

#include <stddef.h>
#include <stdint.h>

struct file_map {
	struct tar_extent *extents; /* owned; in order, not touching */
	size_t n, cap;
	uint64_t min_hole; /* smaller gaps are stored as zeros */
	uint8_t *buf;	   /* owned */
};

/* Blocks of zeros of this size are holes, whatever the file system's own blocks are. */
#define FILE_MAP_BLOCK 4096

/* Maps the first SIZE bytes of the regular file FD: 1 when it has holes, 0 when it has none (it was
 * not read then, unless its holes were no whole blocks), -errno. The map follows from the content
 * alone once there is any hole. Moves the descriptor's offset. */
int file_map_read(struct file_map *m, int fd, uint64_t size);
void file_map_done(struct file_map *m);

#endif
