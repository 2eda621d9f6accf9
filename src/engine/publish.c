/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what was asked for to a list of sockets and rules, and both in the plan of a start.
 */
#include "engine/publish.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/port_text.h"
#include "engine/publish_private.h"
#include "engine/settings.h"
#include "monitor/monitor.h"
#include "plan/steps.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Lines that an explanation spends on ports. */
#define EXPLAINED_MAX 16

void publish_free(struct publish *publish)
{
	if (!publish)
		return;
	publish_close(publish);
	free(publish->ports);
	if (publish->rules)
		munmap(publish->rules, publish->shared_len);
	free(publish->name);
	free(publish->id);
	free(publish->endpoint_id);
	free(publish);
}

/* ---- what was asked for ---- */

struct preparation {
	struct publish *publish;
	const struct publish_target *to;
	struct ip_addr default_ip; /* none: everywhere */
	bool is_firewall_respected;
	bool has_ip6; /* this host */
};

/* A socket of IPv6 is refused where the kernel has none. */
static bool host_has_ip6(void)
{
	cleanup_close int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0;
}

/* Adds one socket at HOST. */
static struct publish_port *add_port(struct publish *publish, const struct ip_addr *host,
				     const struct port_spec *spec)
{
	publish->ports = mem_realloc_array(publish->ports, publish->n + 1, sizeof(*publish->ports));
	publish->ports[publish->n] = (struct publish_port){
		.proto = publish_proto_parse(spec->proto),
		.host = *host,
		.first = spec->host_first,
		.last = spec->host_last,
		.container_port = spec->container_port,
		.is_bound = true,
		.rule = -1,
		.fd = -1};
	return &publish->ports[publish->n++];
}

/* Where P leads and who takes it there. Loopback addresses of IPv6 cannot be translated at all. */
static void direct(const struct preparation *c, struct publish_port *p)
{
	const struct publish_target *to = c->to;
	bool is_ip4 = p->host.family == IP_V4;
	const struct ip_addr *same = is_ip4 ? &to->ip4 : &to->ip6;
	const struct ip_addr *other = is_ip4 ? &to->ip6 : &to->ip4;
	bool is_translated = same->family != IP_NONE && !c->is_firewall_respected &&
			     (is_ip4 || !ip_is_loopback(&p->host));

	p->to = same->family != IP_NONE ? *same : *other;
	if (same->family != IP_NONE &&
	    network_gateway_mode(to->network, p->host.family) == GATEWAY_ROUTED) {
		p->is_bound = false;
		is_translated = true;
	}
	p->is_relayed = p->is_bound && p->proto != IPPROTO_SCTP && (!is_ip4 || !is_translated);
	if (is_translated)
		p->rule = 0;
}

/* The addresses that SPEC is published on: that which was said, else the default, else all. */
static void add_spec(struct preparation *c, const struct port_spec *spec)
{
	static const struct ip_addr all4 = {.family = IP_V4}, all6 = {.family = IP_V6};
	struct ip_addr host = c->default_ip;

	if (spec->host_ip)
		ip_parse(spec->host_ip, &host);
	if (host.family != IP_NONE) {
		direct(c, add_port(c->publish, &host, spec));
		return;
	}
	direct(c, add_port(c->publish, &all4, spec));
	if (!c->has_ip6)
		return;
	struct publish_port *twin = add_port(c->publish, &all6, spec);

	twin->is_twin = true;
	direct(c, twin);
}

