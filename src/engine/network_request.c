/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the words of `network create` to a network. First what docker's command line checks: that
 * each range, gateway and auxiliary address has its subnet. Then what its daemon checks of each
 * subnet. The order of both is docker's, so that of two mistakes the same one is told.
 */
#include "engine/network_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define NOT_A_MANAGER "This node is not a swarm manager: networks of a swarm cannot be made"

/* ---- the words ---- */

static int check_name(const char *name, struct err *err)
{
	static const char *const predefined[] = {NETWORK_DEFAULT_NAME, NETWORK_HOST_NAME,
						 NETWORK_NONE_NAME, "default"};

	for (size_t i = 0; i < ARRAY_LEN(predefined); i++)
		if (strcmp(name, predefined[i]) == 0)
			return err_set(err, ERR_DENIED,
				       "operation is not permitted on predefined %s network", name);
	if (name[strspn(name, " \t\n")] == '\0')
		return err_set(err, ERR_INVALID, "invalid name:");
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			return err_set(err, ERR_INVALID,
				       "invalid network name %s: it has control characters", name);
	return 0;
}

static int check_scope(const char *scope, struct err *err)
{
	if (!scope || !*scope || strcmp(scope, "local") == 0)
		return 0;
	if (strcmp(scope, "swarm") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot create a swarm scoped network when swarm is not active");
	return err_set(err, ERR_UNSUPPORTED, NOT_A_MANAGER);
}

static int parse_driver(const char *name, struct network *ret, struct err *err)
{
	if (!name || !*name)
		name = network_driver_name(NETWORK_BRIDGE);
	if (strcmp(name, "overlay") == 0)
		return err_set(err, ERR_UNSUPPORTED, NOT_A_MANAGER);
	if (network_driver_parse(name, &ret->driver) < 0) {
		err_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found", name);
		return err_hint(err, "drivers are bridge, macvlan and ipvlan");
	}
	if (ret->driver == NETWORK_HOST || ret->driver == NETWORK_NULL)
		return err_set(err, ERR_DENIED, "only one instance of \"%s\" network is allowed",
			       name);
	ret->driver_name = str_dup(name);
	return 0;
}

static int check_ipam_driver(const char *name, struct err *err)
{
	if (!name || !*name || strcmp(name, "default") == 0)
		return 0;
	if (strcmp(name, "null") == 0)
		return err_set(err, ERR_INVALID, "ipv4 pool is empty");
	return err_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found", name);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Copies pairs; of two with one key the last counts. They are sorted, as docker shows them. */
static void copy_pairs(const struct strv *from, struct strv *ret)
{
	for (size_t i = 0; from && i < from->n; i++) {
		const char *pair = from->items[i];
		size_t len = strcspn(pair, "=");

		strv_foreach (k, ret)
			if (strncmp(ret->items[k], pair, len) == 0 &&
			    (ret->items[k][len] == '=' || !ret->items[k][len])) {
				strv_remove(ret, k);
				break;
			}
		strv_addf(ret, "%s%s", pair, pair[len] ? "" : "=");
	}
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_texts);
}

/* ---- what belongs to which subnet ---- */

static size_t count(const struct strv *words)
{
	return words ? words->n : 0;
}

static int parse_subnet(const char *text, struct ip_prefix *ret, struct err *err)
{
	if (ip_prefix_parse(text, ret) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "Invalid subnet %s : invalid CIDR address: %s", text,
		       text);
}

static int add_subnets(const struct strv *texts, struct network *ret, struct err *err)
{
	for (size_t i = 0; i < count(texts); i++) {
		struct ip_prefix subnet = {};

		if (!*texts->items[i])
			continue;
		if (parse_subnet(texts->items[i], &subnet, err) < 0)
			return -err->code;
		for (size_t k = 0; k < ret->n_pools; k++)
			if (ip_is_overlapping(&subnet, &ret->pools[k].subnet))
				return err_set(err, ERR_INVALID,
					       "multiple overlapping subnet configuration is not "
					       "supported");
		if (ret->n_pools == NETWORK_MAX_POOLS)
			return err_set(err, ERR_INVALID, "a network has %d subnets at most",
				       NETWORK_MAX_POOLS);
		network_add_pool(ret, &subnet);
	}
	return 0;
}

/* The pool that ADDR belongs to; NULL. */
static struct network_pool *find_pool(struct network *network, const struct ip_addr *addr)
{
	for (size_t i = 0; i < network->n_pools; i++)
		if (ip_is_in(addr, &network->pools[i].subnet))
			return &network->pools[i];
	return NULL;
}

static int add_range(const char *text, struct network *ret, struct err *err)
{
	struct ip_prefix range = {};
	struct network_pool *pool = NULL;
	char old[IP_PREFIX_TEXT_LEN];
	char subnet[IP_PREFIX_TEXT_LEN];

	if (ip_prefix_parse(text, &range) < 0)
		return err_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
	pool = find_pool(ret, &range.addr);
	if (!pool)
		return err_set(err, ERR_INVALID, "no matching subnet for range %s", text);
	if (pool->range.addr.family)
		return err_set(err, ERR_INVALID,
			       "cannot configure multiple ranges (%s, %s) on the same subnet (%s)",
			       text, ip_prefix_format(&pool->range, old),
			       ip_prefix_format(&pool->subnet, subnet));
	pool->range = range;
	return 0;
}

static int add_gateway(const char *text, struct network *ret, struct err *err)
{
	struct ip_addr addr = {};
	struct network_pool *pool = ip_parse(text, &addr) < 0 ? NULL : find_pool(ret, &addr);
	char old[IP_TEXT_LEN];
	char subnet[IP_PREFIX_TEXT_LEN];

	if (!pool)
		return err_set(err, ERR_INVALID, "no matching subnet for gateway %s", text);
	if (pool->gateway.family)
		return err_set(err, ERR_INVALID,
			       "cannot configure multiple gateways (%s, %s) for the same subnet "
			       "(%s)",
			       text, ip_format(&pool->gateway, old),
			       ip_prefix_format(&pool->subnet, subnet));
	pool->gateway = addr;
	return 0;
}

static int add_aux(const char *text, struct network *ret, struct err *err)
{
	const char *eq = strchrnul(text, '=');
	const char *value = *eq ? eq + 1 : eq;
	struct ip_addr addr = {};
	struct network_pool *pool = ip_parse(value, &addr) < 0 ? NULL : find_pool(ret, &addr);

	if (!pool)
		return err_set(err, ERR_INVALID, "no matching subnet for aux-address %s", value);
	if (pool->n_aux == NETWORK_MAX_AUX)
		return err_set(err, ERR_INVALID, "a subnet has %d auxiliary addresses at most",
			       NETWORK_MAX_AUX);
	pool->aux = mem_realloc_array(pool->aux, pool->n_aux + 1, sizeof(*pool->aux));
	pool->aux[pool->n_aux++] = (struct network_aux){.name = str_ndup(text, (size_t)(eq - text)),
							.addr = addr};
	return 0;
}

static int add_each(const struct strv *texts, struct network *ret,
		    int (*add)(const char *text, struct network *ret, struct err *err),
		    struct err *err)
{
	for (size_t i = 0; i < count(texts); i++)
		if (*texts->items[i] && add(texts->items[i], ret, err) < 0)
			return -err->code;
	return 0;
}

static int add_pools(const struct network_request *request, struct network *ret, struct err *err)
{
	if (count(request->subnets) < count(request->ranges) ||
	    count(request->subnets) < count(request->gateways))
		return err_set(err, ERR_INVALID,
			       "every ip-range or gateway must have a corresponding subnet");
	if (add_subnets(request->subnets, ret, err) < 0 ||
	    add_each(request->ranges, ret, add_range, err) < 0 ||
	    add_each(request->gateways, ret, add_gateway, err) < 0 ||
	    add_each(request->aux, ret, add_aux, err) < 0)
		return -err->code;
	return 0;
}

/* ---- what a subnet may be ---- */

static int bad_config(struct err *err, const char *what, const struct ip_prefix *is,
		      const struct ip_addr *should)
{
	struct ip_prefix good = {.addr = *should, .len = is->len};
	char is_text[IP_PREFIX_TEXT_LEN];
	char good_text[IP_PREFIX_TEXT_LEN];

	return err_set(err, ERR_INVALID, "invalid network config: invalid %s %s: it should be %s",
		       what, ip_prefix_format(is, is_text), ip_prefix_format(&good, good_text));
}

static int check_range(const struct network_pool *pool, struct err *err)
{
	struct ip_addr first = ip_first(&pool->range);
	char range[IP_PREFIX_TEXT_LEN];
	char subnet[IP_PREFIX_TEXT_LEN];

	if (pool->range.len < pool->subnet.len)
		return err_set(err, ERR_INVALID,
			       "invalid network config: invalid ip-range %s: CIDR block is bigger "
			       "than its parent subnet %s",
			       ip_prefix_format(&pool->range, range),
			       ip_prefix_format(&pool->subnet, subnet));
	return ip_is_equal(&first, &pool->range.addr)
		       ? 0
		       : bad_config(err, "ip-range", &pool->range, &first);
}

/* Subnets that no container can have addresses of: this host, itself, and many at once. */
static int check_kind(const struct ip_prefix *subnet, struct err *err)
{
	static const struct ip_prefix special[] = {
		{.addr = {.family = IP_V4, .bytes = {0}}, .len = 8},
		{.addr = {.family = IP_V4, .bytes = {127}}, .len = 8},
		{.addr = {.family = IP_V4, .bytes = {224}}, .len = 3},
		{.addr = {.family = IP_V6, .bytes = {[15] = 1}}, .len = 128},
		{.addr = {.family = IP_V6, .bytes = {0xff}}, .len = 8},
	};
	char text[IP_PREFIX_TEXT_LEN];

	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		if (ip_is_overlapping(&special[i], subnet))
			return err_set(err, ERR_INVALID,
				       "invalid network config: invalid subnet %s: it has "
				       "addresses that no container can have",
				       ip_prefix_format(subnet, text));
	return 0;
}

static int check_pool(const struct network_pool *pool, struct err *err)
{
	struct ip_addr first = ip_first(&pool->subnet);

	if (!ip_is_equal(&first, &pool->subnet.addr))
		return bad_config(err, "subnet", &pool->subnet, &first);
	if (pool->range.addr.family && check_range(pool, err) < 0)
		return -err->code;
	return check_kind(&pool->subnet, err);
}

static size_t count_pools(const struct network *network, int family)
{
	size_t n = 0;

	for (size_t i = 0; i < network->n_pools; i++)
		n += network->pools[i].subnet.addr.family == family;
	return n;
}

static int check_pools(const struct network *network, struct err *err)
{
	for (size_t i = 0; i < network->n_pools; i++)
		if (check_pool(&network->pools[i], err) < 0)
			return -err->code;
	if (network->driver == NETWORK_BRIDGE &&
	    (count_pools(network, IP_V4) > 1 || count_pools(network, IP_V6) > 1))
		return err_set(err, ERR_DENIED, "bridge driver doesn't support multiple subnets");
	return 0;
}

static int check_modes(const struct network *network, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(network->gateway_mode); i++)
		if (network->gateway_mode[i] == GATEWAY_ISOLATED && !network->is_internal)
			return err_set(err, ERR_INVALID,
				       "gateway mode 'isolated' can only be used for an internal "
				       "network");
	if (!network->is_ipv4 && !network->is_ipv6)
		return err_set(err, ERR_INVALID, "IPv4 or IPv6 must be enabled");
	return 0;
}

