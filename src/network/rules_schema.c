/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules themselves. They are the same for any number of networks, containers and ports: what
 * differs stands in sets and maps.
 */
#include "network/rules_private.h"

#include "base/mem.h"

#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>

/* In the order of the enum. */
enum inet_set {
	SET_BRIDGES,
	SET_INTERNAL,
	SET_OTHERS,
	SET_OPEN,
	SET_HAIRPIN4,
	SET_HAIRPIN6,
	SET_MASQUERADE,
	SET_UNPROTECTED,
	SET_ROUTED,
	SET_UNROUTED,
	SET_DIRECT4,
	SET_DIRECT6,
	SET_PORTS4,
	SET_PORTS6,
	SET_ADDRESSES4,
	SET_ADDRESSES6,
};

static const struct nft_set inet_sets[] = {
	/* The bridges of networks; those of internal ones. */
	{"bridges", "ifname", NULL, false},
	{"internal", "ifname", NULL, false},
	/* Bridges of docker's, whose own rules DOCKER-USER comes before. */
	{"others", "ifname", NULL, false},
	/* From a bridge back to itself: with icc; what comes from its own containers. */
	{"open", "ifname . ifname", NULL, false},
	{"hairpin4", "ifname . ipv4_addr", NULL, true},
	{"hairpin6", "ifname . ipv6_addr", NULL, true},
	/* Whose way out gets the host's address; who may be reached at every port; who is reached
	 * by the container's own address. */
	{"masqueraded", "nf_proto . ifname", NULL, false},
	{"unprotected", "nf_proto . ifname", NULL, false},
	{"routed", "nf_proto . ifname", NULL, false},
	/* Where the host has no address on the bridge, and so no route to its containers. */
	{"unrouted", "nf_proto . ifname", NULL, false},
	/* Published ports: of routed networks, of every address, of one address. */
	{"direct4", "ipv4_addr . inet_proto . inet_service", NULL, false},
	{"direct6", "ipv6_addr . inet_proto . inet_service", NULL, false},
	{"ports4", "inet_proto . inet_service", "ipv4_addr . inet_service", false},
	{"ports6", "inet_proto . inet_service", "ipv6_addr . inet_service", false},
	{"addresses4", "ipv4_addr . inet_proto . inet_service", "ipv4_addr . inet_service", false},
	{"addresses6", "ipv6_addr . inet_proto . inet_service", "ipv6_addr . inet_service", false},
};

/* Published ports on 127.0.0.1 need route_localnet, with which the kernel no longer refuses what
 * claims to come from there or wants to go there (CVE-2020-8558).
 *
 * A source address that is not of the network that it comes from is refused in every packet: one
 * that passes for another's open connection would be let through everywhere. A bridge without an
 * address has no such route: what br_netfilter shows us of its containers among themselves is not
 * our business, and nothing else gets far. */
static const char *const guard_rules[] = {
	"iif != \"lo\" ip daddr 127.0.0.0/8 drop",
	"iif != \"lo\" ip saddr 127.0.0.0/8 drop",
	"meta nfproto . iifname @unrouted accept",
	"iifname @bridges fib saddr . iif oif 0 drop",
	NULL,
};

static const char *const publish_rules[] = {
	"dnat ip to ip daddr . meta l4proto . th dport map @addresses4",
	"dnat ip6 to ip6 daddr . meta l4proto . th dport map @addresses6",
	"fib daddr type local dnat ip to meta l4proto . th dport map @ports4",
	/* Nothing from ::1 can leave the host: its monitor passes that on. */
	"ip6 daddr != ::1 fib daddr type local dnat ip6 to meta l4proto . th dport map @ports6",
	NULL,
};

/* From a bridge without an address the host takes nothing at all. */
static const char *const prerouting_rules[] = {
	"meta nfproto . iifname @unrouted fib daddr type local drop",
	"meta nfproto . iifname @unrouted return",
	"jump publish",
	NULL,
};

/* What goes to ::1 comes to the monitor's socket: the kernel routes nothing with that address. */
static const char *const output_rules[] = {
	"ip6 daddr ::1 accept",
	"jump publish",
	NULL,
};

/* From 127.0.0.1; from a container to a port that its own network publishes, whose answer must come
 * back through the host; the way out. */
static const char *const postrouting_rules[] = {
	"oifname @bridges ip saddr 127.0.0.0/8 masquerade",
	"oifname . ip saddr @hairpin4 ct status dnat masquerade",
	"oifname . ip6 saddr @hairpin6 ct status dnat masquerade",
	"meta nfproto . iifname @masqueraded oifname != @bridges masquerade",
	NULL,
};

