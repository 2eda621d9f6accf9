/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor does while its container runs, and how it ends.
 *
 * Reading stops while some client has not yet been sent all of the last frame: then the pipe fills
 * and the container waits, as it would in a shell pipeline. After the exit nobody can add to the
 * output any more (the kernel kills a pid namespace with its init; finish kills what shared
 * another), so what the pipes still hold is read at once into the queue, the exit is put on record
 * without waiting for any client, and slow clients get the rest at their own pace.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "monitor/health.h"
#include "monitor/monitor_private.h"
#include "monitor/report.h"
#include "monitor/state.h"
#include "sys/process.h"
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Buffers are given back after this long without output: one wake-up, then none. */
#define IDLE_NS 500000000ULL
/* Full frames that are read at once. */
#define BURST 4
/* The pipe of an output that was found full; what an unprivileged user may have, too. */
#define BUSY_PIPE_LEN (1024 * 1024)
/* How long a process outside the container may keep its output open after its end. */
#define DRAIN_MS 100

static int on_stream(void *data, uint32_t events);

static void stream_close(struct monitor_stream *s)
{
	loop_remove(&s->monitor->loop, &s->source);
	fd_cleanup_close(&s->fd);
}

/* A source that is only muted would still report a hang-up, so a stream that is not to be read is
 * taken out of the loop. */
static void set_reading(struct monitor *m, bool on)
{
	for (int i = 0; i < N_LOG_STREAMS; i++) {
		struct monitor_stream *s = &m->streams[i];

		if (s->fd < 0 || on == loop_has(&s->source))
			continue;
		if (!on)
			loop_remove(&m->loop, &s->source);
		else if (loop_add(&m->loop, &s->source, s->fd, EPOLLIN, on_stream, s) < 0)
			fd_cleanup_close(&s->fd);
	}
}

/* Reads one frame's worth and passes it on. Bytes read, 0 at the end, -EAGAIN when there is nothing
 * now, -ENOBUFS when the queue is full. */
static ssize_t stream_read(struct monitor_stream *s)
{
	struct monitor *m = s->monitor;
	uint32_t flag = s->log == LOG_STDOUT ? CLIENT_STDOUT : CLIENT_STDERR;
	uint8_t *to = fanout_reserve(&m->fanout, FRAME_PAYLOAD_MAX);
	ssize_t n = 0;

	if (!to)
		return -ENOBUFS;
	n = read(s->fd, to, FRAME_PAYLOAD_MAX);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n <= 0)
		return 0; /* a terminal ends with EIO */
	/* Who writes as fast as it can is interrupted less often by a larger pipe. Others keep
	 * theirs: it costs memory of the kernel's. */
	if (n == FRAME_PAYLOAD_MAX && !s->is_busy) {
		s->is_busy = true;
		fcntl(s->fd, F_SETPIPE_SZ, BUSY_PIPE_LEN);
	}
	log_driver_add(&m->log, s->log, to, (size_t)n, clock_real_ns());
	if (fanout_has_client(&m->fanout, flag))
		fanout_commit(&m->fanout, s->frame, (size_t)n);
	return n;
}

static int on_stream(void *data, uint32_t events)
{
	struct monitor_stream *s = data;
	struct monitor *m = s->monitor;
	ssize_t n = stream_read(s);
	bool has_read = n > 0;

	/* Who writes as fast as it can fills the log in larger pieces, which wakes its readers less
	 * often. With a client each piece waits until that has it. */
	for (int i = 1; i < BURST && n == FRAME_PAYLOAD_MAX && fanout_is_idle(&m->fanout); i++)
		n = stream_read(s);
	log_driver_flush(&m->log);
	if (n == 0)
		stream_close(s);
	if (!has_read)
		return 0;
	if (!m->is_timer_set) {
		loop_timer_set(&m->idle_timer, IDLE_NS);
		m->is_timer_set = true;
	}
	fanout_flush(&m->fanout);
	if (!fanout_is_idle(&m->fanout))
		set_reading(m, false);
	return 0;
}

static int on_idle_timer(void *data, uint32_t events)
{
	struct monitor *m = data;

	m->is_timer_set = false;
	fanout_trim(&m->fanout);
	log_driver_trim(&m->log);
	mem_trim();
	return 0;
}

static void on_all_sent(void *ctx)
{
	struct monitor *m = ctx;

	if (m->has_exited)
		loop_stop(&m->loop, 0);
	else
		set_reading(m, true);
}

/* Ends the container's standard input. Clients hold the write end too and are told to let it go. */
static void close_stdin(struct monitor *m)
{
	if (!m->config->stdin_once || m->config->tty || m->stdin_fd < 0)
		return;
	m->fanout.stdin_fd = -1;
	fd_cleanup_close(&m->stdin_fd);
	if (fanout_has_client(&m->fanout, CLIENT_STDIN) && fanout_reserve(&m->fanout, 0))
		fanout_commit(&m->fanout, FRAME_STDIN_EOF, 0);
}

