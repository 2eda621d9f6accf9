/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams of relayed ports. Each client gets a socket that is connected to the container, so the
 * answers find their way back; it is forgotten after a minute and a half without a word, or when
 * there are too many. Answers come from the address that the client has sent to.
 */
#include "monitor/forward_private.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define FLOWS_MAX	1024
#define BUCKETS		64
#define DATAGRAM_MAX	65536
#define FLOW_TIMEOUT_NS 90000000000ULL
#define EXPIRE_EVERY_NS 30000000000ULL
/* Datagrams that one socket hands over at once: others get their turn. */
#define BURST 32

/* Where a client is, and which of our addresses it speaks to. */
struct peer {
	union ip_sockaddr client, local;
	unsigned ifindex; /* of a link-local client */
};

struct forward_flow {
	struct forward_flow *next; /* in its bucket */
	struct forward_listener *listener;
	struct peer peer;
	struct loop_source source;
	int fd; /* owned */
	uint64_t used_ns;
};

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* ---- flows ---- */

static unsigned bucket_of(const struct peer *peer)
{
	const uint8_t *bytes = (const uint8_t *)&peer->client;
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < sizeof(peer->client); i++)
		hash = (hash ^ bytes[i]) * 16777619U;
	return hash % BUCKETS;
}

/* Takes the flow at *AT out and frees it. */
static void remove_at(struct forward *f, struct forward_flow **at)
{
	struct forward_flow *flow = *at;

	*at = flow->next;
	f->n_flows--;
	loop_remove(f->all->loop, &flow->source);
	fd_cleanup_close(&flow->fd);
	free(flow);
}

static void settle(struct forward *f)
{
	if (f->n_flows > 0 || !f->flows)
		return;
	free(f->flows);
	f->flows = NULL;
	munmap(f->buf, DATAGRAM_MAX);
	f->buf = NULL;
	forward_settle(f);
}

static void remove_flow(struct forward *f, struct forward_flow *flow)
{
	struct forward_flow **at = &f->flows[bucket_of(&flow->peer)];

	while (*at != flow)
		at = &(*at)->next;
	remove_at(f, at);
}

/* Removes those of LISTENER (NULL: of all) that were last used before BEFORE_NS. */
static void remove_older(struct forward *f, const struct forward_listener *listener,
			 uint64_t before_ns)
{
	for (size_t i = 0; f->flows && i < BUCKETS; i++) {
		struct forward_flow **at = &f->flows[i];

		while (*at) {
			bool is_meant = !listener || (*at)->listener == listener;

			if (is_meant && (*at)->used_ns <= before_ns)
				remove_at(f, at);
			else
				at = &(*at)->next;
		}
	}
	settle(f);
}

void forward_udp_expire(struct forward *f)
{
	uint64_t now = clock_mono_ns();

	remove_older(f, NULL, now > FLOW_TIMEOUT_NS ? now - FLOW_TIMEOUT_NS : 0);
	if (f->n_flows > 0)
		forward_wake_in(f, EXPIRE_EVERY_NS);
}

void forward_udp_end(struct forward_listener *l)
{
	remove_older(l->shared, l, UINT64_MAX);
}

static void remove_oldest(struct forward *f)
{
	struct forward_flow *oldest = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct forward_flow *flow = f->flows[i]; flow; flow = flow->next)
			if (!oldest || flow->used_ns < oldest->used_ns)
				oldest = flow;
	if (oldest)
		remove_flow(f, oldest);
}

static bool ensure_tables(struct forward *f)
{
	void *buf = NULL;

	if (f->flows)
		return true;
	buf = mmap(NULL, DATAGRAM_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED)
		return false;
	f->buf = buf;
	f->flows = mem_zalloc(BUCKETS * sizeof(*f->flows));
	return true;
}

/* ---- to the client ---- */

static size_t address_len(const union ip_sockaddr *addr)
{
	return addr->any.sa_family == AF_INET ? sizeof(addr->v4) : sizeof(addr->v6);
}