/* Of an internal network nothing is forwarded, whatever connection it says it belongs to. Packets
 * of one network among themselves come by here where br_netfilter is loaded, those that ask for
 * neighbours as well: they have a hop limit of 255 (RFC 4861, 7.1), which nothing has that was
 * routed. */
static const char *const internal_rules[] = {
	"iifname . oifname @open accept",
	"ip6 hoplimit 255 icmpv6 type nd-neighbor-solicit accept",
	"ip6 hoplimit 255 icmpv6 type nd-neighbor-advert accept",
	"drop",
	NULL,
};

/* What is invalid would leave with the container's address, as NAT does not know it. */
static const char *const forward_rules[] = {
	"iifname @internal jump within",
	"oifname @internal jump within",
	"ct state established,related accept",
	"iifname . oifname @open accept",
	"ip6 hoplimit 255 icmpv6 type nd-neighbor-solicit accept",
	"ip6 hoplimit 255 icmpv6 type nd-neighbor-advert accept",
	"meta nfproto . iifname @unrouted drop",
	"iifname @bridges oifname @others ct status dnat accept",
	"iifname @bridges oifname @others drop",
	"oifname @bridges ct status dnat accept",
	"ip daddr . meta l4proto . th dport @direct4 accept",
	"ip6 daddr . meta l4proto . th dport @direct6 accept",
	"meta nfproto . oifname @routed meta l4proto icmp accept",
	"meta nfproto . oifname @routed meta l4proto ipv6-icmp accept",
	"meta nfproto . oifname @unprotected iifname != @bridges accept",
	"oifname @bridges drop",
	"iifname @bridges ct state invalid drop",
	NULL,
};

static const struct nft_chain inet_chains[] = {
	{"publish", NULL, NULL, 0, publish_rules},
	{"within", NULL, NULL, 0, internal_rules},
	{"guard", "filter", "prerouting", NF_IP_PRI_RAW, guard_rules},
	{"prerouting", "nat", "prerouting", NF_IP_PRI_NAT_DST, prerouting_rules},
	{"output", "nat", "output", NF_IP_PRI_NAT_DST, output_rules},
	{"postrouting", "nat", "postrouting", NF_IP_PRI_NAT_SRC, postrouting_rules},
	{"forward", "filter", "forward", NF_IP_PRI_FILTER, forward_rules},
};

/* Links of containers on a bridge with icc=false are known by their group (RULES_CLOSED_GROUP):
 * what such a network's containers send each other is dropped but for finding neighbours, of which
 * the host is one. Before br_netfilter (0), which takes packets of IP past chains of its priority.
 */
static const char *const bridge_rules[] = {
	"iifgroup != 1952543333 accept",
	"ether type arp accept",
	"icmpv6 type nd-neighbor-solicit accept",
	"icmpv6 type nd-neighbor-advert accept",
	"drop",
	NULL,
};

static const struct nft_chain bridge_chains[] = {
	{"forward", "filter", "forward", NF_BR_PRI_FILTER_BRIDGED, bridge_rules},
};

_Static_assert(RULES_CLOSED_GROUP == 1952543333, "bridge_rules names the group");
_Static_assert(ARRAY_LEN(inet_sets) <= RULES_MAX_SETS, "rules_content holds a vector for each set");

struct nft_table rules_inet_table(const char *name)
{
	return (struct nft_table){
		"inet", name, inet_sets, ARRAY_LEN(inet_sets), inet_chains, ARRAY_LEN(inet_chains)};
}

struct nft_table rules_bridge_table(const char *name)
{
	return (struct nft_table){"bridge", name, NULL, 0, bridge_chains, ARRAY_LEN(bridge_chains)};
}

static uint64_t mark_of(const struct nft_table *table, uint64_t mark)
{
	for (size_t i = 0; i < table->n_chains; i++) {
		mark = mark * 31 + (uint64_t)table->chains[i].priority;
		for (const char *const *rule = table->chains[i].rules; *rule; rule++)
			mark = mark * 31 + nft_rule_mark(*rule);
	}
	return mark;
}

uint64_t rules_schema_mark(void)
{
	const struct nft_table inet = rules_inet_table(""), bridge = rules_bridge_table("");

	return mark_of(&bridge, mark_of(&inet, 0));
}

void rules_content_done(struct rules_content *content)
{
	for (size_t i = 0; i < RULES_MAX_SETS; i++)
		strv_done(&content->elements[i]);
}

/* ---- elements ---- */

bool rules_is_closed(const struct network *network)
{
	return network->driver == NETWORK_BRIDGE && !network->is_icc;
}

