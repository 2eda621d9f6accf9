/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_SPACE_H
#define STORAGE_SPACE_H
/*
 * Writing bulk data without filling the disk: what an archive brings may use all but a share of the
 * filesystem, which stays free for everybody else.
 */
#include <stdint.h>

struct err;

/* The share that stays free, of bytes and of inodes, in percent. */
#define SPACE_KEEP_FREE 5

struct space {
	int fd;				  /* borrowed; any file of the filesystem */
	uint64_t bytes_left, inodes_left; /* until the filesystem is asked again */
};

/* Takes BYTES, rounded up to blocks, and N_INODES (0 or 1) from what may be used: 0, or
 * ERR_UNAVAILABLE. Asks the filesystem every 256 MiB or 64 Ki inodes only: others use it too. */
int space_charge(struct space *s, uint64_t bytes, unsigned n_inodes, struct err *err);

#endif
