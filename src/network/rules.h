/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_RULES_H
#define NETWORK_RULES_H
/*
 * The firewall: one inet table (and a bridge table while a network has icc=false), loaded once.
 * What changes afterwards are elements of its maps and sets, one for each network and each
 * published port, whatever the number of containers.
 *
 * Every state directory has tables of its own, so that several engines can live on one host: "tare"
 * for the default one, else "tare_" and eight digits made of its path.
 *
 * Whether somebody has changed the rules is seen by the generation that the kernel counts for each
 * network namespace: while it is the one noted after our own last change, nothing is looked at.
 * Otherwise the tables are compared with what they must be, and made anew in one transaction if
 * they differ:
 *
 *	if (!rules_are_current(runroot)) {
 *		fill STATE;
 *		if (!rules_compare(&state, runroot))
 *			rules_plan_load(plan, STEP_HOST, &state, runroot);
 *	}
 *
 * All changes are made under a lock of their own, RUNROOT/networks/rules.lock, which the steps take
 * themselves and in which they wait for nothing else: so it may be taken under
 * RUNROOT/networks/lock. A container's network.json is written before its ports are added: so who
 * loads the tables meanwhile (and reads what is there then, see refill) has them, and adding them
 * again does no harm.
 */
#include "network/live.h"
#include "plan/plan.h"

#define RULES_TABLE_LEN 32

/* What the tables must say: all networks that are up, and all ports of running containers. */
struct rules_network {
	const struct network *network;
};
struct rules_port {
	struct published_port port;
	struct ip_addr container_ip; /* of the family of the host's address */
	const char *bridge;	     /* the network's link */
	enum network_gateway_mode mode;
};
struct rules_state {
	char table[RULES_TABLE_LEN];
	struct rules_network *networks; /* others than bridges are skipped */
	size_t n_networks;
	struct rules_port *ports;
	size_t n_ports;
	struct strv others; /* bridges of another engine that leaves it to us what goes there */
	/* Fills the lists anew, called by the step that loads with the lock held: what was read
	 * before it may be too old, and would take away the ports of a container that starts
	 * meanwhile. NULL: they are right. DATA is its own. 0 or -code. */
	int (*refill)(struct rules_state *state, struct err *err);
	void *data;
};

/* The name of the tables for the engine whose state is in ROOT. */
void rules_table_name(const char *root, char buf[static RULES_TABLE_LEN]);

/* Whether the tables are as we left them: RUNROOT/networks/rules against the kernel's generation.
 * Costs one netlink round trip. */
bool rules_are_current(const char *runroot);
/* The descriptors that this process keeps for the rules, or -1: who closes all others keeps these.
 * Returns 2. */
size_t rules_get_fds(int ret[static 2]);
/* For the end of a process that nobody waits for any more: sleeps a moment if it has changed rules,
 * so that its end holds up nobody who changes them. */
void rules_linger(void);
/* Whether the tables are what STATE says, which is filled anew for it; if so, that is noted, and
 * they are current. */
bool rules_compare(struct rules_state *state, const char *runroot);
/* Adds the steps that make the tables what STATE says, in one transaction, whatever is there; and
 * note the generation. STATE is borrowed until the plan has run. */
void rules_plan_load(struct plan *plan, enum step_where where, struct rules_state *state,
		     const char *runroot);
/* One network more or less; the tables must be there. Drivers without a bridge add nothing. NETWORK
 * is borrowed until the plan has run. */
void rules_plan_network(struct plan *plan, enum step_where where, const char *table,
			const struct network *network, bool add, const char *runroot);
/* Ports of one container more or less: one element each. PORTS is borrowed until the plan has run
 * (a step before may fill in a port that the kernel chose). Taking away what is not there, or what
 * belongs to another container by now, is fine. */
void rules_plan_ports(struct plan *plan, enum step_where where, const char *table,
		      const struct rules_port *ports, size_t n, bool add, const char *runroot);
/* Takes the ports away once more, after the container's network.json is gone: who loaded the tables
 * between the two had still read it. */
void rules_plan_ports_again(struct plan *plan, enum step_where where, const char *table,
			    const struct rules_port *ports, size_t n, const char *runroot);
/* Removes the tables, and the rules in DOCKER-USER. */
void rules_plan_remove(struct plan *plan, enum step_where where, const char *table,
		       const char *runroot);

/* Whether the containers of NETWORK must not reach each other (icc=false): the bridge table is
 * there for it, and knows the links on its bridge by their group (ip link set ... group). */
bool rules_is_closed(const struct network *network);
#define RULES_CLOSED_GROUP 0x74617265

#endif
