/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_ENDPOINT_H
#define ENGINE_NETWORK_ENDPOINT_H
/*
 * From what a container asks of a network to the endpoint that it gets there: checks, addresses,
 * names of links, names for others; and what an endpoint is to a plan. Used by starts and by live
 * connects.
 */
#include "engine/engine.h"
#include "network/live.h"
#include "plan/net_steps.h"

struct strv;

/* Whose endpoint it is. Borrowed. */
struct endpoint_owner {
	const char *id;	      /* of the container, 64 digits */
	const char *name;     /* without a slash */
	const char *hostname; /* may be NULL; one more name */
};

/* For an owner: the host name in CONFIG, the column of its row. Owned; NULL where there is none. */
char *endpoint_read_hostname(const char *config);

/* What docker's daemon checks of REQUEST when it connects a container to NETWORK. 0 or -code. */
int endpoint_check(const struct network *network, const struct endpoint_request *request,
		   struct err *err);
/* Fills RET (all zero) with the endpoint of OWNER in NETWORK: takes its addresses. OTHERS are the
 * endpoints that the container has already: links inside get other names. 0 or -code; nothing is
 * taken then. */
int endpoint_make(struct engine *engine, const struct network *network,
		  const struct endpoint_request *request, const struct endpoint_owner *owner,
		  const struct live_network *others, struct endpoint *ret, struct err *err);
/* What a start would get at most: for scripts. Takes nothing. */
int endpoint_make_unleased(const struct network *network, const struct endpoint_request *request,
			   const struct endpoint_owner *owner, const struct live_network *others,
			   struct endpoint *ret, struct err *err);
/* The names that ENDPOINT answers to, anew: after a rename. */
void endpoint_set_names(struct endpoint *endpoint, const struct network *network,
			const struct endpoint_request *request, const struct endpoint_owner *owner);

/* Says of LIVE's endpoints which has the default routes: that of the highest priority, the first by
 * its network's name among equals. PRIORITIES has one number for each. */
void endpoints_choose_gateway(struct live_network *live, const int64_t *priorities);

/* Adds the link of ENDPOINT, whose inner end goes to NETNS_FD, NETNS_PATH for people (-1, NULL: the
 * namespace that the step runs in): a message for the host's socket. IS_HAIRPIN: see below. */
void endpoint_plan_link(struct plan *plan, enum step_where where, const struct network *network,
			const struct endpoint *endpoint, int netns_fd, const char *netns_path,
			bool is_hairpin);
/* Whether links of a container must be able to get back what they sent: it publishes ports, and
 * br_netfilter translates addresses inside of bridges, so that the container reaches its own
 * published port without the packet ever leaving the bridge. */
bool endpoint_needs_hairpin(bool is_published);
/* Switches IPv6 on or off for its link, which is not up yet; in the container's namespace. On a
 * bridge nobody is a router but the host, whose address it is told. */
void endpoint_plan_ipv6(struct plan *plan, enum step_where where, const struct network *network,
			const struct endpoint *endpoint);
/* Adds its addresses, and sets it up: for the container's namespace. */
void endpoint_plan_addresses(struct plan *plan, enum step_where where,
			     const struct endpoint *endpoint);
/* Its default routes, if it has them. */
void endpoint_plan_routes(struct plan *plan, enum step_where where,
			  const struct endpoint *endpoint);
/* Both batches being sent: its link, and the bridge of NETWORK, carry what the container sends and
 * what is answered from now on. */
void endpoint_plan_ready(struct plan *plan, enum step_where where, const struct network *network,
			 const struct endpoint *endpoint);
/* The kernel parameters of its link that were asked for; INSIDE. */
void endpoint_plan_sysctls(struct plan *plan, const struct endpoint *endpoint);
/* Sets its end on the host down. */
void endpoint_plan_down(struct plan *plan, enum step_where where, const struct endpoint *endpoint);

#endif
