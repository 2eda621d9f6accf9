/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of a log, and a listing that stands a concurrent rotation: which file is the current one is
 * only believed when the numbers before and after looking are the same.
 */
#include "monitor/log_parts.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_ATTEMPTS 100

const char *log_part_name(char buf[static LOG_PART_NAME_LEN], uint64_t number, bool is_gz)
{
	if (number == 0)
		return LOG_FILE_NAME;
	snprintf(buf, LOG_PART_NAME_LEN, "%s.%llu%s", LOG_FILE_NAME, (unsigned long long)number,
		 is_gz ? ".gz" : "");
	return buf;
}

uint64_t log_part_parse(const char *name, bool *ret_is_gz)
{
	static const char prefix[] = LOG_FILE_NAME ".";
	char digits[24];
	size_t n = 0;
	uint64_t number = 0;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	name += sizeof(prefix) - 1;
	n = strspn(name, "0123456789");
	*ret_is_gz = strcmp(name + n, ".gz") == 0;
	if (n == 0 || n >= sizeof(digits) || (name[n] && !*ret_is_gz))
		return 0;
	memcpy(digits, name, n);
	digits[n] = '\0';
	return num_parse_u64(digits, &number) == 0 ? number : 0;
}

int log_parts_visit(int dir_fd,
		    int (*visit)(void *ctx, const char *name, uint64_t number, bool is_gz),
		    void *ctx)
{
	/* lint: the log's own directory, opened a second time for a position of its own */
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;

	if (!dir) {
		rc = -errno;
		fd_cleanup_close(&fd);
		return rc;
	}
	for (struct dirent *e = readdir(dir); e && rc >= 0; e = readdir(dir)) {
		bool is_gz = false;
		uint64_t number = log_part_parse(e->d_name, &is_gz);

		if (number > 0)
			rc = visit(ctx, e->d_name, number, is_gz);
	}
	closedir(dir);
	return rc < 0 ? rc : 0;
}

/* What a listing is asked for: the highest number, and the lowest above AFTER (0: none). */
struct extent {
	uint64_t after, highest, next;
};

static int note_number(void *ctx, const char *name, uint64_t number, bool is_gz)
{
	struct extent *x = ctx;

	if (number > x->highest)
		x->highest = number;
	if (number > x->after && (x->next == 0 || number < x->next))
		x->next = number;
	return 0;
}

static int look(int dir_fd, uint64_t after, struct extent *ret)
{
	*ret = (struct extent){.after = after};
	return log_parts_visit(dir_fd, note_number, ret);
}