int network_request_parse(const struct network_request *request, struct network *ret,
			  struct err *err)
{
	ret->is_internal = request->is_internal;
	ret->is_attachable = request->is_attachable;
	ret->is_ipv4 = request->is_ipv4;
	ret->is_ipv6 = request->is_ipv6;
	ret->name = str_dup(request->name);
	copy_pairs(request->options, &ret->options);
	copy_pairs(request->labels, &ret->labels);
	copy_pairs(request->ipam_options, &ret->ipam_options);
	if (add_pools(request, ret, err) < 0 || check_name(request->name, err) < 0 ||
	    check_scope(request->scope, err) < 0 || parse_driver(request->driver, ret, err) < 0 ||
	    check_pools(ret, err) < 0)
		return -err->code;
	network_set_defaults(ret);
	if (network_apply_options(ret, err) < 0 || check_ipam_driver(request->ipam_driver, err) < 0)
		return -err->code;
	return check_modes(ret, err);
}

/* ---- addresses of a pool ---- */

struct network_pool *network_add_pool(struct network *network, const struct ip_prefix *subnet)
{
	struct network_pool *pool = &network->pools[network->n_pools++];

	*pool = (struct network_pool){.subnet = *subnet};
	return pool;
}

/* The subnet's own address and, of IPv4, that of all of it. */
static bool is_reserved(const struct network_pool *pool, const struct ip_addr *addr)
{
	struct ip_addr first = ip_first(&pool->subnet);
	struct ip_addr last = ip_last(&pool->subnet);

	return ip_is_equal(addr, &first) || (addr->family == IP_V4 && ip_is_equal(addr, &last));
}

