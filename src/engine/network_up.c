/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a network ready for containers, and taking it away: its place in the firewall, its bridge,
 * forwarding. The firewall knows a bridge before it exists, so no packet passes one without rules.
 * RUNROOT/networks/ID/up is made last and says that all of it was done since the boot; it is what a
 * removal that was cut short is completed from.
 *
 * Every step may be repeated, so two starts that find the same network down do no harm.
 */
/* lint file: paths below the engine's own directories, and the kernel's parameters */
#include "engine/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6_route.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/network_private.h"
#include "plan/net_steps.h"
#include "plan/steps.h"

#define FORWARD_IPV4 "/proc/sys/net/ipv4/ip_forward"
#define CONF_IPV6    "/proc/sys/net/ipv6/conf"
#define FORWARD_IPV6 CONF_IPV6 "/all/forwarding"
/* One line for each route, with its flags and its link in these columns. */
#define ROUTES_IPV6 "/proc/self/net/ipv6_route"
#define ROUTES_MAX  ((size_t)16 << 20)
#define ROUTE_FLAGS 8
#define ROUTE_LINK  9

char *network_up_path(const struct engine *engine, const char *id)
{
	return str_printf("%s/networks/%s/up", engine->runroot, id);
}

/* ---- forwarding ---- */

/* The first character of a kernel parameter; 0 when this kernel has none. */
static char read_parameter(const char *path)
{
	cleanup_str struct str text = STR_INIT;

	return fd_read_kernel_file(path, 64, &text) < 0 || !text.len ? '\0' : *str_get(&text);
}

/* The link of a line of ROUTES_IPV6 that a router has told of; NULL for another route. */
static const char *told_link(char *line)
{
	char *save = NULL;
	char *word = strtok_r(line, " ", &save);
	uint64_t flags = 0;

	for (int i = 0; word && i < ROUTE_LINK; i++) {
		if (i == ROUTE_FLAGS && num_parse_base(word, 16, &flags) < 0)
			return NULL;
		word = strtok_r(NULL, " ", &save);
	}
	return flags & RTF_ADDRCONF ? word : NULL;
}

/* For LINK, 2 in the place of 1. */
static void keep_link(struct plan *plan, const char *link)
{
	cleanup_free char *path = str_printf(CONF_IPV6 "/%s/accept_ra", link);

	if (read_parameter(path) == '1')
		plan_create_file(plan, path, "2", 0644);
}

static void keep_told_links(struct plan *plan)
{
	cleanup_str struct str routes = STR_INIT;
	char *save = NULL;

	if (fd_read_kernel_file(ROUTES_IPV6, ROUTES_MAX, &routes) < 0 || !routes.len)
		return;
	for (char *line = strtok_r(routes.buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *link = told_link(line);

		if (link)
			keep_link(plan, link);
	}
}

/* Where the host takes its IPv6 addresses from routers, forwarding would end that: 2 is "also while
 * forwarding" (ip-sysctl, accept_ra). Links that a router has told of, and network cards, of which
 * one may tell later. Not others: on the bridge of some other engine it would be a container that
 * tells the host of routers. */
static void keep_router_advertisements(struct plan *plan)
{
	struct if_nameindex *links = if_nameindex();

	keep_told_links(plan);
	for (struct if_nameindex *l = links; l && l->if_index; l++) {
		cleanup_free char *device = str_printf("/sys/class/net/%s/device", l->if_name);

		if (access(device, F_OK) == 0)
			keep_link(plan, l->if_name);
	}
	if (links)
		if_freenameindex(links);
}

/* Writes "1", and says so: it is the one thing that a network changes for the rest of the host. */
static int run_forwarding(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = 0;

	if (read_parameter(step->path) != '0')
		return 0;
	rc = fd_write_file_at(AT_FDCWD, step->path, "1", 1, 0644);
	if (rc < 0) {
		err_sys(err, -rc, "turn on the forwarding of %s packets", step->text);
		return err_hint(err, "networks of containers need it; tare network create "
				     "--internal makes one that does not");
	}
	log_warn("forwarding of %s packets was off on this host and is on now, for the networks "
		 "of containers",
		 step->text);
	return 0;
}

static void explain_forwarding(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "echo 1 > %s", step->path);
}

static const struct step_op step_forwarding = {"forwarding", run_forwarding, explain_forwarding};

static void turn_on(struct plan *plan, const char *path, const char *family)
{
	struct step *step = plan_add(plan, &step_forwarding, STEP_HOST);

	step->path = str_dup(path);
	step->text = str_dup(family);
}

static void add_forwarding(struct plan *plan, const struct network *network)
{
	if (network->is_internal)
		return;
	if (network->is_ipv4 && read_parameter(FORWARD_IPV4) == '0')
		turn_on(plan, FORWARD_IPV4, "IPv4");
	if (network->is_ipv6 && read_parameter(FORWARD_IPV6) == '0') {
		keep_router_advertisements(plan);
		turn_on(plan, FORWARD_IPV6, "IPv6");
	}
}

/* ---- the bridge ---- */

/* A bridge has the gateways' addresses, unless nothing is routed for its containers. */
static void add_bridge(struct plan *plan, const struct network *network)
{
	struct ip_prefix addrs[NETWORK_MAX_POOLS];
	struct plan_bridge bridge = {.name = network->bridge,
				     .mtu = network->mtu,
				     .addrs = addrs,
				     .is_ipv6 = network->is_ipv6,
				     .is_foreign = network->is_foreign_link};

	for (int family = IP_V4; family <= IP_V6; family += IP_V6 - IP_V4) {
		const struct network_pool *pool = network_pool(network, family);

		if (pool && pool->gateway.family &&
		    network_gateway_mode(network, family) != GATEWAY_ISOLATED &&
		    !(family == IP_V4 && network->is_inhibited_ipv4))
			addrs[bridge.n_addrs++] = (struct ip_prefix){.addr = pool->gateway,
								     .len = pool->subnet.len};
	}
	plan_net_bridge(plan, STEP_HOST, &bridge);
}

