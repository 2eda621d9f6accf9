/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks of a start. What is written down is written before the first step runs: a monitor that
 * is killed in between leaves nothing that its container's entries below the runroot do not tell.
 */
/* lint file: the engine's own directories below its runroot */
#include "engine/network_plan.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/event.h"
#include "engine/host_lines.h"
#include "engine/links.h"
#include "engine/network.h"
#include "engine/network_endpoint.h"
#include "engine/network_names.h"
#include "engine/network_script.h"
#include "engine/port_text.h"
#include "engine/publish_live.h"
#include "engine/spec.h"
#include "monitor/names.h"
#include "network/lease.h"
#include "plan/net_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static void start_networks_free(void *data)
{
	struct start_networks *s = data;

	name_service_free(s->names);
	for (size_t i = 0; i < s->n_networks; i++)
		network_done(&s->networks[i]);
	free(s->networks);
	if (!s->is_placed)
		publish_free(s->publish);
	endpoint_requests_free(s->requests, s->n_requests);
	live_network_done(&s->live);
	strv_done(&s->env);
	free(s);
}

struct start_networks *start_networks_new(struct plan *plan)
{
	struct start_networks *s = mem_zalloc(sizeof(*s));

	plan_own(plan, s, start_networks_free);
	return s;
}

/* What a container has in its run directory while it is in networks. */
static const char *const live_files[] = {LIVE_NETWORK_FILE, PORTS_FILE_NAME, NAMES_FILE};

/* ---- what was asked for ---- */

/* Whether the container has a network namespace that is made with it. */
static bool has_namespace(const struct network_subject *subject)
{
	const struct oci_namespace *ns = oci_find_namespace(subject->config, CLONE_NEWNET);

	return ns && !ns->path;
}

