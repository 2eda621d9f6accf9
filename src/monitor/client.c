/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of a monitor. Output frames go from the receive buffer straight to their descriptor;
 * while that blocks, the socket is not read, which makes the monitor wait, and with it the
 * container.
 */
#include "monitor/client.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "monitor/fanout.h"
#include "sys/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define RECEIVE_LEN (2 * (FRAME_HEADER_LEN + FRAME_PAYLOAD_MAX))

struct client {
	int socket_fd;
	struct session session;
	struct loop_source source;
	struct loop_source out_source;
	struct output outputs[2]; /* stdout, stderr */
	struct output *blocked;	  /* which of them the span below waits for */
	struct frame_span span;
	struct frame_parser parser;
	uint8_t control[sizeof(struct err)];
	uint8_t *buf; /* owned */
	const uint8_t *next;
	size_t left;
};

static int on_socket(void *data, uint32_t events);
static int on_writable(void *data, uint32_t events);

static int set_lost(struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE, "the container's monitor is gone");
}

int monitor_client_connect(int state_dir_fd, uint32_t flags, struct err *err)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char dir[PATH_FD_LEN];
	uint8_t payload[4];
	int rc = 0;

	if (fd < 0)
		return err_sys(err, errno, "create socket");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" ATTACH_SOCKET_NAME,
		 path_of_fd(state_dir_fd, dir));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		/* Refused: the socket of a monitor that was killed. */
		rc = errno == ECONNREFUSED ? ENOENT : errno;
		return err_sys(err, rc, "connect to monitor");
	}
	frame_put_u32(payload, flags);
	rc = frame_send(fd, FRAME_HELLO, payload, sizeof(payload), -1);
	if (rc == -EPIPE || rc == -ECONNRESET)
		return set_lost(err); /* just ending, or it has all the clients it takes */
	return rc < 0 ? err_sys(err, -rc, "greet monitor") : take_fd(fd);
}

/* One whole frame of at most CAP payload bytes, blocking; takes nothing beyond it. */
static int receive_frame(int fd, enum frame_type *ret_type, uint8_t *payload, size_t cap,
			 int *ret_fd, struct err *err)
{
	uint8_t header[FRAME_HEADER_LEN];
	int fds[PTY_FDS_MAX];
	ssize_t n = pty_recv_fds(fd, header, sizeof(header), fds, MSG_WAITALL);
	size_t len = 0;

	for (size_t i = 1; i < PTY_FDS_MAX; i++)
		fd_cleanup_close(&fds[i]);
	cleanup_close int passed = fds[0];

	if (n != sizeof(header))
		return set_lost(err);
	len = frame_get_u32(header + 1);
	if (len > cap)
		return err_set(err, ERR_SYSTEM, "the container's monitor speaks another protocol");
	if (fd_read_full(fd, payload, len) != (ssize_t)len)
		return set_lost(err);
	*ret_type = header[0];
	if (ret_fd)
		*ret_fd = take_fd(passed);
	return 0;
}

static int read_error(const uint8_t *payload, struct err *err)
{
	memcpy(err, payload, sizeof(*err));
	err->msg[sizeof(err->msg) - 1] = '\0';
	err->hint[sizeof(err->hint) - 1] = '\0';
	if (err->code <= ERR_NONE || err->code >= N_ERR_CODES)
		err->code = ERR_SYSTEM;
	return -err->code;
}

int monitor_client_wait_started(int socket_fd, struct monitor_started *ret, struct err *err)
{
	struct monitor_started s = {.stdin_fd = -1};
	uint8_t payload[sizeof(*err)];
	enum frame_type type = 0;
	int rc = receive_frame(socket_fd, &type, payload, sizeof(payload), &s.stdin_fd, err);

	if (rc < 0)
		return rc;
	if (type == FRAME_STARTED)
		s.pid = (pid_t)frame_get_u32(payload);
	if (type == FRAME_EXIT) {
		s.has_exited = true;
		s.exit_code = (int)frame_get_u32(payload);
		s.oom_killed = payload[4] != 0;
	}
	if (type == FRAME_STARTED || type == FRAME_EXIT) {
		*ret = s;
		return 0;
	}
	fd_cleanup_close(&s.stdin_fd);
	return type == FRAME_ERROR ? read_error(payload, err) : set_lost(err);
}

int monitor_client_wait_exit(int socket_fd, struct session_result *ret, struct err *err)
{
	for (;;) {
		uint8_t payload[sizeof(*err)];
		enum frame_type type = 0;
		int rc = receive_frame(socket_fd, &type, payload, sizeof(payload), NULL, err);

		if (rc < 0 && err->code != ERR_UNAVAILABLE)
			return rc;
		if (rc == 0 && type != FRAME_EXIT)
			continue;
		*ret = (struct session_result){.outcome = SESSION_LOST};
		if (rc == 0)
			*ret = (struct session_result){.outcome = SESSION_EXITED,
						       .exit_code = (int)frame_get_u32(payload),
						       .oom_killed = payload[4] != 0};
		err_clear(err);
		return 0;
	}
}

