/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers come and go: each is a connection from its monitor, on which its sockets come. With
 * the last connection the name server ends; but for that it takes the network's lock first, under
 * which everybody connects, so that nobody finds it who is then left alone.
 */
#include "dns/server.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "dns/names.h"
#include "sys/pty.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

/* For whoever started us to connect. */
#define FIRST_WAIT_NS 5000000000ULL
/* Somebody holds the lock, and is about to connect. */
#define LOCKED_WAIT_NS 20000000ULL
#define DNS_PORT       53

static bool is_ours(void *ctx, const char *container_id)
{
	const struct server *s = ctx;

	for (const struct container *c = s->containers; c; c = c->next)
		if (c->sockets[NAME_UDP] >= 0 && strcmp(c->id, container_id) == 0)
			return true;
	return false;
}

/* ---- a container ---- */

static void drop_sockets(struct container *c)
{
	struct loop_source *const sources[] = {&c->udp, &c->tcp, &c->ask};

	forward_forget(c);
	stream_forget(c);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		loop_remove(&c->server->loop, sources[i]);
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		fd_cleanup_close(&c->sockets[i]);
}

static void container_free(struct container *c)
{
	struct server *s = c->server;
	struct container **p = &s->containers;

	drop_sockets(c);
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	loop_remove(&s->loop, &c->conn);
	fd_cleanup_close(&c->conn_fd);
	free(c);
	/* Names that were there for this container alone. */
	names_forget(s->names);
	if (!s->containers)
		loop_timer_set(&s->end, 1);
}

/* ---- what its monitor says ---- */

static bool is_v4_socket(int fd)
{
	int domain = AF_INET6;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_INET;
}

/* Addresses of IPv4 as a socket of IPv6 takes them: ::ffff:192.0.2.1. */
static void set_address(struct upstream *u, const struct ip_addr *ip, bool as_v6, uint16_t port)
{
	struct ip_addr mapped = {.family = IP_V6, .bytes = {[10] = 0xff, [11] = 0xff}};

	if (ip->family == IP_V4 && as_v6) {
		memcpy(mapped.bytes + 12, ip->bytes, 4);
		ip = &mapped;
	}
	u->len = ip_to_sockaddr(ip, port, &u->addr);
}

/* "host 192.0.2.1"; an own server at our address would be ourselves. */
static void add_upstream(struct container *c, char *value)
{
	char *from = strsep(&value, " ");
	bool is_own = strcmp(from, "own") == 0;
	bool is_v4 = is_own && is_v4_socket(c->sockets[NAME_ASK]);
	struct ip_addr ip;

	if (!value || ip_parse(value, &ip) < 0 || c->n_upstreams == NAME_SERVER_MAX_SERVERS ||
	    (is_own && strcmp(value, NAME_SERVER_ADDRESS) == 0) || (is_v4 && ip.family != IP_V4))
		return;
	c->upstreams[c->n_upstreams].is_own = is_own;
	set_address(&c->upstreams[c->n_upstreams++], &ip, is_own && !is_v4, DNS_PORT);
}

/* False when the message names no container. */
static bool read_message(struct container *c, char *text)
{
	char *line = NULL;

	forward_forget(c);
	stream_forget(c);
	c->n_upstreams = 0;
	c->forwards = false;
	while ((line = strsep(&text, "\n")) != NULL) {
		char *key = strsep(&line, " ");

		if (!line)
			continue;
		if (strcmp(key, "container") == 0 && hex_is_valid(line, ID_LEN))
			memcpy(c->id, line, ID_LEN);
		else if (strcmp(key, "forward") == 0)
			c->forwards = strcmp(line, "yes") == 0;
		else if (strcmp(key, "server") == 0)
			add_upstream(c, line);
	}
	return *c->id != '\0';
}

/* FDS are handed over. */
static void take_sockets(struct container *c, int fds[static N_NAME_SOCKETS])
{
	drop_sockets(c);
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		c->sockets[i] = take_fd(fds[i]);
}