int network_requests_read(const char *mode, const char *text, struct endpoint_request **ret,
			  size_t *ret_n, struct err *err)
{
	if (text && *text)
		return endpoint_requests_parse(text, ret, ret_n, err);
	/* "default" is of a container that was made when there was no bridge yet: it has none. */
	if (!network_mode_has_links(mode) || strcmp(mode, "default") == 0)
		return 0;
	*ret = mem_zalloc(sizeof(**ret));
	(*ret)->network = str_dup(mode);
	*ret_n = 1;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void network_names_read(const char *mode, const char *text, struct strv *ret)
{
	struct endpoint_request *requests = NULL;
	struct err ignored = ERR_INIT;
	size_t n = 0;

	if (network_requests_read(mode, text, &requests, &n, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		strv_add(ret, requests[i].network);
	endpoint_requests_free(requests, n);
	if (ret->n > 1)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_names);
	if (!n && !(text && *text) && !str_has_prefix(mode, "container:"))
		strv_add(ret, strcmp(mode, "default") == 0 ? NETWORK_NONE_NAME : mode);
}

static int find_networks(struct start_networks *s, struct err *err)
{
	int rc = 0;

	s->networks = mem_zalloc((s->n_requests + 1) * sizeof(*s->networks));
	s->live.endpoints = mem_zalloc((s->n_requests + 1) * sizeof(*s->live.endpoints));
	for (size_t i = 0; rc == 0 && i < s->n_requests; i++) {
		struct network *network = &s->networks[i];

		rc = s->is_script
			     ? script_find_network(s->engine, s->requests[i].network, network, err)
			     : engine_find_network(s->engine, s->requests[i].network, network, err);
		s->live.n_endpoints = s->n_networks = i + 1;
		if (rc == 0 && (network->driver == NETWORK_HOST || network->driver == NETWORK_NULL))
			rc = err_set(err, ERR_INVALID,
				     "container cannot be connected to network %s by its id: say "
				     "--network %s",
				     network->name, network->name);
		if (rc == 0 && live_network_find(&s->live, network->id))
			rc = err_set(err, ERR_CONFLICT,
				     "endpoint with name %s already exists in network %s",
				     s->subject.name, network->name);
		snprintf(s->live.endpoints[i].network_id, ID_LEN + 1, "%s", network->id);
	}
	return rc;
}

/* ---- endpoints ---- */

static int make_endpoints(struct start_networks *s, struct err *err)
{
	const struct endpoint_owner owner = {.id = s->subject.id,
					     .name = s->subject.name,
					     .hostname = s->subject.config->hostname};
	cleanup_free int64_t *priorities = mem_zalloc((s->n_requests + 1) * sizeof(*priorities));
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->n_requests; i++) {
		struct endpoint e = {};

		rc = s->is_script ? endpoint_make_unleased(&s->networks[i], &s->requests[i], &owner,
							   &s->live, &e, err)
				  : endpoint_make(s->engine, &s->networks[i], &s->requests[i],
						  &owner, &s->live, &e, err);
		if (rc == 0)
			s->live.endpoints[i] = e;
		priorities[i] = s->requests[i].gateway_priority;
	}
	if (rc == 0)
		endpoints_choose_gateway(&s->live, priorities);
	return rc;
}

static int write_files(struct start_networks *s, struct err *err)
{
	int rc = live_network_write(s->subject.state_dir, &s->live, err);

	for (size_t i = 0; rc == 0 && i < s->live.n_endpoints; i++)
		rc = live_endpoint_write(s->engine->runroot, s->subject.id, &s->live.endpoints[i],
					 err);
	return rc;
}

/* Takes back what prepare has done. */
static void undo(struct start_networks *s)
{
	for (size_t i = 0; i < s->live.n_endpoints; i++)
		live_endpoint_remove(s->engine->runroot, s->subject.id, &s->live.endpoints[i]);
	for (size_t i = 0; i < ARRAY_LEN(live_files); i++)
		unlinkat(s->subject.state_dir, live_files[i], 0);
}

/* From finding the networks until everybody can see that somebody is in them. */
static int prepare_locked(struct start_networks *s, struct err *err)
{
	cleanup_close int lock = engine_lock_networks(s->engine, false, err);
	int rc = lock < 0 ? lock : find_networks(s, err);

	if (rc == 0)
		rc = make_endpoints(s, err);
	if (rc == 0)
		rc = write_files(s, err);
	if (rc < 0)
		undo(s);
	return rc;
}

/* The files with names: /etc/hosts tells of the addresses that there are now. */
static int write_hosts(struct start_networks *s, struct err *err)
{
	cleanup_strv struct strv lines = STRV_INIT;

	if (links_resolve(s->engine, s->subject.name, s->subject.config, &lines, &s->env, err) < 0)
		return -err->code;
	host_lines_add(s->subject.config, &s->live, &lines);
	return host_lines_update(s->subject.container_dir, s->subject.config, &lines,
				 s->subject.is_new, err);
}

/* ---- names and ports ---- */

static int prepare_names(struct start_networks *s, struct err *err)
{
	const struct network_subject *subject = &s->subject;

	if (subject->has_no_server)
		return 0;
	s->names = network_names_make(s->engine, subject->config, subject->id, s->networks,
				      s->live.n_endpoints);
	/* Without names the file is as it was made. */
	if (!s->names && subject->is_new)
		return 0;
	return network_names_write(s->names, subject->config, subject->state_dir,
				   subject->container_dir, err);
}

/* The endpoint that has the way out, of IPv4 if there is one; SIZE_MAX. */
static size_t find_way_out(const struct live_network *live)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < live->n_endpoints; i++) {
		if (live->endpoints[i].is_gateway4)
			return i;
		if (live->endpoints[i].is_gateway6)
			found = i;
	}
	return found;
}

