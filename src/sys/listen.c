/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to sock_diag(7), and a walk through /proc for the names. */
#include "sys/listen.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATE(number) (1U << (number))
#define NAME_LIMIT    64
#define TARGET_LIMIT  64
#define SOCKET_PREFIX "socket:["

struct listing {
	listening_fn fn;
	void *data;
	int protocol;
};

static struct ip_addr address_of(int family, const void *bytes)
{
	struct ip_addr addr = {.family = family == AF_INET ? IP_V4 : IP_V6};

	memcpy(addr.bytes, bytes, ip_size(&addr));
	return addr;
}

static int add_socket(const struct nlmsghdr *message, void *data)
{
	const struct listing *listing = data;
	const struct inet_diag_msg *diag = NULL;
	const struct nlattr *attrs[INET_DIAG_SKV6ONLY + 1] = {};
	struct listening_socket found = {.protocol = listing->protocol};

	if (!message) /* from the start again: one twice does no harm to who lists them */
		return 0;
	diag = netlink_header(message, sizeof *diag);
	if (!diag)
		return -EBADMSG;
	if (diag->id.idiag_dport != 0)
		return 0;
	netlink_parse(message, sizeof *diag, attrs, INET_DIAG_SKV6ONLY);
	found.addr = address_of(diag->idiag_family, diag->id.idiag_src);
	found.port = ntohs(diag->id.idiag_sport);
	found.inode = diag->idiag_inode;
	found.is_dual = diag->idiag_family == AF_INET6 && ip_is_any(&found.addr) &&
			netlink_u8(attrs[INET_DIAG_SKV6ONLY], 0) == 0;
	return listing->fn(&found, listing->data);
}

int listening_list(listening_fn fn, void *data)
{
	static const struct {
		uint8_t family, protocol;
		uint32_t states; /* an unconnected UDP socket is in TCP_CLOSE */
	} kinds[] = {
		{AF_INET, IPPROTO_TCP, STATE(TCP_LISTEN)},
		{AF_INET6, IPPROTO_TCP, STATE(TCP_LISTEN)},
		{AF_INET, IPPROTO_UDP, STATE(TCP_CLOSE)},
		{AF_INET6, IPPROTO_UDP, STATE(TCP_CLOSE)},
	};
	cleanup_close int fd = netlink_open(NETLINK_SOCK_DIAG);

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
		struct listing listing = {fn, data, kinds[i].protocol};
		const struct inet_diag_req_v2 request = {
			.sdiag_family = kinds[i].family,
			.sdiag_protocol = kinds[i].protocol,
			.idiag_states = kinds[i].states,
		};
		int rc = 0;

		netlink_begin(&batch, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, sizeof request);
		rc = netlink_dump(fd, &batch, add_socket, &listing);
		/* a kernel without one of them has none to list */
		if (rc < 0 && rc != -ENOENT && rc != -EPROTONOSUPPORT)
			return rc;
	}
	return 0;
}

/* ---- who has them ---- */

/* The number in "socket:[N]" that entry NAME of DIR leads to; 0 for what is no socket. */
static uint32_t socket_inode(int dir, const char *name)
{
	char target[TARGET_LIMIT];
	ssize_t len = readlinkat(dir, name, target, sizeof target - 1);
	uint64_t inode = 0;

	if (len < (ssize_t)sizeof SOCKET_PREFIX || target[len - 1] != ']')
		return 0;
	target[len - 1] = '\0';
	if (!str_has_prefix(target, SOCKET_PREFIX) ||
	    num_parse_u64(target + strlen(SOCKET_PREFIX), &inode) < 0)
		return 0;
	return (uint32_t)inode;
}

/* A process that has ended meanwhile has no sockets; one that is somebody else's shows none. */
static void list_sockets_of(int proc, const char *pid, socket_owner_fn fn, void *data)
{
	cleanup_close int process = openat(proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_str struct str name = STR_INIT;
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		return;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		uint32_t inode = socket_inode(dirfd(dir), entry->d_name);

		if (inode == 0)
			continue;
		if (name.len == 0 && fd_read_file_at(process, "comm", NAME_LIMIT, &name) < 0)
			break;
		if (name.len > 0 && name.buf[name.len - 1] == '\n')
			str_truncate(&name, name.len - 1);
		fn(inode, str_get(&name), data);
	}
	closedir(dir);
}

int socket_owners_list(socket_owner_fn fn, void *data)
{
	DIR *proc = opendir("/proc");

	if (!proc)
		return -errno;
	for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			list_sockets_of(dirfd(proc), entry->d_name, fn, data);
	closedir(proc);
	return 0;
}
