/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of relayed ports. Bytes go from socket to socket through a pipe with splice(2) and
 * are never copied into this process. A pipe is filled once and emptied before more is read, so one
 * side that does not read holds up the other, and a connection holds one pipe each way at most; one
 * that is idle has none. Ends of input are passed on one by one, errors end both sides with a
 * reset.
 */
#include "monitor/forward_private.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

/* Accepted at once, and pipes filled at once: others get their turn. */
#define BURST	 16
#define PIPE_LEN 65536
/* Descriptors or memory have run out: try again. */
#define RETRY_NS 100000000ULL

struct side {
	struct forward_connection *connection;
	struct loop_source source;
	int fd; /* owned */
};

/* One direction. */
struct half {
	int pipe[2];	/* owned; -1: none */
	size_t n;	/* bytes in it */
	bool has_ended; /* all was read */
	bool is_shut;	/* and the other side told so */
};

struct forward_connection {
	struct forward_connection *next, *prev;
	struct forward_listener *listener;
	struct side client, server;
	struct half up, down; /* to the container, and back */
	bool is_connecting;
};

static int on_side(void *data, uint32_t events);
static int on_listen(void *data, uint32_t events);

/* ---- pipes ---- */

static int take_pipe(struct forward *f, int ret[2])
{
	if (f->n_pipes > 0) {
		f->n_pipes--;
		ret[0] = f->pipes[f->n_pipes][0];
		ret[1] = f->pipes[f->n_pipes][1];
		return 0;
	}
	if (pipe2(ret, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (ret[1] < f->pipe_fd_max)
		return 0;
	fd_cleanup_close(&ret[0]);
	fd_cleanup_close(&ret[1]);
	return -EMFILE;
}

static void give_pipe(struct forward *f, struct half *half)
{
	if (half->pipe[0] < 0)
		return;
	if (half->n == 0 && f->n_pipes < FORWARD_PIPES_KEPT) {
		f->pipes[f->n_pipes][0] = take_fd(half->pipe[0]);
		f->pipes[f->n_pipes++][1] = take_fd(half->pipe[1]);
		return;
	}
	fd_cleanup_close(&half->pipe[0]);
	fd_cleanup_close(&half->pipe[1]);
}

void forward_tcp_trim(struct forward *f)
{
	while (f->n_pipes > 0) {
		f->n_pipes--;
		close(f->pipes[f->n_pipes][0]);
		close(f->pipes[f->n_pipes][1]);
	}
}

/* ---- one direction ---- */

/* Fills the empty pipe: 1, 0 when there is nothing now, -errno. */
static int fill(struct forward *f, struct half *half, int from)
{
	ssize_t n = 0;
	int rc = half->pipe[0] < 0 ? take_pipe(f, half->pipe) : 0;

	if (rc < 0)
		return rc;
	n = splice(from, NULL, half->pipe[1], NULL, PIPE_LEN, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	half->has_ended = n == 0;
	half->n = (size_t)n;
	return 1;
}

/* Empties the pipe: 1 when all of it is gone, 0 when TO takes no more now, -errno. */
static int drain(struct half *half, int to)
{
	while (half->n > 0) {
		ssize_t n = splice(half->pipe[0], NULL, to, NULL, half->n,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : n < 0 ? -errno : -EPIPE;
		half->n -= (size_t)n;
	}
	return 1;
}

/* Moves what there is; 0 or -errno. */
static int move(struct forward *f, struct half *half, int from, int to)
{
	int rc = 1;

	for (int i = 0; i < BURST && rc > 0; i++) {
		rc = drain(half, to);
		if (rc > 0 && !half->has_ended)
			rc = fill(f, half, from);
		else if (rc > 0)
			break;
	}
	if (half->n == 0)
		give_pipe(f, half);
	if (rc < 0)
		return rc;
	if (half->has_ended && half->n == 0 && !half->is_shut) {
		half->is_shut = true;
		shutdown(to, SHUT_WR);
	}
	return 0;
}

/* ---- a connection ---- */

static void side_close(struct forward *f, struct side *side, bool reset)
{
	const struct linger now = {.l_onoff = 1};

	loop_remove(f->all->loop, &side->source);
	if (reset && side->fd >= 0)
		setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	fd_cleanup_close(&side->fd);
}

static void connection_free(struct forward_connection *c, bool reset)
{
	struct forward *f = c->listener->shared;

	side_close(f, &c->client, reset);
	side_close(f, &c->server, reset);
	give_pipe(f, &c->up);
	give_pipe(f, &c->down);
	if (c->prev)
		c->prev->next = c->next;
	else
		f->connections = c->next;
	if (c->next)
		c->next->prev = c->prev;
	f->n_connections--;
	free(c);
	forward_tcp_resume(f);
	forward_settle(f);
}

/* Watches SIDE for what can make progress: input of IN when its pipe is empty, room for OUT when
 * its is not. One that has nothing left to do would only be reported as hung up. */
static int watch(struct side *side, const struct half *in, const struct half *out)
{
	struct loop *loop = side->connection->listener->shared->all->loop;
	uint32_t events = 0;

	if (!in->has_ended && in->n == 0)
		events |= EPOLLIN;
	if (out->n > 0)
		events |= EPOLLOUT;
	if (in->has_ended && out->is_shut) {
		loop_remove(loop, &side->source);
		return 0;
	}
	if (loop_has(&side->source))
		return loop_modify(loop, &side->source, events);
	return loop_add(loop, &side->source, side->fd, events, on_side, side);
}

static int progress(struct forward_connection *c)
{
	struct forward *f = c->listener->shared;
	int rc = move(f, &c->up, c->client.fd, c->server.fd);

	if (rc == 0)
		rc = move(f, &c->down, c->server.fd, c->client.fd);
	if (rc == 0)
		rc = watch(&c->client, &c->up, &c->down);
	if (rc == 0)
		rc = watch(&c->server, &c->down, &c->up);
	return rc;
}

/* 0 when the container has taken the connection, -errno. */
static int finish_connect(struct forward_connection *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->server.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	c->is_connecting = false;
	return -error;
}

static int on_side(void *data, uint32_t events)
{
	struct side *side = data;
	struct forward_connection *c = side->connection;
	int rc = 0;

	if (c->is_connecting)
		/* Of the client only its death is reported meanwhile. */
		rc = side == &c->server ? finish_connect(c) : -ECONNRESET;
	if (rc == 0)
		rc = progress(c);
	/* What was said before is handed on. */
	if (events & EPOLLERR)
		rc = -ECONNRESET;
	if (rc < 0)
		connection_free(c, true);
	else if (c->up.is_shut && c->down.is_shut)
		connection_free(c, false);
	return 0;
}

static void set_options(int fd)
{
	/* Small pieces are not to wait for each other here: the ends have decided that. And a peer
	 * that is gone without a word is noticed some day. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
}

/* Takes CLIENT_FD over; 0 or -errno. */
static int connection_new(struct forward_listener *l, int client_fd)
{
	struct forward *f = l->shared;
	cleanup_close int client = client_fd;
	cleanup_close int server = forward_connect(&l->port, SOCK_STREAM);
	struct forward_connection *c = NULL;
	int rc = 0;

	if (server < 0)
		return server;
	set_options(client);
	set_options(server);
	c = mem_zalloc(sizeof(*c));
	*c = (struct forward_connection){
		.listener = l,
		.next = f->connections,
		.client = {.connection = c, .source = LOOP_SOURCE_INIT, .fd = take_fd(client)},
		.server = {.connection = c, .source = LOOP_SOURCE_INIT, .fd = take_fd(server)},
		.up = {.pipe = {-1, -1}},
		.down = {.pipe = {-1, -1}},
		.is_connecting = true};
	if (f->connections)
		f->connections->prev = c;
	f->connections = c;
	f->n_connections++;
	rc = loop_add(f->all->loop, &c->client.source, c->client.fd, 0, on_side, &c->client);
	if (rc == 0)
		rc = loop_add(f->all->loop, &c->server.source, c->server.fd, EPOLLOUT, on_side,
			      &c->server);
	if (rc < 0)
		connection_free(c, true);
	return rc;
}

/* ---- listeners ---- */

/* No room: L is left alone until a connection ends, or a moment has passed. */
static void pause_listener(struct forward_listener *l)
{
	struct forward *f = l->shared;

	loop_remove(f->all->loop, &l->source);
	l->next_paused = f->paused;
	f->paused = l;
	forward_wake_in(f, RETRY_NS);
}

void forward_tcp_resume(struct forward *f)
{
	struct forward_listener *l = f->paused;

	if (f->n_connections >= FORWARD_CONNECTIONS_MAX) {
		if (l)
			forward_wake_in(f, RETRY_NS);
		return;
	}
	f->paused = NULL;
	while (l) {
		struct forward_listener *next = l->next_paused;

		l->next_paused = NULL;
		if (forward_tcp_watch(l) < 0)
			pause_listener(l);
		l = next;
	}
}

/* Whether the lowest free descriptor is one for clients. A client that is left in the queue is not
 * lost, as one that is taken and closed would be. */
static bool has_room(const struct forward_listener *l)
{
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0 && fd < l->shared->client_fd_max;
}

/* The next client; -EAGAIN: there is none; another -errno: there is no room. */
static int take_client(const struct forward_listener *l)
{
	int fd = -1;

	if (l->shared->n_connections >= FORWARD_CONNECTIONS_MAX || !has_room(l))
		return -EMFILE;
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	/* One that is gone already is nobody's failure. */
	return fd >= 0 ? fd : errno == ECONNABORTED ? -EAGAIN : -errno;
}

static int on_listen(void *data, uint32_t events)
{
	struct forward_listener *l = data;

	for (int i = 0; i < BURST; i++) {
		int fd = take_client(l);

		if (fd == -EAGAIN)
			return 0;
		if (fd < 0) {
			pause_listener(l);
			return 0;
		}
		/* Closed without an answer where the container cannot be reached, as a proxy does
		 * it. */
		connection_new(l, fd);
	}
	return 0;
}

int forward_tcp_watch(struct forward_listener *l)
{
	return loop_add(l->shared->all->loop, &l->source, l->fd, EPOLLIN, on_listen, l);
}

void forward_tcp_end(struct forward_listener *l)
{
	struct forward *f = l->shared;
	struct forward_listener **at = &f->paused;
	struct forward_connection *c = f->connections;

	while (*at && *at != l)
		at = &(*at)->next_paused;
	if (*at)
		*at = l->next_paused;
	while (c) {
		struct forward_connection *next = c->next;

		/* What the container wrote before its end is still here. */
		if (c->listener == l && !c->is_connecting)
			move(f, &c->down, c->server.fd, c->client.fd);
		if (c->listener == l)
			connection_free(c, false);
		c = next;
	}
}