int monitor_client_signal(int socket_fd, int number)
{
	uint8_t payload[4];

	frame_put_u32(payload, (uint32_t)number);
	return frame_send(socket_fd, FRAME_SIGNAL, payload, sizeof(payload), -1);
}

int monitor_client_resize(int socket_fd, uint16_t rows, uint16_t columns)
{
	uint8_t payload[4];

	frame_put_u16(payload, rows);
	frame_put_u16(payload + 2, columns);
	return frame_send(socket_fd, FRAME_RESIZE, payload, sizeof(payload), -1);
}

/* One request on a connection of its own, until DONE. */
static int request(int state_dir_fd, enum frame_type frame, const void *payload, size_t len,
		   struct err *err)
{
	cleanup_close int fd = monitor_client_connect(state_dir_fd, 0, err);
	struct monitor_started started = {};
	enum frame_type type = 0;
	uint8_t answer[sizeof(*err)];
	int rc = 0;

	if (fd < 0)
		return fd;
	rc = monitor_client_wait_started(fd, &started, err);
	if (rc < 0)
		return rc;
	if (!started.has_exited && frame_send(fd, frame, payload, len, -1) == 0)
		rc = receive_frame(fd, &type, answer, sizeof(answer), NULL, err);
	if (rc == 0 && type != FRAME_DONE)
		return err_set(err, ERR_CONFLICT, "the container has ended");
	return rc;
}

int monitor_client_set_paused(int state_dir_fd, bool is_paused, struct err *err)
{
	uint8_t payload = is_paused;

	return request(state_dir_fd, FRAME_PAUSED, &payload, sizeof(payload), err);
}

int monitor_client_set_stopping(int state_dir_fd, unsigned marks, struct err *err)
{
	uint8_t payload = (uint8_t)marks;

	return request(state_dir_fd, FRAME_STOPPING, &payload, sizeof(payload), err);
}

int monitor_client_set_restart(int state_dir_fd, enum restart_policy policy, uint32_t max,
			       struct err *err)
{
	uint8_t payload[FRAME_POLICY_LEN] = {(uint8_t)policy};

	frame_put_u32(payload + 1, max);
	return request(state_dir_fd, FRAME_POLICY, payload, sizeof(payload), err);
}

int monitor_client_open(int state_dir_fd, struct err *err)
{
	cleanup_close int fd = monitor_client_connect(state_dir_fd, 0, err);
	struct monitor_started started = {};
	int rc = fd < 0 ? fd : monitor_client_wait_started(fd, &started, err);

	if (rc < 0)
		return rc;
	return started.has_exited ? err_set(err, ERR_CONFLICT, "the container has ended")
				  : take_fd(fd);
}

/* Sends KIND and PAYLOAD, and reads the answer. */
static int send_companion(int fd, enum frame_type frame, enum companion_kind kind,
			  const struct iovec *payload, const int *fds, size_t n, struct err *err)
{
	static const char what[] = "hand descriptors to the container's monitor";
	uint8_t bytes[FRAME_REQUEST_MAX] = {(uint8_t)kind};
	uint8_t answer[sizeof(*err)];
	enum frame_type type = 0;
	int rc = 0;

	if (payload->iov_len > COMPANION_PAYLOAD_MAX)
		return err_sys(err, EMSGSIZE, "%s", what);
	memcpy(bytes + 1, payload->iov_base, payload->iov_len);
	rc = frame_send_fds(fd, frame, bytes, 1 + payload->iov_len, fds, n);
	if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
		return err_sys(err, -rc, "%s", what);
	rc = receive_frame(fd, &type, answer, sizeof(answer), NULL, err);
	if (rc < 0 || type == FRAME_DONE)
		return rc;
	if (type != FRAME_REFUSED)
		return err_set(err, ERR_CONFLICT, "the container has ended");
	rc = (int)frame_get_u32(answer);
	return rc == ENOENT ? err_set(err, ERR_NOT_FOUND, "the container's monitor has none")
			    : err_sys(err, rc, "%s", what);
}

int monitor_client_adopt(int socket_fd, enum companion_kind kind, const void *payload, size_t len,
			 const int *fds, size_t n, struct err *err)
{
	const struct iovec bytes = {.iov_base = (void *)(uintptr_t)payload, .iov_len = len};

	return send_companion(socket_fd, FRAME_ADOPT, kind, &bytes, fds, n, err);
}

int monitor_client_release(int socket_fd, enum companion_kind kind, const void *key, size_t len,
			   struct err *err)
{
	const struct iovec bytes = {.iov_base = (void *)(uintptr_t)key, .iov_len = len};

	return send_companion(socket_fd, FRAME_RELEASE, kind, &bytes, NULL, 0, err);
}

static void signal_monitor(void *ctx, int number)
{
	struct client *c = ctx;

	monitor_client_signal(c->socket_fd, number);
}

static void resize_monitor(void *ctx, uint16_t rows, uint16_t columns)
{
	struct client *c = ctx;

	monitor_client_resize(c->socket_fd, rows, columns);
}