static void add_family(struct rules_content *content, const struct network *network, int i)
{
	const enum network_gateway_mode mode = network->gateway_mode[i];
	const char *family = i == 0 ? "ipv4" : "ipv6";
	const bool is_nat = mode == GATEWAY_NAT || mode == GATEWAY_NAT_UNPROTECTED;

	if (is_nat && network->is_masquerade && !network->is_internal)
		strv_addf(&content->elements[SET_MASQUERADE], "%s . \"%s\"", family,
			  network->bridge);
	if (mode == GATEWAY_NAT_UNPROTECTED || mode == GATEWAY_ROUTED)
		strv_addf(&content->elements[mode == GATEWAY_ROUTED ? SET_ROUTED : SET_UNPROTECTED],
			  "%s . \"%s\"", family, network->bridge);
	if (mode == GATEWAY_ISOLATED || (i == 0 && network->is_inhibited_ipv4))
		strv_addf(&content->elements[SET_UNROUTED], "%s . \"%s\"", family, network->bridge);
}

static void add_subnets(struct rules_content *content, const struct network *network)
{
	for (size_t i = 0; i < network->n_pools; i++) {
		const struct ip_prefix *subnet = &network->pools[i].subnet;
		char text[IP_PREFIX_TEXT_LEN];

		strv_addf(&content->elements[subnet->addr.family == IP_V6 ? SET_HAIRPIN6
									  : SET_HAIRPIN4],
			  "\"%s\" . %s", network->bridge, ip_prefix_format(subnet, text));
	}
}

void rules_add_network(struct rules_content *content, const struct network *network)
{
	const char *bridge = network->bridge;

	if (network->driver != NETWORK_BRIDGE)
		return;
	strv_addf(&content->elements[SET_BRIDGES], "\"%s\"", bridge);
	add_subnets(content, network);
	if (network->is_icc)
		strv_addf(&content->elements[SET_OPEN], "\"%s\" . \"%s\"", bridge, bridge);
	if (network->is_internal)
		strv_addf(&content->elements[SET_INTERNAL], "\"%s\"", bridge);
	if (network->is_ipv4)
		add_family(content, network, 0);
	if (network->is_ipv6)
		add_family(content, network, 1);
}

void rules_add_port(struct rules_content *content, const struct rules_port *port)
{
	const struct published_port *p = &port->port;
	const bool is_v6 = port->container_ip.family == IP_V6;
	const bool is_any = ip_is_any(&p->host_ip) || p->host_ip.family == IP_NONE;
	char host[IP_TEXT_LEN], container[IP_TEXT_LEN];

	if (port->container_ip.family == IP_NONE ||
	    (p->host_ip.family != IP_NONE && p->host_ip.family != port->container_ip.family))
		return;
	ip_format(&p->host_ip, host);
	ip_format(&port->container_ip, container);
	if (port->mode == GATEWAY_ROUTED)
		strv_addf(&content->elements[is_v6 ? SET_DIRECT6 : SET_DIRECT4], "%s . %s . %u",
			  container, p->proto, p->container_port);
	else if (is_any)
		strv_addf(&content->elements[is_v6 ? SET_PORTS6 : SET_PORTS4], "%s . %u : %s . %u",
			  p->proto, p->host_port, container, p->container_port);
	else
		strv_addf(&content->elements[is_v6 ? SET_ADDRESSES6 : SET_ADDRESSES4],
			  "%s . %s . %u : %s . %u", host, p->proto, p->host_port, container,
			  p->container_port);
}

bool rules_fill(const struct rules_state *state, struct rules_content *ret_inet,
		struct rules_content *ret_bridge)
{
	bool is_closed = false;

	*ret_inet = (struct rules_content){.table = rules_inet_table(state->table)};
	*ret_bridge = (struct rules_content){.table = rules_bridge_table(state->table)};
	for (size_t i = 0; i < state->n_networks; i++) {
		rules_add_network(ret_inet, state->networks[i].network);
		is_closed |= rules_is_closed(state->networks[i].network);
	}
	for (size_t i = 0; i < state->n_ports; i++)
		rules_add_port(ret_inet, &state->ports[i]);
	strv_foreach (i, &state->others)
		strv_addf(&ret_inet->elements[SET_OTHERS], "\"%s\"", state->others.items[i]);
	return is_closed;
}

void rules_bridges(const struct rules_state *state, struct strv *ret)
{
	for (size_t i = 0; i < state->n_networks; i++)
		if (state->networks[i].network->driver == NETWORK_BRIDGE)
			strv_add(ret, state->networks[i].network->bridge);
}