static int prepare_ports(struct start_networks *s, struct err *err)
{
	size_t index = find_way_out(&s->live);
	const struct endpoint *e = &s->live.endpoints[index == SIZE_MAX ? 0 : index];
	const struct publish_target to = {
		.network = &s->networks[index == SIZE_MAX ? 0 : index],
		.ip4 = e->ip4.addr,
		.ip6 = e->ip6.addr,
		.container_id = s->subject.id,
		.name = s->subject.name,
		.endpoint_id = e->id,
		.live = &s->live,
		.state_dir = s->subject.state_dir,
		.exposed = s->subject.exposed,
	};

	return publish_prepare(s->engine, s->subject.ports, &to, &s->publish, err);
}

int start_networks_prepare(struct start_networks *s, struct engine *engine,
			   const struct network_subject *subject, struct err *err)
{
	int rc = 0;

	s->engine = engine;
	s->subject = *subject;
	s->is_script = subject->state_dir < 0;
	if (!has_namespace(subject))
		return 0;
	rc = network_requests_read(subject->mode, subject->requests, &s->requests, &s->n_requests,
				   err);
	if (rc < 0 || (!s->n_requests && subject->is_new))
		return rc;
	if (s->is_script) {
		rc = find_networks(s, err);
		return rc == 0 ? make_endpoints(s, err) : rc;
	}
	if (s->n_requests)
		rc = prepare_locked(s, err);
	if (rc < 0)
		return rc;
	rc = write_hosts(s, err);
	if (rc == 0)
		rc = prepare_names(s, err);
	if (rc == 0 && s->n_requests)
		rc = prepare_ports(s, err);
	if (rc < 0)
		undo(s);
	return rc;
}

int start_networks_bring_up(struct start_networks *s, struct plan *plan, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !s->is_script && rc >= 0 && i < s->live.n_endpoints; i++)
		rc = engine_network_bring_up(s->engine, plan, &s->networks[i], err);
	return rc < 0 ? rc : 0;
}

/* ---- steps ---- */

static bool has_ipv6(const struct start_networks *s)
{
	for (size_t i = 0; i < s->live.n_endpoints; i++)
		if (s->networks[i].is_ipv6)
			return true;
	return false;
}

/* Switched off before a link is there, it never has an address of that family. */
static void add_links(struct start_networks *s, struct plan *plan)
{
	bool is_mixed = has_ipv6(s);
	bool is_hairpin = endpoint_needs_hairpin(s->publish != NULL);

	if (!is_mixed)
		plan_net_ipv6(plan, STEP_INSIDE, "default", false);
	for (size_t i = 0; i < s->live.n_endpoints; i++)
		endpoint_plan_link(plan, STEP_INSIDE, &s->networks[i], &s->live.endpoints[i], -1,
				   NULL, is_hairpin);
	plan_net_commit(plan, STEP_INSIDE, NET_HOST);
	for (size_t i = 0; is_mixed && i < s->live.n_endpoints; i++)
		endpoint_plan_ipv6(plan, STEP_INSIDE, &s->networks[i], &s->live.endpoints[i]);
}

static void add_inside(struct start_networks *s, struct plan *plan)
{
	plan_group(plan,
		   "a link for each network, with its address; the way out through a gateway");
	add_links(s, plan);
	plan_net_up(plan, STEP_INSIDE, "lo");
	for (size_t i = 0; i < s->live.n_endpoints; i++)
		endpoint_plan_addresses(plan, STEP_INSIDE, &s->live.endpoints[i]);
	for (size_t i = 0; i < s->live.n_endpoints; i++)
		endpoint_plan_routes(plan, STEP_INSIDE, &s->live.endpoints[i]);
	plan_net_commit(plan, STEP_INSIDE, NET_OWN);
	for (size_t i = 0; i < s->live.n_endpoints; i++)
		endpoint_plan_ready(plan, STEP_INSIDE, &s->networks[i], &s->live.endpoints[i]);
	plan_net_close(plan);
	for (size_t i = 0; i < s->live.n_endpoints; i++)
		endpoint_plan_sysctls(plan, &s->live.endpoints[i]);
	plan_group(plan, NULL);
}

