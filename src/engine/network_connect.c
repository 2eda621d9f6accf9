/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting and disconnecting. The container's entry is held from the first look at it: no start,
 * end or removal is on its way meanwhile.
 */
/* lint file: the engine's own directories, and namespaces of the host's procfs, named by numbers */
#include "engine/network_connect.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/create.h"
#include "engine/event.h"
#include "engine/host_lines.h"
#include "engine/network.h"
#include "engine/network_endpoint.h"
#include "engine/network_names.h"
#include "engine/network_plan.h"
#include "engine/pending.h"
#include "engine/publish_live.h"
#include "engine/spec.h"
#include "engine/state.h"
#include "network/lease.h"
#include "network/live.h"
#include "plan/net_steps.h"
#include "plan/steps.h"
#include "storage/container.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* A container whose networks change. */
struct change {
	struct engine *engine;
	struct container_record record;
	struct container_state state;
	int pending; /* its entry */
	struct endpoint_request *requests;
	size_t n_requests;
	struct live_network live;
	int run_dir, netns, host_netns;
	char *netns_path;
	char *hostname;
	bool is_live;	     /* it has a process, and links */
	struct port_way way; /* where its published ports lead */
	struct plan *plan;
	struct plan_run run;
};

static void change_done(struct change *c)
{
	if (c->pending >= 0)
		pending_close(c->engine, c->record.row.id, c->pending);
	fd_cleanup_close(&c->run_dir);
	fd_cleanup_close(&c->netns);
	fd_cleanup_close(&c->host_netns);
	free(c->netns_path);
	free(c->hostname);
	live_network_done(&c->live);
	endpoint_requests_free(c->requests, c->n_requests);
	container_record_done(&c->record);
	plan_run_done(&c->run);
}
#define cleanup_change __attribute__((cleanup(change_done)))

static void change_init(struct change *c, struct engine *engine, struct plan *plan)
{
	*c = (struct change){.engine = engine,
			     .plan = plan,
			     .pending = -1,
			     .run_dir = -1,
			     .netns = -1,
			     .host_netns = -1};
	plan_run_init(&c->run);
}

/* ---- looking at it ---- */

static int open_live(struct change *c, struct err *err)
{
	cleanup_close int pidfd = process_open(c->state.pid, c->state.start_time);

	c->run_dir = engine_open_run_dir(c->engine, c->record.row.id, false);
	c->netns_path = str_printf("/proc/%d/ns/net", c->state.pid);
	c->netns = open(c->netns_path, O_RDONLY | O_CLOEXEC);
	c->host_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	/* The process that the path named must still be the container's. */
	if (pidfd < 0 || c->netns < 0 || c->host_netns < 0 || c->run_dir < 0 ||
	    !process_is_alive(c->state.pid, c->state.start_time))
		return err_set(err, ERR_CONFLICT, "container %s is not running", c->record.row.id);
	c->is_live = true;
	if (live_network_read(c->run_dir, &c->live, err) < 0)
		return -err->code;
	c->way = port_way_of(&c->live);
	return 0;
}

static int read_container(struct change *c, const char *ref, struct err *err)
{
	const struct container_row *row = &c->record.row;
	int rc = container_lookup_by_ref(c->engine->store, ref, &c->record, err);

	if (rc < 0)
		return rc;
	container_state_read(c->engine, row->id, &c->state);
	free(c->hostname);
	c->hostname = endpoint_read_hostname(row->config);
	return network_requests_read(row->network_mode, row->networks, &c->requests, &c->n_requests,
				     err);
}

/* Takes the container's entry, and reads it as it is from then on. */
static int change_open(struct change *c, const char *ref, struct err *err)
{
	cleanup_container struct container_record first = {};
	int rc = container_lookup_by_ref(c->engine->store, ref, &first, err);

	if (rc < 0)
		return rc;
	c->pending = pending_wait(c->engine, first.row.id, err);
	if (c->pending < 0)
		return c->pending;
	/* The name may be another container's by now: the id counts. */
	rc = read_container(c, first.row.id, err);
	if (rc < 0) {
		pending_close(c->engine, first.row.id, c->pending);
		c->pending = -1;
		return rc;
	}
	return container_has_process(&c->state) ? open_live(c, err) : 0;
}

/* Whether the only network of the container is the one that has no links. */
static bool is_private(const struct change *c)
{
	return !c->n_requests && !*c->record.row.networks &&
	       (strcmp(c->record.row.network_mode, NETWORK_NONE_NAME) == 0 ||
		strcmp(c->record.row.network_mode, "default") == 0);
}

