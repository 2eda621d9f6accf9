/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of published ports. What a container was asked to publish (its bindings, on record) and
 * what it has (network.json) are two lists: a binding without a number is some number there, and
 * one without an address two.
 */
#include "engine/publish_live.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/network.h"
#include "engine/network_endpoint.h"
#include "engine/publish_private.h"
#include "monitor/client.h"
#include "plan/net_steps.h"
#include "plan/steps.h"
#include "storage/container.h"
#include "json/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STORED ((size_t)8 << 20)

void port_outcome_done(struct port_outcome *outcome)
{
	port_list_done(&outcome->bindings);
	port_list_done(&outcome->added);
	strv_done(&outcome->exposed);
}

/* ---- what is on record ---- */

static bool is_inside(const struct port_spec *a, uint16_t port, const char *proto)
{
	return a->container_port == port && strcmp(a->proto, proto) == 0;
}

/* Whether BINDING is one that REMOVED names. */
static bool names_binding(const struct port_spec *removed, const struct port_spec *binding)
{
	if (!is_inside(removed, binding->container_port, binding->proto))
		return false;
	if (!removed->has_host)
		return true;
	if (removed->host_ip &&
	    !str_is_equal(removed->host_ip, binding->host_ip ? binding->host_ip : ""))
		return false;
	return binding->host_first && binding->host_first <= removed->host_first &&
	       removed->host_first <= binding->host_last;
}

/* Whether the published PORT is one that REMOVED names. */
static bool names_port(const struct port_spec *removed, const struct published_port *port)
{
	struct ip_addr ip = {};

	if (!is_inside(removed, port->container_port, port->proto))
		return false;
	if (!removed->has_host)
		return true;
	if (removed->host_ip)
		ip_parse(removed->host_ip, &ip);
	return port->host_port == removed->host_first &&
	       (ip.family == IP_NONE || ip_is_equal(&ip, &port->host_ip));
}

static void take_out(struct port_list *list, size_t i)
{
	port_spec_done(&list->items[i]);
	list->n--;
	memmove(&list->items[i], &list->items[i + 1], (list->n - i) * sizeof(*list->items));
}

/* Takes out of LIST what REMOVED names: the number of bindings. */
static size_t remove_named(struct port_list *list, const struct port_spec *removed)
{
	size_t n = 0;

	for (size_t i = list->n; i-- > 0;) {
		if (!names_binding(removed, &list->items[i]))
			continue;
		take_out(list, i);
		n++;
	}
	return n;
}

/* The number was the kernel's choice: a binding without one goes. */
static void remove_unnumbered(struct port_list *list, const struct port_spec *removed)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!is_inside(removed, list->items[i].container_port, list->items[i].proto) ||
		    list->items[i].host_first)
			continue;
		take_out(list, i);
		return;
	}
}

static bool has_named(const struct live_network *live, const struct port_spec *removed)
{
	for (size_t i = 0; i < live->n_ports; i++)
		if (names_port(removed, &live->ports[i]))
			return true;
	return false;
}

static int remove_all(struct port_outcome *out, const struct port_list *removed,
		      const struct live_network *live, const char *name, struct err *err)
{
	for (size_t i = 0; i < removed->n; i++) {
		const struct port_spec *one = &removed->items[i];
		size_t n = remove_named(&out->bindings, one);
		bool is_live = has_named(live, one);
		cleanup_free char *text = NULL;

		if (n == 0 && is_live)
			remove_unnumbered(&out->bindings, one);
		if (n > 0 || is_live) {
			out->has_changed = true;
			continue;
		}
		text = port_spec_format(one);
		err_set(err, ERR_NOT_FOUND, "No public port '%s' published for %s", text, name);
		return err_hint(err, "the number is the container's, or both: 8080:80");
	}
	return 0;
}

