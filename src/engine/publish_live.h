/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PUBLISH_LIVE_H
#define ENGINE_PUBLISH_LIVE_H
/*
 * Ports of a container that exists: published and withdrawn while it runs.
 *
 * What is withdrawn goes first. Its element leaves the rules, its socket is closed by the monitor,
 * network.json says so; connections that are there stay. What comes is bound, written down, handed
 * to the monitor, and becomes an element.
 */
#include "engine/engine.h"
#include "engine/ports.h"
#include "engine/state.h"
#include "network/live.h"
#include "plan/plan.h"

#include <jansson.h>

struct container_row;

/* What is to change. A port to be withdrawn without a host's port (has_host) means all places where
 * its container port is published. */
struct port_changes {
	const struct port_spec *add;
	size_t n_add;
	const struct port_list *remove;
};

/* What CHANGES make of a container: its bindings as they will be on record, and which of them are
 * new. */
struct port_outcome {
	struct port_list bindings, added;
	struct strv exposed; /* before and after: of its configuration */
	bool is_publish_all; /* still */
	bool has_changed;
};
void port_outcome_done(struct port_outcome *outcome);
#define cleanup_port_outcome __attribute__((cleanup(port_outcome_done)))

/* Makes CHANGES to the ports of the container of ROW: of one that runs at once, by steps added to
 * PLAN (initialised) and executed, and what is on record of them in RET (all zero) for
 * port_outcome_store. The caller holds the container's pending entry. 0; ERR_NOT_FOUND "No public
 * port '80/tcp' published for NAME"; ERR_CONFLICT with docker's words. */
int engine_change_ports(struct engine *engine, const struct container_row *row,
			const struct container_state *state, const struct port_changes *changes,
			struct plan *plan, struct port_outcome *ret, struct err *err);
/* After a change that was cut short, or that failed half-way: what the running container of ROW has
 * published beyond what is on record is withdrawn, and the rest has its rules. The caller holds its
 * pending entry. Failures are only logged. */
void engine_settle_ports(struct engine *engine, const struct container_row *row);
/* Puts them into docker's HOST and CONFIG. */
void port_outcome_store(const struct port_outcome *outcome, json_t *host, json_t *config);

/* The addresses that a container's ports lead to. */
struct port_way {
	struct ip_addr ip4, ip6; /* of the endpoints that have the default routes; none */
};
struct port_way port_way_of(const struct live_network *live);
/* The container of ROW, which runs, was connected or disconnected: its ports, which led to BEFORE,
 * are to lead to what network.json says now, with the numbers that they had; those of one that had
 * no network before are published. Steps are added to PLAN and executed. The caller holds its
 * pending entry. 0 or -code: then what was published is withdrawn. */
int engine_move_ports(struct engine *engine, const struct container_row *row,
		      const struct port_way *before, struct plan *plan, struct err *err);

/* TEARDOWN: takes the ports of LIVE, those of a container, out of the rules; IS_AGAIN: once more,
 * when its network.json is gone. */
void publish_plan_withdraw(const struct engine *engine, const struct live_network *live,
			   struct plan *plan, bool is_again);
/* Does that for container ID, as network.json says: for a monitor whose container has ended, when
 * its ports are not those of its start any more. Failures are only logged. */
void engine_withdraw_ports(const struct engine *engine, const char *id);

#endif
