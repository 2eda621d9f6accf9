/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_RTNL_H
#define SYS_RTNL_H
/*
 * Links, addresses and routes: messages for a batch of sys/netlink.h, and questions about what is
 * there. SOCKET is always a netlink_open(NETLINK_ROUTE); its network namespace is the one that is
 * asked and changed, whichever the caller is in.
 */
#include "sys/ip.h"
#include "sys/netlink.h"

#include <net/if.h>
#include <stdbool.h>

/* ---- messages ---- */

/* Where the inner end of a new link goes: the namespace of descriptor FD, or (FD < 0) that of
 * process PID as the caller's pid namespace numbers it. */
struct rtnl_target {
	int fd;
	pid_t pid;
};

struct rtnl_link {
	const char *kind;	 /* "veth", "macvlan", "ipvlan" */
	const char *host_ifname; /* of veth: the outer end, up and a port of the bridge LINK */
	const char *ifname;	 /* the inner end; of veth down, as the kernel has it */
	unsigned link;		 /* index of the bridge of a veth (0: none), else of the parent */
	uint8_t mac[6];		 /* all zero: the kernel's; never of ipvlan */
	uint32_t mtu;		 /* 0: the kernel's */
	uint32_t mode;		 /* rtnl_parse_mode */
	uint32_t group;		 /* of veth: that of its outer end; 0: none */
	struct rtnl_target target;
};

/* A new bridge, down: no spanning tree, no delay, an address of its own that does not change with
 * its ports. */
void rtnl_add_bridge(struct netlink_batch *batch, const char *ifname, const uint8_t mac[6],
		     uint32_t mtu);
/* The link with index INDEX, which must be a bridge (else EOPNOTSUPP): up, and what is sent to
 * 127.0.0.0/8 may leave through it. */
void rtnl_set_bridge(struct netlink_batch *batch, unsigned index, uint32_t mtu);
/* The pair of links, or the link on a parent, each end where it belongs, in one message. */
void rtnl_add_link(struct netlink_batch *batch, const struct rtnl_link *link);
/* A VLAN of its parent, or (ID 0) a link to nowhere; up. One that is there is fine. */
void rtnl_add_vlan(struct netlink_batch *batch, const char *ifname, unsigned parent, uint16_t id);
/* The port IFNAME of a bridge: what came from it may be sent back to it. */
void rtnl_set_hairpin(struct netlink_batch *batch, const char *ifname);
void rtnl_set_up(struct netlink_batch *batch, unsigned index);
/* A missing one is fine. */
void rtnl_set_down(struct netlink_batch *batch, const char *ifname);
void rtnl_delete(struct netlink_batch *batch, const char *ifname);
/* Usable at once, also of IPv6. One that is there is fine. */
void rtnl_add_address(struct netlink_batch *batch, unsigned index, const struct ip_prefix *addr);
/* TO of length 0 is the default route; GATEWAY none: on the link itself. Takes the place of another
 * route to the same. */
void rtnl_set_route(struct netlink_batch *batch, unsigned index, const struct ip_prefix *to,
		    const struct ip_addr *gateway);

/* The kernel's number of a mode's word ("bridge", "l3s"; NULL and "": the first): 0 or -EINVAL. */
int rtnl_parse_mode(const char *kind, const char *word, uint32_t *ret);

/* ---- questions ---- */

/* The index of a link > 0, or -ENODEV. One system call. */
int rtnl_index(int socket, const char *ifname);

/* Has the kernel do at once what it has put off for a link whose other end came up: until then it
 * drops what is sent, and a bridge what comes from this port. Otherwise a worker does it some time
 * later, and a container whose first packet was faster waits a second for the second one. 1 when
 * the link has a carrier, 0 when it has none, or -errno. */
int rtnl_settle(int socket, const char *ifname);

/* What the host has an address in (the address with all its bits and its subnet's length), then
 * what it has a unicast route to, default routes too but nothing of the table "local". RET is to be
 * freed with free(3). 0 or -errno. */
int rtnl_list_subnets(struct ip_prefix **ret, size_t *ret_n);

#endif
