/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one file of the journal to the next.
 */
/* lint file: a directory of the engine's own, and two names in it */
#include "journal/reader.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK		 (64 * 1024)
#define HEADER_MAX	 128
#define RENAME_TRIES	 1000
#define PATH_OF_FILE_MAX 4096
#define WATCHED		 (IN_MODIFY | IN_CREATE | IN_MOVED_TO)

static char *path_of(const struct journal_reader *r, const char *name,
		     char path[static PATH_OF_FILE_MAX])
{
	snprintf(path, PATH_OF_FILE_MAX, "%s/%s", r->dir, name);
	return path;
}

/* Opens the file NAME and reads its number (0 without one); the descriptor, at its start, or
 * -errno. */
static int open_part(const struct journal_reader *r, const char *name, uint64_t *ret_number)
{
	char path[PATH_OF_FILE_MAX];
	cleanup_close int fd = open(path_of(r, name, path),
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct journal_record record = {};
	char header[HEADER_MAX];
	const char *end = NULL;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	n = pread(fd, header, sizeof(header), 0);
	if (n < 0)
		return -errno;
	end = memchr(header, '\n', (size_t)n);
	*ret_number = 0;
	if (end &&
	    journal_parse(header, (size_t)(end - header), INT64_MAX, &record) == JOURNAL_LINE_PART)
		*ret_number = record.part;
	return take_fd(fd);
}

static void use_part(struct journal_reader *r, int fd, uint64_t number)
{
	fd_cleanup_close(&r->fd);
	r->fd = fd;
	r->part = number;
	str_truncate(&r->rest, 0);
	r->skips_line = false;
}

/* ---- lines ---- */

static int take_line(struct journal_reader *r, const char *line, size_t len)
{
	struct journal_record record = {};
	int rc = 0;

	if (journal_parse(line, len, r->since_ns, &record) == JOURNAL_LINE_EVENT && record.event)
		rc = r->fn(&record, r->data);
	journal_record_done(&record);
	return rc < 0 ? rc : 0;
}

static void keep_rest(struct journal_reader *r, const char *text, size_t len)
{
	if (r->rest.len + len > JOURNAL_RECORD_MAX)
		r->skips_line = true;
	if (r->skips_line)
		str_truncate(&r->rest, 0);
	else
		str_add_bytes(&r->rest, text, len);
}

/* LEN more bytes of the file. */
static int take_text(struct journal_reader *r, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		int rc = 0;

		if (!end || r->rest.len || r->skips_line)
			keep_rest(r, text, n);
		if (!end)
			return 0;
		if (r->rest.len)
			rc = take_line(r, r->rest.buf, r->rest.len);
		else if (!r->skips_line)
			rc = take_line(r, text, n);
		str_truncate(&r->rest, 0);
		r->skips_line = false;
		if (rc < 0)
			return rc;
		text += n + 1;
		len -= n + 1;
	}
	return 0;
}

static int read_part(struct journal_reader *r)
{
	cleanup_free char *chunk = mem_alloc(CHUNK);

	for (;;) {
		ssize_t n = read(r->fd, chunk, CHUNK);
		int rc = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		rc = take_text(r, chunk, (size_t)n);
		if (rc < 0)
			return rc;
	}
}

/* ---- files ---- */

enum current { IS_NONE, IS_OTHER, IS_THIS };

/* What is current, seen from the file FD. */
static enum current look_at_current(const struct journal_reader *r, int fd)
{
	char path[PATH_OF_FILE_MAX];
	struct stat mine, named;

	if (lstat(path_of(r, JOURNAL_CURRENT, path), &named) < 0 || fstat(fd, &mine) < 0)
		return IS_NONE;
	return mine.st_ino == named.st_ino && mine.st_dev == named.st_dev ? IS_THIS : IS_OTHER;
}

/* Whether another file is current by now. While none is, there is nothing to go on to. */
static bool is_over(const struct journal_reader *r)
{
	return look_at_current(r, r->fd) == IS_OTHER;
}

/* Opens the file after the one that was read, or the first there is. 0 when there is none. */
static int open_next(struct journal_reader *r)
{
	bool is_first = r->part == 0;

	for (int i = 0; i < RENAME_TRIES; i++) {
		uint64_t current = 0;
		uint64_t older = 0;
		cleanup_close int current_fd = open_part(r, JOURNAL_CURRENT, &current);
		cleanup_close int older_fd = open_part(r, JOURNAL_OLDER, &older);
		bool uses_older = older_fd >= 0 && older > r->part;

		/* Renamed between the two: look again. If it was not, two have one number, as a
		 * writer that did not wait for a stuck one may give it. */
		if (older_fd >= 0 && current_fd >= 0 && older >= current && current > r->part &&
		    look_at_current(r, current_fd) != IS_THIS)
			continue;
		if (current_fd < 0 && !uses_older)
			return current_fd == -ENOENT ? 0 : current_fd;
		if (!is_first && (uses_older ? older : current) > r->part + 1)
			r->n_missed += (uses_older ? older : current) - r->part - 1;
		if (uses_older)
			use_part(r, take_fd(older_fd), older);
		else
			use_part(r, take_fd(current_fd), current);
		return 1;
	}
	return -EBUSY;
}

int journal_reader_drain(struct journal_reader *r)
{
	int rc = r->fd < 0 ? open_next(r) : 1;

	while (rc > 0) {
		/* Asked first: what was written before the renaming is there by then. */
		bool over = is_over(r);

		rc = read_part(r);
		if (rc < 0 || !over)
			return rc;
		rc = open_next(r);
	}
	return rc;
}

/* ---- opening ---- */

static int watch(struct journal_reader *r)
{
	r->notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (r->notify_fd < 0 || inotify_add_watch(r->notify_fd, r->dir, WATCHED) < 0)
		return -errno;
	return 0;
}

/* Stands at the end of what is there. */
static int skip_all(struct journal_reader *r)
{
	uint64_t number = 0;
	int fd = open_part(r, JOURNAL_CURRENT, &number);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	use_part(r, fd, number);
	return lseek(fd, 0, SEEK_END) < 0 ? -errno : 0;
}

int journal_reader_open(struct journal_reader *r, bool from_start, bool follows)
{
	const struct journal journal = {.dir = r->dir};
	int rc = follows ? journal_ensure(&journal) : 0;

	if (rc == 0 && follows)
		rc = watch(r);
	return rc < 0 || from_start ? rc : skip_all(r);
}

void journal_reader_acknowledge(struct journal_reader *r)
{
	char buffer[4096] __attribute__((aligned(8)));

	while (read(r->notify_fd, buffer, sizeof(buffer)) > 0)
		continue;
}

void journal_reader_done(struct journal_reader *r)
{
	fd_cleanup_close(&r->notify_fd);
	fd_cleanup_close(&r->fd);
	str_done(&r->rest);
}
