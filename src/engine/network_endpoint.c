/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints. Hardware addresses are made from IPv4 addresses, as docker does: who gets an address
 * again gets the same neighbour entry again, so no cache of others is wrong.
 */
#include "engine/network_endpoint.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "engine/pending.h"
#include "network/lease.h"
#include "network/rules.h"
#include "plan/steps.h"
#include "json/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_IFNAME  "com.docker.network.endpoint.ifname="
#define OPTION_SYSCTLS "com.docker.network.endpoint.sysctls="
#define SHORT_ID_LEN   12
#define MAX_LINKS      256
#define MAX_CONFIG     ((size_t)8 << 20)

/* ---- checks ---- */

static bool has_typed_subnet(const struct network *network, int family)
{
	for (size_t i = 0; i < network->n_pools; i++)
		if (network->pools[i].subnet.addr.family == family && !network->pools[i].is_chosen)
			return true;
	return false;
}

static int check_addresses(const struct network *network, const struct endpoint_request *r,
			   struct err *err)
{
	if (!r->ip4.family && !r->ip6.family)
		return 0;
	if (network->is_predefined)
		return err_set(err, ERR_INVALID,
			       "user specified IP address is supported on user defined networks "
			       "only");
	if ((r->ip4.family && !has_typed_subnet(network, IP_V4)) ||
	    (r->ip6.family && !has_typed_subnet(network, IP_V6)))
		return err_set(err, ERR_INVALID,
			       "user specified IP address is supported only when connecting to "
			       "networks with user configured subnets");
	return 0;
}

static bool ifname_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	return !name[strcspn(name, "/: \t\n")];
}

/* "net.ipv4.conf.IFNAME.log_martians=1": only of this link. */
static int check_sysctl(const char *text, struct err *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strcspn(text, "=");
	cleanup_free char *key = str_ndup(text, len);

	if (!text[len] || !str_has_prefix(key, "net.") || !strstr(key, ".IFNAME.") ||
	    key[strspn(key, allowed)] || strstr(key, ".."))
		return err_set(err, ERR_INVALID,
			       "invalid com.docker.network.endpoint.sysctls: \"%s\" is not "
			       "net.X.Y.IFNAME.Z=value",
			       text);
	return 0;
}

/* The value of driver option PREFIX ("key="); NULL. */
static const char *find_option(const struct endpoint_request *request, const char *prefix)
{
	strv_foreach (i, &request->driver_options)
		if (str_has_prefix(request->driver_options.items[i], prefix))
			return request->driver_options.items[i] + strlen(prefix);
	return NULL;
}

static int check_options(const struct endpoint_request *request, struct err *err)
{
	const char *ifname = find_option(request, OPTION_IFNAME);
	const char *sysctls = find_option(request, OPTION_SYSCTLS);
	cleanup_strv struct strv list = STRV_INIT;
	int rc = 0;

	if (ifname && !ifname_is_valid(ifname))
		return err_set(err, ERR_INVALID, "invalid interface name \"%s\"", ifname);
	if (sysctls)
		strv_split(&list, sysctls, ',');
	for (size_t i = 0; rc == 0 && i < list.n; i++)
		rc = check_sysctl(list.items[i], err);
	return rc;
}

int endpoint_check(const struct network *network, const struct endpoint_request *request,
		   struct err *err)
{
	int rc = 0;

	if (request->wrong)
		return err_set(err, ERR_INVALID, "%s", request->wrong);
	rc = check_addresses(network, request, err);
	if (rc == 0 && network->is_default_bridge && request->aliases.n)
		rc = err_set(err, ERR_INVALID,
			     "network-scoped alias is supported only for containers in user "
			     "defined networks");
	return rc == 0 ? check_options(request, err) : rc;
}

/* ---- what it is called ---- */

char *endpoint_read_hostname(const char *config)
{
	cleanup_json json_t *tree = NULL;
	struct err ignored = ERR_INIT;
	const char *name = NULL;

	if (config &&
	    json_parse(config, strlen(config), MAX_CONFIG, "container", &tree, &ignored) < 0)
		return NULL;
	name = json_get_string(tree, "Hostname", NULL);
	return name ? str_dup(name) : NULL;
}

