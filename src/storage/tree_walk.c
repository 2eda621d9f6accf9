/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Down by openat(2) without following links, up by "..", where the directory must be found that the
 * walk came from. A container that moves its directories about only ends the walk.
 */
#include "storage/tree_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

/* A directory on the way down. */
struct level {
	dev_t dev;
	ino_t ino;
	struct strv dirs; /* below it, still to visit */
};

struct walker {
	const struct tree_walk *walk;
	int fd; /* the directory that the last level stands for */
	struct level *levels;
	size_t n, cap;
};

static void fail(struct walker *w, int errnum)
{
	if (w->walk->failed && errnum != ENOENT)
		w->walk->failed(errnum, w->walk->data);
}

static void scan_entry(struct walker *w, struct level *level, const char *name)
{
	struct stat st;

	if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
		fail(w, errno);
		return;
	}
	if (st.st_dev != level->dev)
		return;
	w->walk->entry(w->fd, name, &st, w->walk->data);
	if (S_ISDIR(st.st_mode))
		strv_add(&level->dirs, name);
}

/* Reports what is in the current directory and remembers its directories. */
static void scan(struct walker *w)
{
	struct level *level = &w->levels[w->n - 1];
	int fd = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e = NULL;

	if (!dir) {
		fail(w, errno);
		fd_cleanup_close(&fd);
		return;
	}
	/* readdir(3) tells of an error by errno alone. */
	while (errno = 0, (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			scan_entry(w, level, e->d_name);
	if (errno)
		fail(w, errno);
	closedir(dir);
}

/* Makes FD, which it takes over, the current directory. */
static void enter(struct walker *w, int fd, const char *name, const struct stat *st)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 16;
		w->levels = mem_realloc_array(w->levels, w->cap, sizeof(*w->levels));
	}
	w->levels[w->n++] = (struct level){.dev = st->st_dev, .ino = st->st_ino};
	fd_cleanup_close(&w->fd);
	w->fd = fd;
	if (w->walk->enter)
		w->walk->enter(fd, name, w->walk->data);
	scan(w);
}

static void descend(struct walker *w)
{
	struct level *level = &w->levels[w->n - 1];
	size_t last = level->dirs.n - 1;
	cleanup_free char *name = str_dup(level->dirs.items[last]);
	int fd = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	strv_remove(&level->dirs, last);
	if (fd < 0 || fstat(fd, &st) < 0)
		fail(w, errno);
	else if (st.st_dev == level->dev) {
		enter(w, fd, name, &st);
		return;
	}
	fd_cleanup_close(&fd);
}

/* Back to the parent: 1, 0 when there is none, -ESTALE when it is another one by now. */
static int ascend(struct walker *w)
{
	const struct level *parent = NULL;
	struct stat st;
	int fd = -1;

	strv_done(&w->levels[--w->n].dirs);
	if (w->walk->leave)
		w->walk->leave(w->walk->data);
	if (w->n == 0)
		return 0;
	parent = &w->levels[w->n - 1];
	fd = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_cleanup_close(&w->fd);
	w->fd = fd;
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == parent->dev &&
			       st.st_ino == parent->ino
		       ? 1
		       : -ESTALE;
}

int tree_walk(int dir_fd, const char *name, const struct tree_walk *walk)
{
	struct walker w = {.walk = walk, .fd = -1};
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = -errno;
		fd_cleanup_close(&fd);
		return rc;
	}
	enter(&w, fd, name, &st);
	do {
		while (w.levels[w.n - 1].dirs.n > 0)
			descend(&w);
		rc = ascend(&w);
	} while (rc > 0);
	while (w.n > 0)
		strv_done(&w.levels[--w.n].dirs);
	free(w.levels);
	fd_cleanup_close(&w.fd);
	return rc;
}
