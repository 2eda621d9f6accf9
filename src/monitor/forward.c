/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads of published ports, and what is done with them.
 */
#include "monitor/forward.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "monitor/forward_private.h"
#include "monitor/protocol.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Places in the payload. */
enum {
	AT_PROTO = 0,
	AT_HOST_FAMILY = 1,
	AT_HOST_PORT = 2,
	AT_HOST = 4,
	AT_FLAGS = 20,
	AT_TO_FAMILY = 21,
	AT_TO_PORT = 22,
	AT_TO = 24,
};

#define FLAG_RELAYED 1

static bool is_family(uint8_t family)
{
	return family == IP_V4 || family == IP_V6;
}

void forward_format(const struct forward_port *port, uint8_t ret[static FORWARD_PAYLOAD_LEN])
{
	memset(ret, 0, FORWARD_PAYLOAD_LEN);
	ret[AT_PROTO] = port->proto;
	ret[AT_HOST_FAMILY] = port->host.family;
	frame_put_u16(ret + AT_HOST_PORT, port->host_port);
	memcpy(ret + AT_HOST, port->host.bytes, ip_size(&port->host));
	ret[AT_FLAGS] = port->is_relayed ? FLAG_RELAYED : 0;
	ret[AT_TO_FAMILY] = port->to.family;
	frame_put_u16(ret + AT_TO_PORT, port->to_port);
	memcpy(ret + AT_TO, port->to.bytes, ip_size(&port->to));
}

int forward_parse(const uint8_t payload[static FORWARD_PAYLOAD_LEN], struct forward_port *ret)
{
	struct forward_port port = {.proto = payload[AT_PROTO],
				    .host.family = payload[AT_HOST_FAMILY],
				    .host_port = frame_get_u16(payload + AT_HOST_PORT),
				    .to.family = payload[AT_TO_FAMILY],
				    .to_port = frame_get_u16(payload + AT_TO_PORT),
				    .is_relayed = payload[AT_FLAGS] & FLAG_RELAYED};

	if (port.proto != IPPROTO_TCP && port.proto != IPPROTO_UDP && port.proto != IPPROTO_SCTP)
		return -EINVAL;
	if (!is_family(port.host.family) || !port.host_port ||
	    (port.to.family != IP_NONE && (!is_family(port.to.family) || !port.to_port)))
		return -EINVAL;
	if (port.is_relayed && (port.to.family == IP_NONE || port.proto == IPPROTO_SCTP))
		return -EINVAL;
	memcpy(port.host.bytes, payload + AT_HOST, ip_size(&port.host));
	memcpy(port.to.bytes, payload + AT_TO, ip_size(&port.to));
	*ret = port;
	return 0;
}

/* ---- what relayed ports share ---- */

static int on_timer(void *data, uint32_t events)
{
	struct forward *f = data;

	f->wake_ns = 0;
	forward_udp_expire(f);
	forward_tcp_resume(f);
	return 0;
}

void forward_wake_in(struct forward *f, uint64_t ns)
{
	uint64_t at = clock_mono_ns() + ns;

	if (!loop_has(&f->timer.source) && loop_timer_add(f->all->loop, &f->timer, on_timer, f) < 0)
		return;
	if ((f->wake_ns == 0 || f->wake_ns > at) && loop_timer_set(&f->timer, ns) == 0)
		f->wake_ns = at;
}

void forward_settle(struct forward *f)
{
	if (f->n_connections || f->n_flows)
		return;
	loop_timer_remove(f->all->loop, &f->timer);
	f->wake_ns = 0;
	forward_tcp_trim(f);
	mem_trim();
}

/* Strangers make connections, and must not use up what the monitor needs to be spoken to. A
 * connection has two sockets and, while something is under way, two pipes: half of the descriptors
 * are for clients. (The container has limits of its own.) */
static void share_descriptors(struct forward *f)
{
	const rlim_t wanted = FORWARD_CONNECTIONS_MAX * 6 + 1024;
	struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur > INT_MAX)
		limit.rlim_cur = INT_MAX;
	f->client_fd_max = (int)(limit.rlim_cur / 2);
	f->pipe_fd_max = (int)(limit.rlim_cur - limit.rlim_cur / 8);
}

static struct forward *ensure_shared(struct companions *all)
{
	if (!all->forward) {
		all->forward = mem_zalloc(sizeof(*all->forward));
		all->forward->all = all;
		all->forward->timer.source.fd = -1;
		share_descriptors(all->forward);
	}
	all->forward->n_ports++;
	return all->forward;
}

static void leave_shared(struct forward *f)
{
	forward_settle(f);
	if (--f->n_ports > 0)
		return;
	loop_timer_remove(f->all->loop, &f->timer);
	f->all->forward = NULL;
	free(f);
}

/* ---- a companion's life ---- */

static int (*const watches[])(struct forward_listener *l) = {forward_tcp_watch, forward_udp_watch};

static int begin(struct companion *companion)
{
	struct forward_listener *l = NULL;
	struct forward_port port;
	int rc = forward_parse(companion->payload, &port);

	if (rc < 0 || !port.is_relayed)
		return rc;
	l = mem_zalloc(sizeof(*l));
	*l = (struct forward_listener){.shared = ensure_shared(companion->all),
				       .source = LOOP_SOURCE_INIT,
				       .fd = companion->fds[0],
				       .port = port};
	rc = watches[port.proto == IPPROTO_UDP](l);
	if (rc < 0) {
		leave_shared(l->shared);
		free(l);
		return rc;
	}
	companion->state = l;
	return 0;
}

static void end(struct companion *companion)
{
	struct forward_listener *l = companion->state;

	if (!l)
		return;
	loop_remove(l->shared->all->loop, &l->source);
	if (l->port.proto == IPPROTO_UDP)
		forward_udp_end(l);
	else
		forward_tcp_end(l);
	leave_shared(l->shared);
	free(l);
	companion->state = NULL;
}

/* Where it leads has changed: who is connected stays so. */
static int change(struct companion *companion)
{
	struct forward_listener *l = companion->state;
	struct forward_port port;
	int rc = forward_parse(companion->payload, &port);

	if (rc < 0)
		return rc;
	if (l && port.is_relayed) {
		l->port = port;
		return 0;
	}
	end(companion);
	return begin(companion);
}

const struct companion_ops forward_ops = {
	.key_len = FORWARD_KEY_LEN,
	.min_len = FORWARD_PAYLOAD_LEN,
	.max_len = FORWARD_PAYLOAD_LEN,
	.min_fds = 1,
	.max_fds = 1,
	.begin = begin,
	.change = change,
	.end = end,
};

int forward_connect(const struct forward_port *port, int type)
{
	cleanup_close int fd = socket(port->to.family == IP_V4 ? AF_INET : AF_INET6,
				      type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union ip_sockaddr addr;
	socklen_t len = ip_to_sockaddr(&port->to, port->to_port, &addr);

	if (fd < 0)
		return -errno;
	if (connect(fd, &addr.any, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return take_fd(fd);
}
