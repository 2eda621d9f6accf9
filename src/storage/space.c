/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the filesystem costs a system call, so a slice of what it has is taken at a time. */
#include "storage/space.h"

#include "base/err.h"

#include <errno.h>
#include <sys/statvfs.h>

enum { SLICE = 256 << 20, INODE_SLICE = 64 << 10, BLOCK = 4096 };

static uint64_t above_reserve(uint64_t available, uint64_t total)
{
	uint64_t reserve = total / 100 * SPACE_KEEP_FREE;

	return available > reserve ? available - reserve : 0;
}

static int ask(struct space *s, uint64_t bytes, unsigned n_inodes, struct err *err)
{
	uint64_t space = 0, inodes = UINT64_MAX;
	struct statvfs fs;

	if (fstatvfs(s->fd, &fs) < 0)
		return err_sys(err, errno, "look at the filesystem");
	space = above_reserve((uint64_t)fs.f_bavail * fs.f_frsize,
			      (uint64_t)fs.f_blocks * fs.f_frsize);
	/* Some filesystems do not count inodes. */
	if (fs.f_files)
		inodes = above_reserve(fs.f_favail, fs.f_files);
	if (bytes > space)
		return err_set(err, ERR_UNAVAILABLE,
			       "no space: less than %d %% of the disk would stay free",
			       SPACE_KEEP_FREE);
	if (inodes < n_inodes)
		return err_set(err, ERR_UNAVAILABLE,
			       "no space: less than %d %% of the inodes would stay free",
			       SPACE_KEEP_FREE);
	s->bytes_left = space < bytes + SLICE ? space : bytes + SLICE;
	s->inodes_left = inodes < INODE_SLICE ? inodes : INODE_SLICE;
	return 0;
}

int space_charge(struct space *s, uint64_t bytes, unsigned n_inodes, struct err *err)
{
	bytes = bytes / BLOCK * BLOCK + BLOCK;
	if ((bytes > s->bytes_left || n_inodes > s->inodes_left) &&
	    ask(s, bytes, n_inodes, err) < 0)
		return -err->code;
	s->bytes_left -= bytes;
	s->inodes_left -= n_inodes;
	return 0;
}
