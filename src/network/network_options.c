/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `network create -o` means: one table of keys. A key outside of docker's own name space that
 * no driver knows is kept as text, as docker keeps it; within it a key that is not known is most
 * likely a wrong spelling of something that protects (enable_icc), so it is an error.
 */
#include "network/network.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#define DOCKER_SPACE "com.docker.network."
#define BRIDGE	     DOCKER_SPACE "bridge."
#define MAX_MTU	     65535
#define MIN_MTU	     68 /* what the kernel takes for a link with IPv4 */

#define DRIVER(driver) (1U << (driver))
#define ON_BRIDGE      DRIVER(NETWORK_BRIDGE)
#define ON_MACVLAN     DRIVER(NETWORK_MACVLAN)
#define ON_IPVLAN      DRIVER(NETWORK_IPVLAN)
#define ON_ALL	       (ON_BRIDGE | ON_MACVLAN | ON_IPVLAN)

/* One option: how its VALUE is read into FIELD. WORDS: the values of a set_word. */
struct network_option {
	const char *key;
	int (*set)(const struct network_option *option, const char *value, void *field,
		   struct err *err);
	size_t offset;
	unsigned drivers;
	const char *const *words;
};

static int refuse(const struct network_option *option, const char *value, struct err *err,
		  const char *why)
{
	return err_set(err, ERR_INVALID, "failed to parse %s value: %s (%s)", option->key, value,
		       why);
}

static int set_bool(const struct network_option *option, const char *value, void *field,
		    struct err *err)
{
	cleanup_free char *why = NULL;

	if (num_parse_bool(value, field) == 0)
		return 0;
	why = str_printf("strconv.ParseBool: parsing \"%s\": invalid syntax", value);
	return refuse(option, value, err, why);
}

static int set_mtu(const struct network_option *option, const char *value, void *field,
		   struct err *err)
{
	cleanup_free char *why = NULL;
	uint64_t mtu = 0;

	if (*value == '-' && num_parse_u64(value + 1, &mtu) == 0)
		return err_set(err, ERR_INVALID, "invalid MTU number: %s", value);
	if (num_parse_u64(value, &mtu) < 0) {
		why = str_printf("strconv.Atoi: parsing \"%s\": invalid syntax", value);
		return refuse(option, value, err, why);
	}
	if (mtu > MAX_MTU || (mtu && mtu < MIN_MTU))
		return err_set(err, ERR_INVALID, "invalid MTU number: %s", value);
	*(uint32_t *)field = (uint32_t)mtu;
	return 0;
}

static int set_ifname(const struct network_option *option, const char *value, void *field,
		      struct err *err)
{
	/* dev_valid_name() in net/core/dev.c; "%" would be a pattern, and for nft(8) "*", whose
	 * texts know no way to write a quote. */
	if (strlen(value) >= IFNAMSIZ || strpbrk(value, "/:%*\"'\\ \t\n\v\f\r") ||
	    strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		return refuse(option, value, err,
			      "a link's name has up to 15 characters, none of them a blank, a "
			      "quote, \"/\", \":\", \"%\", \"*\" or \"\\\"");
	snprintf(field, IFNAMSIZ, "%s", value);
	return 0;
}

static int set_ipv4(const struct network_option *option, const char *value, void *field,
		    struct err *err)
{
	struct ip_addr addr = {};

	if (ip_parse(value, &addr) < 0)
		return refuse(option, value, err, "nil ip");
	if (addr.family != IP_V4)
		return refuse(option, value, err, "not an IPv4 address");
	*(struct ip_addr *)field = addr;
	return 0;
}

static int set_gateway_mode(const struct network_option *option, const char *value, void *field,
			    struct err *err)
{
	static const char *const modes[] = {
		[GATEWAY_NAT] = "nat",
		[GATEWAY_NAT_UNPROTECTED] = "nat-unprotected",
		[GATEWAY_ROUTED] = "routed",
		[GATEWAY_ISOLATED] = "isolated",
	};
	cleanup_free char *why = NULL;

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(modes[i], value) != 0)
			continue;
		*(enum network_gateway_mode *)field = (enum network_gateway_mode)i;
		return 0;
	}
	why = str_printf("unknown gateway mode %s", value);
	return refuse(option, value, err, why);
}

/* Fields of 16 bytes; "" stands for the first word. */
static int set_word(const struct network_option *option, const char *value, void *field,
		    struct err *err)
{
	bool is_flag = strcmp(option->key, "ipvlan_flag") == 0;

