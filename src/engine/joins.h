/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_JOINS_H
#define ENGINE_JOINS_H
/* Namespaces of other containers that a container joins. */
#include "engine/create.h"
#include "runtime/container_plan.h"

#define MAX_JOINS 8

struct joins {
	struct runtime_join items[MAX_JOINS];
	char *paths[MAX_JOINS]; /* owned */
	size_t n;
};

/* Opens what CONFIG joins ("container:X" of pid, ipc, network, uts). ERR_CONFLICT with docker's
 * words when X is not running. */
int joins_open(struct engine *engine, const struct oci_runtime_config *config, struct joins *ret,
	       struct err *err);
void joins_done(struct joins *joins);
#define cleanup_joins __attribute__((cleanup(joins_done)))

#endif
