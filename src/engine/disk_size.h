/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_DISK_SIZE_H
#define ENGINE_DISK_SIZE_H
/* How much a directory tree holds. */
#include <stdint.h>

/* Bytes of the regular files and symbolic links below PATH, never across a mount; a file with
 * several names in the tree counts once. Blocks for as long as the tree takes to read; what cannot
 * be read counts nothing. */
int64_t disk_size(const char *path);

#endif
