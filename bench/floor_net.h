/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FLOOR_NET_H
#define BENCH_FLOOR_NET_H
/* The network's part of the floor: a pair of links, an address and a route, by bare netlink. */
#include <stdbool.h>

/* A netlink socket in the namespace that the caller is in. */
int floor_net_open(void);
/* Makes the bridge that all rounds share, with its address, and removes it. */
void floor_net_make_bridge(int fd);
void floor_net_remove_bridge(int fd);
/* In the cloned process: a pair of links, one a port of the bridge (through HOST_FD), the other
 * here; loopback, address and default route. */
void floor_net_join(int host_fd);

#endif