/* Says which of our addresses the answer comes from; its length. */
static size_t put_source(const struct peer *peer, union control *control)
{
	struct cmsghdr *c = &control->align;

	memset(control, 0, sizeof(*control));
	if (peer->local.any.sa_family == AF_INET) {
		struct in_pktinfo info = {.ipi_spec_dst = peer->local.v4.sin_addr};

		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	struct in6_pktinfo info = {.ipi6_addr = peer->local.v6.sin6_addr,
				   .ipi6_ifindex = peer->ifindex};

	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	return CMSG_SPACE(sizeof(info));
}

static void answer(const struct forward_flow *flow, uint8_t *data, size_t len)
{
	union control control;
	struct iovec iov = {.iov_base = data, .iov_len = len};
	struct msghdr msg = {.msg_name = (void *)(uintptr_t)&flow->peer.client,
			     .msg_namelen = (socklen_t)address_len(&flow->peer.client),
			     .msg_iov = &iov,
			     .msg_iovlen = 1};

	if (flow->peer.local.any.sa_family != AF_UNSPEC) {
		msg.msg_control = control.buf;
		msg.msg_controllen = put_source(&flow->peer, &control);
	}
	/* A datagram that cannot be sent is lost, as they are. */
	sendmsg(flow->listener->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int on_flow(void *data, uint32_t events)
{
	struct forward_flow *flow = data;
	struct forward *f = flow->listener->shared;

	for (int i = 0; i < BURST; i++) {
		ssize_t n = recv(flow->fd, f->buf, DATAGRAM_MAX, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0) {
			/* Nobody listens there, or there is no way: the client is to try anew. */
			remove_flow(f, flow);
			settle(f);
			return 0;
		}
		flow->used_ns = clock_mono_ns();
		answer(flow, f->buf, (size_t)n);
	}
	return 0;
}

/* ---- from the client ---- */

static bool is_same_address(const union ip_sockaddr *a, const union ip_sockaddr *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->any.sa_family == AF_UNSPEC ||
	       (a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
		IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr));
}

static bool is_same_peer(const struct peer *a, const struct peer *b)
{
	return is_same_address(&a->client, &b->client) && is_same_address(&a->local, &b->local) &&
	       a->ifindex == b->ifindex;
}

static struct forward_flow *find_flow(struct forward *f, const struct forward_listener *l,
				      const struct peer *peer)
{
	struct forward_flow *flow = f->flows[bucket_of(peer)];

	while (flow && (flow->listener != l || !is_same_peer(&flow->peer, peer)))
		flow = flow->next;
	return flow;
}

static struct forward_flow *flow_new(struct forward_listener *l, const struct peer *peer)
{
	struct forward *f = l->shared;
	cleanup_close int fd = forward_connect(&l->port, SOCK_DGRAM);
	struct forward_flow **at = &f->flows[bucket_of(peer)];
	struct forward_flow *flow = NULL;

	if (fd < 0)
		return NULL;
	if (f->n_flows >= FLOWS_MAX || fd >= f->client_fd_max)
		remove_oldest(f);
	flow = mem_zalloc(sizeof(*flow));
	flow->listener = l;
	flow->peer = *peer;
	if (loop_add(f->all->loop, &flow->source, fd, EPOLLIN, on_flow, flow) < 0) {
		free(flow);
		return NULL;
	}
	flow->fd = take_fd(fd);
	flow->next = *at;
	*at = flow;
	f->n_flows++;
	forward_wake_in(f, EXPIRE_EVERY_NS);
	return flow;
}

/* Which address it was sent to. One that nobody can answer from (multicast) stays unspecified. */
static void read_local(struct msghdr *msg, struct peer *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			ret->local.v4.sin_family = AF_INET;
			ret->local.v4.sin_addr = info.ipi_spec_dst;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
				continue;
			ret->local.v6.sin6_family = AF_INET6;
			ret->local.v6.sin6_addr = info.ipi6_addr;
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				ret->ifindex = info.ipi6_ifindex;
		}
	}
}

/* One datagram; its length, or -errno. */
static ssize_t receive(const struct forward_listener *l, struct peer *ret)
{
	union control control;
	struct iovec iov = {.iov_base = l->shared->buf, .iov_len = DATAGRAM_MAX};
	struct msghdr msg = {.msg_name = &ret->client,
			     .msg_namelen = sizeof(ret->client),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	ssize_t n = 0;

	memset(ret, 0, sizeof(*ret));
	n = recvmsg(l->fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	read_local(&msg, ret);
	return n;
}

static int on_datagram(void *data, uint32_t events)
{
	struct forward_listener *l = data;
	struct forward *f = l->shared;
	struct peer peer;

	if (!ensure_tables(f))
		return 0;
	for (int i = 0; i < BURST; i++) {
		ssize_t n = receive(l, &peer);
		struct forward_flow *flow = NULL;

		if (n == -EAGAIN)
			break;
		if (n < 0)
			continue; /* an error of an answer that was sent before */
		flow = find_flow(f, l, &peer);
		if (!flow)
			flow = flow_new(l, &peer);
		if (!flow)
			continue;
		flow->used_ns = clock_mono_ns();
		send(flow->fd, f->buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	settle(f);
	return 0;
}

int forward_udp_watch(struct forward_listener *l)
{
	bool is_ip4 = l->port.host.family == IP_V4;

	if (setsockopt(l->fd, is_ip4 ? IPPROTO_IP : IPPROTO_IPV6,
		       is_ip4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &(int){1}, sizeof(int)) < 0)
		return -errno;
	return loop_add(l->shared->all->loop, &l->source, l->fd, EPOLLIN, on_datagram, l);
}
