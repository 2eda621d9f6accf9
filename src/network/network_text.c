/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks as text: what the index and the records keep. The members are those of docker's
 * `network inspect`; what docker does not show there has a member of ours: the link on the host,
 * whether it was there before, and gateways that nobody typed.
 */
#include "network/network.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "json/value.h"

#include <jansson.h>

#define MAX_TEXT (1 << 20)

/* ---- writing ---- */

static json_t *aux_to_json(const struct network_pool *pool)
{
	json_t *object = json_object();
	char text[IP_TEXT_LEN];

	for (size_t i = 0; i < pool->n_aux; i++)
		json_set_text(object, pool->aux[i].name, ip_format(&pool->aux[i].addr, text));
	return object;
}

static json_t *pool_to_json(const struct network_pool *pool)
{
	json_t *object = json_object();
	char text[IP_PREFIX_TEXT_LEN];

	json_set_text(object, "Subnet", ip_prefix_format(&pool->subnet, text));
	if (pool->range.addr.family)
		json_set_text(object, "IPRange", ip_prefix_format(&pool->range, text));
	if (pool->gateway.family)
		json_set_text(object, "Gateway", ip_format(&pool->gateway, text));
	if (pool->is_gateway_implied)
		json_object_set_new(object, "ImpliedGateway", json_true());
	if (pool->is_chosen)
		json_object_set_new(object, "Chosen", json_true());
	if (pool->n_aux)
		json_object_set_new(object, "AuxiliaryAddresses", aux_to_json(pool));
	return object;
}

char *network_format(const struct network *network)
{
	cleanup_json json_t *object = json_object();
	json_t *pools = json_array();
	char *text = NULL;

	for (size_t i = 0; i < network->n_pools; i++)
		json_array_append_new(pools, pool_to_json(&network->pools[i]));
	json_object_set_new(object, "EnableIPv4", json_boolean(network->is_ipv4));
	json_object_set_new(object, "EnableIPv6", json_boolean(network->is_ipv6));
	json_object_set_new(object, "Internal", json_boolean(network->is_internal));
	json_object_set_new(object, "Attachable", json_boolean(network->is_attachable));
	json_object_set_new(object, "Predefined", json_boolean(network->is_predefined));
	json_object_set_new(object, "Link", json_new_text(network->bridge));
	json_object_set_new(object, "ForeignLink", json_boolean(network->is_foreign_link));
	json_object_set_new(object, "Config", pools);
	json_object_set_new(object, "IPAMOptions", json_new_pairs(&network->ipam_options));
	json_object_set_new(object, "Options", json_new_pairs(&network->options));
	json_object_set_new(object, "Labels", json_new_pairs(&network->labels));
	text = json_dumps(object, JSON_COMPACT);
	return text ? text : str_dup("{}");
}

/* ---- reading ---- */

static int parse_aux(json_t *object, struct network_pool *pool)
{
	const char *name = NULL;
	json_t *value = NULL;

	json_object_foreach (object, name, value) {
		struct ip_addr addr = {};

		if (!json_is_string(value) || ip_parse(json_string_value(value), &addr) < 0 ||
		    pool->n_aux == NETWORK_MAX_AUX)
			return -1;
		pool->aux = mem_realloc_array(pool->aux, pool->n_aux + 1, sizeof(*pool->aux));
		pool->aux[pool->n_aux++] = (struct network_aux){.name = str_dup(name),
								.addr = addr};
	}
	return 0;
}

static int parse_pool(const json_t *object, struct network_pool *pool)
{
	const char *range = json_get_string(object, "IPRange", NULL);
	const char *gateway = json_get_string(object, "Gateway", NULL);

	pool->is_chosen = json_get_bool(object, "Chosen", false);
	pool->is_gateway_implied = json_get_bool(object, "ImpliedGateway", false);
	if (ip_prefix_parse(json_get_string(object, "Subnet", ""), &pool->subnet) < 0 ||
	    (range && ip_prefix_parse(range, &pool->range) < 0) ||
	    (gateway && ip_parse(gateway, &pool->gateway) < 0))
		return -1;
	return parse_aux(json_object_get(object, "AuxiliaryAddresses"), pool);
}

static int parse_pools(const json_t *array, struct network *ret)
{
	size_t n = json_array_size(array);

	if (n > NETWORK_MAX_POOLS)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (parse_pool(json_array_get(array, i), &ret->pools[ret->n_pools++]) < 0)
			return -1;
	return 0;
}

/* Objects are written in the order of the vector, which is sorted. */
static void parse_pairs(json_t *object, struct strv *ret)
{
	const char *key = NULL;
	json_t *value = NULL;

	json_object_foreach (object, key, value)
		if (json_is_string(value))
			strv_addf(ret, "%s=%s", key, json_string_value(value));
}

static void parse_members(const json_t *object, struct network *ret)
{
	ret->is_ipv4 = json_get_bool(object, "EnableIPv4", true);
	ret->is_ipv6 = json_get_bool(object, "EnableIPv6", false);
	ret->is_internal = json_get_bool(object, "Internal", false);
	ret->is_attachable = json_get_bool(object, "Attachable", false);
	ret->is_predefined = json_get_bool(object, "Predefined", false);
	ret->is_foreign_link = json_get_bool(object, "ForeignLink", false);
	parse_pairs(json_object_get(object, "Options"), &ret->options);
	parse_pairs(json_object_get(object, "Labels"), &ret->labels);
	parse_pairs(json_object_get(object, "IPAMOptions"), &ret->ipam_options);
}

int network_parse(const char *id, const char *name, const char *driver, int64_t created_ns,
		  const char *text, struct network *ret, struct err *err)
{
	cleanup_json json_t *object = NULL;

	if (json_parse(text, strlen(text), MAX_TEXT, "network", &object, err) < 0)
		return err_wrap(err, "network %s", name);
	ret->name = str_dup(name);
	ret->driver_name = str_dup(driver);
	ret->created_ns = created_ns;
	snprintf(ret->id, sizeof(ret->id), "%s", id);
	if (network_driver_parse(driver, &ret->driver) < 0)
		return err_set(err, ERR_INVALID, "network %s: unknown driver \"%s\"", name, driver);
	parse_members(object, ret);
	if (parse_pools(json_object_get(object, "Config"), ret) < 0)
		return err_set(err, ERR_INVALID, "network %s: its record is damaged", name);
	network_set_defaults(ret);
	if (network_apply_options(ret, err) < 0)
		return err_wrap(err, "network %s", name);
	snprintf(ret->bridge, sizeof(ret->bridge), "%s", json_get_string(object, "Link", ""));
	return 0;
}