static bool is_aux(const struct network_pool *pool, const struct ip_addr *addr, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_is_equal(&pool->aux[i].addr, addr))
			return true;
	return false;
}

/* docker's choice: the first address of the range. */
static int choose_gateway(struct network_pool *pool, struct err *err)
{
	const struct ip_prefix *range = pool->range.addr.family ? &pool->range : &pool->subnet;
	struct ip_addr addr = ip_first(range);

	if (is_reserved(pool, &addr))
		addr = ip_add(&addr, 1);
	if (!ip_is_in(&addr, range) || is_reserved(pool, &addr))
		return err_set(err, ERR_UNAVAILABLE,
			       "failed to allocate gateway (): No available addresses on this "
			       "pool");
	pool->gateway = addr;
	return 0;
}

static int check_aux(const struct network_pool *pool, struct err *err)
{
	char text[IP_TEXT_LEN];

	for (size_t i = 0; i < pool->n_aux; i++) {
		const struct ip_addr *addr = &pool->aux[i].addr;

		if (is_reserved(pool, addr) || is_aux(pool, addr, i) ||
		    ip_is_equal(addr, &pool->gateway))
			return err_set(err, ERR_CONFLICT,
				       "failed to allocate secondary ip address (%s:%s): Address "
				       "already in use",
				       pool->aux[i].name, ip_format(addr, text));
	}
	return 0;
}

int network_complete_pool(const struct network *network, struct network_pool *pool, struct err *err)
{
	int family = pool->subnet.addr.family;
	char text[IP_TEXT_LEN];

	if (pool->gateway.family && is_reserved(pool, &pool->gateway))
		return err_set(err, ERR_CONFLICT,
			       "failed to allocate gateway (%s): Address already in use",
			       ip_format(&pool->gateway, text));
	if (!pool->gateway.family && network_gateway_mode(network, family) != GATEWAY_ISOLATED &&
	    choose_gateway(pool, err) < 0)
		return -err->code;
	return check_aux(pool, err);
}
