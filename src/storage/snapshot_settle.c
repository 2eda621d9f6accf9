/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upper directory as its overlay left it becomes what a layer unpacked from an archive would be:
 * no time is later than the epoch, and a socket, which no archive can hold, is not there: something
 * that hides it in the layers below is, where these have the directory. Its bytes are counted on
 * the way.
 *
 * The key of a step does not contain the epoch, so what it left must serve other epochs, too. A
 * time that becomes the epoch is therefore noted beside it, as an attribute that no archive holds:
 * with another epoch it becomes the earlier of that and what it was. What the step itself made has
 * an empty note: its time is the epoch's whatever that is. A note goes wherever its file goes, up
 * to another layer (overlayfs copies attributes) and along with COPY --from; it counts only where
 * the time is still the epoch.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/snapshot_private.h"
#include "storage/tree_walk.h"

#define HAS_NOTES "trusted.tare.noted" /* of the directory at the top */

struct settling {
	struct snapshot_times *times;
	size_t n;
	ino_t top;	      /* the upper directory itself */
	bool is_note_missing; /* somewhere it could not be written */
	int errnum;	      /* of the first thing that failed */
};

static void fail(int errnum, void *data)
{
	struct settling *s = data;

	if (!s->errnum && errnum != ENOENT)
		s->errnum = errnum;
}

/* ---- times ---- */

static bool is_exactly(const struct timespec *t, int64_t second)
{
	return t->tv_sec == second && t->tv_nsec == 0;
}

static bool is_after(const struct timespec *t, int64_t second)
{
	return t->tv_sec > second || (t->tv_sec == second && t->tv_nsec);
}

static void write_note(struct settling *s, int dir_fd, const char *name, const struct timespec *t)
{
	int64_t began_s = s->times->began_ns / CLOCK_NS_PER_S;
	bool is_own = began_s &&
		      (t->tv_sec > began_s ||
		       (t->tv_sec == began_s && t->tv_nsec >= s->times->began_ns % CLOCK_NS_PER_S));

	if (!snapshot_note_write(dir_fd, name, is_own ? NULL : t))
		s->is_note_missing = true;
}

static void set_time(struct settling *s, int dir_fd, const char *name, const struct timespec *t)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *t};

	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		fail(errno, s);
}

static void count_time(struct settling *s, const struct timespec *t)
{
	int64_t second = t->tv_sec + (t->tv_nsec != 0);

	if (second > s->times->latest_s)
		s->times->latest_s = second;
	/* It may be what became the epoch below. */
	if (is_exactly(t, s->times->epoch_s))
		s->times->late = SNAPSHOT_LATE_NOTED;
}

static void settle_time(struct settling *s, int dir_fd, const char *name,
			const struct timespec *now)
{
	const struct snapshot_times *times = s->times;
	struct timespec epoch = {.tv_sec = times->epoch_s};
	struct timespec t = *now;
	bool has_note = is_exactly(now, times->was_s) && snapshot_note_read(dir_fd, name, &t);

	if (!is_after(&t, times->epoch_s)) {
		count_time(s, &t);
		if (t.tv_sec != now->tv_sec || t.tv_nsec != now->tv_nsec)
			set_time(s, dir_fd, name, &t);
		return;
	}
	count_time(s, &epoch);
	if (!has_note)
		write_note(s, dir_fd, name, now);
	if (!is_exactly(now, times->epoch_s))
		set_time(s, dir_fd, name, &epoch);
}

/* ---- entries ---- */

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
	s->times->size += (int64_t)st->st_blocks * 512 /
			  (int64_t)(st->st_nlink && !S_ISDIR(st->st_mode) ? st->st_nlink : 1);
	if (S_ISSOCK(st->st_mode))
		hide_socket(s, dir_fd, name);
	else if (!(S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0)))
		settle_time(s, dir_fd, name, &st->st_mtim);
}

int snapshot_settle(int dir_fd, struct snapshot_times *times, struct err *err)
{
	struct settling s = {.times = times};
	const struct tree_walk walk = {.entry = settle_entry, .failed = fail, .data = &s};
	struct stat st;
	int rc = 0;

	times->size = 0;
	times->late = SNAPSHOT_LATE_NONE;
	times->latest_s = INT64_MIN;
	if (fstat(dir_fd, &st) < 0)
		return err_sys(err, errno, "look at what the step left");
	s.top = st.st_ino;
	settle_time(&s, dir_fd, ".", &st.st_mtim);
	rc = tree_walk(dir_fd, ".", &walk);
	if (rc < 0 || s.errnum)
		return err_sys(err, rc < 0 ? -rc : s.errnum, "settle what the step left");
	times->is_empty = s.n == 0 && (st.st_mode & 07777) == 0755 && !st.st_uid && !st.st_gid;
	if (times->late == SNAPSHOT_LATE_NOTED &&
	    (s.is_note_missing || fsetxattr(dir_fd, HAS_NOTES, "", 0, 0) < 0))
		times->late = SNAPSHOT_LATE_UNKNOWN;
	return 0;
}

bool snapshot_has_notes(int root_fd, const char *dir)
{
	char path[32 + SNAPSHOT_PATH_LEN + sizeof(SNAPSHOT_DIFF)];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s/" SNAPSHOT_DIFF, root_fd, dir);
	return lgetxattr(path, HAS_NOTES, NULL, 0) >= 0;
}
