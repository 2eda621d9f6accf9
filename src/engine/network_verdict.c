/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the firewall once more, as conclusions: what network/rules_schema.c makes the kernel
 * do is said here in words.
 */
#include "engine/network_verdict.h"

#include "base/mem.h"

#include <string.h>

bool model_is_bridge(const struct network *n)
{
	return n->driver == NETWORK_BRIDGE;
}

const struct network *model_network_of(const struct network_model *model,
				       const struct model_endpoint *e)
{
	return &model->networks[e->network].network;
}

bool model_has_address(const struct model_endpoint *e, int family)
{
	return model_endpoint_address(e, family)->addr.family == family;
}

/* Whether any container of MODEL has an address of FAMILY: else nothing is said of it. */
bool model_has_family(const struct model_container *c, int family)
{
	for (size_t i = 0; i < c->n_endpoints; i++)
		if (model_has_address(&c->endpoints[i], family))
			return true;
	return false;
}

/* Whether the host has an address on the bridge N. */
static bool has_host_address(const struct network *n, int family)
{
	return network_gateway_mode(n, family) != GATEWAY_ISOLATED &&
	       !(family == IP_V4 && n->is_inhibited_ipv4);
}

/* The endpoint that the default route of FAMILY leads through; NULL. */
const struct model_endpoint *model_gateway_endpoint(const struct model_container *c, int family)
{
	for (size_t i = 0; i < c->n_endpoints; i++) {
		const struct model_endpoint *e = &c->endpoints[i];

		if (model_has_address(e, family) &&
		    (family == IP_V4 ? e->is_gateway4 : e->is_gateway6))
			return e;
	}
	return NULL;
}

static bool is_forwarding(const struct model_host *host, int family)
{
	return family == IP_V4 ? host->is_forwarding4 : host->is_forwarding6;
}

/* What keeps the host from forwarding anything of FAMILY: true with RET. */
bool verdict_is_blocked(const struct model_host *host, int family, struct verdict *ret)
{
	if (!is_forwarding(host, family)) {
		*ret = VERDICT(false, REASON_FORWARDING_OFF, "the host does not forward %s",
			       family == IP_V4 ? "IPv4 (net.ipv4.ip_forward=0)"
					       : "IPv6 (net.ipv6.conf.all.forwarding=0)");
		return true;
	}
	if (host->foreign_drop && family == IP_V4) {
		*ret = VERDICT(false, REASON_FOREIGN_RULE, "%s drops what is forwarded",
			       host->foreign_drop);
		return true;
	}
	return false;
}

/* Whether what arrives on PORT can leave for the container C by FAMILY: it has an address of it in
 * a network that forwards, or the monitor relays. */
const struct model_endpoint *model_publishing_endpoint(const struct network_model *model,
						       const struct model_container *c, int family)
{
	const struct model_endpoint *e = model_gateway_endpoint(c, family);

	const struct network *n = e ? model_network_of(model, e) : NULL;

	return n && model_is_bridge(n) && !n->is_internal &&
			       network_gateway_mode(n, family) != GATEWAY_ISOLATED
		       ? e
		       : NULL;
}

static struct verdict judge_published(const struct network_model *model,
				      const struct published_port *port)
{
	char ip[IP_TEXT_LEN];
	const struct ip_addr *addr = &port->host_ip;

	if (ip_is_loopback(addr))
		return VERDICT(false, REASON_LOOPBACK_ONLY, "published on loopback alone");
	if (model->host.respects_firewall)
		return VERDICT(true, REASON_HOST_FIREWALL,
			       "published on %s, if the host's own firewall lets it in",
			       ip_is_any(addr) ? "every address" : ip_format(addr, ip));
	if (ip_is_any(addr))
		return VERDICT(true, REASON_PUBLISHED, "published on every address");
	return VERDICT(true, REASON_PUBLISHED_ON, "published on %s", ip_format(addr, ip));
}

/* One published port for who comes from outside. An IPv6 port of a container that has only IPv4 is
 * carried by its monitor, for which the host need not forward. */