/* What is published already is not published twice. */
static void add_all(struct port_outcome *out, const struct port_changes *changes)
{
	for (size_t i = 0; i < changes->n_add; i++) {
		const struct port_spec *port = &changes->add[i];
		char key[32];
		bool is_there = false;

		for (size_t k = 0; k < out->bindings.n; k++)
			is_there |= port_spec_is_equal(&out->bindings.items[k], port);
		if (is_there)
			continue;
		snprintf(key, sizeof(key), "%u/%s", port->container_port, port->proto);
		if (!strv_has(&out->exposed, key))
			strv_add(&out->exposed, key);
		port_list_add(&out->bindings, port);
		port_list_add(&out->added, port);
		out->has_changed = true;
	}
}

/* What -P publishes becomes bindings when one of them goes. */
static int read_record(const struct container_row *row, const struct port_changes *changes,
		       struct port_outcome *ret, struct err *err)
{
	cleanup_json json_t *host = NULL;
	int rc = json_parse(row->host, strlen(row->host), MAX_STORED, "HostConfig", &host, err);

	if (rc < 0)
		return rc;
	ret->is_publish_all = json_get_bool(host, "PublishAllPorts", false);
	if (ret->is_publish_all && !changes->remove->n) {
		cleanup_port_list struct port_list all = {};

		port_list_read_bindings(&ret->bindings, host);
		return port_list_read(&all, row->host, row->config, &ret->exposed, err);
	}
	ret->is_publish_all = false;
	return port_list_read(&ret->bindings, row->host, row->config, &ret->exposed, err);
}

void port_outcome_store(const struct port_outcome *outcome, json_t *host, json_t *config)
{
	json_t *exposed = json_object_get(config, "ExposedPorts");

	json_object_set_new(host, "PortBindings", port_list_to_json(&outcome->bindings));
	json_object_set_new(host, "PublishAllPorts", json_boolean(outcome->is_publish_all));
	if (!exposed && outcome->exposed.n) {
		exposed = json_object();
		json_object_set_new(config, "ExposedPorts", exposed);
	}
	strv_foreach (i, &outcome->exposed)
		json_object_set_new(exposed, outcome->exposed.items[i], json_object());
}

/* ---- what it has ---- */

/* One change of a running container; owned by its plan. */
struct live_change {
	struct engine *engine;
	const struct container_row *row; /* borrowed, as OUTCOME */
	const struct port_outcome *outcome;
	int state_dir;	/* owned */
	int monitor_fd; /* owned: the connection */
	struct live_network live;
	struct port_way from; /* where the ports of LIVE lead to */
	struct network network;
	struct publish *publish;	  /* what comes; NULL */
	struct published_port *leaving;	  /* owned: what goes */
	struct rules_port *leaving_rules; /* owned */
	size_t n_leaving, n_leaving_rules;
	char table[RULES_TABLE_LEN];
};

static void live_change_free(void *data)
{
	struct live_change *c = data;

	fd_cleanup_close(&c->state_dir);
	fd_cleanup_close(&c->monitor_fd);
	live_network_done(&c->live);
	network_done(&c->network);
	publish_free(c->publish);
	free(c->leaving);
	free(c->leaving_rules);
	free(c);
}

/* The endpoint that has the default route of FAMILY. */
static const struct endpoint *find_way(const struct live_network *live, int family)
{
	for (size_t i = 0; i < live->n_endpoints; i++)
		if (family == IP_V4 ? live->endpoints[i].is_gateway4
				    : live->endpoints[i].is_gateway6)
			return &live->endpoints[i];
	return NULL;
}

static const struct endpoint *find_any_way(const struct live_network *live)
{
	const struct endpoint *way = find_way(live, IP_V4);

	return way ? way : find_way(live, IP_V6);
}

static struct ip_addr find_address(const struct live_network *live, int family)
{
	const struct endpoint *way = find_way(live, family);

	if (!way)
		return (struct ip_addr){};
	return family == IP_V4 ? way->ip4.addr : way->ip6.addr;
}

struct port_way port_way_of(const struct live_network *live)
{
	return (struct port_way){.ip4 = find_address(live, IP_V4),
				 .ip6 = find_address(live, IP_V6)};
}

