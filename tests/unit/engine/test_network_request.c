/* SPDX-License-Identifier: Apache-2.0 */
/* What `network create` is told becomes a network, or docker's words. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/network_request.h"

/* Words are split at blanks. */
struct row {
	const char *subnets, *ranges, *gateways, *aux, *options, *driver;
	const char *want; /* the error, or the first gateway */
};

static void split(struct strv *ret, const char *words)
{
	if (words)
		strv_split(ret, words, ' ');
}

static int try_row(const struct row *row, struct network *ret, struct err *err)
{
	struct strv subnets = STRV_INIT, ranges = STRV_INIT, gateways = STRV_INIT, aux = STRV_INIT,
		    options = STRV_INIT;
	struct network_request request = {.name = "n",
					  .driver = row->driver,
					  .is_ipv4 = true,
					  .subnets = &subnets,
					  .ranges = &ranges,
					  .gateways = &gateways,
					  .aux = &aux,
					  .options = &options};
	int rc = 0;

	split(&subnets, row->subnets);
	split(&ranges, row->ranges);
	split(&gateways, row->gateways);
	split(&aux, row->aux);
	split(&options, row->options);
	rc = network_request_parse(&request, ret, err);
	for (size_t i = 0; rc == 0 && i < ret->n_pools; i++)
		rc = network_complete_pool(ret, &ret->pools[i], err);
	strv_done(&subnets);
	strv_done(&ranges);
	strv_done(&gateways);
	strv_done(&aux);
	strv_done(&options);
	return rc;
}

