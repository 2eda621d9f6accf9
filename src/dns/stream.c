/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions by TCP (RFC 7766): a length and a message, as many after each other as the client
 * likes. Each is answered before the next is read. One that is not ours is asked by TCP too, from
 * the host's network, and its answer is passed on in pieces of a buffer as it comes: so a
 * connection needs a few kilobytes, however long the answer is.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "dns/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_LEN 2
/* A question is shorter. */
#define QUERY_MAX 2048
/* More than a thousand addresses of one name. */
#define ANSWER_MAX 16384
/* An idle client, and a server that does not answer. */
#define IDLE_NS	    10000000000ULL
#define UPSTREAM_NS 3000000000ULL

enum stream_state {
	STREAM_READING,	   /* a question from the client */
	STREAM_ANSWERING,  /* our answer to the client */
	STREAM_CONNECTING, /* to a server */
	STREAM_ASKING,	   /* the question to the server */
	STREAM_RELAYING,   /* the server's answer to the client */
};

struct stream {
	struct stream *next;
	struct container *c;
	enum stream_state state;
	struct loop_source client, upstream;
	int client_fd, upstream_fd; /* owned; -1 */
	uint64_t deadline_ns;
	unsigned attempt;
	size_t n_in; /* bytes of IN that are there: this question and what came behind it */
	uint8_t in[LENGTH_LEN + QUERY_MAX];
	size_t sent; /* of the question to the server, or of OUT */
	size_t n_out;
	size_t left;  /* of the server's answer, still to be read; SIZE_MAX: its length is not known
		       */
	uint8_t *out; /* owned: ANSWER_MAX; only while there is something in it */
};

static int on_upstream(void *data, uint32_t events);

static void drop_upstream(struct stream *t)
{
	loop_remove(&t->c->server->loop, &t->upstream);
	fd_cleanup_close(&t->upstream_fd);
}

static void stream_free(struct stream *t)
{
	struct server *s = t->c->server;
	struct stream **p = &s->streams;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	drop_upstream(t);
	loop_remove(&s->loop, &t->client);
	fd_cleanup_close(&t->client_fd);
	t->c->n_streams--;
	s->n_streams--;
	free(t->out);
	free(t);
}

static void set_deadline(struct stream *t, uint64_t after_ns)
{
	t->deadline_ns = clock_mono_ns() + after_ns;
	server_arm(t->c->server, t->deadline_ns);
}

/* What is waited for in each state. */
static void watch(struct stream *t)
{
	static const struct {
		uint32_t client, upstream;
	} events[] = {
		[STREAM_READING] = {EPOLLIN, 0},     [STREAM_ANSWERING] = {EPOLLOUT, 0},
		[STREAM_CONNECTING] = {0, EPOLLOUT}, [STREAM_ASKING] = {0, EPOLLOUT},
		[STREAM_RELAYING] = {0, EPOLLIN},
	};
	uint32_t client = events[t->state].client;
	uint32_t upstream = events[t->state].upstream;

	/* A piece that the client has not taken yet comes first. */
	if (t->state == STREAM_RELAYING && t->sent < t->n_out) {
		client = EPOLLOUT;
		upstream = 0;
	}
	loop_modify(&t->c->server->loop, &t->client, client);
	loop_modify(&t->c->server->loop, &t->upstream, upstream);
}

static uint16_t query_len(const struct stream *t)
{
	return (uint16_t)(t->in[0] << 8 | t->in[1]);
}

static bool has_query(const struct stream *t)
{
	return t->n_in >= LENGTH_LEN && t->n_in - LENGTH_LEN >= query_len(t);
}

/* ---- the client ---- */

/* The question has been answered: on to what came behind it. */
static void next_query(struct stream *t)
{
	size_t used = LENGTH_LEN + (size_t)query_len(t);

	drop_upstream(t);
	free(take_ptr(t->out));
	t->n_out = t->sent = 0;
	t->n_in -= used;
	memmove(t->in, t->in + used, t->n_in);
	t->state = STREAM_READING;
	t->attempt = 0;
	set_deadline(t, IDLE_NS);
}

