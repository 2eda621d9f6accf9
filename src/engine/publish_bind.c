/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of published ports. Each is bound and thereby keeps everybody else from the port.
 *
 * One that is relayed listens. One whose packets the firewall takes is only bound, without
 * SO_REUSEADDR: two sockets that both have it may be bound to one port until one of them listens,
 * and every server sets it. Where that is refused because of connections that linger in TIME_WAIT,
 * it has to be set, and then the socket listens, which is as exclusive.
 */
#include "engine/publish_private.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
/* Ports of the kernel's choice, of which the twin's may be taken. */
#define TRIES 128
/* Descriptors that a start needs besides. */
#define SPARE_FDS 128

static const struct {
	const char *name;
	uint8_t proto;
	int type;
} protos[] = {
	{"tcp", IPPROTO_TCP, SOCK_STREAM},
	{"udp", IPPROTO_UDP, SOCK_DGRAM},
	{"sctp", IPPROTO_SCTP, SOCK_STREAM},
};

const char *publish_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return "tcp";
}

uint8_t publish_proto_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (strcmp(protos[i].name, name) == 0)
			return protos[i].proto;
	return IPPROTO_TCP;
}

char *publish_address_format(const struct ip_addr *addr, uint16_t port,
			     char buf[static PUBLISH_ADDRESS_LEN])
{
	char text[IP_TEXT_LEN];
	bool is_ip6 = addr->family == IP_V6;

	snprintf(buf, PUBLISH_ADDRESS_LEN, "%s%s%s:%u", is_ip6 ? "[" : "", ip_format(addr, text),
		 is_ip6 ? "]" : "", port);
	return buf;
}

static int socket_type(uint8_t proto)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].type;
	return SOCK_STREAM;
}

void publish_close(struct publish *publish)
{
	for (size_t i = 0; i < publish->n; i++)
		fd_cleanup_close(&publish->ports[i].fd);
}

/* ---- one socket ---- */

static int get_port(int fd)
{
	union ip_sockaddr addr = {};
	socklen_t len = sizeof(addr);

	if (getsockname(fd, &addr.any, &len) < 0)
		return -errno;
	return ntohs(addr.any.sa_family == AF_INET ? addr.v4.sin_port : addr.v6.sin6_port);
}

/* Nobody reads what the firewall takes: should something reach the socket all the same, it is not
 * to fill it. */
static int drop_all(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog filter = {.len = 1, .filter = &none};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ? -errno
											 : 0;
}

static int set_on(int fd, int level, int option)
{
	return setsockopt(fd, level, option, &(int){1}, sizeof(int)) < 0 ? -errno : 0;
}

/* A socket for P at NUMBER (0: the kernel's choice) that LISTENS or not; -errno. */
static int open_socket(const struct publish_port *p, uint16_t number, bool listens)
{
	int family = p->host.family == IP_V4 ? AF_INET : AF_INET6;
	cleanup_close int fd = socket(family, socket_type(p->proto) | SOCK_CLOEXEC | SOCK_NONBLOCK,
				      p->proto);
	union ip_sockaddr addr;
	socklen_t len = ip_to_sockaddr(&p->host, number, &addr);
	int rc = fd < 0 ? -errno : 0;

	if (rc == 0 && family == AF_INET6)
		rc = set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (rc == 0 && listens)
		rc = set_on(fd, SOL_SOCKET, SO_REUSEADDR);
	if (rc == 0 && p->proto == IPPROTO_UDP && !p->is_relayed)
		rc = drop_all(fd);
	if (rc == 0 && bind(fd, &addr.any, len) < 0)
		rc = -errno;
	if (rc == 0 && listens && listen(fd, BACKLOG) < 0)
		rc = -errno;
	return rc < 0 ? rc : take_fd(fd);
}

/* Binds P to NUMBER; 0 or -errno. */
static int bind_one(struct publish_port *p, uint16_t number)
{
	bool listens = p->is_relayed && p->proto == IPPROTO_TCP;
	int fd = open_socket(p, number, listens);

	if (fd == -EADDRINUSE && number && !listens && p->proto == IPPROTO_TCP) {
		fd = open_socket(p, number, true);
		p->is_relayed = fd >= 0;
	}
	/* Nobody can have a port of a protocol that this kernel does not speak; the firewall
	 * translates it all the same. */
	if (fd == -EPROTONOSUPPORT && p->proto == IPPROTO_SCTP && number) {
		p->port = number;
		return 0;
	}
	if (fd < 0)
		return fd;
	p->fd = fd;
	int port = number ? number : get_port(fd);

	p->port = port > 0 ? (uint16_t)port : 0;
	return port < 0 ? port : 0;
}

/* ---- a port, and its twin ---- */

static void unbind(struct publish_port *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fd_cleanup_close(&p[i].fd);
		p[i].port = 0;
	}
}

/* All N of P at NUMBER, or none; -errno, RET_FAILED which of them it was. */
static int bind_at(struct publish_port *p, size_t n, uint16_t number, size_t *ret_failed)
{
	for (size_t i = 0; i < n; i++) {
		int rc = bind_one(&p[i], i > 0 ? p[0].port : number);

		if (rc < 0) {
			unbind(p, n);
			*ret_failed = i;
			return rc;
		}
	}
	return 0;
}