/* The rule of PORT, if it has one. */
static bool make_rule(const struct port_way *way, const struct published_port *port,
		      const struct network *network, struct rules_port *ret)
{
	bool is_ip4 = port->host_ip.family == IP_V4;

	*ret = (struct rules_port){.port = *port,
				   .container_ip = is_ip4 ? way->ip4 : way->ip6,
				   .bridge = network->bridge,
				   .mode = network_gateway_mode(network, port->host_ip.family)};
	/* Where it is routed to there is no port of the host's. */
	if (!port->host_port)
		ret->mode = GATEWAY_ROUTED;
	return !port->is_relayed && ret->container_ip.family != IP_NONE;
}

static void leave(struct live_change *c, const struct published_port *port)
{
	c->leaving[c->n_leaving++] = *port;
	if (make_rule(&c->from, port, &c->network, &c->leaving_rules[c->n_leaving_rules]))
		c->n_leaving_rules++;
}

/* Moves what REMOVED (NULL: everything) names out of the list of what is there. */
static void collect_leaving(struct live_change *c, const struct port_list *removed)
{
	struct live_network *live = &c->live;
	size_t n = 0;

	c->leaving = mem_realloc_array(NULL, live->n_ports + 1, sizeof(*c->leaving));
	c->leaving_rules = mem_realloc_array(NULL, live->n_ports + 1, sizeof(*c->leaving_rules));
	for (size_t i = 0; i < live->n_ports; i++) {
		const struct published_port *port = &live->ports[i];
		bool is_leaving = !removed;

		for (size_t k = 0; removed && k < removed->n; k++)
			is_leaving |= names_port(&removed->items[k], port);
		if (is_leaving)
			leave(c, port);
		else
			live->ports[n++] = *port;
	}
	live->n_ports = n;
}

/* 1; 0 for a container without a network: nothing is published there, and a start says nothing of
 * it, either. */
static int open_live(struct live_change *c, struct err *err)
{
	const struct endpoint *way = NULL;
	int rc = 0;

	c->state_dir = engine_open_run_dir(c->engine, c->row->id, false);
	if (c->state_dir < 0)
		return err_sys(err, -c->state_dir, "open the run directory of container %.12s",
			       c->row->id);
	rc = live_network_read(c->state_dir, &c->live, err);
	if (rc < 0)
		return rc;
	c->from = port_way_of(&c->live);
	way = find_any_way(&c->live);
	if (way)
		rc = engine_find_network(c->engine, way->network_id, &c->network, err);
	return rc < 0 ? rc : way != NULL;
}

static int prepare_arriving(struct live_change *c, struct err *err)
{
	const struct endpoint *way = find_any_way(&c->live);
	const struct publish_target to = {
		.network = way ? &c->network : NULL,
		.ip4 = find_address(&c->live, IP_V4),
		.ip6 = find_address(&c->live, IP_V6),
		.container_id = c->row->id,
		.name = c->row->name,
		.endpoint_id = way ? way->id : NULL,
		.live = &c->live,
		.state_dir = -1, /* written once the monitor has them */
		.exposed = &c->outcome->exposed,
	};

	return publish_prepare(c->engine, &c->outcome->added, &to, &c->publish, err);
}

/* ---- steps ---- */

static struct live_change *change_of(const struct step *step)
{
	return (struct live_change *)(uintptr_t)step->data;
}

static int write_live(struct live_change *c, struct err *err)
{
	return publish_write(c->state_dir, &c->live, &c->outcome->exposed, err);
}

static int run_release(struct plan_run *run, const struct step *step, struct err *err)
{
	struct live_change *c = change_of(step);

	for (size_t i = 0; i < c->n_leaving; i++) {
		const struct published_port *p = &c->leaving[i];
		const struct forward_port port = {.proto = publish_proto_parse(p->proto),
						  .host = p->host_ip,
						  .host_port = p->host_port};
		uint8_t payload[FORWARD_PAYLOAD_LEN];

		forward_format(&port, payload);
		/* One without a socket, of SCTP, is not there. */
		if (monitor_client_release(c->monitor_fd, COMPANION_PORT, payload, FORWARD_KEY_LEN,
					   err) < 0 &&
		    err->code != ERR_NOT_FOUND)
			return -err->code;
		err_clear(err);
	}
	return write_live(c, err);
}

