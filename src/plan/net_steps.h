/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAN_NET_STEPS_H
#define PLAN_NET_STEPS_H
/*
 * Steps on links, addresses and routes. Each of them adds its message to a batch; plan_net_commit
 * hands the batch to the kernel in one call, and an error names the step that it came from.
 *
 * There are two batches: that of the host's network namespace (NET_HOST), and that of the namespace
 * the step runs in (NET_OWN). A socket is opened by the first step that needs it, in the namespace
 * that its process is in then; that of the host, for steps INSIDE or for those behind a step that
 * joins another namespace, by plan_net_open. A part of a plan sends what it has begun: nothing
 * waits in a batch when the clone comes.
 *
 * Explained, every step is the `ip` command that does the same. Inside, the host's namespace is
 * descriptor 9 of the shell until plan_net_close.
 */
#include "plan/plan.h"
#include "sys/ip.h"

enum net_side { NET_HOST, NET_OWN };

/* HOST: a netlink socket in the host's network namespace. */
void plan_net_open(struct plan *plan);
/* INSIDE: nothing more is done on the host's side. */
void plan_net_close(struct plan *plan);
/* Sends the batch of SIDE. */
void plan_net_commit(struct plan *plan, enum step_where where, enum net_side side);

/* ---- on the host ---- */

struct plan_bridge {
	const char *name;
	uint32_t mtu;		       /* 0: the kernel's */
	const struct ip_prefix *addrs; /* borrowed for the call */
	size_t n_addrs;
	bool is_ipv6;	 /* else IPv6 is switched off on it */
	bool is_foreign; /* somebody else's: of its IPv6 nothing is switched off */
};
/* Makes the bridge, gives it its addresses and sets it up. One that is there gets what it lacks.
 * Done at once: the links that come next need its index. ERR_CONFLICT when the name is that of
 * another kind of link. */
void plan_net_bridge(struct plan *plan, enum step_where where, const struct plan_bridge *bridge);
/* A parent for macvlan and ipvlan links: VLAN number ID of PARENT, or (PARENT NULL) a dummy. One
 * that is there is fine. At once, too. */
void plan_net_parent(struct plan *plan, enum step_where where, const char *ifname,
		     const char *parent, uint16_t id);
/* For NET_HOST. A missing one is fine. */
void plan_net_delete(struct plan *plan, enum step_where where, const char *ifname);
/* Sets link NAME down: from then on nobody hears of its addresses. The kernel removes the pair with
 * the namespace of its other end. A missing one is fine. For NET_HOST. */
void plan_net_down(struct plan *plan, enum step_where where, const char *ifname);

/* ---- a link for a container ---- */

struct plan_link {
	const char *kind;	 /* "veth", "macvlan", "ipvlan" */
	const char *host_ifname; /* of veth */
	const char *master;	 /* bridge of veth (NULL: none), or parent of the others */
	const char *mode;	 /* of macvlan and ipvlan; NULL: the kind's first */
	const char *ifname;	 /* inside */
	uint8_t mac[6];		 /* all zero: the kernel's; never of ipvlan */
	uint32_t mtu;		 /* 0: the kernel's */
	int netns_fd; /* where its inner end goes (borrowed, open until the plan ran); -1: the
			 namespace that the step runs in */
	const char *netns_path; /* the same for people, "/proc/123/ns/net"; NULL with -1 */
	uint32_t group;		/* of veth: the group of links that its outer end is in; 0: none */
	bool is_hairpin;	/* of veth: its bridge may send it what came from it */
};
/* Adds the message that makes the link, each end named and where it belongs, the outer one of veth
 * up and a port of its bridge; for NET_HOST. The inner end is set up inside, by plan_net_up: the
 * kernel makes it before its other end. Strings are copied. */
void plan_net_link(struct plan *plan, enum step_where where, const struct plan_link *link);

/* The bridge may send to its port IFNAME what came from it; for NET_HOST. */
void plan_net_hairpin(struct plan *plan, enum step_where where, const char *ifname);

/* IPv6 of one link or, with "default", of all that come into being later, in the namespace that the
 * step runs in; at once. Switching it off where the kernel has no IPv6 is done already. */
void plan_net_ipv6(struct plan *plan, enum step_where where, const char *ifname, bool on);

/* Link IFNAME, which has IPv6, ignores what anybody says of routers; at once. */
void plan_net_no_routers(struct plan *plan, enum step_where where, const char *ifname);

/* For NET_OWN: */
void plan_net_up(struct plan *plan, enum step_where where, const char *ifname);
/* Usable at once, IPv6 too; one that is there is fine. */
void plan_net_address(struct plan *plan, enum step_where where, const char *ifname,
		      const struct ip_prefix *addr);
/* TO of length 0 is the default route; GATEWAY none: on the link itself. Takes the place of another
 * route to the same. */
void plan_net_route(struct plan *plan, enum step_where where, const struct ip_prefix *to,
		    const struct ip_addr *gateway, const char *ifname);

/* For either side, when the batches of both were sent: from here on what comes through link IFNAME
 * gets through. A pair of links carries nothing until both its ends are up, and of the end that
 * came up first the kernel takes notice later; with this it does now. At once. */
void plan_net_ready(struct plan *plan, enum step_where where, enum net_side side,
		    const char *ifname);

struct plan_run;
/* Closes the sockets of RUN and forgets what was not sent; by plan_run_done. */
void plan_net_done(struct plan_run *run);

#endif