static void add_script(struct start_networks *s, struct plan *plan)
{
	cleanup_strv struct strv lines = STRV_INIT;

	host_lines_add(s->subject.config, &s->live, &lines);
	plan_group(plan, "the addresses in its hosts file");
	script_plan_hosts(plan, s->subject.dir, &lines);
	script_plan_networks(plan, s->subject.id, s->networks, &s->live, s->subject.ports);
}

static bool has_names(const struct start_networks *s)
{
	return s->names != NULL;
}

static void add_network(struct plan *plan, enum runtime_network_part part, void *ctx)
{
	struct start_networks *s = ctx;

	switch (part) {
	case RUNTIME_NETWORK_BEFORE:
		if (s->is_script)
			add_script(s, plan);
		publish_plan(s->publish, plan);
		s->is_placed = true;
		if (has_names(s))
			name_service_plan_connect(plan, s->names);
		plan_net_open(plan);
		break;
	case RUNTIME_NETWORK_INSIDE:
		add_inside(s, plan);
		if (has_names(s))
			name_service_plan_sockets(plan, s->names);
		break;
	case RUNTIME_NETWORK_AFTER:
		if (has_names(s))
			name_service_plan_hand_over(plan, s->names);
		break;
	}
}

void start_networks_place(struct start_networks *s, struct runtime_place *place)
{
	if (!s->live.n_endpoints)
		return;
	place->add_network = add_network;
	place->network_ctx = s;
}

int start_networks_keep(struct start_networks *s, struct monitor *monitor, struct err *err)
{
	int rc = s->names ? names_keep(monitor, s->names) : 0;

	if (rc < 0)
		return err_sys(err, -rc, "keep the sockets of names");
	return publish_keep(s->publish, monitor, err);
}

void start_networks_refresh(struct start_networks *s)
{
	cleanup_close int dir = engine_open_run_dir(s->engine, s->subject.id, false);
	struct live_network now = {};
	struct err err = ERR_INIT;

	if (dir < 0 || live_network_read(dir, &now, &err) < 0) {
		log_debug("what the container has of networks: %s", err.msg);
		return;
	}
	live_network_done(&s->live);
	s->live = now;
	/* The plan has no steps for who had nothing at its start. */
	if (!s->n_networks && now.n_endpoints)
		engine_release_networks(s->engine, s->subject.id, false);
}

static void tell(const struct start_networks *s, const struct endpoint *e, const char *action,
		 struct str *text)
{
	/* Of one that was connected while the container ran nothing else is known. */
	const struct network other = {
		.name = e->network_name,
		.driver_name = (char *)(uintptr_t)(*e->host_ifname ? "bridge" : "macvlan")};
	const struct network *network = &other;
	struct network named = other;

	for (size_t i = 0; i < s->n_networks; i++)
		if (strcmp(s->networks[i].id, e->network_id) == 0)
			network = &s->networks[i];
	if (network == &other) {
		snprintf(named.id, sizeof(named.id), "%s", e->network_id);
		network = &named;
	}
	event_add_network_container(text, network, action, s->subject.id);
}

void start_networks_tell(const struct start_networks *s, const char *action, struct str *text)
{
	for (size_t i = 0; i < s->live.n_endpoints; i++)
		tell(s, &s->live.endpoints[i], action, text);
}

/* ---- the end ---- */

