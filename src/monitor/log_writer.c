/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log writer. The clock is read and its text made once per chunk, not per line; a chunk of
 * complete lines goes from the caller's buffer through the escaper into the write buffer without
 * another copy. Both buffers are mappings of their own, so that an idle monitor can give them back.
 */
#include "monitor/log_writer.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_CAP	  (256 * 1024)
#define LINES_CAP (N_LOG_STREAMS * LOG_LINE_MAX)
/* The fixed parts of an entry. */
#define HEAD	 "{\"log\":\""
#define HEAD_LEN (sizeof(HEAD) - 1)
#define ENTRY_MAX \
	(LOG_LINE_MAX * LOG_ESCAPE_MAX + HEAD_LEN + sizeof(((struct log_writer *)0)->tail[0]))
#define LOG_NAME_LEN 32

static void *map_buffer(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static const char *part_name(char buf[static LOG_NAME_LEN], unsigned n)
{
	if (n == 0)
		return LOG_FILE_NAME;
	snprintf(buf, LOG_NAME_LEN, "%s.%u", LOG_FILE_NAME, n);
	return buf;
}

/* A crash in the middle of a write can leave half an entry at the end: cut it off. */
static uint64_t repair_end(int fd, uint64_t size)
{
	char block[4096];

	for (uint64_t end = size; end > 0;) {
		size_t n = end < sizeof(block) ? (size_t)end : sizeof(block);
		char *nl = NULL;

		if (pread(fd, block, n, (off_t)(end - n)) != (ssize_t)n)
			return size;
		nl = memrchr(block, '\n', n);
		end -= n;
		if (!nl && end > 0)
			continue;
		if (nl)
			end += (uint64_t)(nl - block) + 1;
		return end == size || ftruncate(fd, (off_t)end) == 0 ? end : size;
	}
	return size;
}

static int open_dir(struct log_writer *log)
{
	if (log->dir_fd >= 0)
		return 0;
	if (mkdirat(log->container_dir_fd, LOG_DIR_NAME, 0700) < 0 && errno != EEXIST)
		return -errno;
	log->dir_fd = openat(log->container_dir_fd, LOG_DIR_NAME,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return log->dir_fd < 0 ? -errno : 0;
}

static int open_file(struct log_writer *log)
{
	int rc = open_dir(log);
	struct stat st;

	if (rc < 0)
		return rc;
	cleanup_close int fd = openat(log->dir_fd, LOG_FILE_NAME,
				      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	log->size = repair_end(fd, (uint64_t)st.st_size);
	log->file_fd = take_fd(fd);
	return 0;
}

int log_writer_open(struct log_writer *log, int container_dir_fd, uint64_t max_size,
		    unsigned max_files)
{
	int rc = 0;

	*log = (struct log_writer){.dir_fd = -1,
				   .container_dir_fd = container_dir_fd,
				   .file_fd = -1,
				   .max_size = max_size,
				   .max_files = max_files > 0 ? max_files : 1};
	log->out = map_buffer(OUT_CAP);
	log->lines = map_buffer(LINES_CAP);
	/* Directory and file are made by the first output: many short runs have none to keep. */
	rc = log->out && log->lines ? 0 : -ENOMEM;
	return rc;
}

/* Renames every part one up, the oldest away, and begins a new file. With a single file allowed it
 * is begun anew. */
static void rotate(struct log_writer *log)
{
	char from[LOG_NAME_LEN];
	char to[LOG_NAME_LEN];

	if (log->max_files == 1)
		unlinkat(log->dir_fd, LOG_FILE_NAME, 0);
	for (unsigned i = log->max_files - 1; i > 0; i--)
		renameat(log->dir_fd, part_name(from, i - 1), log->dir_fd, part_name(to, i));
	fd_cleanup_close(&log->file_fd);
	/* Failing here (no descriptors, no space) is retried at the next write. */
	open_file(log);
}

static size_t build_entry(struct log_writer *log, enum log_stream stream, const uint8_t *text,
			  size_t len, uint8_t *to)
{
	size_t n = HEAD_LEN;

	memcpy(to, HEAD, HEAD_LEN);
	n += log_entry_escape(text, len, to + n);
	memcpy(to + n, log->tail[stream], log->tail_len[stream]);
	return n + log->tail_len[stream];
}

/* Writes whole entries or nothing: a short write is taken back. */
static bool write_block(struct log_writer *log, const uint8_t *p, size_t len)
{
	if (log->file_fd < 0 && open_file(log) < 0)
		return false;
	if (fd_write_full(log->file_fd, p, len) == 0) {
		log->size += len;
		return true;
	}
	if (ftruncate(log->file_fd, (off_t)log->size) < 0)
		fd_cleanup_close(&log->file_fd); /* reopening repairs the end */
	return false;
}

/* Says how much is missing, in the place where it is missing. */
static bool write_marker(struct log_writer *log)
{
	char text[96];
	uint8_t entry[sizeof(text) * LOG_ESCAPE_MAX + HEAD_LEN + sizeof(log->tail[0])];
	int len = snprintf(text, sizeof(text),
			   "tare: %llu bytes of output lost: log not writable\n",
			   (unsigned long long)log->dropped);

	if (!write_block(log, entry,
			 build_entry(log, LOG_STDERR, (uint8_t *)text, (size_t)len, entry)))
		return false;
	log->dropped = 0;
	return true;
}

static void flush(struct log_writer *log)
{
	if (log->out_len == 0)
		return;
	if ((log->dropped > 0 && !write_marker(log)) || !write_block(log, log->out, log->out_len))
		log->dropped += log->out_raw;
	log->out_len = 0;
	log->out_raw = 0;
}

static void add_entry(struct log_writer *log, enum log_stream stream, const uint8_t *text,
		      size_t len)
{
	size_t n = 0;

	if (OUT_CAP - log->out_len < ENTRY_MAX)
		flush(log);
	n = build_entry(log, stream, text, len, log->out + log->out_len);
	if (log->max_size > 0 && log->size + log->out_len + n > log->max_size &&
	    log->size + log->out_len > 0) {
		size_t at = log->out_len;

		flush(log);
		rotate(log);
		memmove(log->out, log->out + at, n);
	}
	log->out_len += n;
	log->out_raw += len;
}

static void set_time(struct log_writer *log, int64_t now_ns)
{
	static const char *const names[N_LOG_STREAMS] = {"stdout", "stderr"};
	char time[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(now_ns, time);
	for (size_t i = 0; i < N_LOG_STREAMS; i++)
		log->tail_len[i] = (size_t)snprintf(log->tail[i], sizeof(log->tail[i]),
						    "\",\"stream\":\"%s\",\"time\":\"%s\"}\n",
						    names[i], time);
}

/* Bytes of TEXT, which has no newline in its first LOG_LINE_MAX, that make up one entry: not ending
 * within a character. */
static size_t cut_long_line(const uint8_t *text)
{
	return LOG_LINE_MAX - log_entry_incomplete(text, LOG_LINE_MAX);
}

/* Completes the stream's unfinished line from TEXT; returns how much of TEXT was taken. */
static size_t finish_line(struct log_writer *log, enum log_stream stream, const uint8_t *text,
			  size_t len)
{
	uint8_t *line = log->lines + (size_t)stream * LOG_LINE_MAX;
	size_t have = log->line_len[stream];
	size_t room = LOG_LINE_MAX - have;
	size_t n = len < room ? len : room;
	const uint8_t *nl = memchr(text, '\n', n);
	size_t cut = 0;

	if (nl)
		n = (size_t)(nl - text) + 1;
	memcpy(line + have, text, n);
	have += n;
	if (nl || have == LOG_LINE_MAX) {
		cut = nl ? have : cut_long_line(line);
		add_entry(log, stream, line, cut);
		memmove(line, line + cut, have - cut);
	}
	log->line_len[stream] = have - cut;
	return n;
}

void log_writer_write(struct log_writer *log, enum log_stream stream, const void *data, size_t len,
		      int64_t now_ns)
{
	const uint8_t *p = data;
	const uint8_t *end = p + len;

	if (!log->out || len == 0)
		return;
	/* Rotation counts what an earlier run left; failing here is seen again at the write. */
	if (log->file_fd < 0)
		open_file(log);
	set_time(log, now_ns);
	while (p < end) {
		size_t left = (size_t)(end - p);
		size_t window = left < LOG_LINE_MAX ? left : LOG_LINE_MAX;
		const uint8_t *nl = log->line_len[stream] ? NULL : memchr(p, '\n', window);
		size_t n = 0;

		if (nl)
			n = (size_t)(nl - p) + 1;
		else if (log->line_len[stream] == 0 && left >= LOG_LINE_MAX)
			n = cut_long_line(p);
		if (n > 0)
			add_entry(log, stream, p, n);
		else
			n = finish_line(log, stream, p, left);
		p += n;
	}
	flush(log);
}

void log_writer_trim(struct log_writer *log)
{
	if (!log->out)
		return;
	madvise(log->out, OUT_CAP, MADV_DONTNEED);
	if (log->line_len[LOG_STDOUT] == 0 && log->line_len[LOG_STDERR] == 0)
		madvise(log->lines, LINES_CAP, MADV_DONTNEED);
}

void log_writer_close(struct log_writer *log, int64_t now_ns)
{
	if (!log->out)
		return;
	set_time(log, now_ns);
	for (int i = 0; i < N_LOG_STREAMS; i++) {
		if (log->line_len[i] > 0)
			add_entry(log, i, log->lines + (size_t)i * LOG_LINE_MAX, log->line_len[i]);
	}
	flush(log);
	munmap(log->out, OUT_CAP);
	munmap(log->lines, LINES_CAP);
	log->out = NULL;
	log->lines = NULL;
	fd_cleanup_close(&log->file_fd);
	fd_cleanup_close(&log->dir_fd);
}
