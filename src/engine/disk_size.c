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
#include "base/mem.h"
#include "storage/link_map.h"

/* Deeper trees exist only to hurt who walks them; each level holds a descriptor. */
#define MAX_DEPTH 200

struct walk {
	dev_t dev;
	struct link_map links; /* files with several names that were counted */
};

static int64_t size_of(struct walk *w, int dir_fd, int depth);

static int64_t entry_size(struct walk *w, int dir_fd, const char *name, int depth)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != w->dev)
		return 0;
	if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) {
		bool was_counted = st.st_nlink > 1 && link_map_visit(&w->links, &st, name);

		return was_counted ? 0 : st.st_size;
	}
	if (!S_ISDIR(st.st_mode) || depth >= MAX_DEPTH)
		return 0;
	return size_of(w, openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
		       depth + 1);
}

/* Takes DIR_FD over. */
static int64_t size_of(struct walk *w, int dir_fd, int depth)
{
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	int64_t total = 0;

	if (!dir) {
		fd_cleanup_close(&dir_fd);
		return 0;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			total += entry_size(w, dir_fd, e->d_name, depth);
	closedir(dir);
	return total;
}

static void walk_done(struct walk *w)
{
	link_map_done(&w->links);
}

int64_t disk_size(const char *path)
{
	/* lint: path chosen by the engine */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_with(walk_done) struct walk w = {};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fd_cleanup_close(&fd);
		return 0;
	}
	w.dev = st.st_dev;
	return size_of(&w, fd, 0);
}
