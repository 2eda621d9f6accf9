/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_FIXTURE_H
#define NETWORK_FIXTURE_H
/* Models of networks, made by hand for tests. */
#include "base/mem.h"
#include "engine/network_model.h"

#include <stdio.h>
#include <string.h>

/* A bridge network; SUBNET6 may be NULL. Returns its index. */
static inline size_t fixture_network(struct network_model *model, const char *name,
				     const char *subnet4, const char *subnet6)
{
	struct network *n = &network_model_add_network(model)->network;
	const char *subnets[] = {subnet4, subnet6};

	n->name = str_dup(name);
	n->driver_name = str_dup("bridge");
	n->is_icc = n->is_masquerade = true;
	for (size_t i = 0; i < ARRAY_LEN(subnets); i++) {
		struct network_pool *pool = &n->pools[n->n_pools];

		if (!subnets[i])
			continue;
		if (ip_prefix_parse(subnets[i], &pool->subnet) < 0)
			abort();
		pool->gateway = ip_first(&pool->subnet);
		pool->gateway = ip_add(&pool->gateway, 1);
		n->n_pools++;
	}
	n->is_ipv4 = subnet4 != NULL;
	n->is_ipv6 = subnet6 != NULL;
	snprintf(n->bridge, sizeof n->bridge, "tare-%.9s", name);
	return model->n_networks - 1;
}

static inline size_t fixture_container(struct network_model *model, const char *name)
{
	struct model_container *c = network_model_add_container(model);

	c->name = str_dup(name);
	c->id = str_printf("%s-id", name);
	c->image = str_dup("busybox");
	return model->n_containers - 1;
}

/* The first endpoint is the gateway of its families. IP4 and IP6 may be NULL. */
static inline void fixture_connect(struct network_model *model, size_t container, size_t network,
				   const char *ip4, const char *ip6)
{
	struct model_container *c = &model->containers[container];
	struct model_endpoint *e = model_container_add_endpoint(c);

	snprintf(e->ifname, sizeof e->ifname, "eth%zu", c->n_endpoints - 1);
	e->network = network;
	if ((ip4 && ip_prefix_parse(ip4, &e->ip4) < 0) ||
	    (ip6 && ip_prefix_parse(ip6, &e->ip6) < 0))
		abort();
	e->is_gateway4 = ip4 && c->n_endpoints == 1;
	e->is_gateway6 = ip6 && c->n_endpoints == 1;
}

static inline void fixture_publish(struct network_model *model, size_t container, const char *ip,
				   uint16_t host_port, uint16_t container_port)
{
	struct published_port *p = model_container_add_port(&model->containers[container]);

	snprintf(p->proto, sizeof p->proto, "tcp");
	if (ip_parse(ip, &p->host_ip) < 0)
		abort();
	p->host_port = host_port;
	p->container_port = container_port;
}

static inline void fixture_listen(struct network_model *model, const char *ip, uint16_t port,
				  const char *program)
{
	struct model_listener *l = model_host_add_listener(&model->host);

	snprintf(l->proto, sizeof l->proto, "tcp");
	if (ip_parse(ip, &l->addr) < 0)
		abort();
	l->port = port;
	l->program = str_dup(program);
}

/* A host that forwards, with its rules in order. */
static inline void fixture_host(struct network_model *model)
{
	model->host.is_forwarding4 = model->host.is_forwarding6 = model->host.has_rules = true;
}

#endif
