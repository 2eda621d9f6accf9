/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_REQUEST_H
#define ENGINE_NETWORK_REQUEST_H
/* What was typed becomes a network; of engine/network_create.c alone. */
#include "engine/network.h"

/* Fills RET (all zero, with its id) as far as REQUEST says: no subnet is chosen yet. Touches
 * nothing. ERR_INVALID and others with docker's words. */
int network_request_parse(const struct network_request *request, struct network *ret,
			  struct err *err);
/* Gives the pool its gateway, if it needs one and has none, and checks that everything in it is an
 * address of its own. ERR_CONFLICT with docker's words. */
int network_complete_pool(const struct network *network, struct network_pool *pool,
			  struct err *err);
/* Adds an empty pool of SUBNET. Not more than NETWORK_MAX_POOLS. */
struct network_pool *network_add_pool(struct network *network, const struct ip_prefix *subnet);

#endif
