/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log reader. It reads the oldest part that it holds to its end. When a newer one is there by
 * then, the part was complete before, and the next one is taken. While following it sleeps in
 * poll(2) on inotify(7) watches of the log's directory and of the container's, where the exit is
 * recorded. A compressed part is read through a helper that decompresses it into a pipe.
 */
#include "monitor/log_reader.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/log_parts.h"
#include "monitor/log_seek.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than any entry that a writer makes; a longer line is garbage and skipped. */
#define BUF_CAP	   (256 * 1024)
#define RECHECK_MS 1000
#define STAMP_LEN  64
/* What inotify is to tell about the log directory and the container's. */
#define LOG_EVENTS   (IN_MODIFY | IN_CREATE | IN_MOVED_TO)
#define OWNER_EVENTS (IN_CREATE | IN_MOVED_TO)

struct log_reader {
	const struct log_read *ask;
	int container_fd;
	struct log_parts parts; /* the first one is being read */
	struct log_position at; /* what of it is still to be passed over */
	int pipe_fd;		/* owned: the decompressed part; -1 for a plain one */
	pid_t unpacker;		/* writes it; 0: none */
	uint8_t *buf;		/* owned, BUF_CAP */
	size_t len;
	bool skipping; /* inside a line too long to be ours */
	bool is_done;  /* until_ns was passed */
	bool is_open;  /* the place to begin was found */
	bool in_line[N_LOG_STREAMS];
	struct str attrs, details; /* the last attributes, and how they are shown */
	int inotify_fd;
	int owner_watch;
	bool is_log_watched;
	bool has_owner_changed; /* since is_over was asked */
};

static void end_unpacker(struct log_reader *r)
{
	fd_cleanup_close(&r->pipe_fd);
	if (r->unpacker > 0)
		waitpid(r->unpacker, NULL, 0);
	r->unpacker = 0;
}

static void reader_done(struct log_reader *r)
{
	end_unpacker(r);
	log_parts_close(&r->parts);
	fd_cleanup_close(&r->inotify_fd);
	str_done(&r->attrs);
	str_done(&r->details);
	free(r->buf);
}

/* ---- entries ---- */