static void good_requests(void **state)
{
	static const struct row rows[] = {
		{.subnets = "10.7.0.0/24", .want = "10.7.0.1"},
		{.subnets = "10.7.0.0/24", .gateways = "10.7.0.254", .want = "10.7.0.254"},
		{.subnets = "10.7.0.0/24", .ranges = "10.7.0.128/25", .want = "10.7.0.128"},
		{.subnets = "10.7.0.0/24", .ranges = "10.7.0.0/25", .want = "10.7.0.1"},
		{.subnets = "10.7.0.0/30", .aux = "a=10.7.0.2", .want = "10.7.0.1"},
		{.subnets = "fd07::/64", .want = "fd07::1"},
		{.subnets = "10.7.0.0/24 fd07::/64",
		 .gateways = "fd07::9 10.7.0.9",
		 .want = "10.7.0.9"},
		{.subnets = "10.7.0.0/24 10.8.0.0/24", .driver = "macvlan", .want = "10.7.0.1"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_network struct network n = {};
		struct err err = ERR_INIT;
		char text[IP_TEXT_LEN];

		assert_int_equal(try_row(&rows[i], &n, &err), 0);
		assert_string_equal(ip_format(&n.pools[0].gateway, text), rows[i].want);
	}
}

#define CONFIG "invalid network config: "
static const struct row bad_rows[] = {
	{.gateways = "10.7.0.1",
	 .want = "every ip-range or gateway must have a corresponding subnet"},
	{.ranges = "10.7.0.0/24",
	 .want = "every ip-range or gateway must have a corresponding subnet"},
	{.aux = "a=10.7.0.1", .want = "no matching subnet for aux-address 10.7.0.1"},
	{.subnets = "10.7.0.0/24",
	 .gateways = "10.8.0.1",
	 .want = "no matching subnet for gateway 10.8.0.1"},
	{.subnets = "10.7.0.0/24", .gateways = "x", .want = "no matching subnet for gateway x"},
	{.subnets = "10.7.0.0/24",
	 .ranges = "10.8.0.0/25",
	 .want = "no matching subnet for range 10.8.0.0/25"},
	{.subnets = "10.7.0.0/24", .ranges = "x", .want = "invalid CIDR address: x"},
	{.subnets = "10.7.0.0/24", .aux = "a", .want = "no matching subnet for aux-address "},
	{.subnets = "10.7.0.0/24 10.7.0.0/25",
	 .want = "multiple overlapping subnet configuration is not supported"},
	{.subnets = "10.7.0.0/24 10.8.0.0/24",
	 .gateways = "10.7.0.1 10.7.0.2",
	 .want = "cannot configure multiple gateways (10.7.0.2, 10.7.0.1) for the same subnet "
		 "(10.7.0.0/24)"},
	{.subnets = "10.7.0.0/24 10.8.0.0/24",
	 .ranges = "10.7.0.0/25 10.7.0.128/25",
	 .want = "cannot configure multiple ranges (10.7.0.128/25, 10.7.0.0/25) on the same subnet "
		 "(10.7.0.0/24)"},
	{.subnets = "10.7.0.0/24 10.8.0.0/24",
	 .want = "bridge driver doesn't support multiple subnets"},
	{.subnets = "abc", .want = "Invalid subnet abc : invalid CIDR address: abc"},
	{.subnets = "10.7.0.0/33",
	 .want = "Invalid subnet 10.7.0.0/33 : invalid CIDR address: 10.7.0.0/33"},
	{.subnets = "10.7.0.5/24",
	 .want = CONFIG "invalid subnet 10.7.0.5/24: it should be 10.7.0.0/24"},
	{.subnets = "10.7.0.0/24",
	 .ranges = "10.7.0.0/16",
	 .want = CONFIG "invalid ip-range 10.7.0.0/16: CIDR block is bigger than its parent subnet "
			"10.7.0.0/24"},
	{.subnets = "10.7.0.0/24",
	 .ranges = "10.7.0.5/25",
	 .want = CONFIG "invalid ip-range 10.7.0.5/25: it should be 10.7.0.0/25"},
	{.subnets = "127.0.0.0/8",
	 .want = CONFIG "invalid subnet 127.0.0.0/8: it has addresses that no container can have"},
	{.subnets = "10.7.0.0/24",
	 .gateways = "10.7.0.0",
	 .want = "failed to allocate gateway (10.7.0.0): Address already in use"},
	{.subnets = "10.7.0.0/24",
	 .gateways = "10.7.0.255",
	 .want = "failed to allocate gateway (10.7.0.255): Address already in use"},
	{.subnets = "10.7.0.0/32",
	 .want = "failed to allocate gateway (): No available addresses on this pool"},
	{.subnets = "10.7.0.0/31",
	 .want = "failed to allocate gateway (): No available addresses on this pool"},
	{.subnets = "10.7.0.0/24",
	 .aux = "a=10.7.0.1",
	 .want = "failed to allocate secondary ip address (a:10.7.0.1): Address already in use"},
	{.subnets = "10.7.0.0/24",
	 .aux = "a=10.7.0.5 b=10.7.0.5",
	 .want = "failed to allocate secondary ip address (b:10.7.0.5): Address already in use"},
	{.driver = "nosuch", .want = "plugin \"nosuch\" not found"},
	{.driver = "host", .want = "only one instance of \"host\" network is allowed"},
	{.driver = "null", .want = "only one instance of \"null\" network is allowed"},
	{.options = "com.docker.network.bridge.gateway_mode_ipv4=isolated",
	 .want = "gateway mode 'isolated' can only be used for an internal network"},
};

static void bad_requests(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		cleanup_network struct network n = {};
		struct err err = ERR_INIT;

		assert_true(try_row(&bad_rows[i], &n, &err) < 0);
		assert_string_equal(err.msg, bad_rows[i].want);
	}
}

static void bad_names(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{"", "invalid name:"},
		{" ", "invalid name:"},
		{"a\033[31m", "invalid network name a?[31m: it has control characters"},
		{"bridge", "operation is not permitted on predefined bridge network"},
		{"default", "operation is not permitted on predefined default network"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct network_request request = {.name = rows[i].name, .is_ipv4 = true};
		cleanup_network struct network n = {};
		struct err err = ERR_INIT;

		assert_true(network_request_parse(&request, &n, &err) < 0);
		assert_string_equal(err.msg, rows[i].want);
	}
}

static void last_of_a_key_counts(void **state)
{
	cleanup_strv struct strv labels = STRV_INIT;
	const struct network_request request = {.name = "n", .is_ipv4 = true, .labels = &labels};
	cleanup_network struct network n = {};
	struct err err = ERR_INIT;

	strv_split(&labels, "z=1 a ab=2 a=3 z", ' ');
	assert_int_equal(network_request_parse(&request, &n, &err), 0);
	assert_int_equal(n.labels.n, 3);
	assert_string_equal(n.labels.items[0], "a=3");
	assert_string_equal(n.labels.items[1], "ab=2");
	assert_string_equal(n.labels.items[2], "z=");
	assert_true(network_has_label(&n, "a"));
	assert_true(network_has_label(&n, "a=3"));
	assert_false(network_has_label(&n, "a=33"));
	assert_true(network_has_label(&n, "z="));
	assert_false(network_has_label(&n, "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(last_of_a_key_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
