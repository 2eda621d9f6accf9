/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_SCRIPT_H
#define ENGINE_NETWORK_SCRIPT_H
/*
 * Networks of a dry run: what a script does that is run by hand, with ip(8) and nft(8), beside this
 * program or without it. It makes the bridge if it is not there, a table of its own for the way out
 * and for published ports, and takes away what it has made. Nothing is executed or written here.
 */
#include "engine/engine.h"
#include "network/live.h"

struct plan;
struct port_list;

/* The network REF as it is, or as it would be made if it is the default one. ERR_NOT_FOUND. */
int script_find_network(const struct engine *engine, const char *ref, struct network *ret,
			struct err *err);
/* Adds the HOST and TEARDOWN steps around the links of the container ID: for NETWORKS, one for each
 * endpoint of LIVE, and for PORTS. */
void script_plan_networks(struct plan *plan, const char *id, const struct network *networks,
			  const struct live_network *live, const struct port_list *ports);
/* Adds LINES to the file "hosts" of directory DIR. */
void script_plan_hosts(struct plan *plan, const char *dir, const struct strv *lines);

#endif
