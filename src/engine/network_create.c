/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network create, rm and prune. A new network has its row before its bridge: a death in between
 * leaves a network that the next start completes; a failure takes the row away again. A removal
 * takes the row first, under the lock that starts share, so that no container gets into what is
 * about to go; what a death leaves after that is no network's any more and goes with the next
 * command that makes or removes one.
 */
/* lint file: paths below the engine's own directories, of ids that were checked */
#include "engine/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "engine/prune.h"
#include "storage/network.h"

#define UNTIL "until="

/* ---- create ---- */

int engine_create_network(struct engine *engine, const struct network_request *request,
			  struct plan *plan, char ret_id[static ID_LEN + 1], struct err *err)
{
	cleanup_network struct network network = {.created_ns = clock_real_ns()};
	cleanup_close int pools = -1;

	rand_hex(ID_LEN / 2, network.id);
	if (network_request_parse(request, &network, err) < 0 ||
	    engine_networks_ensure(engine, err) < 0)
		return -err->code;
	network_sweep(engine->store);
	network_set_link(engine, &network);
	pools = engine_lock_pools(err);
	if (pools < 0 || network_insert_chosen(engine, &network, 1, err) < 0)
		return -err->code;
	event_network(engine, &network, "create");
	memcpy(ret_id, network.id, sizeof(network.id));
	return 0;
}

/* ---- rm ---- */

struct user_list {
	struct str text;
	size_t n;
};

static int list_user(const struct network_user *user, void *data, struct err *err)
{
	struct user_list *l = data;

	str_addf(&l->text, "%sname:\"%s\" id:\"%.12s\"", l->n++ ? ", " : "", user->name,
		 user->container);
	return 0;
}

static int check_unused(struct engine *engine, const struct network *network, struct err *err)
{
	struct user_list users = {};
	int rc = engine_list_network_users(engine, network->id, list_user, &users, err);

	if (rc >= 0 && users.n)
		rc = err_set(err, ERR_CONFLICT,
			     "error while removing network: network %s id %s has active endpoints "
			     "(%s)",
			     network->name, network->id, str_get(&users.text));
	str_done(&users.text);
	return rc;
}

static void remove_live(const struct engine *engine, const char *id)
{
	cleanup_free char *path = str_printf("%s/networks/%s", engine->runroot, id);
	int rc = fd_remove_tree_at(AT_FDCWD, path);

	if (rc < 0)
		log_debug("remove %s: %s", path, strerrordesc_np(-rc));
}

static int remove_found(struct engine *engine, const struct network *network, struct plan *plan,
			struct err *err)
{
	cleanup_close int lock = engine_lock_networks(engine, true, err);
	int rc = lock;

	if (rc < 0 || check_unused(engine, network, err) < 0)
		return -err->code;
	rc = network_delete(engine->store, network->id, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "network %s not found", network->name);
	if (rc < 0)
		return rc;
	remove_live(engine, network->id);
	event_network(engine, network, "destroy");
	return 0;
}

int engine_remove_network(struct engine *engine, const char *ref, struct plan *plan,
			  struct err *err)
{
	cleanup_network struct network network = {};

	if (engine_find_network(engine, ref, &network, err) < 0)
		return -err->code;
	if (network.is_predefined)
		return err_set(err, ERR_DENIED, "%s is a pre-defined network and cannot be removed",
			       network.name);
	return remove_found(engine, &network, plan, err);
}

/* ---- prune ---- */

struct prune {
	const struct strv *filters;
	struct strv ids;
};

static int passes(const struct network *network, const char *filter, struct err *err)
{
	int64_t until = 0;

	if (str_has_prefix(filter, "label!="))
		return !network_has_label(network, filter + strlen("label!="));
	if (str_has_prefix(filter, "label="))
		return network_has_label(network, filter + strlen("label="));
	if (!str_has_prefix(filter, UNTIL))
		return err_set(err, ERR_INVALID, "Invalid filter '%.*s'",
			       (int)strcspn(filter, "=!"), filter);
	if (clock_parse_point(filter + strlen(UNTIL), clock_real_ns(), &until, err) < 0)
		return -err->code;
	return network->created_ns < until;
}

/* What makes no sense is refused also when there is nothing to remove. */
static int check_filters(const struct strv *filters, struct err *err)
{
	static const struct network none = {};
	bool has_until = false;

	strv_foreach (i, filters) {
		bool is_until = str_has_prefix(filters->items[i], UNTIL);

		if (is_until && has_until)
			return err_set(err, ERR_INVALID, "more than one until filter specified");
		has_until |= is_until;
		if (passes(&none, filters->items[i], err) < 0)
			return -err->code;
	}
	return 0;
}

static int collect(const struct network *network, void *data, struct err *err)
{
	struct prune *p = data;

	if (network->is_predefined)
		return 0;
	strv_foreach (i, p->filters) {
		int rc = passes(network, p->filters->items[i], err);

		if (rc <= 0)
			return rc;
	}
	strv_add(&p->ids, network->id);
	return 0;
}

static void remove_each(struct engine *engine, const struct strv *ids, struct strv *removed)
{
	strv_foreach (i, ids) {
		cleanup_network struct network network = {};
		cleanup_with(plan_done) struct plan plan = {};
		struct err one = ERR_INIT;

		/* One that a container is in stays, and is no failure of the others. */
		if (plan_init(&plan, &one) < 0 ||
		    engine_find_network(engine, ids->items[i], &network, &one) < 0 ||
		    remove_found(engine, &network, &plan, &one) < 0) {
			log_debug("%s", one.msg);
			continue;
		}
		strv_add(removed, network.name);
	}
}

int engine_prune_networks(struct engine *engine, const struct strv *filters, struct strv *removed,
			  struct err *err)
{
	struct prune p = {.filters = filters};
	cleanup_close int lock = -1;
	int rc = check_filters(filters, err);

	if (rc == 0)
		rc = lock = engine_lock_prune(engine, "networks", err);
	if (rc < 0)
		return rc;
	network_sweep(engine->store);
	rc = engine_list_networks(engine, collect, &p, err);
	if (rc >= 0)
		remove_each(engine, &p.ids, removed);
	strv_done(&p.ids);
	if (rc >= 0)
		event_prune(engine, "network", 0);
	return rc < 0 ? rc : 0;
}