static void add_name(struct strv *names, const char *name)
{
	if (*name && !strv_has(names, name))
		strv_add(names, name);
}

/* "CONTAINER:ALIAS", or "CONTAINER" as whom it is known anyway. */
static void add_link(struct strv *links, const char *text)
{
	const char *colon = strchr(text, ':');

	if (colon && colon != text && colon[1])
		strv_addf(links, "%s %.*s", colon + 1, (int)(colon - text), text);
}

void endpoint_set_names(struct endpoint *endpoint, const struct network *network,
			const struct endpoint_request *request, const struct endpoint_owner *owner)
{
	char short_id[SHORT_ID_LEN + 1];

	snprintf(short_id, sizeof(short_id), "%s", owner->id);
	strv_done(&endpoint->names);
	strv_done(&endpoint->links);
	endpoint->names = endpoint->links = (struct strv)STRV_INIT;
	add_name(&endpoint->names, owner->name);
	/* Nobody answers questions there; the first is who it is. */
	if (network->is_default_bridge)
		return;
	strv_foreach (i, &request->aliases)
		add_name(&endpoint->names, request->aliases.items[i]);
	add_name(&endpoint->names, short_id);
	if (owner->hostname)
		add_name(&endpoint->names, owner->hostname);
	strv_foreach (i, &request->links)
		add_link(&endpoint->links, request->links.items[i]);
}

static bool has_link(const struct live_network *others, const char *ifname)
{
	for (size_t i = 0; i < others->n_endpoints; i++)
		if (strcmp(others->endpoints[i].ifname, ifname) == 0)
			return true;
	return false;
}

static int set_ifname(struct endpoint *e, const struct network *network,
		      const struct endpoint_request *request, const struct live_network *others,
		      struct err *err)
{
	const char *typed = find_option(request, OPTION_IFNAME);
	const char *prefix = *network->ifname_prefix ? network->ifname_prefix : "eth";

	if (typed) {
		snprintf(e->ifname, sizeof(e->ifname), "%s", typed);
		if (has_link(others, typed))
			return err_set(err, ERR_CONFLICT, "interface name %s is already in use",
				       typed);
		return 0;
	}
	for (unsigned i = 0; i < MAX_LINKS; i++) {
		snprintf(e->ifname, sizeof(e->ifname), "%.11s%u", prefix, i);
		if (!has_link(others, e->ifname))
			return 0;
	}
	return err_set(err, ERR_INVALID, "a container has at most %d links", MAX_LINKS);
}

/* "NAME[:ALIAS]" as typed; a link may also be to somebody who is not there yet. */
static void set_links(struct endpoint *e, const struct endpoint_request *request)
{
	strv_foreach (i, &request->links) {
		const char *text = request->links.items[i];
		size_t len = strcspn(text, ":");
		bool has_alias = text[len] && text[len + 1];

		strv_addf(&e->links, "%.*s %.*s", (int)(has_alias ? strlen(text + len + 1) : len),
			  has_alias ? text + len + 1 : text, (int)len, text);
	}
}

static void set_sysctls(struct endpoint *e, const struct endpoint_request *request)
{
	const char *text = find_option(request, OPTION_SYSCTLS);

	if (text && *text)
		strv_split(&e->sysctls, text, ',');
}

static void set_mac(struct endpoint *e, const struct endpoint_request *request)
{
	char digits[9];
	char text[MAC_TEXT_LEN];

	if (mac_is_set(request->mac)) {
		memcpy(e->mac, request->mac, sizeof(e->mac));
		return;
	}
	if (e->ip4.addr.family) {
		e->mac[0] = 0x02;
		e->mac[1] = 0x42;
		memcpy(e->mac + 2, e->ip4.addr.bytes, 4);
		return;
	}
	rand_hex(4, digits);
	snprintf(text, sizeof(text), "02:42:%.2s:%.2s:%.2s:%.2s", digits, digits + 2, digits + 4,
		 digits + 6);
	mac_parse(text, e->mac);
}

