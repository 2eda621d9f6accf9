/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing subnets: the first that is free, and nothing when none is. */
#include "../unit.h"

#include <errno.h>

#include "base/mem.h"
#include "network/pools.h"

#define MAX_TAKEN 4

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix ret = {};

	assert_int_equal(ip_prefix_parse(text, &ret), 0);
	return ret;
}

static void first_free(void **state)
{
	static const struct {
		const char *base;
		uint8_t len;
		const char *taken[MAX_TAKEN];
		const char *want; /* NULL: none */
	} rows[] = {
		{"10.0.0.0/8", 16, {}, "10.0.0.0/16"},
		{"10.0.0.0/8", 16, {"10.0.0.0/16"}, "10.1.0.0/16"},
		/* Something small in it takes all of it. */
		{"10.0.0.0/8", 16, {"10.0.7.1/32"}, "10.1.0.0/16"},
		/* Something large is stepped over as a whole, wherever it begins. */
		{"10.0.0.0/8", 24, {"10.0.0.0/9"}, "10.128.0.0/24"},
		{"10.0.0.0/8", 24, {"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/23"}, "10.0.4.0/24"},
		{"172.16.0.0/16", 16, {"172.16.255.0/24"}, NULL},
		{"192.168.0.0/16", 20, {"192.168.0.0/16"}, NULL},
		{"192.168.0.0/16", 20, {"192.160.0.0/11"}, NULL},
		/* The end of all addresses. */
		{"255.255.255.0/24", 25, {"255.255.255.0/25"}, "255.255.255.128/25"},
		{"255.255.255.0/24", 25, {"255.255.255.0/25", "255.255.255.255/32"}, NULL},
		{"fd00:1::/32", 64, {"fd00:1::/64", "10.0.0.0/8"}, "fd00:1:0:1::/64"},
		{"fd00:1::/32", 64, {"fd00:1::/33"}, "fd00:1:8000::/64"},
		{"ffff::/16", 128, {"ffff::/16"}, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct network_space space = {prefix(rows[i].base), rows[i].len};
		struct ip_prefix taken[MAX_TAKEN];
		struct ip_prefix got = {};
		char text[IP_PREFIX_TEXT_LEN];
		size_t n = 0;
		int rc = 0;

		while (n < MAX_TAKEN && rows[i].taken[n]) {
			taken[n] = prefix(rows[i].taken[n]);
			n++;
		}
		rc = network_choose_subnet(&space, 1, space.base.addr.family, taken, n, &got);
		assert_int_equal(rc, rows[i].want ? 0 : -ENOSPC);
		if (rows[i].want)
			assert_string_equal(ip_prefix_format(&got, text), rows[i].want);
	}
}

/* All that docker's pools hold, in docker's order. */
static void defaults_in_order(void **state)
{
	struct network_space spaces[NETWORK_DEFAULT_SPACES];
	size_t n_spaces = network_default_spaces(spaces);
	struct ip_prefix taken[64];
	char text[IP_PREFIX_TEXT_LEN];
	size_t n = 0;

	assert_int_equal(n_spaces, NETWORK_DEFAULT_SPACES);
	while (n < ARRAY_LEN(taken) &&
	       network_choose_subnet(spaces, n_spaces, IP_V4, taken, n, &taken[n]) == 0)
		n++;
	assert_int_equal(n, 15 + 16);
	assert_string_equal(ip_prefix_format(&taken[0], text), "172.17.0.0/16");
	assert_string_equal(ip_prefix_format(&taken[14], text), "172.31.0.0/16");
	assert_string_equal(ip_prefix_format(&taken[15], text), "192.168.0.0/20");
	assert_string_equal(ip_prefix_format(&taken[30], text), "192.168.240.0/20");
	assert_int_equal(network_choose_subnet(spaces, n_spaces, IP_V6, NULL, 0, &taken[0]),
			 -ENOSPC);
}

static void local_space_is_stable(void **state)
{
	struct network_space a = network_local_space("machine /var/lib/tare");
	struct network_space again = network_local_space("machine /var/lib/tare");
	struct network_space b = network_local_space("machine /other");

	assert_int_equal(a.base.addr.bytes[0], 0xfd);
	assert_int_equal(a.base.len, 48);
	assert_int_equal(a.len, 64);
	assert_true(ip_is_equal(&a.base.addr, &again.base.addr));
	assert_false(ip_is_equal(&a.base.addr, &b.base.addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_free),
		cmocka_unit_test(defaults_in_order),
		cmocka_unit_test(local_space_is_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
