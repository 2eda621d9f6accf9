/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the firewall once more, as conclusions: what network/rules.c makes the kernel do is
 * said here in words. Every question is asked for each family by itself; neighbours that differ in
 * nothing else become one relation.
 */
#include "engine/network_relations.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ANY	   "any"
#define REST	   "any other"
#define FIRST_SIZE 16

/* An answer before it has parties. */
struct verdict {
	bool is_allowed;
	enum relation_reason reason;
	char *why; /* owned */
};

struct relating {
	const struct network_model *model;
	struct relation_list *list;
	size_t cap;
};

static const char *const reason_names[] = {
	[REASON_PUBLISHED] = "published",
	[REASON_PUBLISHED_ON] = "published-on-address",
	[REASON_LOOPBACK_ONLY] = "published-on-loopback",
	[REASON_HOST_FIREWALL] = "respect-firewall",
	[REASON_NOT_PUBLISHED] = "not-published",
	[REASON_ROUTED] = "routed",
	[REASON_UNPROTECTED] = "unprotected",
	[REASON_ISOLATED] = "isolated",
	[REASON_INTERNAL] = "internal",
	[REASON_SAME_NETWORK] = "same-network",
	[REASON_NO_ICC] = "no-icc",
	[REASON_OTHER_NETWORK] = "different-networks",
	[REASON_SAME_NAMESPACE] = "same-namespace",
	[REASON_HOST_NAMESPACE] = "host-namespace",
	[REASON_NO_NETWORK] = "no-network",
	[REASON_BRIDGE] = "bridge",
	[REASON_PARENT] = "parent",
	[REASON_PARENT_PRIVATE] = "parent-private",
	[REASON_PARENT_SWITCH] = "parent-vepa",
	[REASON_PARENT_HOST] = "parent-hides-host",
	[REASON_MASQUERADED] = "masqueraded",
	[REASON_NOT_MASQUERADED] = "not-masqueraded",
	[REASON_NO_ROUTE] = "no-route",
	[REASON_FORWARDING_OFF] = "forwarding-off",
	[REASON_FOREIGN_RULE] = "foreign-rule",
	[REASON_LISTENING] = "listening",
};
_Static_assert(ARRAY_LEN(reason_names) == N_RELATION_REASONS, "every reason has a name");

const char *relation_reason_name(enum relation_reason reason)
{
	return reason_names[reason];
}

const char *relation_party_name(enum relation_party party, const struct model_container *c)
{
	if (party == PARTY_CONTAINER)
		return c->name;
	return party == PARTY_HOST ? "host" : "outside";
}

void relation_list_done(struct relation_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].ports);
		free(list->items[i].why);
	}
	for (size_t i = 0; i < list->n_findings; i++)
		free(list->findings[i].text);
	free(list->items);
	free(list->findings);
	*list = (struct relation_list){};
}

#define VERDICT(allowed, because, ...) \
	((struct verdict){             \
		.is_allowed = (allowed), .reason = (because), .why = str_printf(__VA_ARGS__)})

/* ---- adding ---- */

static bool is_same_but_family(const struct relation *a, const struct relation *b)
{
	return a->from == b->from && a->to == b->to && a->from_container == b->from_container &&
	       a->to_container == b->to_container && a->is_allowed == b->is_allowed &&
	       a->reason == b->reason && strcmp(a->ports, b->ports) == 0 &&
	       strcmp(a->why, b->why) == 0;
}

/* Takes the strings of RELATION. It joins the last one when only the family differs. */
static void add_relation(struct relating *r, struct relation *relation)
{
	struct relation_list *list = r->list;

	if (list->n > 0 && is_same_but_family(&list->items[list->n - 1], relation)) {
		list->items[list->n - 1].families |= relation->families;
		free(relation->ports);
		free(relation->why);
		return;
	}
	if (list->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : FIRST_SIZE;
		list->items = mem_realloc_array(list->items, r->cap, sizeof *list->items);
	}
	list->items[list->n++] = *relation;
}

/* From or to a container; PORTS is copied, VERDICT's string taken. NULL containers are the party
 * that PARTIES says. */
struct parties {
	enum relation_party from, to;
	const struct model_container *from_container, *to_container;
};