/* ---- the firewall ---- */

static void free_state(void *state)
{
	engine_rules_state_free(state);
}

static void free_network(void *network)
{
	network_done(network);
	free(network);
}

/* A copy that lives as long as PLAN. */
static const struct network *keep(struct plan *plan, const struct network *network)
{
	struct network *copy = network_copy(network);

	plan_own(plan, copy, free_network);
	return copy;
}

/* All rules when somebody has changed them, else what is about NETWORK. */
static int add_rules(struct engine *engine, struct plan *plan, const struct network *network,
		     bool are_current, bool is_known, struct err *err)
{
	struct rules_state *state = NULL;
	char table[RULES_TABLE_LEN];

	if (are_current && is_known)
		return 0;
	if (are_current) {
		rules_table_name(engine->root, table);
		rules_plan_network(plan, STEP_HOST, table, keep(plan, network), true,
				   engine->runroot);
		return 1;
	}
	state = engine_rules_state(engine, network, err);
	if (!state)
		return -err->code;
	plan_own(plan, state, free_state);
	if (rules_compare(state, engine->runroot))
		return 0;
	rules_plan_load(plan, STEP_HOST, state, engine->runroot);
	return 1;
}

/* ---- all of it ---- */

/* Its text is all that is needed to take the network away when its row is gone. */
static void add_mark(const struct engine *engine, struct plan *plan, const struct network *network)
{
	cleanup_free char *dir = str_printf("%s/networks/%s", engine->runroot, network->id);
	cleanup_free char *up = network_up_path(engine, network->id);
	cleanup_free char *text = network_format(network);

	plan_mkdir(plan, STEP_HOST, dir, 0711);
	plan_create_file(plan, up, text, 0600);
}

static int bring_up_parent(struct engine *engine, struct plan *plan, const struct network *network,
			   bool is_known, struct err *err)
{
	char name[IFNAMSIZ];
	bool has_link = false;
	int rc = 0;

	network_parent_name(network, name);
	has_link = if_nametoindex(name) > 0;
	if (is_known && has_link)
		return 0;
	plan_group(plan, "the parent of the network's links");
	if (!has_link)
		rc = network_parent_plan_up(plan, network, err);
	if (rc >= 0)
		add_mark(engine, plan, network);
	plan_group(plan, NULL);
	return rc < 0 ? rc : 1;
}

int engine_network_bring_up(struct engine *engine, struct plan *plan, const struct network *network,
			    struct err *err)
{
	cleanup_free char *up = network_up_path(engine, network->id);
	bool is_known = access(up, F_OK) == 0;
	bool has_link = false;
	bool are_current = false;
	int rc = 0;

	if (network_has_parent(network))
		return bring_up_parent(engine, plan, network, is_known, err);
	if (!network_has_bridge(network))
		return 0;
	has_link = if_nametoindex(network->bridge) > 0;
	are_current = rules_are_current(engine->runroot);
	if (is_known && has_link && are_current)
		return 0;
	plan_group(plan, "the network's bridge, and its place in the firewall");
	rc = add_rules(engine, plan, network, are_current, is_known, err);
	if (rc < 0)
		return rc;
	if (!is_known || !has_link) {
		/* After a boot nobody knows it; who makes a network has told already. */
		network_tell_subnets(engine, false);
		add_bridge(plan, network);
		add_forwarding(plan, network);
		add_mark(engine, plan, network);
		rc = 1;
	}
	plan_group(plan, NULL);
	return rc;
}

void engine_network_take_down(struct engine *engine, struct plan *plan, enum step_where where,
			      const struct network *network)
{
	cleanup_free char *dir = str_printf("%s/networks/%s", engine->runroot, network->id);
	char table[RULES_TABLE_LEN];

	if (network_has_bridge(network)) {
		plan_group(plan, "the network's bridge, and its place in the firewall");
		if (!network->is_foreign_link) {
			plan_net_delete(plan, where, network->bridge);
			plan_net_commit(plan, where, NET_HOST);
		}
		rules_table_name(engine->root, table);
		rules_plan_network(plan, where, table, keep(plan, network), false, engine->runroot);
		plan_group(plan, NULL);
	}
	if (network_has_parent(network))
		network_parent_plan_down(plan, where, network);
	plan_remove_tree(plan, dir);
}

static int load_all(struct engine *engine, struct plan *plan, struct err *err)
{
	struct rules_state *state = engine_rules_state(engine, NULL, err);
	struct plan_run run;
	int rc = 0;

	if (!state)
		return -err->code;
	plan_own(plan, state, free_state);
	if (!state->n_networks || rules_compare(state, engine->runroot))
		return 0;
	rules_plan_load(plan, STEP_HOST, state, engine->runroot);
	plan_run_init(&run);
	rc = plan_execute(plan, STEP_HOST, &run, err);
	plan_run_done(&run);
	return rc;
}

void engine_check_rules(struct engine *engine)
{
	cleanup_free char *note = str_printf("%s/networks/rules", engine->runroot);
	cleanup_with(plan_done) struct plan plan = {};
	struct err err = ERR_INIT;

	if (access(note, F_OK) < 0 || rules_are_current(engine->runroot))
		return;
	if (plan_init(&plan, &err) < 0 || load_all(engine, &plan, &err) < 0)
		log_warn("firewall: %s", err.msg);
}
