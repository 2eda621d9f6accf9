/* SPDX-License-Identifier: Apache-2.0 */
/* The model as a value: growing, sorting, freeing. */
#include "engine/network_model.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 8

static void container_done(struct model_container *c)
{
	free(c->id);
	free(c->name);
	free(c->image);
	free(c->endpoints);
	free(c->ports);
}

void network_model_done(struct network_model *model)
{
	for (size_t i = 0; i < model->n_networks; i++)
		network_done(&model->networks[i].network);
	for (size_t i = 0; i < model->n_containers; i++)
		container_done(&model->containers[i]);
	for (size_t i = 0; i < model->host.n_listeners; i++)
		free(model->host.listeners[i].program);
	free(model->networks);
	free(model->containers);
	free(model->host.listeners);
	free(model->host.foreign_drop);
	*model = (struct network_model){};
}

/* Room for one more of SIZE bytes; the array doubles, so that its capacity need not be kept. */
static void *add_zeroed(void *items, size_t *n, size_t size)
{
	bool is_full = *n == 0 || (*n >= FIRST_CAPACITY && (*n & (*n - 1)) == 0);
	char *grown = items;

	if (is_full)
		grown = mem_realloc_array(items, *n ? *n * 2 : FIRST_CAPACITY, size);
	memset(grown + *n * size, 0, size);
	(*n)++;
	return grown;
}

struct model_network *network_model_add_network(struct network_model *model)
{
	model->networks = add_zeroed(model->networks, &model->n_networks, sizeof *model->networks);
	return &model->networks[model->n_networks - 1];
}

struct model_container *network_model_add_container(struct network_model *model)
{
	model->containers = add_zeroed(model->containers, &model->n_containers,
				       sizeof *model->containers);
	return &model->containers[model->n_containers - 1];
}

struct model_endpoint *model_container_add_endpoint(struct model_container *container)
{
	container->endpoints = add_zeroed(container->endpoints, &container->n_endpoints,
					  sizeof *container->endpoints);
	return &container->endpoints[container->n_endpoints - 1];
}

struct published_port *model_container_add_port(struct model_container *container)
{
	container->ports = add_zeroed(container->ports, &container->n_ports,
				      sizeof *container->ports);
	return &container->ports[container->n_ports - 1];
}

struct model_listener *model_host_add_listener(struct model_host *host)
{
	host->listeners = add_zeroed(host->listeners, &host->n_listeners, sizeof *host->listeners);
	return &host->listeners[host->n_listeners - 1];
}

/* ---- order ---- */

static int compare_text_at(const void *a, const void *b, void *data)
{
	char *const *texts = data;

	return strcmp(texts[*(const size_t *)a], texts[*(const size_t *)b]);
}

/* Sorts N elements of SIZE bytes by their TEXTS; RET_PLACE[old index] is the new one. */
static void *sort_by_text(void *items, size_t n, size_t size, char **texts, size_t *ret_place)
{
	cleanup_free size_t *order = mem_alloc(n * sizeof *order);
	char *sorted = mem_realloc_array(NULL, n > FIRST_CAPACITY / 2 ? n * 2 : FIRST_CAPACITY,
					 size);

	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof *order, compare_text_at, texts);
	for (size_t i = 0; i < n; i++) {
		memcpy(sorted + i * size, (char *)items + order[i] * size, size);
		ret_place[order[i]] = i;
	}
	free(items);
	return sorted;
}

static int compare_endpoints(const void *a, const void *b)
{
	return strverscmp(((const struct model_endpoint *)a)->ifname,
			  ((const struct model_endpoint *)b)->ifname);
}

static int compare_ports(const void *a, const void *b)
{
	const struct published_port *x = a, *y = b;
	int rc = (int)x->container_port - (int)y->container_port;

	if (rc == 0)
		rc = strcmp(x->proto, y->proto);
	if (rc == 0)
		rc = (int)x->host_port - (int)y->host_port;
	return rc ? rc : ip_compare(&x->host_ip, &y->host_ip);
}

static int compare_listeners(const void *a, const void *b)
{
	const struct model_listener *x = a, *y = b;
	int rc = (int)x->port - (int)y->port;

	if (rc == 0)
		rc = strcmp(x->proto, y->proto);
	return rc ? rc : ip_compare(&x->addr, &y->addr);
}

static void sort_array(void *items, size_t n, size_t size,
		       int (*compare)(const void *, const void *))
{
	if (n > 1)
		qsort(items, n, size, compare);
}

void network_model_sort(struct network_model *model)
{
	size_t n = model->n_networks > model->n_containers ? model->n_networks
							   : model->n_containers;
	cleanup_free char **texts = mem_alloc(n * sizeof *texts);
	cleanup_free size_t *networks = mem_alloc(n * sizeof *networks);
	cleanup_free size_t *containers = mem_alloc(n * sizeof *containers);

	for (size_t i = 0; i < model->n_networks; i++)
		texts[i] = model->networks[i].network.name;
	model->networks = sort_by_text(model->networks, model->n_networks, sizeof *model->networks,
				       texts, networks);
	for (size_t i = 0; i < model->n_containers; i++)
		texts[i] = model->containers[i].name;
	model->containers = sort_by_text(model->containers, model->n_containers,
					 sizeof *model->containers, texts, containers);
	for (size_t i = 0; i < model->n_containers; i++) {
		struct model_container *c = &model->containers[i];

		if (c->place == PLACE_SHARED)
			c->peer = containers[c->peer];
		for (size_t k = 0; k < c->n_endpoints; k++)
			c->endpoints[k].network = networks[c->endpoints[k].network];
		sort_array(c->endpoints, c->n_endpoints, sizeof *c->endpoints, compare_endpoints);
		sort_array(c->ports, c->n_ports, sizeof *c->ports, compare_ports);
	}
	sort_array(model->host.listeners, model->host.n_listeners, sizeof *model->host.listeners,
		   compare_listeners);
}

/* ---- questions ---- */

const struct model_container *model_container_owner(const struct network_model *model,
						    const struct model_container *container)
{
	return container->place == PLACE_SHARED ? &model->containers[container->peer] : container;
}

bool model_container_is_in(const struct model_container *container, size_t network)
{
	for (size_t i = 0; i < container->n_endpoints; i++)
		if (container->endpoints[i].network == network)
			return true;
	return false;
}

const struct ip_prefix *model_endpoint_address(const struct model_endpoint *endpoint, int family)
{
	return family == IP_V4 ? &endpoint->ip4 : &endpoint->ip6;
}

char *published_port_text(const struct published_port *port)
{
	bool is_v6 = port->host_ip.family == IP_V6;
	char ip[IP_TEXT_LEN];

	return str_printf("%s%s%s:%" PRIu16 "->%" PRIu16 "/%s", is_v6 ? "[" : "",
			  ip_format(&port->host_ip, ip), is_v6 ? "]" : "", port->host_port,
			  port->container_port, port->proto);
}