static int set_paused(struct monitor *m, bool is_paused)
{
	m->is_paused = is_paused;
	health_set_paused(m, is_paused);
	if (!m->is_waiting)
		monitor_write_state(m, is_paused ? "paused" : "running");
	return 0;
}

/* A mark is on disk before the caller goes on, so that a boot knows it too. Where nothing can be
 * written, the container is stopped all the same. */
static int set_stopping(struct monitor *m, unsigned marks)
{
	int rc = 0;

	if (marks & ~(unsigned)RESTART_MARKS_ALL)
		return -EPROTO;
	m->marks |= marks;
	if (!m->is_waiting && !m->config->auto_remove)
		rc = monitor_write_started(m);
	else if (m->is_waiting && !monitor_stop_waiting(m))
		rc = monitor_exit_write(m->config->container_dir_fd, &m->last);
	if (rc < 0)
		log_failure(LOG_LEVEL_WARN, strerrordesc_np(-rc), "write down that it is stopped");
	return 0;
}

static int set_policy(struct monitor *m, const uint8_t *payload)
{
	if (payload[0] >= N_RESTART_POLICIES)
		return -EPROTO;
	m->restart = (struct restart_rule){.policy = payload[0], .max = frame_get_u32(payload + 1)};
	monitor_set_guard(m);
	return 0;
}