static int fill(struct endpoint *e, const struct network *network,
		const struct endpoint_request *request, const struct endpoint_owner *owner,
		const struct live_network *others, struct err *err)
{
	char digits[9];

	snprintf(e->network_id, sizeof(e->network_id), "%s", network->id);
	e->network_name = str_dup(network->name);
	rand_hex(ID_LEN / 2, e->id);
	if (network_has_bridge(network)) {
		rand_hex(4, digits);
		snprintf(e->host_ifname, sizeof(e->host_ifname), "veth%.7s", digits);
	}
	endpoint_set_names(e, network, request, owner);
	set_links(e, request);
	set_sysctls(e, request);
	strv_add_all(&e->link_local, &request->link_local);
	return set_ifname(e, network, request, others, err);
}

/* The layer 3 modes of ipvlan know no neighbours: everything is on the link. */
static bool is_routed_by_link(const struct network *network)
{
	return network->driver == NETWORK_IPVLAN && strcmp(network->mode, "l2") != 0;
}

/* Only a bridge of ours, or somebody's router, leads anywhere. */
static void set_gateways(struct endpoint *e, const struct network *network)
{
	const struct network_pool *v4 = network_pool(network, IP_V4);
	const struct network_pool *v6 = network_pool(network, IP_V6);

	if (!network_has_way_out(network))
		return;
	if (is_routed_by_link(network)) {
		e->gateway4.family = v4 ? IP_V4 : IP_NONE;
		e->gateway6.family = v6 ? IP_V6 : IP_NONE;
		return;
	}
	if (v4 && network_gateway_mode(network, IP_V4) != GATEWAY_ISOLATED)
		e->gateway4 = v4->gateway;
	if (v6 && network_gateway_mode(network, IP_V6) != GATEWAY_ISOLATED)
		e->gateway6 = v6->gateway;
}

/* ---- addresses ---- */

static bool is_alive(const char *id, void *data)
{
	return pending_is_running(id, data);
}

static int take_addresses(const struct lease_taker *taker, const struct network *network,
			  const struct endpoint_request *request, struct endpoint *e,
			  struct err *err)
{
	int rc = 0;

	if (network_pool(network, IP_V4) || request->ip4.family)
		rc = lease_take(taker, network, IP_V4, &request->ip4, &e->ip4, err);
	if (rc == 0 && (network_pool(network, IP_V6) || request->ip6.family))
		rc = lease_take(taker, network, IP_V6, &request->ip6, &e->ip6, err);
	return rc;
}

int endpoint_make(struct engine *engine, const struct network *network,
		  const struct endpoint_request *request, const struct endpoint_owner *owner,
		  const struct live_network *others, struct endpoint *ret, struct err *err)
{
	const struct lease_taker taker = {.runroot = engine->runroot,
					  .container = owner->id,
					  .is_alive = is_alive,
					  .data = engine};
	struct endpoint e = {};
	int rc = endpoint_check(network, request, err);

	if (rc == 0)
		rc = fill(&e, network, request, owner, others, err);
	if (rc == 0)
		rc = take_addresses(&taker, network, request, &e, err);
	if (rc < 0) {
		lease_release(engine->runroot, network->id, owner->id, &e.ip4.addr);
		endpoint_done(&e);
		return rc;
	}
	set_gateways(&e, network);
	set_mac(&e, request);
	*ret = e;
	return 0;
}

/* The highest address that a container could have: the last one to be given away. */
static void choose_highest(const struct network *network, int family, const struct ip_addr *wanted,
			   struct ip_prefix *ret)
{
	const struct network_pool *pool = network_pool(network, family);
	const struct ip_prefix *range = NULL;
	struct ip_addr last;
	struct ip_addr next;

