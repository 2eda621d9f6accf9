/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_LEASE_H
#define NETWORK_LEASE_H
/*
 * Which addresses of a network are taken: RUNROOT/networks/ID/addresses/IP is a symlink whose text
 * is the id of the container that has it. RUNROOT/networks/ID/next is locked by who takes or gives
 * back, and says below which address nothing is free, so that the thousandth costs what the first
 * did.
 *
 * A container gets the lowest free address of the network's range. What a dead one left is taken
 * over by who asks for just that address, or when nothing else is free.
 */
#include "network/network.h"

/* Who wants an address. */
struct lease_taker {
	const char *runroot;
	const char *container; /* 64 digits */
	/* Whether a container runs or is being started. */
	bool (*is_alive)(const char *container, void *data);
	void *data;
};

/* Takes an address of FAMILY (IP_V4, IP_V6) in NETWORK: WANTED, or any when that is NULL or none.
 * RET has the length of the subnet. ERR_CONFLICT "Address already in use", ERR_INVALID when WANTED
 * is in no subnet, ERR_UNAVAILABLE when all are taken. */
int lease_take(const struct lease_taker *taker, const struct network *network, int family,
	       const struct ip_addr *wanted, struct ip_prefix *ret, struct err *err);
/* Gives ADDR back, if CONTAINER has it; none is fine. Failures are only logged. */
void lease_release(const char *runroot, const char *network_id, const char *container,
		   const struct ip_addr *addr);
/* Gives everything back that CONTAINER has anywhere, and its endpoint files: looks at all leases,
 * for a container that died before it was written down what it has. */
void lease_release_all(const char *runroot, const char *container);

struct live_network;
/* Gives back what CONTAINER has anywhere but in the endpoints of LIVE. */
void lease_release_unlisted(const char *runroot, const char *container,
			    const struct live_network *live);

#endif
