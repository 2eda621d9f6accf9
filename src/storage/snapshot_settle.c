/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upper directory as its overlay left it becomes what a layer unpacked from an archive would be:
 * no time is later than the epoch, and a socket, which no archive can hold, is not there: something
 * that hides it in the layers below is, where these have the directory. Its bytes are counted on
 * the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/snapshot_private.h"
#include "storage/tree_walk.h"

struct settling {
	int64_t epoch_s; /* 0: times stay */
	int64_t size;
	size_t n;
	ino_t top;  /* the upper directory itself */
	int errnum; /* of the first thing that failed */
};

static bool is_late(const struct settling *s, const struct timespec *t)
{
	return s->epoch_s && (t->tv_sec > s->epoch_s || (t->tv_sec == s->epoch_s && t->tv_nsec));
}

static void fail(int errnum, void *data)
{
	struct settling *s = data;

	if (!s->errnum && errnum != ENOENT)
		s->errnum = errnum;
}

static void set_time(struct settling *s, int dir_fd, const char *name)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = s->epoch_s}};

	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		fail(errno, s);
}

/* Whether the directory may be in the layers below, too: overlayfs marks what it copied up. In one
 * that is new it would show a whiteout for what it is, a device. */
static bool is_below(const struct settling *s, int dir_fd, const struct stat *dir)
{
	return dir->st_ino == s->top || fgetxattr(dir_fd, "trusted.overlay.origin", NULL, 0) >= 0;
}

static void hide_socket(struct settling *s, int dir_fd, const char *name)
{
	struct stat dir;

	if (fstat(dir_fd, &dir) < 0 || unlinkat(dir_fd, name, 0) < 0 ||
	    (is_below(s, dir_fd, &dir) && mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) < 0)) {
		fail(errno, s);
		return;
	}
	/* The directory's own time was settled before. */
	if (utimensat(dir_fd, ".", (struct timespec[]){dir.st_atim, dir.st_mtim}, 0) < 0)
		fail(errno, s);
}

static void settle_entry(int dir_fd, const char *name, const struct stat *st, void *data)
{
	struct settling *s = data;

	s->n++;
	s->size += (int64_t)st->st_blocks * 512 /
		   (int64_t)(st->st_nlink && !S_ISDIR(st->st_mode) ? st->st_nlink : 1);
	if (S_ISSOCK(st->st_mode))
		hide_socket(s, dir_fd, name);
	else if (is_late(s, &st->st_mtim) &&
		 !(S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0)))
		set_time(s, dir_fd, name);
}

int snapshot_settle(int dir_fd, int64_t epoch_s, int64_t *ret_size, bool *ret_is_empty,
		    struct err *err)
{
	struct settling s = {.epoch_s = epoch_s};
	const struct tree_walk walk = {.entry = settle_entry, .failed = fail, .data = &s};
	struct stat st;
	int rc = 0;

	if (fstat(dir_fd, &st) < 0)
		return err_sys(err, errno, "look at what the step left");
	s.top = st.st_ino;
	if (is_late(&s, &st.st_mtim))
		set_time(&s, dir_fd, ".");
	rc = tree_walk(dir_fd, ".", &walk);
	if (rc < 0 || s.errnum)
		return err_sys(err, rc < 0 ? -rc : s.errnum, "settle what the step left");
	*ret_size = s.size;
	*ret_is_empty = s.n == 0 && (st.st_mode & 07777) == 0755 && !st.st_uid && !st.st_gid;
	return 0;
}