struct verdict verdict_of_port(const struct network_model *model, const struct model_container *c,
			       const struct published_port *port)
{
	int family = port->host_ip.family;
	const struct model_endpoint *e = model_publishing_endpoint(model, c, family);
	bool is_relayed = !e && family == IP_V6;
	struct verdict verdict = {};

	if (is_relayed)
		e = model_publishing_endpoint(model, c, IP_V4);
	if (!e && model_gateway_endpoint(c, IP_V4) &&
	    network_has_parent(model_network_of(model, model_gateway_endpoint(c, IP_V4))))
		return VERDICT(false, REASON_PARENT,
			       "not needed: it has a network card of its own on the segment");
	if (!e)
		return VERDICT(false, REASON_INTERNAL, "it is in no network that forwards");
	if (network_gateway_mode(model_network_of(model, e), family) == GATEWAY_ROUTED &&
	    !is_relayed)
		return VERDICT(false, REASON_ROUTED,
			       "routed: the port is open on the container's own address");
	if (!is_relayed && !ip_is_loopback(&port->host_ip) &&
	    verdict_is_blocked(&model->host, family, &verdict))
		return verdict;
	return judge_published(model, port);
}

/* Why nothing leads to C or out of it: its networks are all of a kind that keeps to itself. */
static struct verdict judge_no_way(const struct network_model *model,
				   const struct model_container *c, int family)
{
	for (size_t i = 0; i < c->n_endpoints; i++) {
		const struct network *n = model_network_of(model, &c->endpoints[i]);

		if (!model_has_address(&c->endpoints[i], family))
			continue;
		if (n->is_internal)
			return VERDICT(false, REASON_INTERNAL, "%s is internal", n->name);
		if (!network_has_way_out(n))
			return VERDICT(false, REASON_INTERNAL, "%s has no parent", n->name);
		if (model_is_bridge(n) && network_gateway_mode(n, family) == GATEWAY_ISOLATED)
			return VERDICT(false, REASON_ISOLATED, "the bridge of %s has no address",
				       n->name);
	}
	return VERDICT(false, REASON_NO_ROUTE, "it has no default route");
}

/* What reaches the addresses of C itself, beside its published ports. */
struct verdict verdict_of_rest(const struct network_model *model, const struct model_container *c,
			       int family)
{
	const struct model_endpoint *e = model_gateway_endpoint(c, family);
	const struct network *n = e ? model_network_of(model, e) : NULL;
	struct verdict verdict = {};
	char ip[IP_TEXT_LEN];

	if (!n || !network_has_way_out(n) ||
	    (model_is_bridge(n) && network_gateway_mode(n, family) == GATEWAY_ISOLATED))
		return judge_no_way(model, c, family);
	if (network_has_parent(n))
		return VERDICT(true, REASON_PARENT, "%s is on the segment of %s", n->name,
			       n->parent);
	if (network_gateway_mode(n, family) != GATEWAY_NAT_UNPROTECTED)
		return VERDICT(false, REASON_NOT_PUBLISHED, "not published");
	if (verdict_is_blocked(&model->host, family, &verdict))
		return verdict;
	return VERDICT(true, REASON_UNPROTECTED, "gateway mode nat-unprotected, by the address %s",
		       ip_format(&model_endpoint_address(e, family)->addr, ip));
}

struct verdict verdict_from_host(const struct network_model *model, const struct model_container *c,
				 int family)
{
	struct verdict verdict = {};
	const char *hiding = NULL;

	for (size_t i = 0; i < c->n_endpoints; i++) {
		const struct network *n = model_network_of(model, &c->endpoints[i]);

		if (!model_has_address(&c->endpoints[i], family))
			continue;
		if (model_is_bridge(n) && has_host_address(n, family))
			return VERDICT(true, REASON_BRIDGE, "the host is the gateway of %s",
				       n->name);
		hiding = n->name;
		free(verdict.why);
		if (model_is_bridge(n))
			verdict = VERDICT(false, REASON_ISOLATED, "the bridge of %s has no address",
					  n->name);
		else
			verdict = VERDICT(false, REASON_PARENT_HOST,
					  "%s keeps its parent and its containers apart (%s)",
					  n->driver_name, n->name);
	}
	if (!hiding)
		return VERDICT(false, REASON_NO_NETWORK, "it has no network");
	return verdict;
}

