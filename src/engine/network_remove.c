/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network rm and prune, and what removals that were cut short have left. A removal takes the row
 * first, under the lock that starts share, so that no container gets into what is about to go. What
 * a death leaves after that is no network's any more, and goes with the next command that makes or
 * removes one.
 */
/* lint file: paths below the engine's own directories, of ids that were checked */
#include "engine/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "engine/prune.h"
#include "plan/steps.h"
#include "storage/network.h"

#define UNTIL	 "until="
#define MAX_MARK (1 << 20)

static int execute(struct plan *plan, enum step_where where, struct err *err)
{
	struct plan_run run;
	int rc = 0;

	plan_run_init(&run);
	rc = plan_execute(plan, where, &run, err);
	plan_run_done(&run);
	return rc;
}

int network_take_down_now(struct engine *engine, const struct network *network, struct plan *plan,
			  struct err *err)
{
	cleanup_free char *dir = str_printf("%s/networks/%s", engine->runroot, network->id);

	engine_network_take_down(engine, plan, STEP_TEARDOWN, network);
	plan_remove_tree(plan, dir);
	return execute(plan, STEP_TEARDOWN, err);
}

static char *going_path(const struct engine *engine, const char *id)
{
	return str_printf("%s/networks/%s/going", engine->runroot, id);
}

void network_note_going(const struct engine *engine, const struct network *network)
{
	cleanup_free char *dir = str_printf("%s/networks/%s", engine->runroot, network->id);
	cleanup_free char *up = network_up_path(engine, network->id);
	cleanup_free char *going = going_path(engine, network->id);
	cleanup_free char *text = NULL;
	int rc = 0;

	if (access(up, F_OK) == 0)
		return;
	text = network_format(network);
	rc = fd_mkdir_p(dir, 0711);
	if (rc == 0)
		rc = fd_write_file_at(AT_FDCWD, going, text, strlen(text), 0600);
	if (rc < 0)
		log_debug("write %s: %s", going, strerrordesc_np(-rc));
}

static int ignore_row(const struct network_row *row, void *data, struct err *err)
{
	return 0;
}

/* ---- what deaths leave ---- */

static int has_row(struct engine *engine, const char *id)
{
	struct err ignored = ERR_INIT;

	/* When the index cannot say, nothing is touched. */
	return network_lookup(engine->store, id, ignore_row, NULL, &ignored) != 0;
}

/* What the mark says of network ID; false when there is none, and so nothing on the host. */
static bool read_mark(struct engine *engine, const char *id, struct network *ret, struct err *err)
{
	cleanup_free char *up = network_up_path(engine, id);
	cleanup_free char *going = going_path(engine, id);
	cleanup_str struct str text = STR_INIT;

	if (fd_read_file_at(AT_FDCWD, up, MAX_MARK, &text) < 0 &&
	    fd_read_file_at(AT_FDCWD, going, MAX_MARK, &text) < 0)
		return false;
	return network_parse(id, id, network_driver_name(NETWORK_BRIDGE), 0, str_get(&text), ret,
			     err) == 0;
}

/* Completes the removal of network ID, which has no row any more. */
static void finish_removal(struct engine *engine, const char *id)
{
	cleanup_free char *dir = str_printf("%s/networks/%s", engine->runroot, id);
	cleanup_network struct network network = {};
	cleanup_with(plan_done) struct plan plan = {};
	struct err err = ERR_INIT;
	int rc = plan_init(&plan, &err);

	if (rc == 0 && read_mark(engine, id, &network, &err))
		rc = network_take_down_now(engine, &network, &plan, &err);
	else if (rc == 0)
		rc = fd_remove_tree_at(AT_FDCWD, dir);
	if (rc < 0)
		log_debug("network %.12s: %s", id, err.msg);
}