	if (!pool)
		return;
	range = pool->range.addr.family ? &pool->range : &pool->subnet;
	last = ip_last(range);
	ret->len = pool->subnet.len;
	ret->addr = last;
	if (wanted->family) {
		ret->addr = *wanted;
		return;
	}
	/* One below the broadcast address: both are at the same distance from the first of the last
	 * four. */
	next = last;
	next.bytes[ip_size(&last) - 1] &= 0xfc;
	next = ip_add(&next, ip_is_equal(&next, &pool->gateway) ? 1 : 2);
	ret->addr = next;
}

int endpoint_make_unleased(const struct network *network, const struct endpoint_request *request,
			   const struct endpoint_owner *owner, const struct live_network *others,
			   struct endpoint *ret, struct err *err)
{
	struct endpoint e = {};
	int rc = endpoint_check(network, request, err);

	if (rc == 0)
		rc = fill(&e, network, request, owner, others, err);
	if (rc < 0) {
		endpoint_done(&e);
		return rc;
	}
	choose_highest(network, IP_V4, &request->ip4, &e.ip4);
	choose_highest(network, IP_V6, &request->ip6, &e.ip6);
	set_gateways(&e, network);
	set_mac(&e, request);
	*ret = e;
	return 0;
}

/* ---- the way out ---- */

/* Whether endpoint A is asked before endpoint B. */
static bool comes_first(const struct endpoint *a, int64_t priority_a, const struct endpoint *b,
			int64_t priority_b)
{
	if (priority_a != priority_b)
		return priority_a > priority_b;
	return strcmp(a->network_name, b->network_name) < 0;
}

void endpoints_choose_gateway(struct live_network *live, const int64_t *priorities)
{
	size_t best4 = SIZE_MAX;
	size_t best6 = SIZE_MAX;

	for (size_t i = 0; i < live->n_endpoints; i++) {
		struct endpoint *e = &live->endpoints[i];

		e->is_gateway4 = e->is_gateway6 = false;
		if (e->gateway4.family && e->ip4.addr.family &&
		    (best4 == SIZE_MAX ||
		     comes_first(e, priorities[i], &live->endpoints[best4], priorities[best4])))
			best4 = i;
		if (e->gateway6.family && e->ip6.addr.family &&
		    (best6 == SIZE_MAX ||
		     comes_first(e, priorities[i], &live->endpoints[best6], priorities[best6])))
			best6 = i;
	}
	if (best4 != SIZE_MAX)
		live->endpoints[best4].is_gateway4 = true;
	if (best6 != SIZE_MAX)
		live->endpoints[best6].is_gateway6 = true;
}

/* ---- steps ---- */

bool endpoint_needs_hairpin(bool is_published)
{
	static const char *const settings[] = {"/proc/sys/net/bridge/bridge-nf-call-iptables",
					       "/proc/sys/net/bridge/bridge-nf-call-ip6tables"};

	for (size_t i = 0; is_published && i < ARRAY_LEN(settings); i++) {
		cleanup_str struct str text = STR_INIT;

		/* Without br_netfilter there is no such file. */
		if (fd_read_kernel_file(settings[i], 16, &text) == 0 &&
		    str_has_prefix(str_get(&text), "1"))
			return true;
	}
	return false;
}

void endpoint_plan_link(struct plan *plan, enum step_where where, const struct network *network,
			const struct endpoint *endpoint, int netns_fd, const char *netns_path,
			bool is_hairpin)
{
	static const char *const kinds[] = {[NETWORK_BRIDGE] = "veth",
					    [NETWORK_MACVLAN] = "macvlan",
					    [NETWORK_IPVLAN] = "ipvlan"};
	bool is_bridge = network->driver == NETWORK_BRIDGE;
	char parent[IFNAMSIZ];
	struct plan_link link = {.kind = kinds[network->driver],
				 .host_ifname = endpoint->host_ifname,
				 .master = is_bridge ? network->bridge : parent,
				 .mode = network->mode,
				 .ifname = endpoint->ifname,
				 .mtu = network->mtu,
				 .netns_fd = netns_fd,
				 .netns_path = netns_path,
				 .group = rules_is_closed(network) ? RULES_CLOSED_GROUP : 0,
				 .is_hairpin = is_bridge && is_hairpin};

	network_parent_name(network, parent);
	/* All links of an ipvlan have their parent's. */
	if (network->driver != NETWORK_IPVLAN)
		memcpy(link.mac, endpoint->mac, sizeof(link.mac));
	plan_net_link(plan, where, &link);
}

