/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log reader. It holds one part of the log by descriptor and reads it to its end; when the part
 * turns out to have been renamed, it is read to its end once more (it is final then) and the next
 * one is taken. While following it sleeps in poll(2) on inotify(7) watches of the log's directory
 * and of the container's, where the exit is recorded.
 */
#include "monitor/log_reader.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "monitor/log_files.h"
#include "monitor/log_writer.h"
#include "sys/path.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Longer than any entry that a writer makes; a longer line is garbage and skipped. */
#define BUF_CAP	   (256 * 1024)
#define NS_PER_S   1000000000LL
#define RECHECK_MS 1000
#define STAMP_LEN  64
/* What inotify is to tell about the log directory and the container's. */
#define LOG_EVENTS   (IN_MODIFY | IN_CREATE | IN_MOVED_TO)
#define OWNER_EVENTS (IN_CREATE | IN_MOVED_TO)

struct reader {
	const struct log_read *ask;
	int container_fd;
	struct log_files files;
	size_t index; /* of the listed part being read */
	int fd;	      /* owned: the part being read; -1 before the first */
	uint8_t *buf; /* owned, BUF_CAP */
	size_t len;
	bool skipping; /* inside a line too long to be ours */
	bool is_done;  /* until_ns was passed */
	bool in_line[N_LOG_STREAMS];
	int inotify_fd;
	bool is_log_watched;
};

static void reader_done(struct reader *r)
{
	log_files_close(&r->files);
	fd_cleanup_close(&r->fd);
	fd_cleanup_close(&r->inotify_fd);
	free(r->buf);
}

