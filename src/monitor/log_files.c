/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of a log: listing that stands a concurrent rotation, and the two ways to skip ahead.
 * Seeking maps a part: parts are bounded by rotation and never shrink below whole entries while
 * being read (the writer takes back at most what it has just failed to write).
 */
#include "monitor/log_files.h"

#include "base/fd.h"
#include "monitor/log_entry.h"
#include "monitor/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_ATTEMPTS 16
/* The longest entry, for looking at a single line. */
#define LINE_BUF (LOG_LINE_MAX * LOG_ESCAPE_MAX + 256)

static const char *part_name(char buf[static 32], size_t n)
{
	snprintf(buf, 32, n ? "%s.%zu" : "%s", LOG_FILE_NAME, n);
	return buf;
}

static int open_part(int dir_fd, size_t n)
{
	char name[32];
	int fd = openat(dir_fd, part_name(name, n), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

static bool is_part(int dir_fd, size_t n, int fd)
{
	char name[32];
	struct stat a;
	struct stat b;

	return fstatat(dir_fd, part_name(name, n), &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void close_parts(struct log_files *files)
{
	while (files->n > 0)
		fd_cleanup_close(&files->fds[--files->n]);
}

/* Opens parts 0, 1, … into fds (newest first). A part may be missing between two renames, so one
 * gap is looked across. */
static void list_parts(struct log_files *files, size_t numbers[static LOG_PARTS_MAX])
{
	size_t n_missing = 0;

	for (size_t i = 0; i < LOG_PARTS_MAX && n_missing < 2; i++) {
		int fd = open_part(files->dir_fd, i);

		if (fd < 0) {
			n_missing++;
			continue;
		}
		numbers[files->n] = i;
		files->fds[files->n++] = fd;
	}
}

static bool is_unchanged(const struct log_files *files, const size_t *numbers)
{
	for (size_t i = 0; i < files->n; i++) {
		if (numbers[i] != i || !is_part(files->dir_fd, i, files->fds[i]))
			return false;
	}
	return true;
}

int log_files_open(struct log_files *files, int container_dir_fd)
{
	size_t numbers[LOG_PARTS_MAX] = {};

	*files = (struct log_files){
		.dir_fd = openat(container_dir_fd, LOG_DIR_NAME,
				 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
	if (files->dir_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < N_ATTEMPTS; i++) {
		close_parts(files);
		list_parts(files, numbers);
		if (is_unchanged(files, numbers))
			break;
	}
	for (size_t i = 0; i < files->n / 2; i++) {
		int fd = files->fds[i];

		files->fds[i] = files->fds[files->n - 1 - i];
		files->fds[files->n - 1 - i] = fd;
	}
	return 0;
}

void log_files_close(struct log_files *files)
{
	close_parts(files);
	fd_cleanup_close(&files->dir_fd);
}

bool log_files_is_rotated(const struct log_files *files, int fd)
{
	return !is_part(files->dir_fd, 0, fd);
}

static int open_oldest(int dir_fd)
{
	for (size_t i = LOG_PARTS_MAX; i-- > 0;) {
		int fd = open_part(dir_fd, i);

		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

int log_files_open_next(const struct log_files *files, int fd)
{
	struct stat st;

	for (int attempt = 0; attempt < N_ATTEMPTS; attempt++) {
		for (size_t i = 1; i < LOG_PARTS_MAX; i++) {
			cleanup_close int next = -1;

			if (!is_part(files->dir_fd, i, fd))
				continue;
			next = open_part(files->dir_fd, i - 1);
			/* Still in place after the open: nothing was renamed in between. */
			if (is_part(files->dir_fd, i, fd))
				return next < 0 ? next : take_fd(next);
		}
		if (fstat(fd, &st) == 0 && st.st_nlink == 0)
			return open_oldest(files->dir_fd);
	}
	return -ENOENT;
}

struct view {
	char *p;
	size_t len;
};

static int view_open(struct view *v, int fd)
{
	struct stat st;
	void *p = NULL;

	if (fstat(fd, &st) < 0)
		return -errno;
	*v = (struct view){};
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*v = (struct view){.p = p, .len = (size_t)st.st_size};
	return 0;
}

static void view_close(struct view *v)
{
	if (v->p)
		munmap(v->p, v->len);
}

/* Whether the entry that ends before END (after its newline) ends a line of output. The text of an
 * entry is followed by a quote that the text itself cannot contain unescaped. */
static bool ends_line(const char *start, const char *end)
{
	static const char mark[] = "\\n\",\"stream\":\"";

	const char *at = memmem(start, (size_t)(end - start), mark, sizeof(mark) - 1);
	size_t n_backslashes = 0;

	/* "\\\\n" at the end is a backslash and an n. */
	while (at && at - n_backslashes > start && at[-1 - (long)n_backslashes] == '\\')
		n_backslashes++;
	return at && n_backslashes % 2 == 0;
}

/* Start of the entry that ends at END. */
static const char *entry_start(const struct view *v, const char *end)
{
	const char *nl = end - 1 > v->p ? memrchr(v->p, '\n', (size_t)(end - 1 - v->p)) : NULL;

	return nl ? nl + 1 : v->p;
}

/* Goes back through one part; *LEFT lines are still wanted. True when the place was found. */
static bool tail_in_part(const struct view *v, uint64_t *left, bool *seen_any, uint64_t *ret_offset)
{
	const char *end = v->p + v->len;

	/* Half an entry at the end is being written now and is not counted. */
	while (end > v->p && end[-1] != '\n')
		end--;
	while (end > v->p) {
		const char *start = entry_start(v, end);

		if (ends_line(start, end) || !*seen_any) {
			if (*left == 0) {
				*ret_offset = (uint64_t)(end - v->p);
				return true;
			}
			(*left)--;
		}
		*seen_any = true;
		end = start;
	}
	return false;
}

int log_files_seek_tail(const struct log_files *files, uint64_t n_lines, struct log_position *ret)
{
	bool seen_any = false;

	if (n_lines == 0 && files->n > 0) {
		struct stat st;

		if (fstat(files->fds[files->n - 1], &st) < 0)
			return -errno;
		*ret = (struct log_position){files->n - 1, (uint64_t)st.st_size};
		return 0;
	}
	*ret = (struct log_position){};
	for (size_t i = files->n; i-- > 0;) {
		struct view v = {};
		int rc = view_open(&v, files->fds[i]);
		bool found = false;

		if (rc < 0)
			return rc;
		found = tail_in_part(&v, &n_lines, &seen_any, &ret->offset);
		view_close(&v);
		ret->index = found ? i : 0;
		if (found)
			return 0;
	}
	return 0;
}

/* Time of the entry [START, END); -EINVAL for garbage. */
static int entry_time(const char *start, const char *end, int64_t *ret)
{
	uint8_t line[LINE_BUF];
	size_t len = (size_t)(end - start);
	struct log_entry e;

	if (len == 0 || len > sizeof(line))
		return -EINVAL;
	memcpy(line, start, len);
	if (log_entry_parse(line, len - 1, &e) < 0)
		return -EINVAL;
	*ret = e.time_ns;
	return 0;
}

/* Start of an entry such that everything before it is older than SINCE_NS. */
static uint64_t bisect(const struct view *v, int64_t since_ns)
{
	const char *low = v->p;
	const char *high = v->p + v->len;

	while (high - low > LINE_BUF) {
		const char *mid = entry_start(v, low + (high - low) / 2);
		const char *end = memchr(mid, '\n', (size_t)(high - mid));
		int64_t time = 0;

		if (mid <= low || !end || entry_time(mid, end + 1, &time) < 0)
			break;
		if (time < since_ns)
			low = end + 1;
		else
			high = mid;
	}
	return (uint64_t)(low - v->p);
}

/* Whether the newest entry of the part is older than SINCE_NS. */
static bool is_older(const struct view *v, int64_t since_ns)
{
	const char *end = v->p + v->len;
	int64_t time = 0;

	while (end > v->p && end[-1] != '\n')
		end--;
	if (end == v->p)
		return false;
	return entry_time(entry_start(v, end), end, &time) == 0 && time < since_ns;
}

int log_files_seek_since(const struct log_files *files, int64_t since_ns, struct log_position *ret)
{
	*ret = (struct log_position){};
	for (size_t i = 0; i < files->n; i++) {
		struct view v = {};
		int rc = view_open(&v, files->fds[i]);
		bool skipped = false;

		if (rc < 0)
			return rc;
		skipped = v.len > 0 && i + 1 < files->n && is_older(&v, since_ns);
		ret->index = i;
		ret->offset = skipped || v.len == 0 ? 0 : bisect(&v, since_ns);
		view_close(&v);
		if (!skipped)
			return 0;
	}
	return 0;
}