/* Networks below RUNROOT that have no row. */
void network_sweep_live(struct engine *engine)
{
	cleanup_free char *path = str_printf("%s/networks", engine->runroot);
	DIR *dir = opendir(path);

	network_sweep(engine->store);
	for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		if (hex_is_valid(e->d_name, ID_LEN) && !has_row(engine, e->d_name))
			finish_removal(engine, e->d_name);
	if (dir)
		closedir(dir);
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

/* Takes the row away, which is the moment from which there is no such network. */
static int remove_row(struct engine *engine, const struct network *network, struct err *err)
{
	cleanup_close int lock = engine_lock_networks(engine, true, err);
	int rc = lock;

	if (rc < 0 || check_unused(engine, network, err) < 0)
		return -err->code;
	network_note_going(engine, network);
	rc = network_delete(engine->store, network->id, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "network %s not found", network->name);
	return rc < 0 ? rc : 0;
}

static int remove_found(struct engine *engine, const struct network *network, struct plan *plan,
			struct err *err)
{
	struct err later = ERR_INIT;

	if (remove_row(engine, network, err) < 0)
		return -err->code;
	if (network_take_down_now(engine, network, plan, &later) < 0)
		log_warn("network %s: %s", network->name, later.msg);
	network_tell_subnets(engine, true);
	event_network(engine, network, "destroy");
	return 0;
}

int engine_remove_network(struct engine *engine, const char *ref, struct plan *plan,
			  struct err *err)
{
	cleanup_network struct network network = {};

	network_sweep_live(engine);
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

/* ---- what nobody needs any more ---- */

static int note_user(const struct network_user *user, void *data, struct err *err)
{
	*(bool *)data = true;
	return 0;
}

struct idle {
	struct engine *engine;
	bool is_up, has_users; /* any network */
};

static int look_at(struct network *network, void *data, struct err *err)
{
	struct idle *idle = data;
	cleanup_free char *up = network_up_path(idle->engine, network->id);

	idle->is_up |= network_has_bridge(network) && access(up, F_OK) == 0;
	return engine_list_network_users(idle->engine, network->id, note_user, &idle->has_users,
					 err);
}

/* With the lock. Removes the firewall's rules when no network is up, and none is coming up. */
static int plan_no_rules(struct engine *engine, struct plan *plan, struct err *err)
{
	cleanup_free char *note = str_printf("%s/networks/rules", engine->runroot);
	struct idle idle = {.engine = engine};
	char table[RULES_TABLE_LEN];

	if (access(note, F_OK) < 0)
		return 0;
	if (engine_take_networks(engine, look_at, &idle, err) < 0)
		return -err->code;
	if (idle.is_up || idle.has_users)
		return 0;
	rules_table_name(engine->root, table);
	rules_plan_remove(plan, STEP_TEARDOWN, table, engine->runroot);
	plan_remove_tree(plan, note);
	return 0;
}

/* With the lock. From the removal of its mark on a start would bring the network up again. */
static int plan_no_bridge(struct engine *engine, const struct network *network, struct plan *plan,
			  struct err *err)
{
	cleanup_free char *up = network_up_path(engine, network->id);
	bool is_used = false;

	if (engine_list_network_users(engine, network->id, note_user, &is_used, err) < 0)
		return -err->code;
	if (!is_used && (unlink(up) == 0 || if_nametoindex(network->bridge) > 0))
		engine_network_take_down(engine, plan, STEP_TEARDOWN, network);
	return 0;
}

/* Takes the default network's bridge and, when no other network is up, the firewall's rules from
 * the host. */
static int prune_default(struct engine *engine, struct err *err)
{
	cleanup_network struct network network = {};
	cleanup_with(plan_done) struct plan plan = {};
	cleanup_close int lock = engine_lock_networks(engine, true, err);

	if (lock < 0 || plan_init(&plan, err) < 0 ||
	    engine_find_network(engine, NETWORK_DEFAULT_NAME, &network, err) < 0 ||
	    plan_no_bridge(engine, &network, &plan, err) < 0 ||
	    plan_no_rules(engine, &plan, err) < 0)
		return -err->code;
	return execute(&plan, STEP_TEARDOWN, err);
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
	network_sweep_live(engine);
	rc = engine_list_networks(engine, collect, &p, err);
	if (rc >= 0)
		remove_each(engine, &p.ids, removed);
	strv_done(&p.ids);
	if (rc >= 0)
		rc = prune_default(engine, err);
	if (rc >= 0)
		event_prune(engine, "network", 0);
	return rc < 0 ? rc : 0;
}