static bool is_sharing(const struct change *c)
{
	const char *mode = c->record.row.network_mode;

	return strcmp(mode, NETWORK_HOST_NAME) == 0 || str_has_prefix(mode, "container:");
}

static size_t find_request(const struct change *c, const struct network *network)
{
	for (size_t i = 0; i < c->n_requests; i++)
		if (endpoint_request_is_of(&c->requests[i], network->name, network->id))
			return i;
	return SIZE_MAX;
}

static size_t find_endpoint(const struct change *c, const struct network *network)
{
	for (size_t i = 0; i < c->live.n_endpoints; i++)
		if (strcmp(c->live.endpoints[i].network_id, network->id) == 0)
			return i;
	return SIZE_MAX;
}

/* ---- what both do ---- */

/* The endpoint with the most priority has the default routes. ADDED (NULL) is the request of the
 * last one, when it is not among the others yet. */
static void choose_gateway(struct change *c, const struct endpoint_request *added)
{
	cleanup_free int64_t *priorities = mem_zalloc((c->live.n_endpoints + 1) *
						      sizeof(*priorities));

	for (size_t i = 0; i < c->live.n_endpoints; i++)
		for (size_t k = 0; k < c->n_requests; k++)
			if (endpoint_request_is_of(&c->requests[k],
						   c->live.endpoints[i].network_name,
						   c->live.endpoints[i].network_id))
				priorities[i] = c->requests[k].gateway_priority;
	if (added)
		priorities[c->live.n_endpoints - 1] = added->gateway_priority;
	endpoints_choose_gateway(&c->live, priorities);
}

static int save_requests(struct change *c, struct err *err)
{
	cleanup_free char *text = endpoint_requests_format(c->requests, c->n_requests);

	return container_update_networks(c->engine->store, c->record.row.id, text, err);
}

static void update_hosts(struct change *c)
{
	const char *id = c->record.row.id;
	cleanup_close int dir = engine_open_container_dir(c->engine, id);
	cleanup_made struct container_made made = {.pending_fd = -1};
	cleanup_strv struct strv lines = STRV_INIT;
	struct err err = ERR_INIT;

	if (dir < 0 || engine_load(c->engine, id, &made, &err) < 0)
		return;
	host_lines_add(&made.config, &c->live, &lines);
	if (host_lines_update(dir, &made.config, &lines, false, &err) < 0)
		log_debug("container %.12s: %s", id, err.msg);
}

/* Its sockets for names, made with the first network that has any. Everything else holds already.
 */
static void update_names(struct change *c)
{
	const char *id = c->record.row.id;
	cleanup_close int dir = engine_open_container_dir(c->engine, id);
	cleanup_close int pidfd = process_open(c->state.pid, c->state.start_time);
	cleanup_made struct container_made made = {.pending_fd = -1};
	struct network *networks = mem_zalloc((c->live.n_endpoints + 1) * sizeof(*networks));
	struct err err = ERR_INIT;
	size_t n = 0;
	int rc = dir < 0 || pidfd < 0 ? 0 : engine_load(c->engine, id, &made, &err);

	for (; rc == 0 && n < c->live.n_endpoints; n++)
		rc = engine_find_network(c->engine, c->live.endpoints[n].network_id, &networks[n],
					 &err);
	if (rc == 0 && dir >= 0 && pidfd >= 0) {
		const struct names_subject subject = {.id = id,
						      .config = &made.config,
						      .state_dir = c->run_dir,
						      .container_dir = dir,
						      .pidfd = pidfd};

		rc = network_names_update(c->engine, &subject, networks, n, &err);
	}
	if (rc < 0)
		log_warn("names of container %.12s: %s", id, err.msg);
	for (size_t i = 0; i < n; i++)
		network_done(&networks[i]);
	free(networks);
}

static void plan_routes(struct change *c)
{
	for (size_t i = 0; i < c->live.n_endpoints; i++)
		endpoint_plan_routes(c->plan, STEP_HOST, &c->live.endpoints[i]);
}

/* Published ports lead to the endpoint with the default route, which may be another one now. Their
 * sockets and rules are the host's, and the steps before have gone into the container. */
static int move_ports(struct change *c, struct err *err)
{
	struct port_way way = port_way_of(&c->live);
	size_t first = c->plan->n;
	int rc = 0;

	if (ip_is_equal(&way.ip4, &c->way.ip4) && ip_is_equal(&way.ip6, &c->way.ip6))
		return 0;
	plan_join_namespace(c->plan, STEP_HOST, c->host_netns, "/proc/1/ns/net", CLONE_NEWNET);
	rc = plan_execute_from(c->plan, first, STEP_HOST, &c->run, err);
	return rc < 0 ? rc : engine_move_ports(c->engine, &c->record.row, &c->way, c->plan, err);
}