static int map_shared(struct publish *publish, struct err *err)
{
	size_t rules_len = publish->n * sizeof(*publish->rules);
	void *shared = NULL;

	publish->shared_len = rules_len + publish->n * sizeof(*publish->numbers);
	shared = mmap(NULL, publish->shared_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return err_sys(err, errno, "map memory for %zu ports", publish->n);
	publish->rules = shared;
	publish->numbers = (uint16_t *)((char *)shared + rules_len);
	return 0;
}

/* One rule for each port that the firewall takes to the container. */
static int make_rules(struct publish *publish, const struct network *network, struct err *err)
{
	int rc = map_shared(publish, err);

	snprintf(publish->bridge, sizeof(publish->bridge), "%s", network->bridge);
	for (size_t i = 0; rc == 0 && i < publish->n; i++) {
		struct publish_port *p = &publish->ports[i];
		struct rules_port *rule = &publish->rules[publish->n_rules];

		publish->numbers[i] = p->first;
		if (p->rule < 0)
			continue;
		p->rule = (int)publish->n_rules++;
		*rule = (struct rules_port){.port = {.host_ip = p->host,
						     .host_port = p->first,
						     .container_port = p->container_port},
					    .container_ip = p->to,
					    .bridge = publish->bridge,
					    .mode = network_gateway_mode(network, p->host.family)};
		snprintf(rule->port.proto, sizeof(rule->port.proto), "%s",
			 publish_proto_name(p->proto));
	}
	return rc;
}

void publish_number_rules(struct publish *publish)
{
	for (size_t i = 0; i < publish->n; i++) {
		const struct publish_port *p = &publish->ports[i];

		publish->numbers[i] = p->port;
		if (p->rule >= 0)
			publish->rules[p->rule].port.host_port = p->port;
	}
}

static bool takes_ports(const struct publish_target *to)
{
	const struct network *network = to->network;

	return network && network->driver == NETWORK_BRIDGE && !network->is_internal &&
	       (to->ip4.family != IP_NONE || to->ip6.family != IP_NONE);
}

static int read_settings(struct preparation *c, struct err *err)
{
	const struct network *network = c->to->network;
	cleanup_settings struct settings settings = {};
	int rc = settings_load(&settings, err);

	if (rc < 0)
		return rc;
	c->default_ip = settings.default_ip;
	c->is_firewall_respected = settings.is_firewall_respected;
	if (network->host_ipv4.family != IP_NONE && !ip_is_any(&network->host_ipv4))
		c->default_ip = network->host_ipv4;
	/* The default bridge has it because docker's has; for others a person has said it. */
	else if (network->host_ipv4.family != IP_NONE && !network->is_default_bridge)
		c->default_ip = (struct ip_addr){};
	return 0;
}

static int check_relayed(const struct preparation *c, const struct port_spec *spec, struct err *err)
{
	if (!c->is_firewall_respected || strcmp(spec->proto, "sctp") != 0)
		return 0;
	err_set(err, ERR_UNSUPPORTED, "publish %u/sctp: it cannot be relayed",
		spec->container_port);
	return err_hint(err, "publish.respect-firewall of tare.conf has all ports relayed");
}

int publish_prepare(struct engine *engine, const struct port_list *wanted,
		    const struct publish_target *to, struct publish **ret, struct err *err)
{
	struct preparation c = {.to = to};
	int rc = 0;

	*ret = NULL;
	if (!wanted->n || !takes_ports(to))
		return to->exposed->n && to->state_dir >= 0
			       ? port_text_write(to->state_dir, to->live, to->exposed, err)
			       : 0;
	rc = read_settings(&c, err);
	for (size_t i = 0; rc == 0 && i < wanted->n; i++)
		rc = check_relayed(&c, &wanted->items[i], err);
	if (rc < 0)
		return rc;
	c.has_ip6 = host_has_ip6();
	c.publish = mem_zalloc(sizeof(*c.publish));
	c.publish->engine = engine;
	c.publish->name = str_dup(to->name ? to->name : "");
	c.publish->id = str_dup(to->container_id);
	c.publish->endpoint_id = str_dup(to->endpoint_id ? to->endpoint_id : "");
	c.publish->live = to->live;
	c.publish->state_dir = to->state_dir;
	c.publish->exposed = to->exposed;
	rules_table_name(engine->root, c.publish->table);
	for (size_t i = 0; i < wanted->n; i++)
		add_spec(&c, &wanted->items[i]);
	rc = make_rules(c.publish, to->network, err);
	if (rc < 0)
		publish_free(c.publish);
	else
		*ret = c.publish;
	return rc;
}

/* ---- in the plan ---- */

static struct publish *publish_of(const struct step *step)
{
	return (struct publish *)(uintptr_t)step->data;
}

int publish_write(int state_dir, const struct live_network *live, const struct strv *exposed,
		  struct err *err)
{
	int rc = live_network_write(state_dir, live, err);

	return rc < 0 ? rc : port_text_write(state_dir, live, exposed, err);
}

static int run_bind(struct plan_run *run, const struct step *step, struct err *err)
{
	struct publish *publish = publish_of(step);
	int rc = publish_bind(publish, err);

	if (rc < 0)
		return rc;
	publish_number_rules(publish);
	publish_fill(publish, publish->live);
	return publish_write(publish->state_dir, publish->live, publish->exposed, err);
}

static void explain_port(const struct publish_port *p, uint16_t number, struct str *out)
{
	char host[PUBLISH_ADDRESS_LEN];
	char to[PUBLISH_ADDRESS_LEN];

	publish_address_format(&p->host, number, host);
	publish_address_format(&p->to, p->container_port, to);
	str_addf(out, "# %s %s is kept by a socket of the monitor", publish_proto_name(p->proto),
		 host);
	if (p->is_relayed)
		str_addf(out, ", which passes on to %s what the rules do not", to);
}

void publish_explain(const struct publish *publish, struct str *out)
{
	size_t n_shown = 0;

	for (size_t i = 0; i < publish->n && n_shown < EXPLAINED_MAX; i++) {
		if (!publish->ports[i].is_bound)
			continue;
		if (n_shown++)
			str_add_char(out, '\n');
		explain_port(&publish->ports[i], publish->numbers[i], out);
	}
	if (publish->n > n_shown && n_shown == EXPLAINED_MAX)
		str_addf(out, "\n# and so on: %zu sockets", publish->n);
}

static void explain_bind(const struct step *step, enum step_text mode, struct str *out)
{
	publish_explain(publish_of(step), out);
}

static const struct step_op step_publish = {"publish", run_bind, explain_bind};

static void free_owned(void *data)
{
	publish_free(data);
}

void publish_plan(struct publish *publish, struct plan *plan)
{
	struct step *step = NULL;

	if (!publish)
		return;
	plan_own(plan, publish, free_owned);
	step = plan_add(plan, &step_publish, STEP_HOST);
	step->data = publish;
	if (publish->n_rules)
		rules_plan_ports(plan, STEP_HOST, publish->table, publish->rules, publish->n_rules,
				 true, publish->engine->runroot);
}

void publish_plan_end(struct publish *publish, struct plan *plan, bool is_again)
{
	if (publish && is_again)
		rules_plan_ports_again(plan, STEP_TEARDOWN, publish->table, publish->rules,
				       publish->n_rules, publish->engine->runroot);
	else if (publish)
		rules_plan_ports(plan, STEP_TEARDOWN, publish->table, publish->rules,
				 publish->n_rules, false, publish->engine->runroot);
}

int publish_keep(struct publish *publish, struct monitor *monitor, struct err *err)
{
	for (size_t i = 0; publish && i < publish->n; i++) {
		struct publish_port *p = &publish->ports[i];
		uint8_t payload[FORWARD_PAYLOAD_LEN];
		int fd = p->fd;
		int rc = 0;

		if (fd < 0)
			continue;
		publish_describe(p, payload);
		p->fd = -1;
		rc = monitor_keep(monitor, COMPANION_PORT, payload, sizeof(payload), &fd, 1);
		if (rc < 0)
			return err_sys(err, -rc, "keep published ports");
	}
	return 0;
}

void publish_fill(const struct publish *publish, struct live_network *live)
{
	for (size_t i = 0; publish && i < publish->n; i++) {
		const struct publish_port *p = &publish->ports[i];
		struct published_port port = {.host_ip = p->host,
					      .host_port = p->port,
					      .container_port = p->container_port,
					      .is_relayed = p->rule < 0};

		snprintf(port.proto, sizeof(port.proto), "%s", publish_proto_name(p->proto));
		live->ports = mem_realloc_array(live->ports, live->n_ports + 1,
						sizeof(*live->ports));
		live->ports[live->n_ports++] = port;
	}
}
