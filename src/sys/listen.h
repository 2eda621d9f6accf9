/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_LISTEN_H
#define SYS_LISTEN_H
/* Sockets that wait for anybody: TCP ones that listen, UDP ones that are bound and not connected.
 */
#include "sys/ip.h"

#include <stdbool.h>
#include <stdint.h>

struct listening_socket {
	int protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	struct ip_addr addr;
	bool is_dual; /* bound to :: and open to IPv4 as well */
	uint16_t port;
	uint32_t inode; /* as in /proc/PID/fd: "socket:[INODE]" */
};

/* Called for each; < 0 stops with that value. */
typedef int (*listening_fn)(const struct listening_socket *socket, void *data);

/* All of the network namespace that the caller is in, by sock_diag(7). 0 or -errno. */
int listening_list(listening_fn fn, void *data);

/* Calls FN for every open socket of every process that the caller may look into: its inode and the
 * process's name. FN must not keep NAME. 0 or -errno. */
typedef void (*socket_owner_fn)(uint32_t inode, const char *name, void *data);
int socket_owners_list(socket_owner_fn fn, void *data);

#endif