static void add_verdict(struct relating *r, const struct parties *parties, int family,
			const char *ports, struct verdict verdict)
{
	struct relation relation = {
		.from = parties->from,
		.to = parties->to,
		.from_container = parties->from_container,
		.to_container = parties->to_container,
		.ports = str_dup(ports),
		.families = family == IP_V4 ? RELATION_V4 : RELATION_V6,
		.is_allowed = verdict.is_allowed,
		.reason = verdict.reason,
		.why = verdict.why,
	};

	add_relation(r, &relation);
}

/* ---- what a network is like ---- */

static bool is_bridge(const struct network *n)
{
	return n->driver == NETWORK_BRIDGE;
}

static const struct network *network_of(const struct network_model *model,
					const struct model_endpoint *e)
{
	return &model->networks[e->network].network;
}

static bool has_address(const struct model_endpoint *e, int family)
{
	return model_endpoint_address(e, family)->addr.family == family;
}

/* Whether any container of MODEL has an address of FAMILY: else nothing is said of it. */
static bool has_family(const struct model_container *c, int family)
{
	for (size_t i = 0; i < c->n_endpoints; i++)
		if (has_address(&c->endpoints[i], family))
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
static const struct model_endpoint *gateway_endpoint(const struct model_container *c, int family)
{
	for (size_t i = 0; i < c->n_endpoints; i++) {
		const struct model_endpoint *e = &c->endpoints[i];

		if (has_address(e, family) && (family == IP_V4 ? e->is_gateway4 : e->is_gateway6))
			return e;
	}
	return NULL;
}

static bool is_forwarding(const struct model_host *host, int family)
{
	return family == IP_V4 ? host->is_forwarding4 : host->is_forwarding6;
}

/* What keeps the host from forwarding anything of FAMILY: true with RET. */
static bool is_forwarding_blocked(const struct model_host *host, int family, struct verdict *ret)
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

/* ---- outside and published ports ---- */

/* Owned "8080->80/tcp", with the address where it is only one: the port is one to people in both
 * families. */
static char *port_text(const struct published_port *port)
{
	if (!ip_is_any(&port->host_ip))
		return published_port_text(port);
	return str_printf("%" PRIu16 "->%" PRIu16 "/%s", port->host_port, port->container_port,
			  port->proto);
}

/* Whether what arrives on PORT can leave for the container C by FAMILY: it has an address of it in
 * a network that forwards, or the monitor relays. */
static const struct model_endpoint *publishing_endpoint(const struct network_model *model,
							const struct model_container *c, int family)
{
	const struct model_endpoint *e = gateway_endpoint(c, family);

	const struct network *n = e ? network_of(model, e) : NULL;

	return n && is_bridge(n) && !n->is_internal &&
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
static struct verdict judge_port(const struct network_model *model, const struct model_container *c,
				 const struct published_port *port)
{
	int family = port->host_ip.family;
	const struct model_endpoint *e = publishing_endpoint(model, c, family);
	bool is_relayed = !e && family == IP_V6;
	struct verdict verdict = {};

	if (is_relayed)
		e = publishing_endpoint(model, c, IP_V4);
	if (!e && gateway_endpoint(c, IP_V4) &&
	    network_has_parent(network_of(model, gateway_endpoint(c, IP_V4))))
		return VERDICT(false, REASON_PARENT,
			       "not needed: it has a network card of its own on the segment");
	if (!e)
		return VERDICT(false, REASON_INTERNAL, "it is in no network that forwards");
	if (network_gateway_mode(network_of(model, e), family) == GATEWAY_ROUTED && !is_relayed)
		return VERDICT(false, REASON_ROUTED,
			       "routed: the port is open on the container's own address");
	if (!is_relayed && !ip_is_loopback(&port->host_ip) &&
	    is_forwarding_blocked(&model->host, family, &verdict))
		return verdict;
	return judge_published(model, port);
}

/* Why nothing leads to C or out of it: its networks are all of a kind that keeps to itself. */
static struct verdict judge_no_way(const struct network_model *model,
				   const struct model_container *c, int family)
{
	for (size_t i = 0; i < c->n_endpoints; i++) {
		const struct network *n = network_of(model, &c->endpoints[i]);

		if (!has_address(&c->endpoints[i], family))
			continue;
		if (n->is_internal)
			return VERDICT(false, REASON_INTERNAL, "%s is internal", n->name);
		if (!network_has_way_out(n))
			return VERDICT(false, REASON_INTERNAL, "%s has no parent", n->name);
		if (is_bridge(n) && network_gateway_mode(n, family) == GATEWAY_ISOLATED)
			return VERDICT(false, REASON_ISOLATED, "the bridge of %s has no address",
				       n->name);
	}
	return VERDICT(false, REASON_NO_ROUTE, "it has no default route");
}

/* What reaches the addresses of C itself, beside its published ports. */
static struct verdict judge_unpublished(const struct network_model *model,
					const struct model_container *c, int family)
{
	const struct model_endpoint *e = gateway_endpoint(c, family);
	const struct network *n = e ? network_of(model, e) : NULL;
	struct verdict verdict = {};
	char ip[IP_TEXT_LEN];

	if (!n || !network_has_way_out(n) ||
	    (is_bridge(n) && network_gateway_mode(n, family) == GATEWAY_ISOLATED))
		return judge_no_way(model, c, family);
	if (network_has_parent(n))
		return VERDICT(true, REASON_PARENT, "%s is on the segment of %s", n->name,
			       n->parent);
	if (network_gateway_mode(n, family) != GATEWAY_NAT_UNPROTECTED)
		return VERDICT(false, REASON_NOT_PUBLISHED, "not published");
	if (is_forwarding_blocked(&model->host, family, &verdict))
		return verdict;
	return VERDICT(true, REASON_UNPROTECTED, "gateway mode nat-unprotected, by the address %s",
		       ip_format(&model_endpoint_address(e, family)->addr, ip));
}

/* Ports of a network of the mode routed, by the container's own address. */
static void relate_routed(struct relating *r, const struct parties *parties,
			  const struct model_container *c, int family)
{
	const struct model_endpoint *e = publishing_endpoint(r->model, c, family);
	const struct network *n = e ? network_of(r->model, e) : NULL;
	struct verdict blocked = {};
	char ip[IP_TEXT_LEN];

	if (!n || network_gateway_mode(n, family) != GATEWAY_ROUTED)
		return;
	for (size_t i = 0; i < c->n_ports; i++) {
		cleanup_free char *text = str_printf("%" PRIu16 "/%s", c->ports[i].container_port,
						     c->ports[i].proto);

		if (c->ports[i].host_ip.family != family)
			continue;
		if (is_forwarding_blocked(&r->model->host, family, &blocked))
			add_verdict(r, parties, family, text, blocked);
		else
			add_verdict(
				r, parties, family, text,
				VERDICT(true, REASON_ROUTED, "routed to %s",
					ip_format(&model_endpoint_address(e, family)->addr, ip)));
	}
}

static void relate_from_outside(struct relating *r, const struct model_container *c)
{
	const struct model_container *owner = model_container_owner(r->model, c);
	const struct parties parties = {PARTY_OUTSIDE, PARTY_CONTAINER, NULL, c};
	static const int families[] = {IP_V4, IP_V6};

	if (owner->place == PLACE_HOST) {
		add_verdict(r, &parties, IP_V4, ANY,
			    VERDICT(true, REASON_HOST_NAMESPACE, "it has the host's network"));
		return;
	}
	if (owner->n_endpoints == 0) {
		add_verdict(r, &parties, IP_V4, ANY,
			    VERDICT(false, REASON_NO_NETWORK, "it has no network"));
		return;
	}
	for (size_t i = 0; i < owner->n_ports; i++) {
		cleanup_free char *text = port_text(&owner->ports[i]);

		add_verdict(r, &parties, owner->ports[i].host_ip.family, text,
			    judge_port(r->model, owner, &owner->ports[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (has_family(owner, families[i]))
			relate_routed(r, &parties, owner, families[i]);
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (has_family(owner, families[i]))
			add_verdict(r, &parties, families[i], owner->n_ports ? REST : ANY,
				    judge_unpublished(r->model, owner, families[i]));
}

/* ---- the host ---- */

static struct verdict judge_from_host(const struct network_model *model,
				      const struct model_container *c, int family)
{
	struct verdict verdict = {};
	const char *hiding = NULL;

	for (size_t i = 0; i < c->n_endpoints; i++) {
		const struct network *n = network_of(model, &c->endpoints[i]);

		if (!has_address(&c->endpoints[i], family))
			continue;
		if (is_bridge(n) && has_host_address(n, family))
			return VERDICT(true, REASON_BRIDGE, "the host is the gateway of %s",
				       n->name);
		hiding = n->name;
		free(verdict.why);
		if (is_bridge(n))
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

static void relate_from_host(struct relating *r, const struct model_container *c)
{
	const struct model_container *owner = model_container_owner(r->model, c);
	const struct parties parties = {PARTY_HOST, PARTY_CONTAINER, NULL, c};

	if (owner->place == PLACE_HOST)
		add_verdict(r, &parties, IP_V4, ANY,
			    VERDICT(true, REASON_HOST_NAMESPACE, "it has the host's network"));
	else if (owner->n_endpoints == 0)
		add_verdict(r, &parties, IP_V4, ANY,
			    VERDICT(false, REASON_NO_NETWORK, "it has no network"));
	if (has_family(owner, IP_V4))
		add_verdict(r, &parties, IP_V4, ANY, judge_from_host(r->model, owner, IP_V4));
	if (has_family(owner, IP_V6))
		add_verdict(r, &parties, IP_V6, ANY, judge_from_host(r->model, owner, IP_V6));
}

/* ---- containers among themselves ---- */

/* The two are in one network N. */
static struct verdict judge_same_network(const struct network *n)
{
	if (!n->is_icc && is_bridge(n))
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
static struct verdict judge_pair(const struct network_model *model, const struct model_container *a,
				 const struct model_container *b, int family)
{
	struct verdict verdict = {};

	for (size_t i = 0; i < a->n_endpoints; i++) {
		const struct model_endpoint *e = &a->endpoints[i];

		for (size_t k = 0; has_address(e, family) && k < b->n_endpoints; k++) {
			if (b->endpoints[k].network != e->network ||
			    !has_address(&b->endpoints[k], family))
				continue;
			free(verdict.why);
			verdict = judge_same_network(network_of(model, e));
			if (verdict.is_allowed)
				return verdict;
		}
	}
	if (!verdict.why)
		return VERDICT(false, REASON_OTHER_NETWORK, "no network in common");
	return verdict;
}

/* What A can use of the ports that B has published: through the host's addresses, like anybody. */
static void relate_published(struct relating *r, const struct parties *parties,
			     const struct model_container *a, const struct model_container *b)
{
	for (size_t i = 0; i < b->n_ports; i++) {
		const struct published_port *port = &b->ports[i];
		const struct model_endpoint *e = gateway_endpoint(a, port->host_ip.family);
		cleanup_free char *text = NULL;
		struct verdict verdict = {};

		if (!e || !is_bridge(network_of(r->model, e)) ||
		    network_of(r->model, e)->is_internal || ip_is_loopback(&port->host_ip))
			continue;
		verdict = judge_port(r->model, b, port);
		text = port_text(port);
		if (verdict.is_allowed)
			add_verdict(r, parties, port->host_ip.family, text,
				    VERDICT(true, verdict.reason,
					    "published: through the host's address"));
		free(verdict.why);
	}
}

static void relate_pair(struct relating *r, const struct model_container *from,
			const struct model_container *to)
{
	const struct model_container *a = model_container_owner(r->model, from);
	const struct model_container *b = model_container_owner(r->model, to);
	const struct parties parties = {PARTY_CONTAINER, PARTY_CONTAINER, from, to};
	bool is_reached = false;
	static const int families[] = {IP_V4, IP_V6};

	if (a == b || (a->place == PLACE_HOST && b->place == PLACE_HOST)) {
		add_verdict(r, &parties, IP_V4, ANY,
			    VERDICT(true, REASON_SAME_NAMESPACE, "one network namespace"));
		return;
	}
	/* What the host reaches, and what reaches the host, is said of the host. */
	if (a->place == PLACE_HOST || b->place == PLACE_HOST || a->n_endpoints == 0 ||
	    b->n_endpoints == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct verdict verdict = {};

		if (!has_family(a, families[i]) || !has_family(b, families[i]))
			continue;
		verdict = judge_pair(r->model, a, b, families[i]);
		is_reached |= verdict.is_allowed;
		add_verdict(r, &parties, families[i], ANY, verdict);
	}
	if (!is_reached)
		relate_published(r, &parties, a, b);
	for (size_t i = 0; !is_reached && i < ARRAY_LEN(families); i++) {
		const struct model_endpoint *e = gateway_endpoint(a, families[i]);

		/* by the host, as anybody's packets */
		if (e && is_bridge(network_of(r->model, e)) &&
		    !network_of(r->model, e)->is_internal)
			relate_routed(r, &parties, b, families[i]);
	}
}

/* ---- the way out ---- */

static struct verdict judge_out(const struct network_model *model, const struct model_container *c,
				int family)
{
	const struct model_endpoint *e = gateway_endpoint(c, family);
	const struct network *n = e ? network_of(model, e) : NULL;
	struct verdict verdict = {};

	if (!n || !network_has_way_out(n) ||
	    (is_bridge(n) && network_gateway_mode(n, family) == GATEWAY_ISOLATED))
		return judge_no_way(model, c, family);
	if (network_has_parent(n))
		return VERDICT(true, REASON_PARENT, "by the segment of %s (%s)", n->parent,
			       n->name);
	if (is_forwarding_blocked(&model->host, family, &verdict))
		return verdict;
	if (network_gateway_mode(n, family) == GATEWAY_ROUTED || !n->is_masquerade)
		return VERDICT(true, REASON_NOT_MASQUERADED,
			       "with its own address; answers need a route back (%s)", n->name);
	return VERDICT(true, REASON_MASQUERADED, "masqueraded (%s)", n->name);
}

static void relate_to_outside(struct relating *r, const struct model_container *c)
{
	const struct model_container *owner = model_container_owner(r->model, c);
	const struct parties parties = {PARTY_CONTAINER, PARTY_OUTSIDE, c, NULL};

	if (owner->place == PLACE_HOST)
		add_verdict(r, &parties, IP_V4, ANY,
			    VERDICT(true, REASON_HOST_NAMESPACE, "it has the host's network"));
	else if (owner->n_endpoints == 0)
		add_verdict(r, &parties, IP_V4, ANY,
			    VERDICT(false, REASON_NO_NETWORK, "it has no network"));
	if (has_family(owner, IP_V4))
		add_verdict(r, &parties, IP_V4, ANY, judge_out(r->model, owner, IP_V4));
	if (has_family(owner, IP_V6))
		add_verdict(r, &parties, IP_V6, ANY, judge_out(r->model, owner, IP_V6));
}

/* ---- services of the host ---- */

/* Whether C reaches LISTENER of the host by FAMILY: it needs a bridge on which the host has an
 * address, and the socket must be bound to every address or to that one. */
static bool can_reach(const struct network_model *model, const struct model_container *c,
		      const struct model_listener *listener, int family)
{
	bool has_any = ip_is_any(&listener->addr) &&
		       (listener->addr.family == family || (family == IP_V4 && listener->is_dual));

	for (size_t i = 0; i < c->n_endpoints; i++) {
		const struct network *n = network_of(model, &c->endpoints[i]);
		const struct network_pool *pool = network_pool(n, family);

		if (!has_address(&c->endpoints[i], family) || !is_bridge(n) || !pool ||
		    !has_host_address(n, family))
			continue;
		if (has_any || ip_is_equal(&pool->gateway, &listener->addr))
			return true;
	}
	return false;
}

/* One relation for all services: their list is the ports. */
static void relate_services(struct relating *r, const struct model_container *c, int family)
{
	const struct model_container *owner = model_container_owner(r->model, c);
	const struct parties parties = {PARTY_CONTAINER, PARTY_HOST, c, NULL};
	cleanup_str struct str ports = STR_INIT;

	for (size_t i = 0; i < r->model->host.n_listeners; i++) {
		const struct model_listener *l = &r->model->host.listeners[i];
		cleanup_free char *text = NULL;

		if (!can_reach(r->model, owner, l, family))
			continue;
		text = str_printf("%" PRIu16 "/%s%s%s", l->port, l->proto, l->program[0] ? " " : "",
				  l->program);
		/* Sockets that share a port stand next to each other. */
		if (ports.len >= strlen(text) && str_has_suffix(str_get(&ports), text))
			continue;
		str_addf(&ports, "%s%s", ports.len ? ", " : "", text);
	}
	if (ports.len)
		add_verdict(r, &parties, family, str_get(&ports),
			    VERDICT(true, REASON_LISTENING,
				    "the host listens where its bridge can be reached"));
}

/* ---- all of it ---- */

void network_model_relate(const struct network_model *model, struct relation_list *ret)
{
	struct relating r = {.model = model, .list = ret};
	size_t n = model->n_containers;

	for (size_t i = 0; i < n; i++)
		relate_from_outside(&r, &model->containers[i]);
	for (size_t i = 0; i < n; i++)
		relate_from_host(&r, &model->containers[i]);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++)
			if (i != k)
				relate_pair(&r, &model->containers[i], &model->containers[k]);
		relate_services(&r, &model->containers[i], IP_V4);
		relate_services(&r, &model->containers[i], IP_V6);
		relate_to_outside(&r, &model->containers[i]);
	}
	network_model_find(model, ret);
}
