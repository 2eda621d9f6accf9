/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_LIVE_H
#define NETWORK_LIVE_H
/*
 * What networks have at this moment, as files below RUNROOT: gone after a boot, as the links are.
 *
 *	RUNROOT/networks/lock                 held (flock) by who changes bridges or rules
 *	                 rules, rules.lock    what the firewall was when we last saw it (rules.h)
 *	                 ID/addresses/IP      a lease: a symlink whose text is the container's id.
 *	                                      symlink(2) takes it, whoever else wants it: no lock
 *	                 ID/endpoints/CID     who is there: lines "key value" (below), by rename
 *	                 ID/dns.sock          where the network's name server listens
 *	RUNROOT/containers/CID/network.json   all endpoints and published ports of one container
 *
 * Lines of an endpoint file, in this order, which is all that the name server reads:
 *
 *	name TEXT          one for each: the container's, its aliases, the first 12 digits of its id
 *	network TEXT       the network's name
 *	link ALIAS NAME    what this container alone calls another
 *	ip4 ADDRESS        without the prefix
 *	ip6 ADDRESS
 *	mac 02:42:...
 *	ifname eth0
 *	host vethXXXXXXX
 *	endpoint HEX       its id
 *
 * A lease whose container is neither running nor being started belongs to nobody: who wants the
 * address takes it over.
 */
#include "network/endpoint.h"

/* One published port of a running container. */
struct published_port {
	char proto[8];		/* "tcp", "udp", "sctp" */
	struct ip_addr host_ip; /* 0.0.0.0 or :: for every address */
	uint16_t host_port;
	uint16_t container_port;
	bool is_relayed; /* the monitor passes everything on: it has no element in the rules */
};

/* network.json of one container. */
struct live_network {
	struct endpoint *endpoints; /* owned */
	size_t n_endpoints;
	struct published_port *ports; /* owned */
	size_t n_ports;
};

/* Frees what is inside; a zeroed one is fine. */
void live_network_done(struct live_network *live);
#define cleanup_live_network __attribute__((cleanup(live_network_done)))

#define LIVE_NETWORK_FILE "network.json"

/* Reads network.json of the run directory STATE_DIR (a descriptor); one that is missing is empty. 0
 * or -code. */
int live_network_read(int state_dir, struct live_network *ret, struct err *err);
/* Writes it by rename. */
int live_network_write(int state_dir, const struct live_network *live, struct err *err);
/* The endpoint in network NETWORK_ID; NULL. */
struct endpoint *live_network_find(const struct live_network *live, const char *network_id);
/* Takes endpoint INDEX out and frees it. */
void live_network_remove(struct live_network *live, size_t index);

/* Writes RUNROOT/networks/ID/endpoints/CONTAINER by rename. */
int live_endpoint_write(const char *runroot, const char *container, const struct endpoint *endpoint,
			struct err *err);
/* Removes it, and gives the endpoint's addresses back; what is not there is fine. */
void live_endpoint_remove(const char *runroot, const char *container,
			  const struct endpoint *endpoint);

#endif
