/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log writer. The clock is read and its text made once per chunk, not per line; a chunk of
 * complete lines goes from the caller's buffer through the escaper into the write buffer without
 * another copy. Both buffers are mappings of their own, so that an idle monitor can give them back.
 */
#include "monitor/log_writer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_CAP	  (256 * 1024)
#define LINES_CAP (N_LOG_STREAMS * LOG_LINE_MAX)
/* The fixed parts of an entry. */
#define HEAD	 "{\"log\":\""
#define HEAD_LEN (sizeof(HEAD) - 1)
/* What follows the text, without attributes. */
#define TAIL_MAX  128
#define ENTRY_MAX (LOG_LINE_MAX * LOG_ESCAPE_MAX + HEAD_LEN + TAIL_MAX + LOG_ATTRS_MAX)

static void *map_buffer(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
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

/* The part of an entry that is the same for all of the stream's. */
static void begin_tails(struct log_writer *log)
{
	static const char *const names[N_LOG_STREAMS] = {"stdout", "stderr"};

	for (size_t i = 0; i < N_LOG_STREAMS; i++) {
		struct str *tail = &log->tail[i];

		str_addf(tail, "\",\"stream\":\"%s\"", names[i]);
		if (log->config.attrs)
			str_addf(tail, ",\"attrs\":%s", log->config.attrs);
		log->tail_len[i] = tail->len;
	}
}

int log_writer_open(struct log_writer *log, int container_dir_fd,
		    const struct log_writer_config *config)
{
	int rc = 0;

	log_writer_release(log);
	*log = (struct log_writer){.dir_fd = -1,
				   .container_dir_fd = container_dir_fd,
				   .file_fd = -1,
				   .config = *config};
	if (log->config.max_files == 0)
		log->config.max_files = 1;
	if (config->attrs && strlen(config->attrs) > LOG_ATTRS_MAX)
		return -EINVAL;
	begin_tails(log);
	log->out = map_buffer(OUT_CAP);
	log->lines = map_buffer(LINES_CAP);
	/* Directory and file are made by the first output: many short runs have none to keep. */
	rc = log->out && log->lines ? 0 : -ENOMEM;
	return rc;
}

static void remove_part(struct log_writer *log, uint64_t number)
{
	for (int gz = 0; gz <= 1; gz++) {
		char name[LOG_PART_NAME_LEN];

		unlinkat(log->dir_fd, log_part_name(name, number, gz), 0);
	}
}

static int note_highest(void *ctx, const char *name, uint64_t number, bool is_gz)
{
	uint64_t *highest = ctx;

	if (number > *highest)
		*highest = number;
	return 0;
}

/* Removes what is one too many once there is another part; also what a helper that compresses left
 * when it was killed. */
static int remove_old(void *ctx, const char *name, uint64_t number, bool is_gz)
{
	struct log_writer *log = ctx;

	if (number + log->config.max_files - 1 <= log->next_number)
		unlinkat(log->dir_fd, name, 0);
	return 0;
}

/* What parts there are is only looked for when the first one is to be added. */
static void find_next_number(struct log_writer *log)
{
	uint64_t highest = 0;

	if (log_parts_visit(log->dir_fd, note_highest, &highest) < 0)
		return;
	log->next_number = highest + 1;
	log_parts_visit(log->dir_fd, remove_old, log);
}

/* Who follows holds a shared lock of the log's directory. */
static bool is_followed(const struct log_writer *log)
{
	if (flock(log->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	flock(log->dir_fd, LOCK_UN);
	return false;
}

static void release_parts(struct log_writer *log)
{
	while (log->n_held > 0)
		fd_cleanup_close(&log->held[--log->n_held]);
}

/* Done with the current file, which is complete: kept for who follows, else closed. */
static void hold_or_close(struct log_writer *log)
{
	uint64_t max = log->config.max_size ? LOG_HELD_BYTES_MAX / log->config.max_size : 1;

	/* A single file has no numbers by which its predecessors could be found. */
	if (log->config.max_files == 1 || !is_followed(log)) {
		release_parts(log);
		fd_cleanup_close(&log->file_fd);
		return;
	}
	if (log->n_held > 0 && (log->n_held == LOG_HELD_MAX || log->n_held >= max)) {
		fd_cleanup_close(&log->held[0]);
		memmove(log->held, log->held + 1, --log->n_held * sizeof(*log->held));
	}
	log->held[log->n_held++] = take_fd(log->file_fd);
}

/* The oldest part goes, the current one becomes complete, and a new one is begun. With a single
 * file allowed it is begun anew. */
static void rotate(struct log_writer *log)
{
	unsigned max = log->config.max_files;
	char name[LOG_PART_NAME_LEN];

	if (log->next_number == 0 && max > 1)
		find_next_number(log);
	if (max == 1)
		unlinkat(log->dir_fd, LOG_FILE_NAME, 0);
	else if (log->next_number >= max)
		remove_part(log, log->next_number - max + 1);
	if (max > 1 && renameat(log->dir_fd, LOG_FILE_NAME, log->dir_fd,
				log_part_name(name, log->next_number, false)) == 0)
		log->next_number++;
	hold_or_close(log);
	/* Failing here (no descriptors, no space) is retried at the next write. */
	open_file(log);
	if (log->config.rotated)
		log->config.rotated(log->config.ctx);
}

static size_t build_entry(struct log_writer *log, enum log_stream stream, const uint8_t *text,
			  size_t len, uint8_t *to)
{
	size_t n = HEAD_LEN;

	memcpy(to, HEAD, HEAD_LEN);
	n += log_entry_escape(text, len, to + n);
	memcpy(to + n, log->tail[stream].buf, log->tail[stream].len);
	return n + log->tail[stream].len;
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
	cleanup_free uint8_t *entry = mem_alloc(sizeof(text) * LOG_ESCAPE_MAX + HEAD_LEN +
						TAIL_MAX + LOG_ATTRS_MAX);
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

	if (log->config.entry)
		log->config.entry(log->config.ctx,
				  &(struct log_line){stream, text, len, log->now_ns});
	if (log->config.has_no_file)
		return;
	if (OUT_CAP - log->out_len < ENTRY_MAX)
		flush(log);
	n = build_entry(log, stream, text, len, log->out + log->out_len);
	if (log->config.max_size > 0 && log->size + log->out_len + n > log->config.max_size &&
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
	char time[CLOCK_RFC3339_LEN];

	log->now_ns = now_ns;
	clock_format_rfc3339(now_ns, time);
	for (size_t i = 0; i < N_LOG_STREAMS; i++) {
		str_truncate(&log->tail[i], log->tail_len[i]);
		str_add(&log->tail[i], ",\"time\":\"");
		str_add(&log->tail[i], time);
		str_add(&log->tail[i], "\"}\n");
	}
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

void log_writer_add(struct log_writer *log, enum log_stream stream, const void *data, size_t len,
		    int64_t now_ns)
{
	const uint8_t *p = data;
	const uint8_t *end = p + len;

	if (!log->out || len == 0)
		return;
	/* Rotation counts what an earlier run left; failing here is seen again at the write. */
	if (log->file_fd < 0 && !log->config.has_no_file)
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
}

void log_writer_flush(struct log_writer *log)
{
	if (log->out)
		flush(log);
}

void log_writer_write(struct log_writer *log, enum log_stream stream, const void *data, size_t len,
		      int64_t now_ns)
{
	log_writer_add(log, stream, data, len, now_ns);
	log_writer_flush(log);
}

void log_writer_trim(struct log_writer *log)
{
	if (!log->out)
		return;
	if (log->n_held > 0 && !is_followed(log))
		release_parts(log);
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
	for (int i = 0; i < N_LOG_STREAMS; i++)
		str_done(&log->tail[i]);
	fd_cleanup_close(&log->file_fd);
	if (!log_writer_is_behind(log))
		log_writer_release(log);
}

bool log_writer_is_behind(const struct log_writer *log)
{
	return log->n_held > 0 && is_followed(log);
}

void log_writer_release(struct log_writer *log)
{
	release_parts(log);
	fd_cleanup_close(&log->dir_fd);
}
