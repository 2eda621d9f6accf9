/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds up file sizes. The tree belongs to a container that may be changing it: every step is by
 * descriptor, no link is followed, and what disappears in the meantime is passed over.
 */
#include "engine/disk_size.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* Deeper trees exist only to hurt who walks them; each level holds a descriptor. */
#define MAX_DEPTH 200

static int64_t size_of(int dir_fd, dev_t dev, int depth);

static int64_t entry_size(int dir_fd, const char *name, dev_t dev, int depth)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != dev)
		return 0;
	if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
		return st.st_size / (st.st_nlink > 1 ? (int64_t)st.st_nlink : 1);
	if (!S_ISDIR(st.st_mode) || depth >= MAX_DEPTH)
		return 0;
	return size_of(openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), dev,
		       depth + 1);
}

/* Takes DIR_FD over. */
static int64_t size_of(int dir_fd, dev_t dev, int depth)
{
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	int64_t total = 0;

	if (!dir) {
		fd_cleanup_close(&dir_fd);
		return 0;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			total += entry_size(dir_fd, e->d_name, dev, depth);
	closedir(dir);
	return total;
}

int64_t disk_size(const char *path)
{
	/* lint: path chosen by the engine */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fd_cleanup_close(&fd);
		return 0;
	}
	return size_of(fd, st.st_dev, 0);
}