/* IPv4's link-local addresses are 169.254.0.0/16, IPv6's fe80::/64. */
static void add_link_local(struct plan *plan, enum step_where where, const struct endpoint *e)
{
	strv_foreach (i, &e->link_local) {
		struct ip_prefix addr = {};

		if (ip_parse(e->link_local.items[i], &addr.addr) < 0)
			continue;
		addr.len = addr.addr.family == IP_V4 ? 16 : 64;
		plan_net_address(plan, where, e->ifname, &addr);
	}
}

void endpoint_plan_ipv6(struct plan *plan, enum step_where where, const struct network *network,
			const struct endpoint *endpoint)
{
	if (network->is_ipv6 && network_has_bridge(network))
		plan_net_no_routers(plan, where, endpoint->ifname);
	plan_net_ipv6(plan, where, endpoint->ifname, network->is_ipv6);
}

void endpoint_plan_addresses(struct plan *plan, enum step_where where,
			     const struct endpoint *endpoint)
{
	if (endpoint->ip4.addr.family)
		plan_net_address(plan, where, endpoint->ifname, &endpoint->ip4);
	if (endpoint->ip6.addr.family)
		plan_net_address(plan, where, endpoint->ifname, &endpoint->ip6);
	add_link_local(plan, where, endpoint);
	plan_net_up(plan, where, endpoint->ifname);
}

/* NULL: the link itself. */
static const struct ip_addr *next_hop(const struct ip_addr *gateway)
{
	return ip_is_any(gateway) ? NULL : gateway;
}

void endpoint_plan_routes(struct plan *plan, enum step_where where, const struct endpoint *endpoint)
{
	const struct ip_prefix all4 = {.addr = {.family = IP_V4}};
	const struct ip_prefix all6 = {.addr = {.family = IP_V6}};

	if (endpoint->is_gateway4)
		plan_net_route(plan, where, &all4, next_hop(&endpoint->gateway4), endpoint->ifname);
	if (endpoint->is_gateway6)
		plan_net_route(plan, where, &all6, next_hop(&endpoint->gateway6), endpoint->ifname);
}

void endpoint_plan_ready(struct plan *plan, enum step_where where, const struct network *network,
			 const struct endpoint *endpoint)
{
	if (*endpoint->host_ifname)
		plan_net_ready(plan, where, NET_HOST, endpoint->host_ifname);
	/* With its first port the bridge comes to life, too: before, the host's answers are lost.
	 */
	if (*endpoint->host_ifname && *network->bridge)
		plan_net_ready(plan, where, NET_HOST, network->bridge);
	/* IPv4 is as soon as it is up; IPv6 waits for the kernel's word on the link. */
	if (endpoint->ip6.addr.family)
		plan_net_ready(plan, where, NET_OWN, endpoint->ifname);
}

void endpoint_plan_sysctls(struct plan *plan, const struct endpoint *endpoint)
{
	strv_foreach (i, &endpoint->sysctls) {
		const char *text = endpoint->sysctls.items[i];
		const char *place = strstr(text, ".IFNAME.");
		const char *equals = strchr(text, '=');
		cleanup_free char *key = NULL;

		if (!place || !equals || place > equals)
			continue;
		/* A slash stands for a dot in a name. */
		key = str_printf("%.*s.%s%.*s", (int)(place - text), text, endpoint->ifname,
				 (int)(equals - place - strlen(".IFNAME")),
				 place + strlen(".IFNAME"));
		plan_sysctl(plan, key, equals + 1, "com.docker.network.endpoint.sysctls");
	}
}

void endpoint_plan_down(struct plan *plan, enum step_where where, const struct endpoint *endpoint)
{
	if (*endpoint->host_ifname)
		plan_net_down(plan, where, endpoint->host_ifname);
}
