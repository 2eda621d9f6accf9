/* SPDX-License-Identifier: Apache-2.0 */
/* A network as docker's clients know it: members, their order and their types of API 1.50. */
#include "engine/network.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/dump.h"
#include "json/value.h"

static const struct json_field pool_fields[] = {
	{"Subnet", &json_shape_struct, OMIT_TEXT},
	{"IPRange", &json_shape_struct, OMIT_TEXT},
	{"Gateway", &json_shape_struct, OMIT_TEXT},
	{"AuxiliaryAddresses", &json_shape_string_map, OMIT_NIL},
	{NULL, NULL},
};
static const struct json_shape pool_shape = {SHAPE_STRUCT, "network.IPAMConfig", NULL, pool_fields};
static const struct json_shape pools_shape = {SHAPE_SLICE, NULL, &pool_shape};
static const struct json_field ipam_fields[] = {
	{"Options", &json_shape_string_map},
	{"Config", &pools_shape},
	{NULL, NULL},
};
static const struct json_shape ipam_shape = {SHAPE_STRUCT, "network.IPAM", NULL, ipam_fields};
static const struct json_field fields[] = {
	{"IPAM", &ipam_shape},
	{"Containers", &json_shape_struct_map},
	{"Options", &json_shape_string_map},
	{"Labels", &json_shape_string_map},
	{"Peers", &json_shape_structs, OMIT_NIL},
	{"Services", &json_shape_struct_map, OMIT_NIL},
	{NULL, NULL},
};
const struct json_shape network_shape = {SHAPE_STRUCT, "network.Inspect", NULL, fields};

static json_t *describe_pool(const struct network_pool *pool)
{
	json_t *object = json_object();
	json_t *aux = pool->n_aux ? json_object() : NULL;
	char text[IP_PREFIX_TEXT_LEN];

	json_set_text(object, "Subnet", ip_prefix_format(&pool->subnet, text));
	if (pool->range.addr.family)
		json_set_text(object, "IPRange", ip_prefix_format(&pool->range, text));
	if (pool->gateway.family && !pool->is_gateway_implied)
		json_set_text(object, "Gateway", ip_format(&pool->gateway, text));
	for (size_t i = 0; i < pool->n_aux; i++)
		json_set_text(aux, pool->aux[i].name, ip_format(&pool->aux[i].addr, text));
	if (aux)
		json_object_set_new(object, "AuxiliaryAddresses", aux);
	return object;
}

static json_t *describe_ipam(const struct network *network)
{
	json_t *object = json_object();
	json_t *pools = json_array();

	for (size_t i = 0; i < network->n_pools; i++)
		json_array_append_new(pools, describe_pool(&network->pools[i]));
	json_set_text(object, "Driver", "default");
	json_object_set_new(object, "Options",
			    network->is_predefined ? json_null()
						   : json_new_pairs(&network->ipam_options));
	json_object_set_new(object, "Config", pools);
	return object;
}

/* ---- containers ---- */

struct users {
	const struct network *network;
	json_t *object; /* owned by the caller */
};

/* The address with the length of its subnet. */
static void set_address(json_t *object, const char *key, const struct network *network,
			const char *text)
{
	struct ip_prefix addr = {};
	char with_len[IP_PREFIX_TEXT_LEN];

	if (*text && ip_parse(text, &addr.addr) == 0)
		for (size_t i = 0; i < network->n_pools; i++)
			if (ip_is_in(&addr.addr, &network->pools[i].subnet))
				addr.len = network->pools[i].subnet.len;
	json_set_text(object, key, ip_prefix_format(&addr, with_len));
}

static int add_user(const struct network_user *user, void *data, struct err *err)
{
	struct users *u = data;
	json_t *object = json_object();

	json_set_text(object, "Name", user->name);
	json_set_text(object, "EndpointID", user->endpoint);
	json_set_text(object, "MacAddress", user->mac);
	set_address(object, "IPv4Address", u->network, user->ip4);
	set_address(object, "IPv6Address", u->network, user->ip6);
	json_object_set_new(u->object, user->container, object);
	return 0;
}

int engine_describe_network(struct engine *engine, const struct network *network, json_t **ret,
			    struct err *err)
{
	cleanup_json json_t *object = json_object();
	struct users u = {network, json_object()};
	char created[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(network->created_ns, created);
	json_set_text(object, "Name", network->name);
	json_set_text(object, "Id", network->id);
	json_set_text(object, "Created", created);
	json_set_text(object, "Scope", "local");
	json_set_text(object, "Driver", network->driver_name);
	json_object_set_new(object, "EnableIPv4", json_boolean(network->is_ipv4));
	json_object_set_new(object, "EnableIPv6", json_boolean(network->is_ipv6));
	json_object_set_new(object, "IPAM", describe_ipam(network));
	json_object_set_new(object, "Internal", json_boolean(network->is_internal));
	json_object_set_new(object, "Attachable", json_boolean(network->is_attachable));
	json_object_set_new(object, "Ingress", json_false());
	json_object_set_new(object, "ConfigFrom", json_pack("{s:s}", "Network", ""));
	json_object_set_new(object, "ConfigOnly", json_false());
	json_object_set_new(object, "Containers", u.object);
	json_object_set_new(object, "Options", json_new_pairs(&network->options));
	json_object_set_new(object, "Labels", json_new_pairs(&network->labels));
	if (engine_list_network_users(engine, network->id, add_user, &u, err) < 0)
		return -err->code;
	*ret = take_ptr(object);
	return 0;
}

bool network_has_label(const struct network *network, const char *label)
{
	size_t len = strcspn(label, "=");

	strv_foreach (i, &network->labels) {
		const char *pair = network->labels.items[i];

		if (strncmp(pair, label, len) == 0 && pair[len] == '=')
			return !label[len] || strcmp(pair + len, label + len) == 0;
	}
	return false;
}