/* While it waits for its next run there is nothing to add to: that run makes its own. */
static int on_companion(struct monitor *m, struct fanout_client *client,
			const struct frame_span *frame)
{
	int fds[COMPANION_FDS_MAX];
	size_t n = fanout_client_take_fds(client, fds);
	uint8_t number[4];
	int rc = 0;

	if (frame->type == FRAME_ADOPT && !m->is_waiting) {
		rc = companions_adopt(&m->companions, frame->data[0], frame->data + 1,
				      frame->len - 1, fds, n);
		n = 0;
	} else if (!m->is_waiting) {
		rc = companions_release(&m->companions, frame->data[0], frame->data + 1,
					frame->len - 1);
	} else {
		rc = -EAGAIN;
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	if (rc == 0 && m->config->adopted)
		m->config->adopted(m->config->ctx, frame->data[0]);
	if (rc == 0)
		return frame_send(client->source.fd, FRAME_DONE, NULL, 0, -1);
	frame_put_u32(number, (uint32_t)-rc);
	return frame_send(client->source.fd, FRAME_REFUSED, number, sizeof(number), -1);
}

/* What is answered by DONE. A client that comes when the run has just ended is dropped: it looks
 * at the state again. */
static int on_order(struct monitor *m, struct fanout_client *client, const struct frame_span *frame)
{
	int rc = 0;

	/* The answer must not fall between two pieces of an output frame. */
	if (m->has_exited || client->flags & (CLIENT_STDOUT | CLIENT_STDERR))
		return -EPROTO;
	if (frame->type == FRAME_PAUSED)
		rc = set_paused(m, frame->data[0] != 0);
	else if (frame->type == FRAME_STOPPING)
		rc = set_stopping(m, frame->data[0]);
	else if (frame->type == FRAME_POLICY)
		rc = set_policy(m, frame->data);
	else
		return on_companion(m, client, frame);
	return rc < 0 ? rc : frame_send(client->source.fd, FRAME_DONE, NULL, 0, -1);
}

static void resize(struct monitor *m, uint16_t rows, uint16_t columns)
{
	if (!m->config->tty || m->streams[LOG_STDOUT].fd < 0)
		return;
	pty_set_size(m->streams[LOG_STDOUT].fd, rows, columns);
	monitor_report_size(m, rows, columns);
}

static int on_request(void *ctx, struct fanout_client *client, const struct frame_span *frame)
{
	struct monitor *m = ctx;
	uint32_t n = 0;

	switch (frame->type) {
	case FRAME_RESIZE:
		resize(m, frame_get_u16(frame->data), frame_get_u16(frame->data + 2));
		return 0;
	case FRAME_SIGNAL:
		n = frame_get_u32(frame->data);
		if (m->process.pid_fd >= 0 && !m->has_exited && n > 0 && n <= (uint32_t)SIGRTMAX) {
			monitor_report_signal(m, (int)n);
			process_signal(m->process.pid_fd, (int)n);
		}
		return 0;
	case FRAME_STDIN_EOF:
		if (!(client->flags & CLIENT_STDIN))
			return -EPROTO;
		close_stdin(m);
		fanout_flush(&m->fanout);
		return 0;
	case FRAME_PAUSED:
	case FRAME_STOPPING:
	case FRAME_POLICY:
	case FRAME_ADOPT:
	case FRAME_RELEASE:
		return on_order(m, client, frame);
	default:
		return -EPROTO;
	}
}

static void on_client_gone(void *ctx, uint32_t flags)
{
	/* Not flushed here: this may be called while others are being sent to. */
	if (flags & CLIENT_STDIN)
		close_stdin(ctx);
}

static const struct fanout_ops ops = {
	.request = on_request,
	.gone = on_client_gone,
	.idle = on_all_sent,
};

/* The init's status as a shell would show it: 128 + n for signal n. */
static int reap(struct monitor *m)
{
	siginfo_t info = {};

	while (waitid(P_PIDFD, (id_t)m->process.pid_fd, &info, WEXITED) < 0) {
		if (errno != EINTR)
			return 255;
	}
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static int wait_more(struct monitor *m, uint64_t deadline_ns)
{
	struct pollfd fds[N_LOG_STREAMS];
	uint64_t now = clock_mono_ns();

	for (int i = 0; i < N_LOG_STREAMS; i++)
		fds[i] = (struct pollfd){.fd = m->streams[i].fd, .events = POLLIN};
	if (now >= deadline_ns)
		return 0;
	return poll(fds, N_LOG_STREAMS, (int)((deadline_ns - now) / 1000000) + 1);
}

/* Reads both outputs to their end. Where some process outside the container keeps one open, what is
 * there is taken and the wait is bounded. */
static void drain(struct monitor *m)
{
	uint64_t deadline = clock_mono_ns() + DRAIN_MS * 1000000ULL;
	bool is_open = true;

	while (is_open) {
		bool has_read = false;

		is_open = false;
		for (int i = 0; i < N_LOG_STREAMS; i++) {
			struct monitor_stream *s = &m->streams[i];
			ssize_t n = s->fd >= 0 ? stream_read(s) : 0;

			if (n == -ENOBUFS)
				return;
			if (n == 0)
				stream_close(s);
			has_read |= n > 0;
			is_open |= s->fd >= 0;
		}
		if (is_open && !has_read && wait_more(m, deadline) <= 0)
			return;
	}
}

void monitor_tell_exit(struct monitor *m, const struct monitor_exit *exit)
{
	uint8_t *to = fanout_reserve(&m->fanout, FRAME_EXIT_LEN);

	/* Who connects now is answered by the next run. */
	if (!m->restarts)
		fanout_close_listen(&m->fanout);
	/* drain leaves room by stopping a whole frame before the end. */
	if (to) {
		frame_put_u32(to, (uint32_t)exit->code);
		to[4] = exit->oom_killed;
		fanout_commit(&m->fanout, FRAME_EXIT, FRAME_EXIT_LEN);
	}
	m->has_exited = true;
	fanout_flush(&m->fanout);
	/* Without any client there is nothing to wait for; a slow one does not hold up a restart.
	 */
	if (m->restarts || fanout_is_idle(&m->fanout))
		loop_stop(&m->loop, 0);
}

static int on_exit_event(void *data, uint32_t events)
{
	struct monitor *m = data;
	struct monitor_exit exit = {.code = reap(m), .started_ns = m->started_ns};

	exit.finished_ns = clock_real_ns();
	loop_remove(&m->loop, &m->exit);
	set_reading(m, false);
	health_end(m);
	companions_end(&m->companions);
	if (m->config->finish)
		m->config->finish(m->config->ctx, exit.code, &exit.oom_killed);
	fd_cleanup_close(&m->tty_peer_fd);
	drain(m);
	log_driver_close(&m->log, clock_real_ns());
	m->fanout.stdin_fd = -1;
	monitor_record_exit(m, &exit);
	return 0;
}

int monitor_loop(struct monitor *m)
{
	int rc = loop_timer_add(&m->loop, &m->idle_timer, on_idle_timer, m);

	if (rc == 0)
		rc = fanout_begin(&m->fanout, m->process.pid, m->stdin_fd);
	if (rc == 0)
		rc = loop_add(&m->loop, &m->exit, m->process.pid_fd, EPOLLIN, on_exit_event, m);
	if (rc == 0)
		rc = loop_timer_set(&m->idle_timer, IDLE_NS);
	if (rc < 0)
		return rc;
	m->is_timer_set = true;
	rc = health_begin(m);
	if (rc < 0)
		return rc;
	/* A starting command that is gone already does not matter. */
	if (m->client_fd >= 0)
		fanout_add(&m->fanout, take_fd(m->client_fd), m->config->client_flags);
	set_reading(m, true);
	monitor_set_guard(m);
	return loop_run(&m->loop);
}

int monitor_init_fanout(struct monitor *m)
{
	return fanout_init(&m->fanout, &m->loop, &ops, m);
}
