/* SPDX-License-Identifier: Apache-2.0 */
/* What containers ask of networks as text, and hardware addresses. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "network/endpoint.h"

static void test_mac(void **state)
{
	static const char *const good[] = {"02:42:AC:11:00:0f", "02-42-ac-11-00-0f",
					   "0242.ac11.000f"};
	static const char *const bad[] = {"",
					  "zz",
					  "02:42:ac:11:00",
					  "02:42:ac:11:00:0g",
					  "02:42-ac:11:00:0f",
					  "0242.ac11-000f",
					  "02:42:ac:11:00:0f:01",
					  "0242ac11000f",
					  "02 42 ac 11 00 0f"};
	uint8_t mac[6];
	char text[MAC_TEXT_LEN];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(mac_parse(good[i], mac), 0);
		assert_string_equal(mac_format(mac, text), "02:42:ac:11:00:0f");
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(mac_parse(bad[i], mac) < 0);
	assert_true(mac_is_set(mac));
	assert_false(mac_is_set((uint8_t[6]){}));
}

static struct endpoint_request full_request(void)
{
	struct endpoint_request r = {.network = str_dup("net \"1\""), .gateway_priority = -7};

	assert_int_equal(ip_parse("10.1.2.3", &r.ip4), 0);
	assert_int_equal(ip_parse("fd00::9", &r.ip6), 0);
	assert_int_equal(mac_parse("02:00:00:00:00:01", r.mac), 0);
	strv_add(&r.aliases, "web");
	strv_add(&r.aliases, "www");
	strv_add(&r.links, "db:sql");
	strv_add(&r.link_local, "169.254.1.1");
	strv_add(&r.driver_options, "a=b=c");
	return r;
}

static void test_round_trip(void **state)
{
	struct endpoint_request items[2] = {full_request(), {.network = str_dup("bridge")}};
	cleanup_free char *text = endpoint_requests_format(items, 2);
	struct endpoint_request *back = NULL;
	struct err err = ERR_INIT;
	size_t n = 0;

	assert_int_equal(endpoint_requests_parse(text, &back, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(back[0].network, "net \"1\"");
	assert_true(ip_is_equal(&back[0].ip4, &items[0].ip4));
	assert_true(ip_is_equal(&back[0].ip6, &items[0].ip6));
	assert_memory_equal(back[0].mac, items[0].mac, 6);
	assert_string_equal(back[0].aliases.items[1], "www");
	assert_string_equal(back[0].links.items[0], "db:sql");
	assert_string_equal(back[0].link_local.items[0], "169.254.1.1");
	assert_string_equal(back[0].driver_options.items[0], "a=b=c");
	assert_int_equal(back[0].gateway_priority, -7);
	assert_false(endpoint_request_is_plain(&back[0]));
	assert_true(endpoint_request_is_plain(&back[1]));
	endpoint_requests_free(back, n);
	endpoint_request_done(&items[0]);
	endpoint_request_done(&items[1]);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[{}]",
		"[{\"Network\":\"a\",\"IPv4\":\"x\"}]",
		"[{\"Network\":\"a\"},{\"Network\":\"b\",\"Mac\":\"x\"}]",
		"[{\"Network\":\"a\",\"Aliases\":[1]}]",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct endpoint_request *items = NULL;
		struct err err = ERR_INIT;
		size_t n = 0;

		assert_true(endpoint_requests_parse(texts[i], &items, &n, &err) < 0);
		assert_null(items);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
