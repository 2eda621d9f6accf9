/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of everything, and a hash table of the files that have several names. */
#include "storage/disk_usage.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "storage/tree_walk.h"

#define BLOCK	  512 /* unit of st_blocks, stat(3type) */
#define FIRST_CAP 64

struct disk_inode {
	dev_t dev;
	ino_t ino; /* 0: free */
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

struct counter {
	struct disk_usage *usage;
	int64_t bytes;
};

static void count_entry(int dir_fd, const char *name, const struct stat *st, void *data)
{
	struct counter *c = data;

	c->bytes += count(c->usage, st);
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
	struct counter c = {.usage = usage, .bytes = disk_usage_add_entry(usage, dir_fd, name)};
	const struct tree_walk walk = {.entry = count_entry, .data = &c};

	/* What is no directory, or went away, has nothing below it. */
	(void)tree_walk(dir_fd, name, &walk);
	return c.bytes;
}
