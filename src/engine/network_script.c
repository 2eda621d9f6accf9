/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network's part of a script. Its steps are texts only: a script is for reading and for running
 * by hand, and what this program would execute itself is not the same where it shares a firewall
 * with other containers.
 */
#include "engine/network_script.h"

#include "base/mem.h"
#include "engine/network_private.h"
#include "engine/network_request.h"
#include "engine/ports.h"
#include "network/pools.h"
#include "plan/plan.h"
#include "storage/network.h"
#include "sys/rtnl.h"

#include <stdarg.h>
#include <stdio.h>

#define TABLE_DIGITS 12
#define BRIDGE_NAME  "tare0"

/* ---- which network ---- */

static int take_row(const struct network_row *row, void *data, struct err *err)
{
	return network_parse(row->id, row->name, row->driver, row->created_ns, row->config, data,
			     err);
}

/* The first default subnet that the host does not know. */
static int choose_subnet(struct network *network, struct err *err)
{
	cleanup_free struct ip_prefix *known = NULL;
	struct network_space spaces[NETWORK_DEFAULT_SPACES];
	size_t n_spaces = network_default_spaces(spaces);
	struct ip_prefix subnet = {};
	size_t n_known = 0;
	size_t n = 0;
	int rc = rtnl_list_subnets(&known, &n_known);

	if (rc < 0)
		return err_sys(err, -rc, "list the host's addresses and routes");
	/* A default route takes nothing. */
	for (size_t i = 0; i < n_known; i++)
		if (known[i].len > 0)
			known[n++] = known[i];
	if (network_choose_subnet(spaces, n_spaces, IP_V4, known, n, &subnet) < 0)
		return err_set(err, ERR_UNAVAILABLE,
			       "all predefined address pools have been fully subnetted");
	return network_complete_pool(network, network_add_pool(network, &subnet), err);
}

/* What the first container would find. */
static int make_default(struct network *ret, struct err *err)
{
	ret->name = str_dup(NETWORK_DEFAULT_NAME);
	ret->driver_name = str_dup("bridge");
	ret->driver = NETWORK_BRIDGE;
	ret->is_ipv4 = ret->is_predefined = ret->is_default_bridge = true;
	network_set_defaults(ret);
	rand_hex(ID_LEN / 2, ret->id);
	snprintf(ret->bridge, sizeof(ret->bridge), BRIDGE_NAME);
	return choose_subnet(ret, err);
}

int script_find_network(const struct engine *engine, const char *ref, struct network *ret,
			struct err *err)
{
	bool is_default = strcmp(ref, "default") == 0 || strcmp(ref, NETWORK_DEFAULT_NAME) == 0;
	int rc = engine->store
			 ? network_lookup(engine->store, is_default ? NETWORK_DEFAULT_NAME : ref,
					  take_row, ret, err)
			 : 0;

	if (rc != 0)
		return rc < 0 ? rc : 0;
	return is_default ? make_default(ret, err)
			  : err_set(err, ERR_NOT_FOUND, "network %s not found", ref);
}

/* ---- texts as steps ---- */

static int run_text(struct plan_run *run, const struct step *step, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "a line of a script cannot be executed here");
}

static void explain_text(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, step->text);
}

static const struct step_op step_text = {"script", run_text, explain_text};

static void add_text(struct plan *plan, enum step_where where, const struct str *text)
{
	plan_add(plan, &step_text, where)->text = str_dup(str_get(text));
}

__attribute__((format(printf, 3, 4))) static void add_line(struct plan *plan, enum step_where where,
							   const char *fmt, ...)
{
	char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		abort();
	va_end(ap);
	plan_add(plan, &step_text, where)->text = line;
}

/* ---- the bridge ---- */

static void add_bridge(struct plan *plan, const struct network *network, size_t number)
{
	cleanup_str struct str text = STR_INIT;
	char addr[IP_TEXT_LEN];

	str_addf(&text, "made%zu=\nif ! ip link show dev %s >/dev/null 2>&1; then\n", number,
		 network->bridge);
	str_addf(&text, "\tip link add %s type bridge\n\tmade%zu=%s\n", network->bridge, number,
		 network->bridge);
	for (size_t i = 0; i < network->n_pools; i++) {
		const struct network_pool *pool = &network->pools[i];

		if (pool->gateway.family && !network->is_inhibited_ipv4)
			str_addf(&text, "\tip addr add %s/%u dev %s%s\n",
				 ip_format(&pool->gateway, addr), pool->subnet.len, network->bridge,
				 pool->subnet.addr.family == IP_V6 ? " nodad" : "");
	}
	str_addf(&text, "\tip link set %s up\nfi", network->bridge);
	add_text(plan, STEP_HOST, &text);
	add_line(plan, STEP_TEARDOWN, "[ -z \"${made%zu-}\" ] || ip link delete \"$made%zu\"",
		 number, number);
}

/* ---- the way out, and in ---- */

static void add_forwarding(struct plan *plan)
{
	add_line(plan, STEP_HOST,
		 "forwarding=$(cat /proc/sys/net/ipv4/ip_forward)\n"
		 "echo 1 > /proc/sys/net/ipv4/ip_forward");
	add_line(plan, STEP_TEARDOWN,
		 "[ \"${forwarding-1}\" = 1 ] || echo 0 > /proc/sys/net/ipv4/ip_forward");
}

