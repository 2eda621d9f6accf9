/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody should look at: a table of checks, each of which adds what it finds. */
#include "engine/network_relations.h"

#include "base/mem.h"
#include "engine/network_verdict.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PRIVILEGED_PORTS 1024

struct check {
	enum finding_level level;
	const char *code;
	const char *hint;
	void (*look)(const struct network_model *model, const struct check *check,
		     struct relation_list *list);
};

/* Takes TEXT. */
static void add_finding(struct relation_list *list, const struct check *check, const char *subject,
			char *text)
{
	list->findings = mem_realloc_array(list->findings, list->n_findings + 1,
					   sizeof *list->findings);
	list->findings[list->n_findings++] = (struct finding){
		.level = check->level,
		.code = check->code,
		.subject = subject,
		.text = text,
		.hint = check->hint,
	};
}

/* Whether a container sends packets of FAMILY out through a bridge. */
static bool has_bridge(const struct network_model *model, int family)
{
	for (size_t i = 0; i < model->n_containers; i++) {
		const struct model_endpoint *e = model_gateway_endpoint(&model->containers[i],
									family);
		const struct network *n = e ? model_network_of(model, e) : NULL;

		if (n && model_is_bridge(n) && !n->is_internal)
			return true;
	}
	return false;
}

static void find_rules(const struct network_model *model, const struct check *check,
		       struct relation_list *list)
{
	if (!model->host.has_rules)
		add_finding(list, check, "host",
			    str_dup("the firewall is not what the networks need: somebody has "
				    "changed or flushed it"));
}

static void find_foreign_drop(const struct network_model *model, const struct check *check,
			      struct relation_list *list)
{
	if (model->host.foreign_drop && has_bridge(model, IP_V4))
		add_finding(list, check, "host",
			    str_printf("%s drops what bridges forward", model->host.foreign_drop));
}

static void find_forwarding4(const struct network_model *model, const struct check *check,
			     struct relation_list *list)
{
	if (!model->host.is_forwarding4 && has_bridge(model, IP_V4))
		add_finding(list, check, "host",
			    str_dup("net.ipv4.ip_forward is 0: nothing gets out of bridges, and "
				    "into published ports only from the host"));
}

static void find_forwarding6(const struct network_model *model, const struct check *check,
			     struct relation_list *list)
{
	if (!model->host.is_forwarding6 && has_bridge(model, IP_V6))
		add_finding(list, check, "host",
			    str_dup("net.ipv6.conf.all.forwarding is 0: no IPv6 gets out of "
				    "bridges"));
}

/* A port of both families is one to people. */
static bool is_said(const struct model_container *c, size_t at)
{
	const struct published_port *port = &c->ports[at];

	for (size_t i = 0; i < at; i++)
		if (c->ports[i].host_port == port->host_port &&
		    c->ports[i].container_port == port->container_port &&
		    strcmp(c->ports[i].proto, port->proto) == 0 && ip_is_any(&c->ports[i].host_ip))
			return true;
	return false;
}

static void find_open_ports(const struct network_model *model, const struct check *check,
			    struct relation_list *list)
{
	for (size_t i = 0; i < model->n_containers; i++) {
		const struct model_container *c = &model->containers[i];

		for (size_t k = 0; k < c->n_ports; k++)
			if (ip_is_any(&c->ports[k].host_ip) && !is_said(c, k))
				add_finding(list, check, c->name,
					    str_printf("%" PRIu16 "->%" PRIu16
						       "/%s is published on every address",
						       c->ports[k].host_port,
						       c->ports[k].container_port,
						       c->ports[k].proto));
	}
}

static void find_privileged_ports(const struct network_model *model, const struct check *check,
				  struct relation_list *list)
{
	for (size_t i = 0; i < model->n_containers; i++) {
		const struct model_container *c = &model->containers[i];

		for (size_t k = 0; k < c->n_ports; k++)
			if (!ip_is_loopback(&c->ports[k].host_ip) &&
			    c->ports[k].host_port < PRIVILEGED_PORTS && !is_said(c, k))
				add_finding(list, check, c->name,
					    str_printf("the privileged port %" PRIu16
						       "/%s is open to the world",
						       c->ports[k].host_port, c->ports[k].proto));
	}
}

static void find_host_network(const struct network_model *model, const struct check *check,
			      struct relation_list *list)
{
	for (size_t i = 0; i < model->n_containers; i++)
		if (model->containers[i].place == PLACE_HOST)
			add_finding(list, check, model->containers[i].name,
				    str_dup("has the host's network: all its links, ports and "
					    "abstract sockets"));
}

static void find_unprotected(const struct network_model *model, const struct check *check,
			     struct relation_list *list)
{
	for (size_t i = 0; i < model->n_networks; i++) {
		const struct network *n = &model->networks[i].network;

		if (n->driver == NETWORK_BRIDGE && (n->gateway_mode[0] == GATEWAY_NAT_UNPROTECTED ||
						    n->gateway_mode[1] == GATEWAY_NAT_UNPROTECTED))
			add_finding(list, check, n->name,
				    str_dup("every port of its containers can be reached by their "
					    "addresses (gateway mode nat-unprotected)"));
	}
}

static void find_parents(const struct network_model *model, const struct check *check,
			 struct relation_list *list)
{
	for (size_t i = 0; i < model->n_networks; i++)
		if (model->networks[i].is_missing_parent)
			add_finding(list, check, model->networks[i].network.name,
				    str_printf("its parent %s is not there",
					       model->networks[i].network.parent));
}

/* Warnings first; each in the order of names. */
static const struct check checks[] = {
	{FINDING_WARNING, "rules", "any command that starts or connects a container loads it again",
	 find_rules},
	{FINDING_WARNING, "foreign-firewall",
	 "let the bridges pass there, or set the chain's policy to accept", find_foreign_drop},
	{FINDING_WARNING, "forwarding-off", "sysctl -w net.ipv4.ip_forward=1", find_forwarding4},
	{FINDING_WARNING, "forwarding-off", "sysctl -w net.ipv6.conf.all.forwarding=1",
	 find_forwarding6},
	{FINDING_WARNING, "parent-missing", "", find_parents},
	{FINDING_WARNING, "published-everywhere",
	 "name an address: -p 127.0.0.1:8080:80, or publish.default-ip in tare.conf",
	 find_open_ports},
	{FINDING_WARNING, "unprotected", "", find_unprotected},
	{FINDING_WARNING, "host-network", "use a network of its own and -p", find_host_network},
	{FINDING_NOTE, "privileged-port", "", find_privileged_ports},
};

void network_model_find(const struct network_model *model, struct relation_list *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		checks[i].look(model, &checks[i], ret);
}
