/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parents of macvlan and ipvlan networks: a link that is there, a VLAN of one (eth0.10), or,
 * where none was named, a link to nowhere, so that the containers have only each other. What tare
 * makes goes with the network.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/network.h"
#include "engine/network_private.h"
#include "plan/net_steps.h"

#define MAX_VLAN 4094
#define LOOPBACK "lo"

/* "eth0.10" as its parent and its number; docker's words for what is none. */
static int parse_vlan(const char *name, char ret_parent[static IFNAMSIZ], uint16_t *ret_id,
		      struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	uint64_t id = 0;

	strv_split(&parts, name, '.');
	if (parts.n != 2)
		return err_set(err, ERR_INVALID,
			       "invalid subinterface vlan name %s, example formatting is eth0.10",
			       name);
	if (num_parse_u64(parts.items[1], &id) < 0)
		return err_set(err, ERR_INVALID,
			       "unable to parse a valid vlan id from: %s (ex. eth0.10 for vlan 10)",
			       parts.items[1]);
	snprintf(ret_parent, IFNAMSIZ, "%s", parts.items[0]);
	if (if_nametoindex(ret_parent) == 0) {
		err_set(err, ERR_NOT_FOUND,
			"-o parent interface does was not found on the host: %s", ret_parent);
		return err_hint(err, "ip -br link lists those that are there");
	}
	if (id < 1 || id > MAX_VLAN)
		return err_set(err, ERR_INVALID, "vlan id must be between 1-%d, received: %s",
			       MAX_VLAN, parts.items[1]);
	*ret_id = (uint16_t)id;
	return 0;
}

/* ---- a new network ---- */

static int check_other(const struct network *other, void *data, struct err *err)
{
	const struct network *network = data;

	if (other->driver != network->driver || strcmp(other->parent, network->parent) != 0)
		return 0;
	return err_set(err, ERR_CONFLICT, "network dm-%.12s is already using parent interface %s",
		       other->id, network->parent);
}

int network_parent_check(struct engine *engine, struct network *network, struct err *err)
{
	char lower[IFNAMSIZ];
	uint16_t id = 0;

	if (!network_has_parent(network) || network->parent[0] == '\0')
		return 0;
	if (strcmp(network->parent, LOOPBACK) == 0)
		return err_set(err, ERR_INVALID, "loopback interface is not a valid %s parent link",
			       network->driver_name);
	if (engine_list_networks(engine, check_other, network, err) < 0)
		return -err->code;
	network->is_foreign_link = if_nametoindex(network->parent) > 0;
	return network->is_foreign_link ? 0 : parse_vlan(network->parent, lower, &id, err);
}

/* ---- up and down ---- */

int network_parent_plan_up(struct plan *plan, const struct network *network, struct err *err)
{
	char name[IFNAMSIZ], lower[IFNAMSIZ];
	uint16_t id = 0;

	network_parent_name(network, name);
	if (network->parent[0] == '\0') {
		plan_net_parent(plan, STEP_HOST, name, NULL, 0);
		return 0;
	}
	if (network->is_foreign_link) {
		err_set(err, ERR_NOT_FOUND, "network %s: its parent %s is not there", network->name,
			network->parent);
		return err_hint(err, "make the link, or remove the network");
	}
	if (parse_vlan(network->parent, lower, &id, err) < 0)
		return -err->code;
	plan_net_parent(plan, STEP_HOST, name, lower, id);
	return 0;
}

void network_parent_plan_down(struct plan *plan, enum step_where where,
			      const struct network *network)
{
	char name[IFNAMSIZ];

	if (network->is_foreign_link)
		return;
	network_parent_name(network, name);
	plan_net_delete(plan, where, name);
	plan_net_commit(plan, where, NET_HOST);
}