static void explain_release(const struct step *step, enum step_text mode, struct str *out)
{
	const struct live_change *c = change_of(step);
	char host[PUBLISH_ADDRESS_LEN];

	for (size_t i = 0; i < c->n_leaving; i++)
		str_addf(out, "%s# the monitor closes its socket of %s %s", i ? "\n" : "",
			 c->leaving[i].proto,
			 publish_address_format(&c->leaving[i].host_ip, c->leaving[i].host_port,
						host));
}

/* Written down before the monitor has them: what a death in between leaves is known, and is
 * withdrawn by engine_settle_ports. */
static int run_adopt(struct plan_run *run, const struct step *step, struct err *err)
{
	struct live_change *c = change_of(step);
	int rc = publish_bind(c->publish, err);

	if (rc < 0)
		return rc;
	publish_number_rules(c->publish);
	publish_fill(c->publish, &c->live);
	rc = write_live(c, err);
	for (size_t i = 0; rc == 0 && i < c->publish->n; i++) {
		const struct publish_port *p = &c->publish->ports[i];
		uint8_t payload[FORWARD_PAYLOAD_LEN];

		if (p->fd < 0)
			continue;
		publish_describe(p, payload);
		rc = monitor_client_adopt(c->monitor_fd, COMPANION_PORT, payload, sizeof(payload),
					  &p->fd, 1, err);
	}
	publish_close(c->publish);
	return rc;
}

static void explain_adopt(const struct step *step, enum step_text mode, struct str *out)
{
	publish_explain(change_of(step)->publish, out);
}

static const struct step_op step_release = {"withdraw", run_release, explain_release};
static const struct step_op step_adopt = {"publish", run_adopt, explain_adopt};

static void add_step(struct plan *plan, const struct step_op *op, const struct live_change *c)
{
	struct step *step = plan_add(plan, op, STEP_HOST);

	step->data = c;
}

static void add_hairpin(const struct live_change *c, struct plan *plan)
{
	plan_net_open(plan);
	plan_net_hairpin(plan, STEP_HOST, find_any_way(&c->live)->host_ifname);
	plan_net_commit(plan, STEP_HOST, NET_HOST);
}

static void add_steps(struct live_change *c, struct plan *plan)
{
	const char *runroot = c->engine->runroot;

	rules_table_name(c->engine->root, c->table);
	if (c->n_leaving) {
		plan_group(plan, "ports that are withdrawn; connections that are there stay");
		if (c->n_leaving_rules)
			rules_plan_ports(plan, STEP_HOST, c->table, c->leaving_rules,
					 c->n_leaving_rules, false, runroot);
		add_step(plan, &step_release, c);
	}
	if (c->publish) {
		plan_group(plan, "ports that are published");
		add_step(plan, &step_adopt, c);
		if (endpoint_needs_hairpin(c->publish->n_rules > 0))
			add_hairpin(c, plan);
		if (c->publish->n_rules)
			rules_plan_ports(plan, STEP_HOST, c->table, c->publish->rules,
					 c->publish->n_rules, true, runroot);
	}
	plan_group(plan, NULL);
}

/* Those from index FIRST on: a plan may have been executed up to there. */
static int execute(struct plan *plan, size_t first, enum step_where where, struct err *err)
{
	struct plan_run run;
	int rc = 0;

	plan_run_init(&run);
	rc = plan_execute_from(plan, first, where, &run, err);
	plan_run_done(&run);
	return rc;
}

/* What leaves is known: prepares what comes, and does both. */
static int change_live(struct live_change *c, struct plan *plan, struct err *err)
{
	size_t first = plan->n;
	int rc = prepare_arriving(c, err);

	if (rc < 0 || (!c->n_leaving && !c->publish))
		return rc;
	c->monitor_fd = monitor_client_open(c->state_dir, err);
	if (c->monitor_fd < 0)
		return c->monitor_fd;
	if (c->publish)
		rc = engine_network_bring_up(c->engine, plan, &c->network, err);
	if (rc < 0)
		return rc;
	add_steps(c, plan);
	return execute(plan, first, STEP_HOST, err);
}

