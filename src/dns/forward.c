/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions that are asked elsewhere, as they came but for their number.
 *
 * Each attempt at a server of the host's has a socket of its own: the kernel chooses its port at
 * random and lets in what comes from that server alone; the number is random too, and the question
 * must be the one that was asked. That is what an answer has to know. A container's own servers are
 * asked through the one socket that came from its network namespace, which gets a new port whenever
 * nothing is under way.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "dns/server.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* A stub resolver asks again after five seconds: by then it has an answer. */
#define ATTEMPT_NS   1500000000ULL
#define MAX_ATTEMPTS 3

struct forward {
	struct forward *next;
	struct container *c;
	struct sockaddr_in client;
	uint16_t client_id, id;
	unsigned attempt; /* from 0 on; the server is this modulo their number */
	uint64_t deadline_ns;
	struct loop_source source;
	int fd; /* owned; -1 while asked through the container's socket */
	bool is_asked;
	size_t len;
	uint8_t query[];
};

/* The longest message there is; pages that are not needed are not touched. */
static uint8_t packet[DNS_TCP_MAX];

static void end_attempt(struct forward *f)
{
	loop_remove(&f->c->server->loop, &f->source);
	fd_cleanup_close(&f->fd);
	if (f->is_asked)
		f->c->n_asked--;
	f->is_asked = false;
}

static void forward_free(struct forward *f)
{
	struct server *s = f->c->server;
	struct forward **p = &s->forwards;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	end_attempt(f);
	f->c->n_forwards--;
	s->n_forwards--;
	free(f);
}

static void reply(struct container *c, const struct sockaddr_in *client, const uint8_t *answer,
		  size_t len)
{
	/* A client that is gone does not matter. */
	(void)!sendto(c->sockets[NAME_UDP], answer, len, MSG_DONTWAIT,
		      (const struct sockaddr *)client, sizeof(*client));
}

static void fail(struct container *c, const struct sockaddr_in *client, const uint8_t *query,
		 size_t len)
{
	uint8_t answer[DNS_UDP_MIN];
	size_t n = resolve_error(query, len, DNS_SERVFAIL, answer);

	if (n)
		reply(c, client, answer, n);
}

static const struct upstream *upstream_of(const struct forward *f)
{
	return &f->c->upstreams[f->attempt % f->c->n_upstreams];
}

static bool is_last(const struct forward *f)
{
	return f->attempt + 1 >= MAX_ATTEMPTS || f->attempt + 1 >= f->c->n_upstreams;
}

/* ---- asking ---- */

static int on_answer(void *data, uint32_t events);

static int ask_from_host(struct forward *f, const struct upstream *u)
{
	struct loop *loop = &f->c->server->loop;

	f->fd = socket(u->addr.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fd < 0 || connect(f->fd, &u->addr.any, u->len) < 0 ||
	    send(f->fd, f->query, f->len, MSG_DONTWAIT) < 0)
		return -errno;
	return loop_add(loop, &f->source, f->fd, EPOLLIN, on_answer, f);
}

static int ask_from_container(struct forward *f, const struct upstream *u)
{
	int fd = f->c->sockets[NAME_ASK];
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	/* Gives the port back that the kernel chose (ip(7), connect(2)). */
	if (f->c->n_asked == 0)
		(void)!connect(fd, &none, sizeof(none));
	if (sendto(fd, f->query, f->len, MSG_DONTWAIT, &u->addr.any, u->len) < 0)
		return -errno;
	f->is_asked = true;
	f->c->n_asked++;
	return 0;
}

/* Asks this attempt's server; false when that is not possible. */
static bool ask(struct forward *f)
{
	const struct upstream *u = upstream_of(f);
	int rc = 0;

	if (getrandom(&f->id, sizeof(f->id), 0) != sizeof(f->id))
		return false;
	dns_set_id(f->query, f->id);
	rc = u->is_own ? ask_from_container(f, u) : ask_from_host(f, u);
	if (rc < 0)
		return false;
	f->deadline_ns = clock_mono_ns() + ATTEMPT_NS;
	server_arm(f->c->server, f->deadline_ns);
	return true;
}

static void give_up(struct forward *f)
{
	dns_set_id(f->query, f->client_id);
	fail(f->c, &f->client, f->query, f->len);
	forward_free(f);
}