/* ---- connecting ---- */

static int check_modes(const struct change *c, const struct network *network, struct err *err)
{
	if (is_sharing(c))
		return err_set(err, ERR_CONFLICT,
			       "container sharing network namespace with another container or host "
			       "cannot be connected to any other network");
	if (network->driver == NETWORK_HOST)
		return err_set(err, ERR_CONFLICT,
			       "container cannot be disconnected from host network or connected to "
			       "host network");
	if (network->driver == NETWORK_NULL || is_private(c))
		return err_set(err, ERR_CONFLICT,
			       "container cannot be connected to multiple networks with one of the "
			       "networks in private (none) mode");
	return 0;
}

static void add_request(struct change *c, const struct network *network,
			struct endpoint_request *request)
{
	size_t index = find_request(c, network);

	if (index == SIZE_MAX) {
		c->requests = mem_realloc_array(c->requests, c->n_requests + 1,
						sizeof(*c->requests));
		index = c->n_requests++;
	} else {
		endpoint_request_done(&c->requests[index]);
	}
	c->requests[index] = *request;
	*request = (struct endpoint_request){};
}

/* Takes the addresses, and lets everybody see it, before anything is made. */
static int announce(struct change *c, const struct network *network,
		    const struct endpoint_request *request, struct err *err)
{
	const struct endpoint_owner owner = {
		.id = c->record.row.id, .name = c->record.row.name, .hostname = c->hostname};
	cleanup_close int lock = engine_lock_networks(c->engine, false, err);
	cleanup_network struct network now = {};
	struct endpoint e = {};
	int rc = lock;

	/* It may have been removed before the lock was had. */
	if (rc >= 0)
		rc = engine_find_network(c->engine, network->id, &now, err);
	if (rc == 0)
		rc = endpoint_make(c->engine, network, request, &owner, &c->live, &e, err);
	if (rc < 0)
		return rc;
	c->live.endpoints = mem_realloc_array(c->live.endpoints, c->live.n_endpoints + 1,
					      sizeof(e));
	c->live.endpoints[c->live.n_endpoints++] = e;
	choose_gateway(c, request);
	rc = live_network_write(c->run_dir, &c->live, err);
	if (rc == 0)
		rc = live_endpoint_write(c->engine->runroot, owner.id,
					 &c->live.endpoints[c->live.n_endpoints - 1], err);
	return rc;
}

static int make_link(struct change *c, const struct network *network, struct err *err)
{
	const struct endpoint *e = &c->live.endpoints[c->live.n_endpoints - 1];
	size_t first = c->plan->n;
	int rc = engine_network_bring_up(c->engine, c->plan, network, err);

	if (rc < 0)
		return rc;
	plan_group(c->plan, "a link between the network and the container");
	plan_net_open(c->plan);
	endpoint_plan_link(c->plan, STEP_HOST, network, e, c->netns, c->netns_path,
			   endpoint_needs_hairpin(c->live.n_ports > 0));
	plan_net_commit(c->plan, STEP_HOST, NET_HOST);
	plan_group(c->plan, "its address, and the way out");
	plan_join_namespace(c->plan, STEP_HOST, c->netns, c->netns_path, CLONE_NEWNET);
	endpoint_plan_ipv6(c->plan, STEP_HOST, network, e);
	endpoint_plan_addresses(c->plan, STEP_HOST, e);
	plan_routes(c);
	plan_net_commit(c->plan, STEP_HOST, NET_OWN);
	endpoint_plan_ready(c->plan, STEP_HOST, network, e);
	plan_group(c->plan, NULL);
	return plan_execute_from(c->plan, first, STEP_HOST, &c->run, err);
}

/* Takes back what the last endpoint has. */
static void retract(struct change *c)
{
	size_t last = c->live.n_endpoints - 1;
	size_t first = c->plan->n;
	struct err ignored = ERR_INIT;

	if (*c->live.endpoints[last].host_ifname) {
		plan_net_delete(c->plan, STEP_TEARDOWN, c->live.endpoints[last].host_ifname);
		plan_net_commit(c->plan, STEP_TEARDOWN, NET_HOST);
		plan_execute_from(c->plan, first, STEP_TEARDOWN, &c->run, &ignored);
	}
	live_endpoint_remove(c->engine->runroot, c->record.row.id, &c->live.endpoints[last]);
	live_network_remove(&c->live, last);
	choose_gateway(c, NULL);
	live_network_write(c->run_dir, &c->live, &ignored);
}