static void end_input(void *ctx, enum pump_end how)
{
	struct client *c = ctx;

	frame_send(c->socket_fd, FRAME_STDIN_EOF, NULL, 0, -1);
}

static const struct session_ops ops = {
	.signal = signal_monitor,
	.resize = resize_monitor,
	.input_end = end_input,
};

/* Writes the rest of the span at hand: 1 done, 0 blocked, -errno. */
static int write_span(struct client *c, struct output *out)
{
	while (c->span.len > 0) {
		ssize_t n = output_write(out, c->span.data, c->span.len);

		if (n <= 0)
			return (int)n;
		c->span.data += n;
		c->span.len -= (size_t)n;
	}
	return 1;
}

/* Output: 1 written, 0 blocked (the socket is out of the loop then), -errno. */
static int handle_output(struct client *c, struct output *out)
{
	struct session *s = &c->session;
	int rc = output_is_open(out) ? write_span(c, out) : 1;

	if (rc == 0) {
		loop_remove(&s->loop, &c->source);
		c->blocked = out;
		rc = loop_has(&c->out_source) ? 0
					      : loop_add(&s->loop, &c->out_source, out->fd,
							 EPOLLOUT, on_writable, c);
		return rc;
	}
	if (rc < 0)
		session_finish(s, SESSION_BROKEN_PIPE);
	return rc < 0 ? 0 : 1;
}

/* 1: go on; 0: stop reading for now. */
static int handle_frame(struct client *c)
{
	struct session *s = &c->session;

	switch (c->span.type) {
	case FRAME_STDOUT:
		return handle_output(c, &c->outputs[0]);
	case FRAME_STDERR:
		return handle_output(c, &c->outputs[1]);
	case FRAME_STDIN_EOF:
		pump_stop(&s->input);
		return 1;
	case FRAME_EXIT:
		s->result.exit_code = (int)frame_get_u32(c->span.data);
		s->result.oom_killed = c->span.data[4] != 0;
		session_finish(s, SESSION_EXITED);
		return 0;
	default:
		return 1;
	}
}

static int handle_received(struct client *c)
{
	for (;;) {
		int rc = frame_parser_next(&c->parser, &c->next, &c->left, &c->span);

		if (rc < 0)
			session_finish(&c->session, SESSION_LOST);
		if (rc <= 0)
			return 0;
		rc = handle_frame(c);
		if (rc <= 0)
			return rc;
	}
}

static int on_socket(void *data, uint32_t events)
{
	struct client *c = data;
	ssize_t n = recv(c->socket_fd, c->buf, RECEIVE_LEN, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		session_finish(&c->session, SESSION_LOST);
		return 0;
	}
	c->next = c->buf;
	c->left = (size_t)n;
	return handle_received(c);
}

static int on_writable(void *data, uint32_t events)
{
	struct client *c = data;
	struct loop *loop = &c->session.loop;
	int rc = handle_output(c, c->blocked);

	if (rc <= 0)
		return rc;
	loop_remove(loop, &c->out_source);
	rc = loop_add(loop, &c->source, c->socket_fd, EPOLLIN, on_socket, c);
	return rc < 0 ? rc : handle_received(c);
}

static void client_done(struct client *c)
{
	session_close(&c->session);
	output_close(&c->outputs[0]);
	output_close(&c->outputs[1]);
	free(c->buf);
}

static int start_streams(struct client *c, int *stdin_fd, struct err *err)
{
	const struct session_config *config = c->session.config;
	int rc = 0;

	if (config->out_fd >= 0)
		output_open(&c->outputs[0], config->out_fd);
	if (config->err_fd >= 0)
		output_open(&c->outputs[1], config->err_fd);
	if (config->in_fd >= 0 && *stdin_fd >= 0)
		rc = session_start_input(&c->session, take_fd(*stdin_fd));
	if (rc == 0)
		rc = loop_add(&c->session.loop, &c->source, c->socket_fd, EPOLLIN, on_socket, c);
	return rc < 0 ? err_sys(err, -rc, "relay streams") : 0;
}

int monitor_client_run(int socket_fd, int stdin_fd, const struct session_config *config,
		       struct session_result *ret, struct err *err)
{
	cleanup_close int input = stdin_fd;
	struct client c __attribute__((cleanup(client_done))) = {
		.socket_fd = socket_fd,
		.session = SESSION_INIT,
		.source = LOOP_SOURCE_INIT,
		.out_source = LOOP_SOURCE_INIT,
		.outputs = {OUTPUT_INIT, OUTPUT_INIT},
		.buf = mem_alloc(RECEIVE_LEN),
	};
	int rc = 0;

	frame_parser_init(&c.parser, c.control, sizeof(c.control));
	rc = session_open(&c.session, config, &ops, &c, err);
	if (rc == 0)
		rc = start_streams(&c, &input, err);
	if (rc == 0)
		rc = session_run(&c.session, err);
	if (rc == 0)
		*ret = c.session.result;
	return rc;
}