/* The attempt has failed: on to the next, or the question fails. */
static void go_on(struct forward *f)
{
	do {
		end_attempt(f);
		f->attempt++;
	} while (f->attempt < MAX_ATTEMPTS && !ask(f));
	if (f->attempt == MAX_ATTEMPTS)
		give_up(f);
}

/* Makes room for a question of C: of who has most under way, the oldest one fails. False when
 * nobody has more than C would. */
static bool make_room(struct container *c)
{
	struct server *s = c->server;
	const struct container *most = c;
	struct forward *oldest = NULL;

	for (const struct container *o = s->containers; o; o = o->next)
		if (o->n_forwards > most->n_forwards)
			most = o;
	if (most->n_forwards <= c->n_forwards + 1)
		return false;
	for (struct forward *f = s->forwards; f; f = f->next)
		if (f->c == most)
			oldest = f;
	if (!oldest)
		return false;
	give_up(oldest);
	return true;
}

void forward_begin(struct container *c, const struct sockaddr_in *client, const uint8_t *query,
		   size_t len)
{
	struct server *s = c->server;
	struct forward *f = NULL;

	if (c->n_forwards == CONTAINER_MAX_FORWARDS ||
	    (s->n_forwards == SERVER_MAX_FORWARDS && !make_room(c))) {
		fail(c, client, query, len);
		return;
	}
	f = mem_zalloc(sizeof(*f) + len);
	f->c = c;
	f->client = *client;
	f->client_id = dns_get_id(query);
	f->source = (struct loop_source)LOOP_SOURCE_INIT;
	f->fd = -1;
	f->len = len;
	memcpy(f->query, query, len);
	f->next = s->forwards;
	s->forwards = f;
	s->n_forwards++;
	c->n_forwards++;
	if (!ask(f))
		go_on(f);
}

/* ---- answers ---- */

/* One that says "not me" counts only when nobody is left. */
static void take_answer(struct forward *f, size_t len)
{
	enum dns_rcode rcode = dns_get_rcode(packet);

	if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) && !is_last(f)) {
		go_on(f);
		return;
	}
	dns_set_id(packet, f->client_id);
	reply(f->c, &f->client, packet, len);
	forward_free(f);
}

static int on_answer(void *data, uint32_t events)
{
	struct forward *f = data;
	ssize_t n = recv(f->fd, packet, sizeof(packet), MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		go_on(f); /* nobody listens there */
	else if (n >= 0 && dns_is_answer(packet, (size_t)n, f->id, f->query, f->len))
		take_answer(f, (size_t)n);
	return 0;
}

static bool is_from(const struct upstream *u, const struct sockaddr_storage *from, socklen_t len)
{
	const struct sockaddr_in6 *a = &u->addr.v6;
	const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)(const void *)from;

	if (u->addr.any.sa_family != from->ss_family || len != u->len)
		return false;
	if (from->ss_family == AF_INET)
		return memcmp(&u->addr.v4, from, offsetof(struct sockaddr_in, sin_zero)) == 0;
	return a->sin6_port == b->sin6_port &&
	       memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

int forward_on_asked(void *data, uint32_t events)
{
	struct container *c = data;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(c->sockets[NAME_ASK], packet, sizeof(packet), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &from_len);

	for (struct forward *f = c->server->forwards; n >= 0 && f; f = f->next) {
		if (f->c != c || !f->is_asked || !is_from(upstream_of(f), &from, from_len) ||
		    !dns_is_answer(packet, (size_t)n, f->id, f->query, f->len))
			continue;
		take_answer(f, (size_t)n);
		break;
	}
	return 0;
}

/* ---- ends ---- */

uint64_t forward_expire(struct server *server, uint64_t now_ns)
{
	struct forward *next = NULL;
	uint64_t earliest = 0;

	for (struct forward *f = server->forwards; f; f = next) {
		next = f->next;
		if (f->deadline_ns <= now_ns)
			go_on(f);
	}
	for (const struct forward *f = server->forwards; f; f = f->next)
		if (!earliest || f->deadline_ns < earliest)
			earliest = f->deadline_ns;
	return earliest;
}

void forward_forget(struct container *c)
{
	struct forward *next = NULL;

	for (struct forward *f = c->server->forwards; f; f = next) {
		next = f->next;
		if (f->c == c)
			forward_free(f);
	}
}
