/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PUBLISH_H
#define ENGINE_PUBLISH_H
/*
 * Published ports, from what was asked for to sockets and rules.
 *
 * A start prepares them (publish_prepare: pure data but for the settings) and adds them to its plan
 * (publish_plan): the sockets are bound before the clone, so a conflict starts nothing; what became
 * of them is written to network.json, and the column of ps beside it; then each is one element of
 * the firewall's maps. Once the plan has run the sockets are handed to the monitor (publish_keep).
 * The teardown takes the elements out again; the sockets go with the monitor.
 *
 * Without an address a port is published on 0.0.0.0 and [::], both with one number. What the kernel
 * cannot translate (::1, and IPv6 to a container without it) is relayed by the monitor.
 */
#include "engine/engine.h"
#include "engine/ports.h"
#include "network/live.h"
#include "plan/plan.h"

struct monitor;
struct publish;

/* Where the ports lead: the endpoint that has the container's default route. */
struct publish_target {
	const struct network *network; /* a bridge */
	struct ip_addr ip4, ip6;       /* the container's; none */
	const char *container_id, *name;
	const char *endpoint_id;
	/* What the container has: the ports are appended, and all of it is written to the run
	 * directory STATE_DIR. Borrowed until the plan has run; -1: it is written by the caller. */
	struct live_network *live;
	int state_dir;
	const struct strv *exposed; /* "80/tcp"; the same */
};

/* Prepares the ports of WANTED for a start: RET is the caller's (publish_free), NULL when nothing
 * is published: no port asked for, or a network that takes none (internal, macvlan, none); then
 * what is exposed is written down here. 0 or -code. */
int publish_prepare(struct engine *engine, const struct port_list *wanted,
		    const struct publish_target *to, struct publish **ret, struct err *err);
void publish_free(struct publish *publish);
/* The three below take NULL for "nothing". */

/* HOST: binds the sockets, and adds the elements. ERR_CONFLICT with docker's words when a port is
 * taken. PUBLISH is PLAN's from now on. */
void publish_plan(struct publish *publish, struct plan *plan);
/* TEARDOWN: takes the elements out; IS_AGAIN: once more, when network.json is gone (see
 * rules_plan_ports_again). */
void publish_plan_end(struct publish *publish, struct plan *plan, bool is_again);
/* The plan has run: the sockets are MONITOR's from now on, in every case. 0 or -code. For its start
 * callback. */
int publish_keep(struct publish *publish, struct monitor *monitor, struct err *err);

#endif