/* Owned by PLAN. */
static struct live_change *change_new(struct engine *engine, const struct container_row *row,
				      const struct port_outcome *outcome, struct plan *plan)
{
	struct live_change *c = mem_zalloc(sizeof(*c));

	*c = (struct live_change){.engine = engine,
				  .row = row,
				  .outcome = outcome,
				  .state_dir = -1,
				  .monitor_fd = -1};
	plan_own(plan, c, live_change_free);
	return c;
}

int engine_change_ports(struct engine *engine, const struct container_row *row,
			const struct container_state *state, const struct port_changes *changes,
			struct plan *plan, struct port_outcome *ret, struct err *err)
{
	struct live_change *c = change_new(engine, row, ret, plan);
	int rc = read_record(row, changes, ret, err);
	int has_network = 0;

	if (rc == 0 && container_has_process(state))
		has_network = open_live(c, err);
	if (rc == 0 && has_network < 0)
		rc = has_network;
	if (rc == 0)
		rc = remove_all(ret, changes->remove, &c->live, row->name, err);
	if (rc < 0)
		return rc;
	add_all(ret, changes);
	if (!has_network)
		return 0;
	collect_leaving(c, changes->remove);
	return change_live(c, plan, err);
}

/* ---- another network ---- */

/* PORT as somebody would have asked for it. */
static void add_again(struct port_list *list, const struct published_port *port)
{
	char host[IP_TEXT_LEN];
	struct port_spec spec = {.host_ip = ip_format(&port->host_ip, host),
				 .host_first = port->host_port,
				 .host_last = port->host_port,
				 .has_host = true,
				 .container_port = port->container_port};

	snprintf(spec.proto, sizeof(spec.proto), "%s", port->proto);
	port_list_add(list, &spec);
}

static void outcome_free(void *data)
{
	port_outcome_done(data);
	free(data);
}

static int move(struct engine *engine, const struct container_row *row,
		const struct port_way *before, struct plan *plan, struct err *err)
{
	struct port_outcome *outcome = mem_zalloc(sizeof(*outcome));
	struct live_change *c = change_new(engine, row, outcome, plan);
	int rc = open_live(c, err);

	plan_own(plan, outcome, outcome_free);
	if (rc < 0 ||
	    (ip_is_equal(&c->from.ip4, &before->ip4) && ip_is_equal(&c->from.ip6, &before->ip6)))
		return rc < 0 ? rc : 0;
	rc = port_list_read(&outcome->bindings, row->host, row->config, &outcome->exposed, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < c->live.n_ports; i++)
		add_again(&outcome->added, &c->live.ports[i]);
	for (size_t i = 0; !c->live.n_ports && i < outcome->bindings.n; i++)
		port_list_add(&outcome->added, &outcome->bindings.items[i]);
	c->from = *before;
	collect_leaving(c, NULL);
	return change_live(c, plan, err);
}

/* ---- changes that were cut short ---- */

/* Whether somebody asked for PORT, as it is, by one of BINDINGS. */
static bool is_on_record(const struct port_list *bindings, const struct published_port *port)
{
	for (size_t i = 0; i < bindings->n; i++) {
		const struct port_spec *b = &bindings->items[i];
		struct ip_addr ip = {};

		if (!is_inside(b, port->container_port, port->proto))
			continue;
		if (b->host_ip && *b->host_ip)
			ip_parse(b->host_ip, &ip);
		if (ip.family != IP_NONE && !ip_is_equal(&ip, &port->host_ip))
			continue;
		if (!b->host_first ||
		    (b->host_first <= port->host_port && port->host_port <= b->host_last))
			return true;
	}
	return false;
}

