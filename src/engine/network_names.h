/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_NAMES_H
#define ENGINE_NETWORK_NAMES_H
/*
 * Names on user networks, as the engine sees to them: whether a container has any, who is asked for
 * everything else, and what changes when a running container comes into another network.
 *
 * A start makes a name_service (network/name_server.h), writes the files, adds its three groups of
 * steps to the plan, and leaves the service to the monitor (monitor/names.h).
 */
#include "engine/engine.h"
#include "network/name_server.h"
#include "network/network.h"

struct oci_runtime_config;

/* Containers of NETWORK find each other by name: every network but those that are predefined. */
bool network_has_names(const struct network *network);

/* The service of container ID, which is in N NETWORKS: owned; NULL when none of them has names.
 * Everything that is not theirs is asked of the servers of CONFIG (--dns), else of the host's; not
 * at all when all networks are internal. */
struct name_service *network_names_make(const struct engine *engine,
					const struct oci_runtime_config *config, const char *id,
					const struct network *networks, size_t n);
/* Writes what says so: resolv.conf in CONTAINER_DIR, and the monitor's file in STATE_DIR. Without
 * SERVICE (NULL) what a container without names has. 0 or -code. */
int network_names_write(const struct name_service *service, const struct oci_runtime_config *config,
			int state_dir, int container_dir, struct err *err);

/* What is to be known of a running container. All borrowed. */
struct names_subject {
	const char *id;
	const struct oci_runtime_config *config;
	int state_dir, container_dir;
	int pidfd; /* of its first process */
};
/* After its endpoints have changed: the container has the names of the N NETWORKS that it is in
 * now. Its sockets are made when it had none, and given up when it has names no more. 0 or -code.
 */
int network_names_update(const struct engine *engine, const struct names_subject *subject,
			 const struct network *networks, size_t n, struct err *err);

#endif