/* The two are in one network N. */
static struct verdict judge_same_network(const struct network *n)
{
	if (!n->is_icc && model_is_bridge(n))
		return VERDICT(false, REASON_NO_ICC, "%s keeps its containers apart (icc=false)",
			       n->name);
	if (network_has_parent(n) &&
	    (strcmp(n->mode, "private") == 0 || strcmp(n->flag, "private") == 0))
		return VERDICT(false, REASON_PARENT_PRIVATE, "%s mode private (%s)", n->driver_name,
			       n->name);
	if (network_has_parent(n) && (strcmp(n->mode, "vepa") == 0 || strcmp(n->flag, "vepa") == 0))
		return VERDICT(true, REASON_PARENT_SWITCH,
			       "%s mode vepa: if the switch reflects it (%s)", n->driver_name,
			       n->name);
	return VERDICT(true, REASON_SAME_NETWORK, "same network %s", n->name);
}

/* The first network that lets A reach B; else why not. */
struct verdict verdict_of_pair(const struct network_model *model, const struct model_container *a,
			       const struct model_container *b, int family)
{
	struct verdict verdict = {};

	for (size_t i = 0; i < a->n_endpoints; i++) {
		const struct model_endpoint *e = &a->endpoints[i];

		for (size_t k = 0; model_has_address(e, family) && k < b->n_endpoints; k++) {
			if (b->endpoints[k].network != e->network ||
			    !model_has_address(&b->endpoints[k], family))
				continue;
			free(verdict.why);
			verdict = judge_same_network(model_network_of(model, e));
			if (verdict.is_allowed)
				return verdict;
		}
	}
	if (!verdict.why)
		return VERDICT(false, REASON_OTHER_NETWORK, "no network in common");
	return verdict;
}

struct verdict verdict_of_way_out(const struct network_model *model,
				  const struct model_container *c, int family)
{
	const struct model_endpoint *e = model_gateway_endpoint(c, family);
	const struct network *n = e ? model_network_of(model, e) : NULL;
	struct verdict verdict = {};

	if (!n || !network_has_way_out(n) ||
	    (model_is_bridge(n) && network_gateway_mode(n, family) == GATEWAY_ISOLATED))
		return judge_no_way(model, c, family);
	if (network_has_parent(n))
		return VERDICT(true, REASON_PARENT, "by the segment of %s (%s)", n->parent,
			       n->name);
	if (verdict_is_blocked(&model->host, family, &verdict))
		return verdict;
	if (network_gateway_mode(n, family) == GATEWAY_ROUTED || !n->is_masquerade)
		return VERDICT(true, REASON_NOT_MASQUERADED,
			       "with its own address; answers need a route back (%s)", n->name);
	return VERDICT(true, REASON_MASQUERADED, "masqueraded (%s)", n->name);
}

/* Whether C reaches LISTENER of the host by FAMILY: it needs a bridge on which the host has an
 * address, and the socket must be bound to every address or to that one. */
bool verdict_can_reach(const struct network_model *model, const struct model_container *c,
		       const struct model_listener *listener, int family)
{
	bool has_any = ip_is_any(&listener->addr) &&
		       (listener->addr.family == family || (family == IP_V4 && listener->is_dual));

	for (size_t i = 0; i < c->n_endpoints; i++) {
		const struct network *n = model_network_of(model, &c->endpoints[i]);
		const struct network_pool *pool = network_pool(n, family);

		if (!model_has_address(&c->endpoints[i], family) || !model_is_bridge(n) || !pool ||
		    !has_host_address(n, family))
			continue;
		if (has_any || ip_is_equal(&pool->gateway, &listener->addr))
			return true;
	}
	return false;
}