/* The rules of the ports that stay. To add what is there already changes nothing. */
static int add_rules_again(struct live_change *c, struct plan *plan, struct err *err)
{
	size_t first = plan->n;
	struct rules_port *rules = mem_realloc_array(NULL, c->live.n_ports + 1, sizeof(*rules));
	size_t n = 0;

	plan_own(plan, rules, free);
	for (size_t i = 0; i < c->live.n_ports; i++)
		if (make_rule(&c->from, &c->live.ports[i], &c->network, &rules[n]))
			n++;
	rules_plan_ports(plan, STEP_HOST, c->table, rules, n, true, c->engine->runroot);
	return execute(plan, first, STEP_HOST, err);
}

static int settle(struct live_change *c, const struct port_list *bindings, struct plan *plan,
		  struct err *err)
{
	cleanup_port_list struct port_list leaving = {};
	int rc = 0;

	for (size_t i = 0; i < c->live.n_ports; i++)
		if (!is_on_record(bindings, &c->live.ports[i]))
			add_again(&leaving, &c->live.ports[i]);
	if (leaving.n) {
		collect_leaving(c, &leaving);
		rc = change_live(c, plan, err);
	}
	rules_table_name(c->engine->root, c->table);
	return rc < 0 ? rc : add_rules_again(c, plan, err);
}

/* NOTHING_STAYS: whatever is on record. */
static void settle_all(struct engine *engine, const struct container_row *row, bool nothing_stays)
{
	cleanup_port_outcome struct port_outcome outcome = {};
	cleanup_with(plan_done) struct plan plan = {};
	struct live_change *c = NULL;
	struct err err = ERR_INIT;
	int rc = plan_init(&plan, &err);

	if (rc == 0) {
		c = change_new(engine, row, &outcome, &plan);
		rc = open_live(c, &err);
	}
	if (rc > 0)
		rc = port_list_read(&outcome.bindings, row->host, row->config, &outcome.exposed,
				    &err);
	if (nothing_stays)
		port_list_done(&outcome.bindings);
	if (rc == 0 && c->live.n_ports)
		rc = settle(c, &outcome.bindings, &plan, &err);
	if (rc < 0)
		log_debug("ports of container %.12s: %s", row->id, err.msg);
}

void engine_settle_ports(struct engine *engine, const struct container_row *row)
{
	settle_all(engine, row, false);
}

int engine_move_ports(struct engine *engine, const struct container_row *row,
		      const struct port_way *before, struct plan *plan, struct err *err)
{
	int rc = move(engine, row, before, plan, err);

	/* Some may be where the container cannot be reached, or with nobody. */
	if (rc < 0)
		settle_all(engine, row, true);
	return rc;
}

/* ---- the end of a container ---- */

void publish_plan_withdraw(const struct engine *engine, const struct live_network *live,
			   struct plan *plan, bool is_again)
{
	/* Its row need not be there any more; a port tells enough of it. */
	const struct network network = {};
	const struct port_way way = port_way_of(live);
	char table[RULES_TABLE_LEN];
	struct rules_port *rules = NULL;
	size_t n = 0;

	if (!live->n_ports)
		return;
	rules = mem_realloc_array(NULL, live->n_ports + 1, sizeof(*rules));
	plan_own(plan, rules, free);
	for (size_t i = 0; i < live->n_ports; i++) {
		n += make_rule(&way, &live->ports[i], &network, &rules[n]);
		if (n)
			rules[n - 1].bridge = "";
	}
	rules_table_name(engine->root, table);
	if (is_again)
		rules_plan_ports_again(plan, STEP_TEARDOWN, table, rules, n, engine->runroot);
	else
		rules_plan_ports(plan, STEP_TEARDOWN, table, rules, n, false, engine->runroot);
}

void engine_withdraw_ports(const struct engine *engine, const char *id)
{
	cleanup_close int dir = engine_open_run_dir(engine, id, false);
	cleanup_live_network struct live_network live = {};
	struct plan plan = {};
	struct err err = ERR_INIT;

	if (dir < 0 || live_network_read(dir, &live, &err) < 0 || plan_init(&plan, &err) < 0)
		return;
	publish_plan_withdraw(engine, &live, &plan, false);
	if (execute(&plan, 0, STEP_TEARDOWN, &err) < 0)
		log_debug("ports of container %.12s: %s", id, err.msg);
	plan_done(&plan);
}