static int connect_live(struct change *c, const struct network *network,
			struct endpoint_request *request, struct err *err)
{
	size_t n_before = c->live.n_endpoints;
	int rc = announce(c, network, request, err);

	if (rc == 0)
		rc = make_link(c, network, err);
	if (rc == 0) {
		add_request(c, network, request);
		rc = save_requests(c, err);
	}
	if (rc < 0) {
		if (c->live.n_endpoints > n_before)
			retract(c);
		return rc;
	}
	update_hosts(c);
	update_names(c);
	event_network_container(c->engine, network, "connect", c->record.row.id);
	return move_ports(c, err);
}

static int copy_request(const struct endpoint_request *from, const struct network *network,
			struct endpoint_request *ret, struct err *err)
{
	cleanup_free char *text = endpoint_requests_format(from, 1);
	struct endpoint_request *items = NULL;
	size_t n = 0;
	int rc = endpoint_requests_parse(text, &items, &n, err);

	if (rc < 0)
		return rc;
	*ret = items[0];
	free(items);
	str_replace(&ret->network, network->name);
	return 0;
}

int engine_connect(struct engine *engine, const char *ref, const struct endpoint_request *request,
		   struct plan *plan, struct err *err)
{
	cleanup_change struct change c;
	cleanup_network struct network network = {};
	cleanup_with(endpoint_request_done) struct endpoint_request copy = {};
	int rc = 0;

	change_init(&c, engine, plan);
	rc = change_open(&c, ref, err);
	if (rc == 0)
		rc = engine_find_network(engine, request->network, &network, err);
	if (rc == 0)
		rc = check_modes(&c, &network, err);
	if (rc == 0)
		rc = endpoint_check(&network, request, err);
	if (rc == 0)
		rc = copy_request(request, &network, &copy, err);
	if (rc < 0)
		return rc;
	if (c.is_live && find_endpoint(&c, &network) != SIZE_MAX)
		return err_set(err, ERR_CONFLICT,
			       "endpoint with name %s already exists in network %s",
			       c.record.row.name, network.name);
	if (c.is_live)
		return connect_live(&c, &network, &copy, err);
	add_request(&c, &network, &copy);
	return save_requests(&c, err);
}

/* ---- disconnecting ---- */

static void remove_request(struct change *c, size_t index)
{
	endpoint_request_done(&c->requests[index]);
	c->n_requests--;
	memmove(&c->requests[index], &c->requests[index + 1],
		(c->n_requests - index) * sizeof(*c->requests));
}

/* Removing one end removes the other. Without it, somebody else may be the way out. */
static int remove_link(struct change *c, size_t index, struct err *err)
{
	cleanup_free char *ifname = str_dup(c->live.endpoints[index].ifname);
	size_t first = c->plan->n;

	live_endpoint_remove(c->engine->runroot, c->record.row.id, &c->live.endpoints[index]);
	live_network_remove(&c->live, index);
	choose_gateway(c, NULL);
	plan_group(c->plan, "both ends of the link, and the way out if it was there");
	plan_join_namespace(c->plan, STEP_HOST, c->netns, c->netns_path, CLONE_NEWNET);
	plan_net_delete(c->plan, STEP_HOST, ifname);
	plan_net_commit(c->plan, STEP_HOST, NET_HOST);
	plan_routes(c);
	plan_net_commit(c->plan, STEP_HOST, NET_OWN);
	plan_group(c->plan, NULL);
	return plan_execute_from(c->plan, first, STEP_HOST, &c->run, err);
}

static int disconnect_live(struct change *c, const struct network *network, size_t index,
			   struct err *err)
{
	struct err later = ERR_INIT;
	int rc = remove_link(c, index, err);

	if (live_network_write(c->run_dir, &c->live, &later) < 0 && rc == 0) {
		*err = later;
		rc = -err->code;
	}
	update_hosts(c);
	update_names(c);
	if (network)
		event_network_container(c->engine, network, "disconnect", c->record.row.id);
	return rc < 0 ? rc : move_ports(c, err);
}

static int not_connected(const struct change *c, const struct network *network, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "container %s is not connected to %snetwork %s",
		       c->record.row.id, c->is_live ? "" : "the ", network->name);
}