	if (!*value)
		value = option->words[0];
	for (size_t i = 0; option->words[i]; i++) {
		if (strcmp(option->words[i], value) != 0)
			continue;
		snprintf(field, 16, "%s", value);
		return 0;
	}
	if (is_flag)
		return err_set(err, ERR_INVALID,
			       "requested ipvlan flag '%s' is not valid, 'bridge' is the ipvlan "
			       "driver default",
			       value);
	return err_set(err, ERR_INVALID,
		       "requested %.*s mode '%s' is not valid, '%s' mode is the %.*s driver "
		       "default",
		       (int)strcspn(option->key, "_"), option->key, value, option->words[0],
		       (int)strcspn(option->key, "_"), option->key);
}

static const char *const macvlan_modes[] = {"bridge", "private", "vepa", "passthru", NULL};
static const char *const ipvlan_modes[] = {"l2", "l3", "l3s", NULL};
static const char *const ipvlan_flags[] = {"bridge", "private", "vepa", NULL};

#define FIELD(member) offsetof(struct network, member)
static const struct network_option known[] = {
	{BRIDGE "name", set_ifname, FIELD(bridge), ON_BRIDGE},
	{BRIDGE "default_bridge", set_bool, FIELD(is_default_bridge), ON_BRIDGE},
	{BRIDGE "enable_icc", set_bool, FIELD(is_icc), ON_BRIDGE},
	{BRIDGE "enable_ip_masquerade", set_bool, FIELD(is_masquerade), ON_BRIDGE},
	{BRIDGE "host_binding_ipv4", set_ipv4, FIELD(host_ipv4), ON_BRIDGE},
	{BRIDGE "gateway_mode_ipv4", set_gateway_mode, FIELD(gateway_mode[0]), ON_BRIDGE},
	{BRIDGE "gateway_mode_ipv6", set_gateway_mode, FIELD(gateway_mode[1]), ON_BRIDGE},
	{BRIDGE "inhibit_ipv4", set_bool, FIELD(is_inhibited_ipv4), ON_BRIDGE},
	{DOCKER_SPACE "driver.mtu", set_mtu, FIELD(mtu), ON_ALL},
	{DOCKER_SPACE "container_iface_prefix", set_ifname, FIELD(ifname_prefix), ON_ALL},
	{"parent", set_ifname, FIELD(parent), ON_MACVLAN | ON_IPVLAN},
	{"macvlan_mode", set_word, FIELD(mode), ON_MACVLAN, macvlan_modes},
	{"ipvlan_mode", set_word, FIELD(mode), ON_IPVLAN, ipvlan_modes},
	{"ipvlan_flag", set_word, FIELD(flag), ON_IPVLAN, ipvlan_flags},
};

static const struct network_option *lookup(enum network_driver driver, const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].drivers & DRIVER(driver) && strlen(known[i].key) == len &&
		    strncmp(known[i].key, text, len) == 0)
			return &known[i];
	return NULL;
}

void network_set_defaults(struct network *network)
{
	network->is_icc = true;
	network->is_masquerade = true;
	snprintf(network->ifname_prefix, sizeof(network->ifname_prefix), "eth");
	if (network->driver == NETWORK_MACVLAN)
		snprintf(network->mode, sizeof(network->mode), "%s", macvlan_modes[0]);
	if (network->driver == NETWORK_IPVLAN) {
		snprintf(network->mode, sizeof(network->mode), "%s", ipvlan_modes[0]);
		snprintf(network->flag, sizeof(network->flag), "%s", ipvlan_flags[0]);
	}
}

static int apply(struct network *network, const char *text, struct err *err)
{
	size_t len = strcspn(text, "=");
	const struct network_option *option = lookup(network->driver, text, len);
	const char *value = text + len + (text[len] == '=');

	if (!option && str_has_prefix(text, DOCKER_SPACE)) {
		err_set(err, ERR_INVALID, "unknown option \"%.*s\" of driver %s", (int)len, text,
			network_driver_name(network->driver));
		return err_hint(err,
				"the options of networks are in tare's manual: tare man network "
				"create");
	}
	if (!option)
		return 0;
	return option->set(option, value, (char *)network + option->offset, err);
}

int network_apply_options(struct network *network, struct err *err)
{
	strv_foreach (i, &network->options)
		if (apply(network, network->options.items[i], err) < 0)
			return -err->code;
	if (!*network->ifname_prefix)
		snprintf(network->ifname_prefix, sizeof(network->ifname_prefix), "eth");
	return 0;
}
