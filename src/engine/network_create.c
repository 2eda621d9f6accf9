/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network create. A new network has its row before its bridge: a death in between leaves a network
 * that the next start completes; a failure takes the row away again.
 */
/* lint file: a path of the kernel's own */
#include "engine/network.h"

#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "engine/event.h"
#include "engine/network_private.h"
#include "engine/network_request.h"
#include "plan/steps.h"
#include "storage/network.h"

/* ---- create ---- */

static int bring_up(struct engine *engine, const struct network *network, struct plan *plan,
		    struct err *err)
{
	struct plan_run run;
	int rc = engine_network_bring_up(engine, plan, network, err);

	if (rc <= 0)
		return rc;
	plan_run_init(&run);
	rc = plan_execute(plan, STEP_HOST, &run, err);
	plan_run_done(&run);
	return rc;
}

/* A failure leaves nothing. */
static void undo(struct engine *engine, const struct network *network)
{
	cleanup_with(plan_done) struct plan plan = {};
	struct err err = ERR_INIT;

	network_note_going(engine, network);
	if (network_delete(engine->store, network->id, &err) < 0 || plan_init(&plan, &err) < 0 ||
	    network_take_down_now(engine, network, &plan, &err) < 0)
		log_warn("network %s: %s", network->name, err.msg);
}

/* Whether somebody else's link has the bridge's name: it stays when the network goes. */
static void look_for_link(struct network *network)
{
	network->is_foreign_link = network_has_bridge(network) &&
				   if_nametoindex(network->bridge) > 0;
}

static int bring_up_new(struct engine *engine, const struct network *network, struct plan *plan,
			struct err *err)
{
	int rc = bring_up(engine, network, plan, err);

	if (rc >= 0)
		return 0;
	undo(engine, network);
	if (rc == -ERR_CONFLICT && network->is_foreign_link)
		return err_set(err, ERR_CONFLICT, "existing interface %s is not a bridge",
			       network->bridge);
	return rc;
}

static int check_host(const struct network *network, struct err *err)
{
	if (!network->is_ipv6 || access("/proc/sys/net/ipv6", F_OK) == 0)
		return 0;
	err_set(err, ERR_UNSUPPORTED, "network %s cannot have IPv6: this host has none",
		network->name);
	return err_hint(err, "its kernel was started with ipv6.disable=1, or has no IPv6 at all");
}

int engine_create_network(struct engine *engine, const struct network_request *request,
			  struct plan *plan, char ret_id[static ID_LEN + 1], struct err *err)
{
	cleanup_network struct network network = {.created_ns = clock_real_ns()};
	cleanup_close int pools = -1;
	cleanup_close int lock = -1;

	rand_hex(ID_LEN / 2, network.id);
	if (network_request_parse(request, &network, err) < 0 || check_host(&network, err) < 0 ||
	    engine_networks_ensure(engine, err) < 0)
		return -err->code;
	network_sweep_live(engine);
	network_set_link(engine, &network);
	pools = engine_lock_pools(err);
	lock = pools < 0 ? pools : engine_lock_networks(engine, false, err);
	if (lock < 0)
		return lock;
	look_for_link(&network);
	if (network_parent_check(engine, &network, err) < 0 ||
	    network_insert_chosen(engine, pools, &network, 1, err) < 0 ||
	    bring_up_new(engine, &network, plan, err) < 0)
		return -err->code;
	event_network(engine, &network, "create");
	memcpy(ret_id, network.id, sizeof(network.id));
	return 0;
}