static void add_masquerade(struct plan *plan, const char *table, const struct network *network)
{
	char text[IP_PREFIX_TEXT_LEN];

	if (!network->is_masquerade || network->is_internal)
		return;
	for (size_t i = 0; i < network->n_pools; i++) {
		const struct ip_prefix *subnet = &network->pools[i].subnet;

		add_line(plan, STEP_HOST,
			 "nft add rule inet %s out %s saddr %s oifname != %s masquerade", table,
			 subnet->addr.family == IP_V4 ? "ip" : "ip6",
			 ip_prefix_format(subnet, text), network->bridge);
	}
}

/* 127.0.0.1 leads to a container only where the bridge takes part in loopback's addresses: then
 * nothing that comes from the bridge may be meant for them. */
static void add_loopback(struct plan *plan, const char *table, const char *bridge)
{
	add_line(plan, STEP_HOST,
		 "nft 'add chain inet %s guard { type filter hook prerouting priority raw; }'",
		 table);
	add_line(plan, STEP_HOST, "nft add rule inet %s guard iifname %s ip daddr 127.0.0.0/8 drop",
		 table, bridge);
	add_line(plan, STEP_HOST,
		 "nft add rule inet %s out oifname %s ip saddr 127.0.0.0/8 masquerade", table,
		 bridge);
	add_line(plan, STEP_HOST, "echo 1 > /proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
}

static void add_port(struct plan *plan, const char *table, const struct port_spec *port,
		     const struct endpoint *e)
{
	static const char *const chains[] = {"arriving", "own"};
	cleanup_free char *to_address = port->host_ip ? str_printf("ip daddr %s ", port->host_ip)
						      : str_dup("fib daddr type local ");
	char text[IP_TEXT_LEN];

	if (!e->ip4.addr.family || (port->host_ip && strchr(port->host_ip, ':')))
		return;
	/* A number of the kernel's choice takes a socket that somebody keeps. */
	if (!port->host_first) {
		add_line(plan, STEP_HOST,
			 "# port %u/%s on a port of the kernel's choice: tare keeps it with a "
			 "socket",
			 port->container_port, port->proto);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		add_line(plan, STEP_HOST, "nft add rule inet %s %s %s%s dport %u dnat ip to %s:%u",
			 table, chains[i], to_address, port->proto, port->host_first,
			 ip_format(&e->ip4.addr, text), port->container_port);
}

static const struct endpoint *find_way_out(const struct live_network *live)
{
	for (size_t i = 0; i < live->n_endpoints; i++)
		if (live->endpoints[i].is_gateway4)
			return &live->endpoints[i];
	return NULL;
}

static void add_table(struct plan *plan, const char *table)
{
	add_line(plan, STEP_HOST, "nft add table inet %s", table);
	add_line(plan, STEP_HOST,
		 "nft 'add chain inet %s out { type nat hook postrouting priority srcnat; }'",
		 table);
	add_line(plan, STEP_HOST,
		 "nft 'add chain inet %s arriving { type nat hook prerouting priority dstnat; }'",
		 table);
	add_line(plan, STEP_HOST,
		 "nft 'add chain inet %s own { type nat hook output priority -100; }'", table);
	add_line(plan, STEP_TEARDOWN, "nft delete table inet %s 2>/dev/null", table);
}

static bool has_bridge(const struct network *networks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (network_has_bridge(&networks[i]))
			return true;
	return false;
}

void script_plan_networks(struct plan *plan, const char *id, const struct network *networks,
			  const struct live_network *live, const struct port_list *ports)
{
	cleanup_free char *table = str_printf("tare_script_%.*s", TABLE_DIGITS, id);
	const struct endpoint *way_out = find_way_out(live);

	if (!has_bridge(networks, live->n_endpoints))
		return;
	plan_group(plan, "the network: a bridge, on which the host has the first address");
	for (size_t i = 0; i < live->n_endpoints; i++)
		if (network_has_bridge(&networks[i]))
			add_bridge(plan, &networks[i], i);
	plan_group(plan, "the way out: the host forwards, under its own address");
	add_forwarding(plan);
	add_table(plan, table);
	for (size_t i = 0; i < live->n_endpoints; i++)
		if (network_has_bridge(&networks[i]))
			add_masquerade(plan, table, &networks[i]);
	if (ports->n)
		plan_group(plan, "published ports");
	if (ports->n && way_out && network_has_bridge(&networks[way_out - live->endpoints]))
		add_loopback(plan, table, networks[way_out - live->endpoints].bridge);
	for (size_t i = 0; way_out && i < ports->n; i++)
		add_port(plan, table, &ports->items[i], way_out);
	plan_group(plan, NULL);
}

void script_plan_hosts(struct plan *plan, const char *dir, const struct strv *lines)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_free char *path = str_printf("%s/hosts", dir);

	if (!lines->n)
		return;
	str_add(&text, "printf '%s\\n'");
	strv_foreach (i, lines) {
		str_add_char(&text, ' ');
		str_add_shell(&text, lines->items[i]);
	}
	str_add(&text, " >> ");
	str_add_shell(&text, path);
	add_text(plan, STEP_HOST, &text);
}