/* RFC 3339 with all nine digits, as docker prints it. */
static size_t format_stamp(int64_t ns, char buf[static STAMP_LEN])
{
	int64_t fraction = (ns % CLOCK_NS_PER_S + CLOCK_NS_PER_S) % CLOCK_NS_PER_S;
	char text[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(ns - fraction, text);
	text[strlen(text) - 1] = '\0';
	return (size_t)snprintf(buf, STAMP_LEN, "%s.%09lldZ ", text, (long long)fraction);
}

static int emit(struct log_reader *r, const struct log_entry *e, const void *p, size_t len)
{
	return r->ask->emit(r->ask->ctx, r, e->stream, p, len);
}

/* What stands before a line. */
static int emit_head(struct log_reader *r, const struct log_entry *e, int64_t time_ns)
{
	char stamp[STAMP_LEN];
	int rc = 0;

	if (r->ask->timestamps)
		rc = emit(r, e, stamp, format_stamp(time_ns, stamp));
	if (rc < 0 || !r->ask->details)
		return rc;
	/* Nearly always the same for all of a log. */
	if (e->attrs_len != r->attrs.len ||
	    (e->attrs && memcmp(e->attrs, str_get(&r->attrs), e->attrs_len) != 0)) {
		str_truncate(&r->attrs, 0);
		str_truncate(&r->details, 0);
		if (e->attrs)
			str_add_bytes(&r->attrs, e->attrs, e->attrs_len);
		/* Damage: shown as none. */
		if (e->attrs && log_entry_details(e->attrs, e->attrs_len, &r->details) < 0)
			str_truncate(&r->details, 0);
	}
	if (r->details.len > 0)
		rc = emit(r, e, r->details.buf, r->details.len);
	return rc < 0 ? rc : emit(r, e, " ", 1);
}

static int emit_entry(struct log_reader *r, const struct log_entry *e)
{
	const struct log_read *ask = r->ask;
	bool is_new_line = !r->in_line[e->stream];
	int64_t time_ns = 0;
	int rc = 0;

	/* The time is read only where it matters. */
	if ((ask->since_ns || ask->until_ns || ask->timestamps) && log_entry_time(e, &time_ns) < 0)
		return 0;
	if (ask->since_ns && time_ns < ask->since_ns)
		return 0;
	if (ask->until_ns && time_ns > ask->until_ns) {
		r->is_done = true;
		return 0;
	}
	r->in_line[e->stream] = e->len == 0 || e->text[e->len - 1] != '\n';
	if (is_new_line && (ask->timestamps || ask->details))
		rc = emit_head(r, e, time_ns);
	if (rc >= 0 && e->len > 0)
		rc = emit(r, e, e->text, e->len);
	return rc < 0 ? rc : 0;
}

/* One line of the file without its newline. One that is no entry is damage: what is around it still
 * counts. */
static int handle_line(struct log_reader *r, uint8_t *p, size_t len)
{
	struct log_entry e;

	if (r->skipping) {
		r->skipping = false;
		return 0;
	}
	if (log_entry_parse(p, len, &e) < 0)
		return 0;
	if (r->at.skip_lines > 0) {
		r->at.skip_lines -= e.len > 0 && e.text[e.len - 1] == '\n';
		return 0;
	}
	return emit_entry(r, &e);
}

/* Handles every complete line in the buffer and keeps the rest. */
static int handle_lines(struct log_reader *r)
{
	uint8_t *p = r->buf;
	uint8_t *end = r->buf + r->len;
	int rc = 0;

	while (rc == 0 && !r->is_done) {
		uint8_t *nl = memchr(p, '\n', (size_t)(end - p));

		if (!nl)
			break;
		rc = handle_line(r, p, (size_t)(nl - p));
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

/* ---- parts ---- */

/* Has the part decompressed into pipe_fd. */
static int start_unpacker(struct log_reader *r, int fd, struct err *err)
{
	char *argv[] = {(char *)(uintptr_t)r->ask->unpacker, (char[]){"cat"}, NULL};
	posix_spawn_file_actions_t actions;
	int fds[2];
	int rc = 0;

	if (!r->ask->unpacker)
		return err_set(err, ERR_UNSUPPORTED, "no program to decompress the log");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "create a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	rc = posix_spawn(&r->unpacker, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	r->pipe_fd = fds[0];
	if (rc == 0)
		return 0;
	r->unpacker = 0;
	err_sys(err, rc, "start %s", r->ask->unpacker);
	return err_hint(err, "is tare installed completely?");
}

/* What the oldest part is read from. */
static int part_fd(struct log_reader *r, struct err *err)
{
	const struct log_part *part = &r->parts.items[0];
	int rc = 0;

	if (!part->is_gz)
		return part->fd;
	if (r->pipe_fd < 0)
		rc = start_unpacker(r, part->fd, err);
	return rc < 0 ? rc : r->pipe_fd;
}

/* Who writes the log: asked while it lives, when it has ended nobody knows any more. */
static void ask_writer(struct log_reader *r)
{
	if (r->ask->writer && r->parts.writer == 0)
		r->parts.writer = r->ask->writer(r->ask->ctx);
}

/* Looks for new parts; what cannot be opened now is tried again when something was read. */
static int extend(struct log_reader *r, struct err *err)
{
	size_t n = r->parts.n;
	int rc = log_parts_extend(&r->parts);

	if (r->parts.n != n)
		ask_writer(r);
	return rc == 0 || rc == -EMFILE || rc == -ENOENT ? 0 : err_sys(err, -rc, "open log");
}

/* Reads the oldest part to its end. */
static int read_part(struct log_reader *r, struct err *err)
{
	int fd = part_fd(r, err);

	if (fd < 0)
		return fd;
	while (!r->is_done) {
		ssize_t n = read(fd, r->buf + r->len, BUF_CAP - r->len);
		int rc = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read log");
		if (n == 0)
			return 0;
		r->len += (size_t)n;
		rc = handle_lines(r);
		if (rc == 0 && r->ask->follow)
			rc = extend(r, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void next_part(struct log_reader *r)
{
	end_unpacker(r);
	log_parts_drop_first(&r->parts);
	if (r->parts.has_gap && r->ask->lost)
		r->ask->lost(r->ask->ctx);
	r->parts.has_gap = false;
	r->len = 0;
	r->skipping = false;
	r->at.skip_lines = 0;
}

/* Reads all there is now. */
static int read_all_parts(struct log_reader *r, struct err *err)
{
	for (;;) {
		bool is_complete = false;
		int rc = r->ask->follow ? extend(r, err) : 0;

		if (rc < 0 || r->parts.n == 0)
			return rc;
		/* Asked before reading: what is complete by now is read whole. */
		is_complete = r->parts.n > 1;
		rc = read_part(r, err);
		if (rc < 0 || r->is_done)
			return rc;
		if (is_complete)
			next_part(r);
		else if (r->parts.n == 1)
			return 0;
	}
}

/* ---- the beginning ---- */

/* The later one of two positions. */
static struct log_position later(const struct log_position *a, const struct log_position *b)
{
	if (a->index != b->index)
		return a->index > b->index ? *a : *b;
	return a->offset > b->offset || a->skip_lines > b->skip_lines ? *a : *b;
}

/* Lists the parts and finds the place to begin. */
static int open_parts(struct log_reader *r, struct err *err)
{
	struct log_position tail = {};
	struct log_position since = {};
	int rc = log_parts_open(&r->parts, r->container_fd, r->ask->follow);

	if (rc == 0 && r->ask->tail >= 0)
		rc = log_seek_tail(&r->parts, (uint64_t)r->ask->tail, &tail);
	if (rc == 0 && r->ask->since_ns)
		rc = log_seek_since(&r->parts, r->ask->since_ns, &since);
	if (rc < 0)
		return err_sys(err, -rc, "open log");
	ask_writer(r);
	r->is_open = r->parts.n > 0;
	r->at = later(&tail, &since);
	for (size_t i = 0; i < r->at.index; i++)
		log_parts_drop_first(&r->parts);
	if (r->parts.n > 0 && !r->parts.items[0].is_gz &&
	    lseek(r->parts.items[0].fd, (off_t)r->at.offset, SEEK_SET) < 0)
		return err_sys(err, errno, "seek in log");
	return 0;
}

/* ---- following ---- */

static int watch(struct log_reader *r, int fd, uint32_t events)
{
	char path[PATH_FD_LEN];
	int wd = inotify_add_watch(r->inotify_fd, path_of_fd(fd, path), events);

	return wd < 0 ? -errno : wd;
}

/* Watches what exists by now, the log directory from its first appearance on. A list made before
 * the first file existed is made again. */
static int watch_log(struct log_reader *r, struct err *err)
{
	int rc = 0;

	if (!r->is_log_watched && r->parts.dir_fd >= 0)
		r->is_log_watched = watch(r, r->parts.dir_fd, LOG_EVENTS) >= 0;
	if (r->is_open)
		return 0;
	/* There was nothing: all that comes is read from its beginning. */
	if (r->parts.is_new) {
		ask_writer(r);
		rc = extend(r, err);
		r->is_open = r->parts.n > 0;
		return rc;
	}
	log_parts_close(&r->parts);
	rc = open_parts(r, err);
	if (!r->is_log_watched && r->parts.dir_fd >= 0)
		r->is_log_watched = watch(r, r->parts.dir_fd, LOG_EVENTS) >= 0;
	return rc;
}

static int wait_milliseconds(const struct log_reader *r)
{
	int64_t left = 0;

	if (!r->ask->until_ns)
		return RECHECK_MS;
	left = (r->ask->until_ns - clock_real_ns()) / 1000000 + 1;
	return left < RECHECK_MS ? (int)(left > 0 ? left : 0) : RECHECK_MS;
}

/* Takes what inotify has to tell. Names do not matter, but whose directory it was does. */
static void take_events(struct log_reader *r)
{
	char events[4096] __attribute__((aligned(8)));
	ssize_t n = read(r->inotify_fd, events, sizeof(events));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(events + at);

		r->has_owner_changed |= e->wd == r->owner_watch || e->mask & IN_Q_OVERFLOW;
		at += (ssize_t)(sizeof(*e) + e->len);
	}
}

static void wait_for_change(struct log_reader *r)
{
	struct pollfd p = {.fd = r->inotify_fd, .events = POLLIN};

	if (poll(&p, 1, wait_milliseconds(r)) > 0)
		take_events(r);
	else
		r->has_owner_changed = true;
}

int log_reader_watch_fd(const struct log_reader *reader)
{
	return reader->inotify_fd;
}

void log_reader_hold(struct log_reader *reader)
{
	struct err ignored = ERR_INIT;

	take_events(reader);
	/* What fails here fails again where it is reported. */
	extend(reader, &ignored);
}

static bool is_over(struct log_reader *r)
{
	bool is_asked = r->has_owner_changed;

	if (r->ask->until_ns && clock_real_ns() > r->ask->until_ns)
		return true;
	r->has_owner_changed = false;
	return is_asked && r->ask->is_over && r->ask->is_over(r->ask->ctx);
}

static int follow(struct log_reader *r, struct err *err)
{
	r->owner_watch = watch(r, r->container_fd, OWNER_EVENTS);
	if (r->owner_watch < 0)
		return err_sys(err, -r->owner_watch, "follow log");
	r->has_owner_changed = true;
	for (;;) {
		/* In this order: what is in the log once the container is over is all there will
		 * be. */
		bool ends = is_over(r);
		int rc = watch_log(r, err);

		/* Whatever there is to read is open now: the writer need not wait for us. */
		if (rc == 0 && ends && extend(r, err) == 0)
			log_parts_unfollow(&r->parts);
		if (rc == 0)
			rc = read_all_parts(r, err);
		if (rc == 0 && r->ask->caught_up)
			rc = r->ask->caught_up(r->ask->ctx, r);
		if (rc < 0 || ends || r->is_done)
			return rc;
		wait_for_change(r);
	}
}

int log_read_run(const struct log_read *read, int container_dir_fd, struct err *err)
{
	struct log_reader r __attribute__((cleanup(reader_done))) = {
		.ask = read,
		.container_fd = container_dir_fd,
		.parts = LOG_PARTS_INIT,
		.pipe_fd = -1,
		.inotify_fd = -1,
		.buf = mem_alloc(BUF_CAP),
	};
	int rc = 0;

	if (read->follow) {
		r.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (r.inotify_fd < 0)
			return err_sys(err, errno, "follow log");
	}
	rc = open_parts(&r, err);
	if (rc < 0)
		return rc;
	if (read->follow)
		return follow(&r, err);
	rc = read_all_parts(&r, err);
	return rc == 0 && read->caught_up ? read->caught_up(read->ctx, &r) : rc;
}