static int disconnect(struct change *c, const struct network *network, struct err *err)
{
	size_t request = find_request(c, network);
	size_t endpoint = find_endpoint(c, network);
	bool is_host = network->driver == NETWORK_HOST;
	int rc = 0;

	if (is_host && strcmp(c->record.row.network_mode, NETWORK_HOST_NAME) == 0)
		return err_set(err, ERR_CONFLICT,
			       "container cannot be disconnected from host network or connected to "
			       "host network");
	/* From then on it is in no network, and may be connected to others. */
	if (network->driver == NETWORK_NULL && is_private(c))
		return save_requests(c, err);
	if (request == SIZE_MAX && endpoint == SIZE_MAX)
		return not_connected(c, network, err);
	if (request != SIZE_MAX) {
		remove_request(c, request);
		rc = save_requests(c, err);
	}
	if (rc == 0 && endpoint == SIZE_MAX)
		event_network_container(c->engine, network, "disconnect", c->record.row.id);
	if (rc < 0 || endpoint == SIZE_MAX)
		return rc;
	return disconnect_live(c, network, endpoint, err);
}

int engine_disconnect(struct engine *engine, const char *network_ref, const char *ref, bool force,
		      struct plan *plan, struct err *err)
{
	cleanup_change struct change c;
	cleanup_network struct network network = {};
	int rc = 0;

	change_init(&c, engine, plan);
	rc = change_open(&c, ref, err);
	/* What a container leaves goes with it, so by force there is nothing to be found either. */
	if (rc == -ERR_NOT_FOUND && force)
		return err_set(err, ERR_NOT_FOUND, "endpoint %s not found", ref);
	if (rc == 0)
		rc = engine_find_network(engine, network_ref, &network, err);
	return rc == 0 ? disconnect(&c, &network, err) : rc;
}

/* ---- after others ---- */

static bool is_asked_for(const struct change *c, const struct endpoint *e)
{
	for (size_t i = 0; i < c->n_requests; i++)
		if (endpoint_request_is_of(&c->requests[i], e->network_name, e->network_id))
			return true;
	return false;
}

/* Removes what the container does not ask for, from the last on. */
static void reconcile(struct change *c)
{
	for (size_t i = c->live.n_endpoints; i-- > 0;) {
		struct err err = ERR_INIT;

		if (is_asked_for(c, &c->live.endpoints[i]))
			continue;
		if (disconnect_live(c, NULL, i, &err) < 0)
			log_debug("container %.12s: %s", c->record.row.id, err.msg);
	}
	lease_release_unlisted(c->engine->runroot, c->record.row.id, &c->live);
}

static void reconcile_with_plan(struct change *c)
{
	struct err err = ERR_INIT;
	struct plan plan = {};

	if (plan_init(&plan, &err) == 0) {
		c->plan = &plan;
		reconcile(c);
		c->plan = NULL;
	}
	plan_done(&plan);
}

void engine_reconcile_networks(struct engine *engine, const char *id)
{
	cleanup_change struct change c;
	cleanup_close int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct err err = ERR_INIT;

	change_init(&c, engine, NULL);
	if (own < 0 || read_container(&c, id, &err) < 0 || !container_has_process(&c.state) ||
	    open_live(&c, &err) < 0)
		return;
	reconcile_with_plan(&c);
	/* The caller goes on where it was. */
	if (setns(own, CLONE_NEWNET) < 0)
		log_warn("leave the network of container %.12s: %m", id);
}

void engine_rename_endpoints(struct engine *engine, const char *id, const char *name)
{
	cleanup_change struct change c;
	struct endpoint_owner owner = {.id = id, .name = name};
	struct err err = ERR_INIT;

	change_init(&c, engine, NULL);
	if (read_container(&c, id, &err) < 0 || !container_has_process(&c.state) ||
	    open_live(&c, &err) < 0 || !c.live.n_endpoints)
		return;
	owner.hostname = c.hostname;
	for (size_t i = 0; i < c.live.n_endpoints; i++) {
		struct endpoint *e = &c.live.endpoints[i];
		cleanup_network struct network network = {};
		size_t request = SIZE_MAX;

		if (engine_find_network(engine, e->network_id, &network, &err) == 0)
			request = find_request(&c, &network);
		if (request == SIZE_MAX)
			continue;
		endpoint_set_names(e, &network, &c.requests[request], &owner);
		if (live_endpoint_write(engine->runroot, id, e, &err) < 0)
			log_debug("container %.12s: %s", id, err.msg);
	}
	if (live_network_write(c.run_dir, &c.live, &err) < 0)
		log_debug("container %.12s: %s", id, err.msg);
}
