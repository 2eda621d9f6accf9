/* SPDX-License-Identifier: Apache-2.0 */
/* tare.conf: what each key takes, and where an error is. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "engine/settings.h"

#include <stdlib.h>

static void takes_all_keys(void **state)
{
	cleanup_settings struct settings s = {};
	struct err err = ERR_INIT;
	char text[IP_TEXT_LEN];
	char prefix[IP_PREFIX_TEXT_LEN];

	assert_int_equal(settings_parse("# for all containers\n\n"
					"  publish.default-ip =127.0.0.1  \n"
					"publish.respect-firewall=true\n"
					"network.pools = base=10.200.0.0/16,size=24  "
					"base=fd00:1::/48,size=64\n",
					"f", &s, &err),
			 0);
	assert_string_equal(ip_format(&s.default_ip, text), "127.0.0.1");
	assert_true(s.is_firewall_respected);
	assert_int_equal(s.n_pools, 2);
	assert_string_equal(ip_prefix_format(&s.pools[1].base, prefix), "fd00:1::/48");
	assert_int_equal(s.pools[0].size, 24);
}

static void says_where_it_is_wrong(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"x", "f:1: not \"key = value\": x"},
		{"\n\npublish.ip = 1.2.3.4", "f:3: unknown key: publish.ip"},
		{"publish.default-ip = localhost",
		 "f:1: publish.default-ip: not an address: localhost"},
		{"publish.default-ip =", "f:1: publish.default-ip: not an address: \"\""},
		{"publish.respect-firewall = perhaps",
		 "f:1: publish.respect-firewall: not true or false: perhaps"},
		{"network.pools = 10.0.0.0/8",
		 "f:1: network.pools: not base=SUBNET,size=BITS, or several with blanks between "
		 "them: 10.0.0.0/8"},
		{"network.pools = base=10.0.0.1/8,size=24",
		 "f:1: network.pools: not base=SUBNET,size=BITS, or several with blanks between "
		 "them: base=10.0.0.1/8,size=24"},
		{"network.pools = base=10.0.0.0/8,size=31",
		 "f:1: network.pools: not base=SUBNET,size=BITS, or several with blanks between "
		 "them: base=10.0.0.0/8,size=31"},
		{"network.pools =", "f:1: network.pools: not base=SUBNET,size=BITS: \"\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_settings struct settings s = {};
		struct err err = ERR_INIT;

		assert_int_equal(settings_parse(rows[i].text, "f", &s, &err), -ERR_INVALID);
		assert_string_equal(err.msg, rows[i].want);
	}
}

static void a_named_file_must_be_there(void **state)
{
	cleanup_settings struct settings s = {};
	struct err err = ERR_INIT;

	setenv("TARE_CONFIG", "/nonexistent/tare.conf", 1);
	assert_true(settings_load(&s, &err) < 0);
	assert_non_null(strstr(err.msg, "read /nonexistent/tare.conf"));
	unsetenv("TARE_CONFIG");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_all_keys),
		cmocka_unit_test(says_where_it_is_wrong),
		cmocka_unit_test(a_named_file_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
