/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAN_NET_STEPS_H
#define PLAN_NET_STEPS_H
/*
 * Steps on links, addresses and routes. Each of them adds its message to a batch; plan_net_commit
 * hands the batch to the kernel in one call, and an error names the step that it came from.
 *
 * There are two batches: that of the host's network namespace (NET_HOST), whose socket is opened by
 * plan_net_open, a HOST step, and which the cloned child can use too; and that of the namespace the
 * step runs in (NET_OWN). Explained, every step is the `ip` command that does the same.
 */
#include "plan/plan.h"
#include "sys/ip.h"

enum net_side { NET_HOST, NET_OWN };

/* HOST: a netlink socket in the host's network namespace. */
void plan_net_open(struct plan *plan);
/* Sends the batch of SIDE. */
void plan_net_commit(struct plan *plan, enum step_where where, enum net_side side);

/* ---- on the host ---- */

struct plan_bridge {
	const char *name;
	uint32_t mtu;		       /* 0: the kernel's */
	const struct ip_prefix *addrs; /* borrowed for the call */
	size_t n_addrs;
	bool is_ipv6; /* else IPv6 is switched off on it */
};
/* Makes the bridge, gives it its addresses and sets it up. One that is there gets what it lacks. */
void plan_net_bridge(struct plan *plan, enum step_where where, const struct plan_bridge *bridge);
void plan_net_delete(struct plan *plan, enum step_where where, const char *ifname);
/* Sets link NAME down: from then on nobody hears of its addresses. The kernel removes the pair with
 * the namespace of its other end. A missing one is fine. */
void plan_net_down(struct plan *plan, enum step_where where, const char *ifname);

/* ---- a link for a container ---- */

struct plan_link {
	const char *kind;	 /* "veth", "macvlan", "ipvlan" */
	const char *host_ifname; /* of veth */
	const char *master;	 /* bridge of veth, or parent of the others */
	const char *mode;	 /* of macvlan and ipvlan */
	const char *ifname;	 /* inside */
	uint8_t mac[6];
	uint32_t mtu;
	int netns_fd;	  /* where its inner end goes; -1: the namespace that the step runs in */
	bool is_isolated; /* it may not talk to other ports of its bridge */
};
/* Adds the message that makes the link; for NET_HOST. Strings are copied. */
void plan_net_link(struct plan *plan, enum step_where where, const struct plan_link *link);

/* For NET_OWN: */
void plan_net_up(struct plan *plan, enum step_where where, const char *ifname);
void plan_net_address(struct plan *plan, enum step_where where, const char *ifname,
		      const struct ip_prefix *addr);
/* TO of length 0 is the default route; GATEWAY none: on the link itself. */
void plan_net_route(struct plan *plan, enum step_where where, const struct ip_prefix *to,
		    const struct ip_addr *gateway, const char *ifname);

#endif
