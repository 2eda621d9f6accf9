/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All pairs of parties, in the order in which people read them. Every question is asked for each
 * family by itself; neighbours that differ in nothing else become one relation.
 */
#include "engine/network_relations.h"

#include "base/mem.h"
#include "engine/network_verdict.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ANY	   "any"
#define REST	   "any other"
#define FIRST_SIZE 16

static const int families[] = {IP_V4, IP_V6};

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

/* Ports of a network of the mode routed, by the container's own address. */
static void relate_routed(struct relating *r, const struct parties *parties,
			  const struct model_container *c, int family)
{
	const struct model_endpoint *e = model_publishing_endpoint(r->model, c, family);
	const struct network *n = e ? model_network_of(r->model, e) : NULL;
	struct verdict blocked = {};
	char ip[IP_TEXT_LEN];

	if (!n || network_gateway_mode(n, family) != GATEWAY_ROUTED)
		return;
	for (size_t i = 0; i < c->n_ports; i++) {
		cleanup_free char *text = str_printf("%" PRIu16 "/%s", c->ports[i].container_port,
						     c->ports[i].proto);

		if (c->ports[i].host_ip.family != family)
			continue;
		if (verdict_is_blocked(&r->model->host, family, &blocked))
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
			    verdict_of_port(r->model, owner, &owner->ports[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (model_has_family(owner, families[i]))
			relate_routed(r, &parties, owner, families[i]);
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (model_has_family(owner, families[i]))
			add_verdict(r, &parties, families[i], owner->n_ports ? REST : ANY,
				    verdict_of_rest(r->model, owner, families[i]));
}

/* ---- the host ---- */

/* OWNER and what is beyond its networks, in one direction: FN says what the rules allow. */
static void relate_host(struct relating *r, const struct parties *parties,
			const struct model_container *owner,
			struct verdict (*fn)(const struct network_model *,
					     const struct model_container *, int))
{
	if (owner->place == PLACE_HOST)
		add_verdict(r, parties, IP_V4, ANY,
			    VERDICT(true, REASON_HOST_NAMESPACE, "it has the host's network"));
	else if (owner->n_endpoints == 0)
		add_verdict(r, parties, IP_V4, ANY,
			    VERDICT(false, REASON_NO_NETWORK, "it has no network"));
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (model_has_family(owner, families[i]))
			add_verdict(r, parties, families[i], ANY, fn(r->model, owner, families[i]));
}

static void relate_from_host(struct relating *r, const struct model_container *c)
{
	const struct model_container *owner = model_container_owner(r->model, c);
	const struct parties parties = {PARTY_HOST, PARTY_CONTAINER, NULL, c};

	relate_host(r, &parties, owner, verdict_from_host);
}

/* ---- containers among themselves ---- */

/* What A can use of the ports that B has published: through the host's addresses, like anybody. */
static void relate_published(struct relating *r, const struct parties *parties,
			     const struct model_container *a, const struct model_container *b)
{
	for (size_t i = 0; i < b->n_ports; i++) {
		const struct published_port *port = &b->ports[i];
		const struct model_endpoint *e = model_gateway_endpoint(a, port->host_ip.family);
		cleanup_free char *text = NULL;
		struct verdict verdict = {};

		if (!e || !model_is_bridge(model_network_of(r->model, e)) ||
		    model_network_of(r->model, e)->is_internal || ip_is_loopback(&port->host_ip))
			continue;
		verdict = verdict_of_port(r->model, b, port);
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

		if (!model_has_family(a, families[i]) || !model_has_family(b, families[i]))
			continue;
		verdict = verdict_of_pair(r->model, a, b, families[i]);
		is_reached |= verdict.is_allowed;
		add_verdict(r, &parties, families[i], ANY, verdict);
	}
	if (!is_reached)
		relate_published(r, &parties, a, b);
	for (size_t i = 0; !is_reached && i < ARRAY_LEN(families); i++) {
		const struct model_endpoint *e = model_gateway_endpoint(a, families[i]);

		/* by the host, as anybody's packets */
		if (e && model_is_bridge(model_network_of(r->model, e)) &&
		    !model_network_of(r->model, e)->is_internal)
			relate_routed(r, &parties, b, families[i]);
	}
}

/* ---- the way out ---- */

static void relate_to_outside(struct relating *r, const struct model_container *c)
{
	const struct model_container *owner = model_container_owner(r->model, c);
	const struct parties parties = {PARTY_CONTAINER, PARTY_OUTSIDE, c, NULL};

	relate_host(r, &parties, owner, verdict_of_way_out);
}

/* ---- services of the host ---- */

/* One relation for all services: their list is the ports. */
static void relate_services(struct relating *r, const struct model_container *c, int family)
{
	const struct model_container *owner = model_container_owner(r->model, c);
	const struct parties parties = {PARTY_CONTAINER, PARTY_HOST, c, NULL};
	cleanup_str struct str ports = STR_INIT;

	for (size_t i = 0; i < r->model->host.n_listeners; i++) {
		const struct model_listener *l = &r->model->host.listeners[i];
		cleanup_free char *text = NULL;

		if (!verdict_can_reach(r->model, owner, l, family))
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
