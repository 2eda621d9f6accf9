/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_PRIVATE_H
#define ENGINE_NETWORK_PRIVATE_H
/* What the files of networks share. */
#include "engine/network.h"

/* Gives NETWORK the name of its bridge, if it has none: "tare0" for the default one of the default
 * state directory, else "tare-" and ten digits of its id. */
void network_set_link(const struct engine *engine, struct network *network);

/* Inserts NETWORKS together, in one transaction, after choosing the subnets that they lack: none
 * that overlaps another network's or what the host has addresses in or routes to. Several engines
 * of one host take turns until the caller has made the bridge: see engine_lock_pools. ERR_CONFLICT
 * when a name is taken. */
int network_insert_chosen(struct engine *engine, struct network *networks, size_t n,
			  struct err *err);

/* A descriptor that holds the lock of all engines of this host that choose subnets, or -code. */
int engine_lock_pools(struct err *err);

/* RUNROOT/networks/ID/up: owned path. */
char *network_up_path(const struct engine *engine, const char *id);

#endif
