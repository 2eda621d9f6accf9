/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as text, and what their options mean. */
#include "../unit.h"

#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "network/network.h"

#define ID "1111111111111111111111111111111111111111111111111111111111111111"

static void options_mean(void **state)
{
	struct network n = {.driver = NETWORK_BRIDGE};
	struct err err = ERR_INIT;
	char text[IP_TEXT_LEN];

	network_set_defaults(&n);
	assert_true(n.is_icc);
	assert_true(n.is_masquerade);
	assert_string_equal(n.ifname_prefix, "eth");
	strv_add(&n.options, "com.docker.network.bridge.name=br7");
	strv_add(&n.options, "com.docker.network.bridge.enable_icc=false");
	strv_add(&n.options, "com.docker.network.bridge.enable_ip_masquerade=0");
	strv_add(&n.options, "com.docker.network.bridge.host_binding_ipv4=127.0.0.1");
	strv_add(&n.options, "com.docker.network.bridge.gateway_mode_ipv4=routed");
	strv_add(&n.options, "com.docker.network.bridge.gateway_mode_ipv6=isolated");
	strv_add(&n.options, "com.docker.network.bridge.inhibit_ipv4=true");
	strv_add(&n.options, "com.docker.network.driver.mtu=1400");
	strv_add(&n.options, "com.docker.network.container_iface_prefix=net");
	strv_add(&n.options, "anything=else");
	assert_int_equal(network_apply_options(&n, &err), 0);
	assert_string_equal(n.bridge, "br7");
	assert_false(n.is_icc);
	assert_false(n.is_masquerade);
	assert_string_equal(ip_format(&n.host_ipv4, text), "127.0.0.1");
	assert_int_equal(network_gateway_mode(&n, IP_V4), GATEWAY_ROUTED);
	assert_int_equal(network_gateway_mode(&n, IP_V6), GATEWAY_ISOLATED);
	assert_true(n.is_inhibited_ipv4);
	assert_int_equal(n.mtu, 1400);
	assert_string_equal(n.ifname_prefix, "net");
	network_done(&n);
}

static void options_are_refused(void **state)
{
	static const struct {
		enum network_driver driver;
		const char *option, *want;
	} rows[] = {
		{NETWORK_BRIDGE, "com.docker.network.driver.mtu=abc",
		 "failed to parse com.docker.network.driver.mtu value: abc (strconv.Atoi: parsing "
		 "\"abc\": invalid syntax)"},
		{NETWORK_BRIDGE, "com.docker.network.driver.mtu=-1", "invalid MTU number: -1"},
		{NETWORK_BRIDGE, "com.docker.network.driver.mtu=65536",
		 "invalid MTU number: 65536"},
		{NETWORK_BRIDGE, "com.docker.network.bridge.enable_icc=abc",
		 "failed to parse com.docker.network.bridge.enable_icc value: abc "
		 "(strconv.ParseBool: parsing \"abc\": invalid syntax)"},
		{NETWORK_BRIDGE, "com.docker.network.bridge.host_binding_ipv4=abc",
		 "failed to parse com.docker.network.bridge.host_binding_ipv4 value: abc (nil ip)"},
		{NETWORK_BRIDGE, "com.docker.network.bridge.gateway_mode_ipv4=abc",
		 "failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: abc (unknown "
		 "gateway mode abc)"},
		{NETWORK_BRIDGE, "com.docker.network.bridge.enable_icx=false",
		 "unknown option \"com.docker.network.bridge.enable_icx\" of driver bridge"},
		{NETWORK_MACVLAN, "com.docker.network.bridge.enable_icc=false",
		 "unknown option \"com.docker.network.bridge.enable_icc\" of driver macvlan"},
		{NETWORK_MACVLAN, "macvlan_mode=foo",
		 "requested macvlan mode 'foo' is not valid, 'bridge' mode is the macvlan driver "
		 "default"},
		{NETWORK_IPVLAN, "ipvlan_mode=foo",
		 "requested ipvlan mode 'foo' is not valid, 'l2' mode is the ipvlan driver "
		 "default"},
		{NETWORK_IPVLAN, "ipvlan_flag=foo",
		 "requested ipvlan flag 'foo' is not valid, 'bridge' is the ipvlan driver default"},
	};
	static const char *const names[] = {
		"sixteen-letters!", "a/b", "a b", "a:b", "%d", ".", ".."};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct network n = {.driver = rows[i].driver};
		struct err err = ERR_INIT;

		strv_add(&n.options, rows[i].option);
		assert_int_equal(network_apply_options(&n, &err), -ERR_INVALID);
		assert_string_equal(err.msg, rows[i].want);
		network_done(&n);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct network n = {.driver = NETWORK_BRIDGE};
		struct err err = ERR_INIT;

		strv_addf(&n.options, "com.docker.network.bridge.name=%s", names[i]);
		assert_int_equal(network_apply_options(&n, &err), -ERR_INVALID);
		network_done(&n);
	}
}

