/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs. Output is gathered and written when there is much of it, or when all that the log has by
 * now was read. Whoever takes it slowly is waited for in a way that lets the reader open what is
 * added to the log in the meantime.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/verbs.h"
#include "engine/create.h"
#include "engine/engine.h"
#include "engine/lifecycle.h"
#include "engine/state.h"
#include "monitor/log_reader.h"
#include "monitor/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_CAP (256 * 1024)

struct sink {
	struct output out;
	uint8_t *buf; /* owned, OUT_CAP */
	size_t len;
};

struct show {
	struct engine *engine;
	const char *id;
	struct sink sinks[N_LOG_STREAMS];
	int64_t started_ns; /* of the run that is followed; 0: none yet */
	bool is_one;	    /* both go to the same place, so their order matters */
};

static bool is_over(void *ctx)
{
	struct show *s = ctx;
	struct container_state state;

	container_state_read(s->engine, s->id, &state);
	if (!s->started_ns)
		s->started_ns = state.started_ns;
	/* As docker has it, it ends with the run, though another may follow. */
	return (state.status != STATUS_CREATED && state.status != STATUS_RUNNING &&
		state.status != STATUS_PAUSED) ||
	       state.started_ns != s->started_ns;
}

static pid_t writer(void *ctx)
{
	struct show *s = ctx;
	struct container_state state;

	container_state_read(s->engine, s->id, &state);
	return container_is_running(&state) ? state.monitor_pid : 0;
}

/* Waits until SINK can be written to. */
static void wait_writable(const struct sink *sink, struct log_reader *reader)
{
	struct pollfd fds[] = {
		{.fd = sink->out.fd, .events = POLLOUT},
		{.fd = log_reader_watch_fd(reader), .events = POLLIN},
	};

	if (poll(fds, ARRAY_LEN(fds), -1) > 0 && fds[1].revents)
		log_reader_hold(reader);
}

static int flush(struct sink *sink, struct log_reader *reader)
{
	for (size_t at = 0; at < sink->len;) {
		ssize_t n = output_write(&sink->out, sink->buf + at, sink->len - at);

		if (n < 0)
			return (int)n;
		at += (size_t)n;
		if (n == 0)
			wait_writable(sink, reader);
	}
	sink->len = 0;
	return 0;
}

static int flush_all(void *ctx, struct log_reader *reader)
{
	struct show *s = ctx;
	int rc = 0;

	for (int i = 0; i < N_LOG_STREAMS && rc == 0; i++)
		rc = flush(&s->sinks[i], reader);
	return rc;
}

static int emit(void *ctx, struct log_reader *reader, enum log_stream stream, const void *data,
		size_t len)
{
	struct show *s = ctx;
	struct sink *sink = &s->sinks[stream];
	struct sink *other = &s->sinks[stream == LOG_STDOUT ? LOG_STDERR : LOG_STDOUT];
	const uint8_t *p = data;
	int rc = 0;

	if (s->is_one && other->len > 0)
		rc = flush(other, reader);
	while (rc == 0 && len > 0) {
		size_t room = OUT_CAP - sink->len;
		size_t n = len < room ? len : room;

		memcpy(sink->buf + sink->len, p, n);
		sink->len += n;
		p += n;
		len -= n;
		if (sink->len == OUT_CAP)
			rc = flush(sink, reader);
	}
	return rc;
}

static void on_lost(void *ctx)
{
	fputs("tare: output may be missing here: the log was rotated faster than it was read\n",
	      stderr);
}

/* ---- options ---- */

static int parse_time(const char *name, const char *text, int64_t *ret, struct err *err)
{
	if (!text || !*text)
		return 0;
	if (clock_parse_point(text, clock_real_ns(), ret, err) < 0)
		return err_wrap(err, "invalid value for \"%s\"", name);
	return 0;
}

static int fill_request(const struct logs_options *o, struct log_read *read, struct err *err)
{
	int64_t n = 0;

	read->tail = -1;
	read->timestamps = o->timestamps;
	read->details = o->details;
	read->follow = o->follow;
	if (o->tail && num_parse_i64(o->tail, &n) == 0)
		read->tail = n;
	if (parse_time("since", o->since, &read->since_ns, err) < 0)
		return -err->code;
	return parse_time("until", o->until, &read->until_ns, err);
}

/* ---- the command ---- */

/* Who follows may hold many parts open. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool is_same_file(int a, int b)
{
	struct stat sa;
	struct stat sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino && sa.st_rdev == sb.st_rdev;
}

static void show_open(struct show *s)
{
	static const int fds[N_LOG_STREAMS] = {STDOUT_FILENO, STDERR_FILENO};

	for (int i = 0; i < N_LOG_STREAMS; i++) {
		output_open(&s->sinks[i].out, fds[i]);
		s->sinks[i].buf = mem_alloc(OUT_CAP);
	}
	s->is_one = is_same_file(STDOUT_FILENO, STDERR_FILENO);
}

static void show_done(struct show *s)
{
	for (int i = 0; i < N_LOG_STREAMS; i++) {
		output_close(&s->sinks[i].out);
		free(s->sinks[i].buf);
	}
}

static int read_logs(struct engine *engine, const char *id, const struct log_read *what,
		     struct err *err)
{
	cleanup_close int dir = engine_open_container_dir(engine, id);
	cleanup_free char *unpacker = engine_helper_path(engine, "tare-logz");
	struct show show __attribute__((cleanup(show_done))) = {.engine = engine, .id = id};
	struct log_read read = *what;
	int rc = 0;

	if (dir < 0)
		return dir == -ENOENT ? err_set(err, ERR_NOT_FOUND, "No such container: %s", id)
				      : err_sys(err, -dir, "open the log of container %.12s", id);
	show_open(&show);
	raise_files();
	read.unpacker = unpacker;
	read.is_over = is_over;
	read.writer = writer;
	read.emit = emit;
	read.caught_up = flush_all;
	read.lost = on_lost;
	read.ctx = &show;
	rc = log_read_run(&read, dir, err);
	/* Without a message: nobody is there to read it. */
	if (rc == -EPIPE && err->code == 0)
		return 1;
	return rc < 0 && err->code == 0 ? err_sys(err, -rc, "write logs") : rc;
}

static int check_readable(const struct container_made *made, struct err *err)
{
	const char *driver = oci_annotation(&made->config, OCI_NOTE_LOG);
	const char *options = oci_annotation(&made->config, OCI_NOTE_LOG_OPTIONS);
	bool is_sent = driver && (strcmp(driver, "syslog") == 0 || strcmp(driver, "journald") == 0);
	bool is_kept = !driver || strcmp(driver, "none") != 0;

	if (is_sent && options)
		is_kept = !strstr(options, "\"noCache\":true");
	return is_kept ? 0
		       : err_set(err, ERR_UNSUPPORTED,
				 "configured logging driver does not support reading");
}

int cmd_logs(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_container struct container_record record = {};
	cleanup_made struct container_made made = {.pending_fd = -1};
	struct container_state state;
	struct log_read read = {};
	int rc = engine_open(&engine, cli->root, cli->runroot, err);

	if (rc == 0)
		rc = container_find(&engine, cli->args.items[0], &record, &state, err);
	if (rc == 0)
		rc = engine_load(&engine, record.row.id, &made, err);
	if (rc == 0)
		rc = fill_request(&options->logs, &read, err);
	if (rc == 0)
		rc = check_readable(&made, err);
	return rc < 0 ? rc : read_logs(&engine, record.row.id, &read, err);
}