static void answer(struct stream *t, size_t len)
{
	t->out[0] = (uint8_t)(len >> 8);
	t->out[1] = (uint8_t)len;
	t->n_out = LENGTH_LEN + len;
	t->sent = 0;
	t->state = STREAM_ANSWERING;
}

/* Sends what is left of OUT; 1 when all of it is gone, 0 when the client has to be waited for,
 * -errno when it is lost. */
static int send_out(struct stream *t)
{
	while (t->sent < t->n_out) {
		ssize_t n = send(t->client_fd, t->out + t->sent, t->n_out - t->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		t->sent += (size_t)n;
	}
	return 1;
}

static int read_query(struct stream *t)
{
	ssize_t n = recv(t->client_fd, t->in + t->n_in, sizeof(t->in) - t->n_in, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	t->n_in += (size_t)n;
	return t->n_in >= LENGTH_LEN && query_len(t) > QUERY_MAX ? -EMSGSIZE : 0;
}

/* ---- the server ---- */

/* The container's own loopback is not ours. */
static bool is_out_of_reach(const struct upstream *u)
{
	const struct in6_addr *v6 = &u->addr.v6.sin6_addr;

	if (!u->is_own)
		return false;
	if (u->addr.any.sa_family == AF_INET)
		return ntohl(u->addr.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(v6) ||
	       (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

static bool connect_upstream(struct stream *t)
{
	const struct upstream *u = &t->c->upstreams[t->attempt];
	int fd = is_out_of_reach(u) ? -1
				    : socket(u->addr.any.sa_family,
					     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	t->upstream_fd = fd;
	t->state = STREAM_CONNECTING;
	t->sent = t->n_out = 0;
	t->left = SIZE_MAX;
	set_deadline(t, UPSTREAM_NS);
	return fd >= 0 && (connect(fd, &u->addr.any, u->len) == 0 || errno == EINPROGRESS) &&
	       loop_add(&t->c->server->loop, &t->upstream, fd, EPOLLOUT, on_upstream, t) == 0;
}

/* The server is of no use. One that has begun its answer cannot be replaced by another. */
static int next_upstream(struct stream *t)
{
	size_t len = 0;

	if (t->state == STREAM_RELAYING && t->left != SIZE_MAX)
		return -EPIPE;
	do
		drop_upstream(t);
	while (++t->attempt < t->c->n_upstreams && !connect_upstream(t));
	if (t->attempt < t->c->n_upstreams)
		return 0;
	len = resolve_error(t->in + LENGTH_LEN, query_len(t), DNS_SERVFAIL, t->out + LENGTH_LEN);
	answer(t, len);
	return len ? 1 : -EPIPE;
}

static int ask(struct stream *t)
{
	size_t len = LENGTH_LEN + (size_t)query_len(t);

	while (t->sent < len) {
		ssize_t n = send(t->upstream_fd, t->in + t->sent, len - t->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : next_upstream(t);
		t->sent += (size_t)n;
	}
	t->state = STREAM_RELAYING;
	t->sent = t->n_out = 0;
	return 1;
}

static int finish_connect(struct stream *t)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(t->upstream_fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
		return next_upstream(t);
	t->state = STREAM_ASKING;
	t->sent = 0;
	return 1;
}

/* Reads a piece of the server's answer; no byte of a message behind it. */
static int read_piece(struct stream *t)
{
	size_t want = t->left == SIZE_MAX    ? LENGTH_LEN
		      : t->left < ANSWER_MAX ? t->left
					     : ANSWER_MAX;
	ssize_t n = recv(t->upstream_fd, t->out, want, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return next_upstream(t);
	if (t->left == SIZE_MAX) {
		/* The two bytes come together from all servers; from another it is no answer. */
		if (n < LENGTH_LEN)
			return next_upstream(t);
		t->left = LENGTH_LEN + (size_t)(t->out[0] << 8 | t->out[1]);
	}
	set_deadline(t, UPSTREAM_NS);
	t->left -= (size_t)n;
	t->n_out = (size_t)n;
	t->sent = 0;
	return 1;
}

static int relay(struct stream *t)
{
	int rc = send_out(t);

	if (rc <= 0)
		return rc;
	if (t->left == 0) {
		next_query(t);
		return 1;
	}
	return read_piece(t);
}

/* ---- from state to state ---- */

static int begin_answer(struct stream *t)
{
	size_t len = 0;

	if (!has_query(t))
		return 0;
	t->out = mem_alloc(LENGTH_LEN + ANSWER_MAX);
	switch (resolve(t->c, t->in + LENGTH_LEN, query_len(t), true, t->out + LENGTH_LEN,
			ANSWER_MAX, &len)) {
	case RESOLVED_DROP:
		return -EBADMSG;
	case RESOLVED_ANSWER:
		answer(t, len);
		return 1;
	case RESOLVED_FORWARD:
		break;
	}
	t->attempt = 0;
	return connect_upstream(t) ? 0 : next_upstream(t);
}

static int send_answer(struct stream *t)
{
	int rc = send_out(t);

	if (rc > 0)
		next_query(t);
	return rc;
}

/* Goes on until something has to be waited for. */
static void step(struct stream *t)
{
	static int (*const steps[])(struct stream *) = {
		[STREAM_READING] = begin_answer,
		[STREAM_ANSWERING] = send_answer,
		[STREAM_CONNECTING] = finish_connect,
		[STREAM_ASKING] = ask,
		[STREAM_RELAYING] = relay,
	};
	int rc = 1;

	while (rc > 0)
		rc = steps[t->state](t);
	if (rc < 0)
		stream_free(t);
	else
		watch(t);
}

static int on_client(void *data, uint32_t events)
{
	struct stream *t = data;

	if ((events & (EPOLLERR | EPOLLHUP)) || (t->state == STREAM_READING && read_query(t) < 0)) {
		stream_free(t);
		return 0;
	}
	step(t);
	return 0;
}

static int on_upstream(void *data, uint32_t events)
{
	step(data);
	return 0;
}

static void stream_begin(struct container *c, int fd)
{
	struct server *s = c->server;
	struct stream *t = mem_zalloc(sizeof(*t));

	t->c = c;
	t->client_fd = fd;
	t->upstream_fd = -1;
	t->upstream = (struct loop_source)LOOP_SOURCE_INIT;
	t->next = s->streams;
	s->streams = t;
	s->n_streams++;
	c->n_streams++;
	set_deadline(t, IDLE_NS);
	if (loop_add(&s->loop, &t->client, fd, EPOLLIN, on_client, t) < 0)
		stream_free(t);
}

/* Makes room for a connection of C: of who has most of them, the oldest one is closed. False when
 * nobody has more than C would. */
static bool make_room(struct container *c)
{
	struct server *s = c->server;
	const struct container *most = c;
	struct stream *oldest = NULL;

	for (const struct container *o = s->containers; o; o = o->next)
		if (o->n_streams > most->n_streams)
			most = o;
	if (most->n_streams <= c->n_streams + 1)
		return false;
	for (struct stream *t = s->streams; t; t = t->next)
		if (t->c == most)
			oldest = t;
	if (oldest)
		stream_free(oldest);
	return oldest != NULL;
}

int stream_on_connect(void *data, uint32_t events)
{
	struct container *c = data;
	int fd = accept4(c->sockets[NAME_TCP], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return 0;
	if (c->n_streams == CONTAINER_MAX_STREAMS ||
	    (c->server->n_streams == SERVER_MAX_STREAMS && !make_room(c)))
		close(fd);
	else
		stream_begin(c, fd);
	return 0;
}

uint64_t stream_expire(struct server *server, uint64_t now_ns)
{
	struct stream *next = NULL;
	uint64_t earliest = 0;

	for (struct stream *t = server->streams; t; t = next) {
		next = t->next;
		if (t->deadline_ns > now_ns)
			continue;
		if (t->upstream_fd < 0 || next_upstream(t) < 0)
			stream_free(t);
		else
			step(t);
	}
	for (const struct stream *t = server->streams; t; t = t->next)
		if (!earliest || t->deadline_ns < earliest)
			earliest = t->deadline_ns;
	return earliest;
}

void stream_forget(struct container *c)
{
	struct stream *next = NULL;

	for (struct stream *t = c->server->streams; t; t = next) {
		next = t->next;
		if (t->c == c)
			stream_free(t);
	}
}
