/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the journal: six system calls for a command's events.
 */
/* lint file: a directory of the engine's own, and two names in it */
#include "journal/journal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEADER_MAX	 128
#define WRITE_TRIES	 50
#define WRITE_PAUSE_NS	 100000
#define STUCK_PARTS	 4
#define PATH_OF_FILE_MAX 4096

static const struct timespec pause_time = {.tv_nsec = WRITE_PAUSE_NS};

static uint64_t part_max(const struct journal *journal)
{
	return journal->part_max ? journal->part_max : JOURNAL_PART_MAX;
}

static int open_append(const struct journal *journal)
{
	char path[PATH_OF_FILE_MAX];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/" JOURNAL_CURRENT, journal->dir);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Whether the file MINE has the name. */
static bool is_current(const struct journal *journal, const struct stat *mine)
{
	char path[PATH_OF_FILE_MAX];
	struct stat named;

	snprintf(path, sizeof(path), "%s/" JOURNAL_CURRENT, journal->dir);
	return lstat(path, &named) == 0 && mine->st_ino == named.st_ino &&
	       mine->st_dev == named.st_dev;
}

/* ---- the next file ---- */

/* The number of the file that was current last; 0 when there is none. */
static uint64_t last_number(int dir_fd)
{
	cleanup_close int fd = openat(dir_fd, JOURNAL_OLDER, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct journal_record record = {};
	char header[HEADER_MAX];
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, header, sizeof(header));
	const char *end = n > 0 ? memchr(header, '\n', (size_t)n) : NULL;

	if (!end ||
	    journal_parse(header, (size_t)(end - header), INT64_MAX, &record) != JOURNAL_LINE_PART)
		return 0;
	return record.part;
}

/* Gives the next file its name once it has its number, unless there is one already. */
static int make_current(int dir_fd)
{
	cleanup_str struct str header = STR_INIT;
	char name[32];
	int rc = 0;

	snprintf(name, sizeof(name), "new.%d", getpid());
	journal_add_part(&header, last_number(dir_fd) + 1);
	rc = fd_write_file_at(dir_fd, name, header.buf, header.len, 0600);
	if (rc == 0 && linkat(dir_fd, name, dir_fd, JOURNAL_CURRENT, 0) < 0 && errno != EEXIST)
		rc = -errno;
	unlinkat(dir_fd, name, 0);
	return rc;
}

/* The directory, locked: who makes or renames a file does so alone, or two of them might give one
 * number twice. */
static int lock_dir(const struct journal *journal, bool must_lock)
{
	cleanup_close int fd = open(journal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) < 0 && must_lock))
		return -errno;
	return take_fd(fd);
}

static int ensure(const struct journal *journal, bool must_lock)
{
	cleanup_close int dir = -1;

	if (mkdir(journal->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir = lock_dir(journal, must_lock);
	if (dir < 0)
		return dir;
	if (faccessat(dir, JOURNAL_CURRENT, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return make_current(dir);
}

int journal_ensure(const struct journal *journal)
{
	int rc = -EWOULDBLOCK;

	for (int i = 0; i < WRITE_TRIES && rc == -EWOULDBLOCK; i++) {
		rc = ensure(journal, true);
		if (rc == -EWOULDBLOCK)
			nanosleep(&pause_time, NULL);
	}
	return rc == -EWOULDBLOCK ? ensure(journal, false) : rc;
}

/* Makes room once FD, the file MINE, is full: 0, or -EWOULDBLOCK while others write to it. */
static int rotate(const struct journal *journal, int fd, const struct stat *mine)
{
	cleanup_close int dir = lock_dir(journal, true);

	if (dir < 0)
		return dir;
	/* From a shared lock it goes by way of none: somebody else may have been here. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	if (!is_current(journal, mine))
		return 0;
	if (renameat(dir, JOURNAL_CURRENT, dir, JOURNAL_OLDER) < 0)
		return -errno;
	return make_current(dir);
}

/* ---- writing ---- */

static int append(int fd, const struct str *records)
{
	ssize_t n = 0;

	/* Once: what a full disk cut off is not sent after it, others may have written since. */
	do
		n = write(fd, records->buf, records->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n < records->len ? -ENOSPC : 0;
}

/* Into FD, whatever becomes of it: for who has waited long enough for somebody that is stuck. */
static int write_anyway(const struct journal *journal, int fd, const struct str *records)
{
	struct stat mine;

	if (fstat(fd, &mine) < 0)
		return -errno;
	if ((uint64_t)mine.st_size >= STUCK_PARTS * part_max(journal))
		return -EFBIG;
	return append(fd, records);
}

static int write_locked(const struct journal *journal, int fd, const struct str *records)
{
	uint64_t max = part_max(journal);
	struct stat mine;
	int rc = 0;

	if (fstat(fd, &mine) < 0)
		return -errno;
	/* Nobody writes to a full one any more, so that it can be renamed. */
	if ((uint64_t)mine.st_size >= max) {
		rc = rotate(journal, fd, &mine);
		return rc < 0 ? rc : -ESTALE;
	}
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return -errno;
	if (!is_current(journal, &mine))
		return -ESTALE;
	rc = append(fd, records);
	/* Who comes next tries again when this fails. */
	if (rc == 0 && (uint64_t)mine.st_size + records->len >= max)
		(void)rotate(journal, fd, &mine);
	return rc;
}

/* One attempt: 0, -ESTALE to try again, -EWOULDBLOCK to do so after a moment, or -errno. */
static int try_write(const struct journal *journal, const struct str *records, bool must_lock)
{
	cleanup_close int fd = open_append(journal);

	if (fd == -ENOENT) {
		int rc = ensure(journal, must_lock);

		return rc < 0 ? rc : -ESTALE;
	}
	if (fd < 0)
		return fd;
	return must_lock ? write_locked(journal, fd, records) : write_anyway(journal, fd, records);
}

int journal_write(const struct journal *journal, const struct str *records)
{
	int rc = 0;

	if (records->len == 0)
		return 0;
	for (int i = 0; i < WRITE_TRIES; i++) {
		rc = try_write(journal, records, true);
		if (rc == -EWOULDBLOCK)
			nanosleep(&pause_time, NULL);
		else if (rc != -ESTALE)
			return rc;
	}
	/* Somebody is stuck, or many are at work: without waiting for them. */
	for (int i = 0; i < WRITE_TRIES; i++) {
		rc = try_write(journal, records, false);
		if (rc != -ESTALE)
			break;
	}
	return rc;
}