static int serve(struct container *c)
{
	struct loop *loop = &c->server->loop;
	int rc = loop_add(loop, &c->udp, c->sockets[NAME_UDP], EPOLLIN, udp_on_queries, c);

	if (rc == 0)
		rc = loop_add(loop, &c->tcp, c->sockets[NAME_TCP], EPOLLIN, stream_on_connect, c);
	if (rc == 0)
		rc = loop_add(loop, &c->ask, c->sockets[NAME_ASK], EPOLLIN, forward_on_asked, c);
	names_forget(c->server->names);
	return rc;
}

static int on_message(void *data, uint32_t events)
{
	struct container *c = data;
	char text[NAME_SERVER_MESSAGE_MAX + 1];
	int fds[PTY_FDS_MAX];
	ssize_t n = pty_recv_fds(c->conn_fd, text, NAME_SERVER_MESSAGE_MAX, fds, MSG_DONTWAIT);
	bool has_sockets = n > 0 && fds[N_NAME_SOCKETS - 1] >= 0;
	bool is_good = n > 0;

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (is_good) {
		text[n] = '\0';
		if (has_sockets)
			take_sockets(c, fds);
		is_good = read_message(c, text) && c->sockets[NAME_UDP] >= 0 &&
			  (!has_sockets || serve(c) == 0);
	}
	for (int i = 0; n > 0 && i < PTY_FDS_MAX; i++)
		fd_cleanup_close(&fds[i]);
	if (!is_good)
		container_free(c);
	return 0;
}

/* ---- coming and going ---- */

static void container_begin(struct server *s, int fd)
{
	struct container *c = mem_zalloc(sizeof(*c));

	c->server = s;
	c->conn_fd = fd;
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		c->sockets[i] = -1;
	c->udp = c->tcp = c->ask = (struct loop_source)LOOP_SOURCE_INIT;
	c->next = s->containers;
	s->containers = c;
	if (loop_add(&s->loop, &c->conn, fd, EPOLLIN, on_message, c) < 0)
		container_free(c);
}

/* The socket's directory is root's, and so is who connects; nobody else gets in with a copy of a
 * descriptor either. */
static bool is_trusted(int fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == 0;
}

static int on_connect(void *data, uint32_t events)
{
	struct server *s = data;
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return 0;
	if (is_trusted(fd))
		container_begin(s, fd);
	else
		close(fd);
	return 0;
}

/* Nobody is there: ends, if nobody can be on the way either. */
static int on_end_timer(void *data, uint32_t events)
{
	struct server *s = data;

	if (s->containers)
		return 0;
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return loop_timer_set(&s->end, LOCKED_WAIT_NS);
	on_connect(s, 0);
	if (!s->containers)
		loop_stop(&s->loop, 0);
	else
		flock(s->lock_fd, LOCK_UN);
	return 0;
}

/* ---- deadlines ---- */

void server_arm(struct server *server, uint64_t deadline_ns)
{
	uint64_t now_ns = 0;

	if (server->deadline_ns && server->deadline_ns <= deadline_ns)
		return;
	now_ns = clock_mono_ns();
	server->deadline_ns = deadline_ns;
	loop_timer_set(&server->deadline, deadline_ns > now_ns ? deadline_ns - now_ns : 1);
}

static int on_deadline(void *data, uint32_t events)
{
	struct server *s = data;
	uint64_t now_ns = clock_mono_ns();
	uint64_t next[2];

	s->deadline_ns = 0;
	next[0] = forward_expire(s, now_ns);
	next[1] = stream_expire(s, now_ns);
	for (int i = 0; i < 2; i++)
		if (next[i])
			server_arm(s, next[i]);
	return 0;
}

int server_init(struct server *server, int listen_fd, int lock_fd, int networks_fd)
{
	int rc = 0;

	*server = (struct server){
		.listen_fd = listen_fd, .lock_fd = lock_fd, .networks_fd = networks_fd};
	server->names = names_new(networks_fd, is_ours, server);
	rc = loop_init(&server->loop);
	if (rc == 0)
		rc = loop_add(&server->loop, &server->listen, listen_fd, EPOLLIN, on_connect,
			      server);
	if (rc == 0)
		rc = loop_timer_add(&server->loop, &server->deadline, on_deadline, server);
	if (rc == 0)
		rc = loop_timer_add(&server->loop, &server->end, on_end_timer, server);
	return rc < 0 ? rc : loop_timer_set(&server->end, FIRST_WAIT_NS);
}