static int run_forget(struct plan_run *run, const struct step *step, struct err *err)
{
	const struct live_network *live = step->data;

	for (size_t i = 0; i < live->n_endpoints; i++)
		live_endpoint_remove(step->path, step->text, &live->endpoints[i]);
	for (size_t i = 0; i < ARRAY_LEN(live_files); i++) {
		cleanup_free char *path = str_printf("%s/containers/%s/%s", step->path, step->text,
						     live_files[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(err, errno, "remove %s", path);
	}
	return 0;
}

/* Files that only this program's own commands have: nothing for a script. The plan is explained
 * when the endpoints may be gone. */
static void explain_forget(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_SCRIPT)
		return;
	str_add(out, "rm -f");
	strv_foreach (i, &step->words) {
		str_add_char(out, ' ');
		str_add_shell(out, step->words.items[i]);
	}
}

static const struct step_op step_forget = {"forget addresses", run_forget, explain_forget};

static void plan_forget(struct plan *plan, const char *runroot, const char *container,
			const struct live_network *live)
{
	struct step *step = plan_add(plan, &step_forget, STEP_TEARDOWN);
	char text[IP_TEXT_LEN];

	step->path = str_dup(runroot);
	step->text = str_dup(container);
	step->data = live;
	for (size_t i = 0; i < live->n_endpoints; i++) {
		const struct endpoint *e = &live->endpoints[i];
		const struct ip_addr *const addrs[] = {&e->ip4.addr, &e->ip6.addr};

		strv_addf(&step->words, "%s/networks/%s/endpoints/%s", runroot, e->network_id,
			  container);
		for (size_t k = 0; k < ARRAY_LEN(addrs); k++)
			if (addrs[k]->family)
				strv_addf(&step->words, "%s/networks/%s/addresses/%s", runroot,
					  e->network_id, ip_format(addrs[k], text));
	}
	strv_addf(&step->words, "%s/containers/%s/" LIVE_NETWORK_FILE, runroot, container);
}

static void plan_links_end(struct plan *plan, enum step_where where,
			   const struct live_network *live)
{
	if (!live->n_endpoints)
		return;
	plan_group(plan, "its links, which the kernel removes with the namespace");
	for (size_t i = 0; i < live->n_endpoints; i++)
		endpoint_plan_down(plan, where, &live->endpoints[i]);
	plan_net_commit(plan, where, NET_HOST);
	plan_group(plan, NULL);
}

static void plan_addresses_end(struct plan *plan, const char *runroot, const char *container,
			       const struct live_network *live)
{
	if (!live->n_endpoints)
		return;
	plan_group(plan, "its addresses, which are free again");
	plan_forget(plan, runroot, container, live);
	plan_group(plan, NULL);
}

void start_networks_plan_end(struct start_networks *s, struct plan *plan)
{
	publish_plan_end(s->publish, plan, false);
	if (!s->is_script) {
		plan_addresses_end(plan, s->engine->runroot, s->subject.id, &s->live);
		publish_plan_end(s->publish, plan, true);
	}
	/* The kernel's worker that takes the namespace down holds the lock that this needs: the
	 * command would wait for it. */
	plan_links_end(plan, STEP_LATE, &s->live);
}

static void release(struct engine *engine, const char *id, struct live_network *live)
{
	struct plan plan = {};
	struct plan_run run;
	struct err err = ERR_INIT;

	if (plan_init(&plan, &err) < 0) {
		log_debug("%s", err.msg);
		return;
	}
	publish_plan_withdraw(engine, live, &plan, false);
	plan_links_end(&plan, STEP_TEARDOWN, live);
	plan_addresses_end(&plan, engine->runroot, id, live);
	publish_plan_withdraw(engine, live, &plan, true);
	plan_run_init(&run);
	if (plan_execute(&plan, STEP_TEARDOWN, &run, &err) < 0)
		log_debug("networks of container %.12s: %s", id, err.msg);
	plan_run_done(&run);
	plan_done(&plan);
}

void engine_release_networks(struct engine *engine, const char *id, bool is_cut_short)
{
	cleanup_close int dir = engine_open_run_dir(engine, id, false);
	cleanup_live_network struct live_network live = {};
	struct err err = ERR_INIT;

	if (dir >= 0 && live_network_read(dir, &live, &err) < 0) {
		log_debug("container %.12s: %s", id, err.msg);
		is_cut_short = true;
	}
	if (live.n_endpoints)
		release(engine, id, &live);
	if (is_cut_short)
		lease_release_all(engine->runroot, id);
}
