/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk that holds one directory open at a time, so that a tree of any depth can be counted: it
 * goes down by openat(2) without following links, and up by "..", where it must find the directory
 * that it came from. A container that moves its directories about meanwhile only ends the count
 * early.
 */
#include "storage/disk_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#define BLOCK	  512 /* unit of st_blocks, stat(3type) */
#define FIRST_CAP 64

struct disk_inode {
	dev_t dev;
	ino_t ino; /* 0: free */
};

/* A directory on the way down. */
struct level {
	dev_t dev;
	ino_t ino;
	struct strv dirs; /* below it, still to visit */
};

struct walk {
	struct disk_usage *usage;
	int fd; /* the directory that the last level stands for */
	struct level *levels;
	size_t n, cap;
	int64_t bytes;
};

void disk_usage_done(struct disk_usage *usage)
{
	free(usage->seen);
	*usage = (struct disk_usage)DISK_USAGE_INIT;
}

static struct disk_inode *find_slot(struct disk_inode *table, size_t cap, dev_t dev, ino_t ino)
{
	size_t i = (size_t)((ino ^ dev) * 0x9e3779b97f4a7c15ull) & (cap - 1);

	while (table[i].ino && (table[i].ino != ino || table[i].dev != dev))
		i = (i + 1) & (cap - 1);
	return &table[i];
}

static void grow(struct disk_usage *usage)
{
	size_t cap = usage->cap ? usage->cap * 2 : FIRST_CAP;
	struct disk_inode *table = mem_zalloc(cap * sizeof(*table));

	for (size_t i = 0; i < usage->cap; i++)
		if (usage->seen[i].ino)
			*find_slot(table, cap, usage->seen[i].dev,
				   usage->seen[i].ino) = usage->seen[i];
	free(usage->seen);
	usage->seen = table;
	usage->cap = cap;
}

static bool is_new(struct disk_usage *usage, const struct stat *st)
{
	struct disk_inode *slot = NULL;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return true;
	if (2 * (usage->n + 1) > usage->cap)
		grow(usage);
	slot = find_slot(usage->seen, usage->cap, st->st_dev, st->st_ino);
	if (slot->ino)
		return false;
	*slot = (struct disk_inode){st->st_dev, st->st_ino};
	usage->n++;
	return true;
}

static int64_t count(struct disk_usage *usage, const struct stat *st)
{
	return is_new(usage, st) ? (int64_t)st->st_blocks * BLOCK : 0;
}

/* Counts what is in the current directory and remembers its directories. */
static void scan(struct walk *w)
{
	struct level *level = &w->levels[w->n - 1];
	int fd = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct stat st;

	if (!dir) {
		fd_cleanup_close(&fd);
		return;
	}
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    fstatat(w->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 ||
		    st.st_dev != level->dev)
			continue;
		w->bytes += count(w->usage, &st);
		if (S_ISDIR(st.st_mode))
			strv_add(&level->dirs, e->d_name);
	}
	closedir(dir);
}

/* Makes FD, which it takes over, the current directory. */
static void enter(struct walk *w, int fd, const struct stat *st)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 16;
		w->levels = mem_realloc_array(w->levels, w->cap, sizeof(*w->levels));
	}
	w->levels[w->n++] = (struct level){.dev = st->st_dev, .ino = st->st_ino};
	fd_cleanup_close(&w->fd);
	w->fd = fd;
	scan(w);
}

static void descend(struct walk *w)
{
	struct level *level = &w->levels[w->n - 1];
	size_t last = level->dirs.n - 1;
	int fd = openat(w->fd, level->dirs.items[last],
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	strv_remove(&level->dirs, last);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == level->dev)
		enter(w, fd, &st);
	else
		fd_cleanup_close(&fd);
}

/* Back to the parent; false when there is none, or it is another one by now. */
static bool ascend(struct walk *w)
{
	const struct level *parent = NULL;
	struct stat st;
	int fd = -1;

	strv_done(&w->levels[--w->n].dirs);
	if (w->n == 0)
		return false;
	parent = &w->levels[w->n - 1];
	fd = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_cleanup_close(&w->fd);
	w->fd = fd;
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == parent->dev &&
	       st.st_ino == parent->ino;
}

static int64_t walk_tree(struct disk_usage *usage, int dir_fd, const char *name)
{
	struct walk w = {.usage = usage, .fd = -1};
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fd_cleanup_close(&fd);
		return 0;
	}
	enter(&w, fd, &st);
	do
		while (w.levels[w.n - 1].dirs.n > 0)
			descend(&w);
	while (ascend(&w));
	while (w.n > 0)
		strv_done(&w.levels[--w.n].dirs);
	free(w.levels);
	fd_cleanup_close(&w.fd);
	return w.bytes;
}

int64_t disk_usage_add_entry(struct disk_usage *usage, int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return 0;
	return count(usage, &st);
}

int64_t disk_usage_add(struct disk_usage *usage, int dir_fd, const char *name)
{
	int64_t bytes = disk_usage_add_entry(usage, dir_fd, name);
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 ||
	    !S_ISDIR(st.st_mode))
		return bytes;
	return bytes + walk_tree(usage, dir_fd, name);
}
