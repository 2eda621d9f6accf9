/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as values. */
#include "network/network.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void network_done(struct network *network)
{
	free(network->name);
	free(network->driver_name);
	for (size_t i = 0; i < network->n_pools; i++) {
		struct network_pool *pool = &network->pools[i];

		for (size_t k = 0; k < pool->n_aux; k++)
			free(pool->aux[k].name);
		free(pool->aux);
	}
	strv_done(&network->options);
	strv_done(&network->labels);
	strv_done(&network->ipam_options);
	*network = (struct network){};
}

static void copy_strv(struct strv *to, const struct strv *from)
{
	*to = (struct strv)STRV_INIT;
	strv_add_all(to, from);
}

struct network *network_copy(const struct network *network)
{
	struct network *copy = mem_dup(network, sizeof(*network));

	copy->name = str_dup(network->name);
	copy->driver_name = str_dup(network->driver_name);
	copy_strv(&copy->options, &network->options);
	copy_strv(&copy->labels, &network->labels);
	copy_strv(&copy->ipam_options, &network->ipam_options);
	for (size_t i = 0; i < copy->n_pools; i++) {
		struct network_pool *pool = &copy->pools[i];

		pool->aux = mem_dup(pool->aux, pool->n_aux * sizeof(*pool->aux));
		for (size_t k = 0; k < pool->n_aux; k++)
			pool->aux[k].name = str_dup(pool->aux[k].name);
	}
	return copy;
}

const struct network_pool *network_pool(const struct network *network, int family)
{
	if (family == IP_V6 ? !network->is_ipv6 : !network->is_ipv4)
		return NULL;
	for (size_t i = 0; i < network->n_pools; i++)
		if (network->pools[i].subnet.addr.family == family)
			return &network->pools[i];
	return NULL;
}

bool network_has_bridge(const struct network *network)
{
	return network->driver == NETWORK_BRIDGE;
}

bool network_has_parent(const struct network *network)
{
	return network->driver == NETWORK_MACVLAN || network->driver == NETWORK_IPVLAN;
}

void network_parent_name(const struct network *network, char buf[static IFNAMSIZ])
{
	if (network->parent[0])
		snprintf(buf, IFNAMSIZ, "%s", network->parent);
	else
		snprintf(buf, IFNAMSIZ, "dm-%.11s", network->id); /* room for a pair's other end */
}

bool network_has_way_out(const struct network *network)
{
	return !network->is_internal && !(network_has_parent(network) && !network->parent[0]);
}

enum network_gateway_mode network_gateway_mode(const struct network *network, int family)
{
	return network->gateway_mode[family == IP_V6];
}

static const char *const drivers[] = {
	[NETWORK_BRIDGE] = "bridge", [NETWORK_MACVLAN] = "macvlan", [NETWORK_IPVLAN] = "ipvlan",
	[NETWORK_HOST] = "host",     [NETWORK_NULL] = "null",
};

const char *network_driver_name(enum network_driver driver)
{
	return drivers[driver];
}

int network_driver_parse(const char *name, enum network_driver *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		if (strcmp(drivers[i], name) != 0)
			continue;
		*ret = (enum network_driver)i;
		return 0;
	}
	return -EINVAL;
}