static int open_name(int dir_fd, uint64_t number, bool is_gz)
{
	char name[LOG_PART_NAME_LEN];
	int fd = openat(dir_fd, log_part_name(name, number, is_gz),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

static void append(struct log_parts *parts, uint64_t number, int fd, bool is_gz)
{
	if (!parts->items || parts->n == parts->cap) {
		parts->cap = parts->cap ? parts->cap * 2 : 8;
		parts->items = mem_realloc_array(parts->items, parts->cap, sizeof(*parts->items));
	}
	parts->items[parts->n++] = (struct log_part){.number = number, .fd = fd, .is_gz = is_gz};
}

/* Whether FD is still the file that is written to. */
static bool is_current(int dir_fd, int fd)
{
	struct stat a;
	struct stat b;

	return fstatat(dir_fd, LOG_FILE_NAME, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Opens the complete part NUMBER; 1, 0 when it has gone, or -errno. */
static int add_complete(struct log_parts *parts, uint64_t number)
{
	/* The plain one first: the compressed one appears before the plain one goes. */
	for (int gz = 0; gz <= 1; gz++) {
		int fd = open_name(parts->dir_fd, number, gz);

		if (fd >= 0) {
			append(parts, number, fd, gz);
			return 1;
		}
		if (fd != -ENOENT)
			return fd;
	}
	return 0;
}

/* Opens the file that is written to when no complete part above AFTER is there; 1, 0 when there is
 * none at the moment or another look is due (RET_AGAIN), or -errno. */
static int add_current(struct log_parts *parts, uint64_t after, const struct extent *before,
		       bool *ret_again)
{
	cleanup_close int fd = open_name(parts->dir_fd, 0, false);
	struct extent now;
	int rc = look(parts->dir_fd, after, &now);

	if (fd < 0 && fd != -ENOENT)
		return fd;
	if (rc < 0)
		return rc;
	*ret_again = now.highest != before->highest;
	if (*ret_again || fd < 0)
		return 0;
	append(parts, (now.highest > after ? now.highest : after) + 1, take_fd(fd), false);
	return 1;
}

/* Opens part NUMBER, which has no name any more, by a descriptor of the writer's; 1, or 0 when it
 * does not hold it (any more). */
static int add_held(struct log_parts *parts, uint64_t number)
{
	char proc[64];
	char dir_path[PATH_FD_LEN];
	char want[PATH_MAX + 64];
	char name[LOG_PART_NAME_LEN];
	DIR *dir = NULL;
	int found = 0;
	/* lint: our own descriptor's path, from procfs */
	ssize_t n = readlink(path_of_fd(parts->dir_fd, dir_path), want, PATH_MAX);

	snprintf(proc, sizeof(proc), "/proc/%d/fd", parts->writer);
	/* lint: the descriptors of our own monitor, in procfs */
	dir = n > 0 && parts->writer > 0 ? opendir(proc) : NULL;
	if (!dir)
		return 0;
	snprintf(want + n, sizeof(want) - (size_t)n, "/%s (deleted)",
		 log_part_name(name, number, false));
	for (struct dirent *e = readdir(dir); e && !found; e = readdir(dir)) {
		char link[sizeof(want)];
		ssize_t len = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		int fd = -1;

		if (len < 0)
			continue;
		link[len] = '\0';
		if (strcmp(link, want) == 0)
			/* lint: follows the magic link, which is what it is for */
			fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
		found = fd >= 0;
		if (found)
			append(parts, number, fd, false);
	}
	closedir(dir);
	return found;
}

/* Adds what follows AFTER: 1, 0 when there is nothing (yet), or -errno. */
static int add_next(struct log_parts *parts, uint64_t after)
{
	/* Nearly always the next number, when there is one before it; else the directory is read.
	 */
	int found = parts->n ? add_complete(parts, after + 1) : 0;

	for (int i = 0; i < N_ATTEMPTS && found == 0; i++) {
		struct extent x;
		bool again = true;
		int rc = look(parts->dir_fd, after, &x);

		if (rc == 0 && x.next == 0) {
			rc = add_current(parts, after, &x, &again);
		} else if (rc == 0) {
			bool is_missed = (parts->n > 0 || parts->is_new) && x.next > after + 1;

			if (is_missed && add_held(parts, after + 1))
				return 1;
			rc = add_complete(parts, x.next);
			parts->has_gap |= rc == 1 && is_missed;
		}
		if (rc != 0 || !again)
			return rc;
	}
	return found;
}

int log_parts_extend(struct log_parts *parts)
{
	int rc = 1;

	if (parts->dir_fd < 0)
		return 0;
	while (rc > 0) {
		const struct log_part *last = parts->n ? &parts->items[parts->n - 1] : NULL;

		if (last && is_current(parts->dir_fd, last->fd))
			return 0;
		rc = add_next(parts, last ? last->number : 0);
	}
	return rc == -ENFILE ? -EMFILE : rc;
}

int log_parts_open(struct log_parts *parts, int container_dir_fd, bool follows)
{
	int rc = 0;

	/* Its lock must be held before there is a first part: the writer makes neither without
	 * output, and may be several parts further before its directory is noticed. */
	if (follows && mkdirat(container_dir_fd, LOG_DIR_NAME, 0700) < 0 && errno != EEXIST)
		log_debug("create the directory of a log: %m");
	*parts = (struct log_parts){
		.dir_fd = openat(container_dir_fd, LOG_DIR_NAME,
				 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
	if (parts->dir_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Where locks are not to be had the parts with names are all there is. */
	if (follows && flock(parts->dir_fd, LOCK_SH) < 0 && errno == EINTR)
		return -EINTR;
	rc = log_parts_extend(parts);
	parts->is_new = follows && rc == 0 && parts->n == 0;
	return rc;
}

void log_parts_unfollow(struct log_parts *parts)
{
	if (parts->dir_fd >= 0)
		flock(parts->dir_fd, LOCK_UN);
}

void log_parts_drop_first(struct log_parts *parts)
{
	fd_cleanup_close(&parts->items[0].fd);
	parts->n--;
	memmove(parts->items, parts->items + 1, parts->n * sizeof(*parts->items));
}

void log_parts_close(struct log_parts *parts)
{
	while (parts->n > 0)
		fd_cleanup_close(&parts->items[--parts->n].fd);
	free(parts->items);
	parts->items = NULL;
	parts->cap = 0;
	fd_cleanup_close(&parts->dir_fd);
}