static void fill(struct network *n)
{
	static const struct {
		const char *subnet, *range, *gateway, *aux;
	} pools[] = {{"10.7.0.0/24", "10.7.0.128/25", "10.7.0.254", "10.7.0.200"},
		     {"fd07::/64", NULL, "fd07::1", NULL}};

	n->driver = NETWORK_BRIDGE;
	n->is_ipv4 = n->is_ipv6 = n->is_internal = n->is_attachable = true;
	n->is_foreign_link = true;
	snprintf(n->bridge, sizeof(n->bridge), "br7");
	strv_add(&n->options, "com.docker.network.bridge.enable_icc=false");
	strv_add(&n->labels, "a=b");
	strv_add(&n->labels, "c=");
	strv_add(&n->ipam_options, "x=y");
	for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
		struct network_pool *pool = &n->pools[n->n_pools++];

		assert_int_equal(ip_prefix_parse(pools[i].subnet, &pool->subnet), 0);
		assert_int_equal(ip_parse(pools[i].gateway, &pool->gateway), 0);
		pool->is_gateway_implied = i == 1;
		if (pools[i].range)
			assert_int_equal(ip_prefix_parse(pools[i].range, &pool->range), 0);
		if (!pools[i].aux)
			continue;
		pool->aux = mem_zalloc(sizeof(*pool->aux));
		pool->n_aux = 1;
		pool->aux[0].name = str_dup("printer");
		assert_int_equal(ip_parse(pools[i].aux, &pool->aux[0].addr), 0);
	}
}

static void expect_same(const struct network *n, const char *text)
{
	cleanup_free char *again = network_format(n);

	assert_string_equal(again, text);
}

static void text_and_back(void **state)
{
	struct network n = {};
	cleanup_network struct network back = {};
	cleanup_free char *text = NULL;
	struct network *copy = NULL;
	struct err err = ERR_INIT;

	fill(&n);
	text = network_format(&n);
	assert_int_equal(network_parse(ID, "shop", "bridge", 7, text, &back, &err), 0);
	expect_same(&back, text);
	copy = network_copy(&back);
	expect_same(copy, text);
	assert_string_equal(copy->name, "shop");
	network_done(copy);
	free(copy);
	assert_string_equal(back.id, ID);
	assert_string_equal(back.bridge, "br7");
	assert_int_equal(back.created_ns, 7);
	assert_false(back.is_icc);
	assert_true(back.is_masquerade);
	assert_true(back.pools[1].is_gateway_implied);
	assert_string_equal(back.pools[0].aux[0].name, "printer");
	assert_ptr_equal(network_pool(&back, IP_V6), &back.pools[1]);
	/* A subnet of a family that was not asked for serves nobody. */
	back.is_ipv6 = false;
	assert_null(network_pool(&back, IP_V6));
	network_done(&n);
}

static void damaged_text(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]7",
		"{\"Config\":[{\"Subnet\":\"10.0.0.0\"}]}",
		"{\"Config\":[{\"Subnet\":\"10.0.0.0/8\",\"Gateway\":\"x\"}]}",
		"{\"Config\":[{\"Subnet\":\"10.0.0.0/8\",\"AuxiliaryAddresses\":{\"a\":7}}]}",
		"{\"Config\":[{},{},{},{},{},{},{},{},{}]}",
		"{\"Options\":{\"com.docker.network.driver.mtu\":\"x\"}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_network struct network n = {};
		struct err err = ERR_INIT;

		assert_int_equal(network_parse(ID, "n", "bridge", 0, texts[i], &n, &err),
				 -ERR_INVALID);
	}
	{
		cleanup_network struct network n = {};
		struct err err = ERR_INIT;

		assert_int_equal(network_parse(ID, "n", "nosuch", 0, "{}", &n, &err), -ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_mean),
		cmocka_unit_test(options_are_refused),
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(damaged_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
