/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as values. */
#include "network/network.h"

#include "base/mem.h"

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

const struct network_pool *network_pool(const struct network *network, int family)
{
	for (size_t i = 0; i < network->n_pools; i++)
		if (network->pools[i].subnet.addr.family == family)
			return &network->pools[i];
	return NULL;
}