static int bind_group(struct publish_port *p, size_t n, size_t *ret_failed)
{
	uint32_t number = p->first;
	int rc = -EADDRINUSE;

	for (unsigned i = 0; i < TRIES && !p->last && rc == -EADDRINUSE; i++)
		rc = bind_at(p, n, 0, ret_failed);
	if (!p->last)
		return rc;
	do
		rc = bind_at(p, n, (uint16_t)number, ret_failed);
	while (rc == -EADDRINUSE && number++ < p->last);
	return rc;
}

/* ---- who has it ---- */

static bool overlaps(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && (ip_is_any(a) || ip_is_any(b) || ip_is_equal(a, b));
}

static bool is_same_place(const struct published_port *held, const struct publish_port *p)
{
	return held->host_port == p->first && overlaps(&held->host_ip, &p->host) &&
	       publish_proto_parse(held->proto) == p->proto;
}

/* Whether the running container ID has what P wants. */
static bool has_port(const struct engine *engine, const char *id, const struct publish_port *p)
{
	cleanup_live_network struct live_network live = {};
	cleanup_close int dir = engine_open_run_dir(engine, id, false);
	struct container_state state;
	struct err ignored = ERR_INIT;

	if (dir < 0 || live_network_read(dir, &live, &ignored) < 0)
		return false;
	for (size_t i = 0; i < live.n_ports; i++) {
		if (!is_same_place(&live.ports[i], p))
			continue;
		container_state_read(engine, id, &state);
		return container_is_running(&state);
	}
	return false;
}

/* Whether P is taken by PUBLISH itself, or by another container. */
static bool is_ours(const struct publish *publish, const struct publish_port *p)
{
	cleanup_free char *path = str_printf("%s/containers", publish->engine->runroot);
	bool is_found = false;
	DIR *dir = NULL;

	for (size_t i = 0; i < publish->n; i++) {
		const struct publish_port *other = &publish->ports[i];

		if (other != p && other->port == p->first && other->proto == p->proto &&
		    overlaps(&other->host, &p->host))
			return true;
	}
	/* lint: the engine's own run directory */
	dir = opendir(path);
	for (struct dirent *e = dir ? readdir(dir) : NULL; e && !is_found; e = readdir(dir))
		is_found = hex_is_valid(e->d_name, ID_LEN) && strcmp(e->d_name, publish->id) != 0 &&
			   has_port(publish->engine, e->d_name, p);
	if (dir)
		closedir(dir);
	return is_found;
}

static int set_refused(const struct publish *publish, const struct publish_port *p, int errnum,
		       struct err *err)
{
	char host[PUBLISH_ADDRESS_LEN];
	char to[PUBLISH_ADDRESS_LEN];

	if (errnum == EADDRINUSE && p->last != p->first)
		err_set(err, ERR_CONFLICT, "all ports are allocated");
	else if (errnum == EADDRINUSE && is_ours(publish, p))
		err_set(err, ERR_CONFLICT, "Bind for %s failed: port is already allocated",
			publish_address_format(&p->host, p->first, host));
	else {
		/* docker's words, which are Go's and without a capital letter. */
		cleanup_free char *reason = str_dup(strerrordesc_np(errnum));

		reason[0] = (char)(reason[0] | 0x20);
		if (errnum == EADDRNOTAVAIL)
			str_replace(&reason, "cannot assign requested address");
		err_set(err, ERR_CONFLICT, "failed to bind host port for %s:%s/%s: %s",
			publish_address_format(&p->host, p->first, host),
			publish_address_format(&p->to, p->container_port, to),
			publish_proto_name(p->proto), reason);
	}
	return err_wrap(err, "driver failed programming external connectivity on endpoint %s (%s)",
			publish->name, publish->endpoint_id);
}

/* ---- all ---- */

/* The container gets the limit that its configuration says, not this one. */
static int make_room(const struct publish *publish, struct err *err)
{
	size_t need = publish->n + SPARE_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
		return 0;
	if (limit.rlim_max >= need) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		return 0;
	}
	err_set(err, ERR_UNSUPPORTED,
		"publish ports: they take %zu sockets, and a process may have %llu files open",
		publish->n, (unsigned long long)limit.rlim_max);
	return err_hint(err, "raise the limit (`ulimit -Hn`), or share the host's network with "
			     "--network host");
}

/* Binds those whose number was said (IS_FIXED), or all others. */
static int bind_groups(struct publish *publish, bool is_fixed, struct err *err)
{
	int rc = 0;
	size_t n = 1;

	for (size_t i = 0; rc == 0 && i < publish->n; i += n) {
		struct publish_port *p = &publish->ports[i];
		size_t failed = 0;

		n = i + 1 < publish->n && p[1].is_twin ? 2 : 1;
		if (!p->is_bound || (p->first && p->first == p->last) != is_fixed)
			continue;
		rc = bind_group(p, n, &failed);
		if (rc < 0)
			rc = set_refused(publish, &p[failed], -rc, err);
	}
	return rc;
}

int publish_bind(struct publish *publish, struct err *err)
{
	int rc = make_room(publish, err);

	/* Who may have any port must not take one that another has to have. */
	if (rc == 0)
		rc = bind_groups(publish, true, err);
	if (rc == 0)
		rc = bind_groups(publish, false, err);
	if (rc < 0)
		publish_close(publish);
	return rc;
}

void publish_describe(const struct publish_port *port, uint8_t ret[static FORWARD_PAYLOAD_LEN])
{
	const struct forward_port forward = {.proto = port->proto,
					     .host = port->host,
					     .host_port = port->port,
					     .to = port->to,
					     .to_port = port->container_port,
					     .is_relayed = port->is_relayed};

	forward_format(&forward, ret);
}