/* RFC 3339 with all nine digits, as docker prints it. */
static size_t format_stamp(int64_t ns, char buf[static STAMP_LEN])
{
	char text[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(ns - (ns % NS_PER_S + NS_PER_S) % NS_PER_S, text);
	text[strlen(text) - 1] = '\0';
	return (size_t)snprintf(buf, STAMP_LEN, "%s.%09lldZ ", text,
				(long long)((ns % NS_PER_S + NS_PER_S) % NS_PER_S));
}

static int emit_entry(struct reader *r, const struct log_entry *e)
{
	const struct log_read *ask = r->ask;
	bool is_new_line = !r->in_line[e->stream];
	char stamp[STAMP_LEN];
	int rc = 0;

	if (ask->since_ns && e->time_ns < ask->since_ns)
		return 0;
	if (ask->until_ns && e->time_ns > ask->until_ns) {
		r->is_done = true;
		return 0;
	}
	r->in_line[e->stream] = e->len == 0 || e->text[e->len - 1] != '\n';
	if (ask->timestamps && is_new_line)
		rc = ask->emit(ask->ctx, e->stream, stamp, format_stamp(e->time_ns, stamp));
	if (rc >= 0 && e->len > 0)
		rc = ask->emit(ask->ctx, e->stream, e->text, e->len);
	return rc < 0 ? rc : 0;
}

/* Handles every complete line in the buffer and keeps the rest. */
static int handle_lines(struct reader *r)
{
	uint8_t *p = r->buf;
	uint8_t *end = r->buf + r->len;
	int rc = 0;

	while (rc == 0 && !r->is_done) {
		uint8_t *nl = memchr(p, '\n', (size_t)(end - p));
		struct log_entry e;

		if (!nl)
			break;
		/* A line that is no entry is damage: what is around it still counts. */
		if (!r->skipping && log_entry_parse(p, (size_t)(nl - p), &e) == 0)
			rc = emit_entry(r, &e);
		r->skipping = false;
		p = nl + 1;
	}
	r->len = (size_t)(end - p);
	memmove(r->buf, p, r->len);
	if (r->len == BUF_CAP) {
		r->skipping = true;
		r->len = 0;
	}
	return rc;
}

/* Reads the current part to its end. */
static int read_part(struct reader *r, struct err *err)
{
	while (!r->is_done) {
		ssize_t n = read(r->fd, r->buf + r->len, BUF_CAP - r->len);
		int rc = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read log");
		if (n == 0)
			return 0;
		r->len += (size_t)n;
		rc = handle_lines(r);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Takes the part after the current one; 1, or 0 when there is none. */
static int next_part(struct reader *r)
{
	int fd = -1;

	if (r->fd < 0 || r->index + 1 < r->files.n) {
		size_t i = r->fd < 0 ? r->index : r->index + 1;

		if (i >= r->files.n)
			return 0;
		fd = take_fd(r->files.fds[i]);
		r->index = i;
	} else {
		if (!r->ask->follow || !log_files_is_rotated(&r->files, r->fd))
			return 0;
		fd = log_files_open_next(&r->files, r->fd);
		if (fd < 0)
			return 0;
	}
	fd_cleanup_close(&r->fd);
	r->fd = fd;
	r->len = 0;
	r->skipping = false;
	return 1;
}

/* Reads all there is now. */
static int read_all_parts(struct reader *r, struct err *err)
{
	for (;;) {
		bool is_final = false;
		int rc = 0;

		if (r->fd < 0 && next_part(r) == 0)
			return 0;
		/* Asked before reading: a part renamed by now is final when it has been read. */
		is_final = r->index + 1 < r->files.n || log_files_is_rotated(&r->files, r->fd);
		rc = read_part(r, err);
		if (rc < 0 || r->is_done)
			return rc;
		if (!is_final && !log_files_is_rotated(&r->files, r->fd))
			return 0;
		if (!is_final)
			continue;
		if (next_part(r) == 0)
			return 0;
	}
}

/* Lists the parts and finds the place to begin. */
static int open_parts(struct reader *r, struct err *err)
{
	struct log_position tail = {};
	struct log_position since = {};
	struct log_position at;
	int rc = log_files_open(&r->files, r->container_fd);

	if (rc == 0 && r->ask->tail >= 0)
		rc = log_files_seek_tail(&r->files, (uint64_t)r->ask->tail, &tail);
	if (rc == 0 && r->ask->since_ns)
		rc = log_files_seek_since(&r->files, r->ask->since_ns, &since);
	if (rc < 0)
		return err_sys(err, -rc, "open log");
	at = tail;
	if (since.index > at.index || (since.index == at.index && since.offset > at.offset))
		at = since;
	r->index = at.index;
	if (at.index < r->files.n && lseek(r->files.fds[at.index], (off_t)at.offset, SEEK_SET) < 0)
		return err_sys(err, errno, "seek in log");
	return 0;
}

static int watch(struct reader *r, int fd, uint32_t events)
{
	char path[PATH_FD_LEN];

	return inotify_add_watch(r->inotify_fd, path_of_fd(fd, path), events) < 0 ? -errno : 0;
}

/* Watches what exists by now, the log directory from its first appearance on. */
static void watch_log(struct reader *r, struct err *err)
{
	if (r->is_log_watched)
		return;
	if (r->files.dir_fd < 0 && open_parts(r, err) < 0)
		return;
	if (r->files.dir_fd >= 0)
		r->is_log_watched = watch(r, r->files.dir_fd, LOG_EVENTS) == 0;
}

/* A list made before the first file existed is made again. */
static void relist_when_empty(struct reader *r, struct err *err)
{
	if (r->fd >= 0 || r->files.n > 0 || r->files.dir_fd < 0)
		return;
	log_files_close(&r->files);
	open_parts(r, err);
}

static int wait_milliseconds(const struct reader *r)
{
	int64_t left = 0;

	if (!r->ask->until_ns)
		return RECHECK_MS;
	left = (r->ask->until_ns - clock_real_ns()) / 1000000 + 1;
	return left < RECHECK_MS ? (int)(left > 0 ? left : 0) : RECHECK_MS;
}

static void wait_for_change(struct reader *r)
{
	struct pollfd p = {.fd = r->inotify_fd, .events = POLLIN};
	char events[4096] __attribute__((aligned(8)));

	if (poll(&p, 1, wait_milliseconds(r)) > 0 &&
	    read(r->inotify_fd, events, sizeof(events)) < 0)
		return;
}

static int follow(struct reader *r, struct err *err)
{
	r->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (r->inotify_fd < 0)
		return err_sys(err, errno, "follow log");
	if (watch(r, r->container_fd, OWNER_EVENTS) < 0)
		return err_sys(err, errno, "follow log");
	for (;;) {
		/* In this order: what is in the log once the container is over is all there will
		 * be. */
		bool is_over = r->ask->is_over && r->ask->is_over(r->ask->ctx);
		int rc = 0;

		if (r->ask->until_ns && clock_real_ns() > r->ask->until_ns)
			is_over = true;
		watch_log(r, err);
		relist_when_empty(r, err);
		rc = read_all_parts(r, err);
		if (rc < 0 || is_over || r->is_done)
			return rc;
		wait_for_change(r);
	}
}

int log_read_run(const struct log_read *read, int container_dir_fd, struct err *err)
{
	struct reader r __attribute__((cleanup(reader_done))) = {
		.ask = read,
		.container_fd = container_dir_fd,
		.files = LOG_FILES_INIT,
		.fd = -1,
		.inotify_fd = -1,
		.buf = mem_alloc(BUF_CAP),
	};
	int rc = open_parts(&r, err);

	if (rc < 0)
		return rc;
	return read->follow ? follow(&r, err) : read_all_parts(&r, err);
}
