/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small part of nft(8)'s language that is compiled: what is understood, what it becomes, and
 * that everything else is refused instead of becoming another rule.
 */
#include "../unit.h"

#include "base/mem.h"
#include "sys/nft.h"

#include <errno.h>
#include <string.h>

static const struct nft_set sets[] = {
	{"names", "ifname", NULL, false},
	{"ports", "inet_proto . inet_service", "ipv4_addr . inet_service", false},
	{"subnets", "ifname . ipv4_addr", NULL, true},
};
static const struct nft_table table = {
	.family = "inet", .name = "t", .sets = sets, .n_sets = ARRAY_LEN(sets)};

static int compile(const char *rule)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;

	netlink_begin(&batch, 1, 0, NULL, 0);
	return nft_compile(&batch, &table, rule);
}

static void test_rules(void **state)
{
	static const char *const good[] = {
		"accept",
		"iifname @names drop",
		"iifname != @names oifname @names ct state established,related accept",
		"oifname . ip saddr @subnets masquerade",
		"ip daddr 10.0.0.0/8 ip saddr 192.0.2.1 counter return",
		"dnat ip to meta l4proto . th dport map @ports",
		"iifname \"eth0\" jump other",
		"",
	};
	static const char *const bad[] = {
		"reject",
		"iifname",
		"iifname @nobody drop",
		"iifname @ports drop",
		"iifname eth0 drop",
		"iifname \"a-name-that-is-too-long\" drop",
		"iifname . @names drop",
		"iifname . nonsense @names drop",
		"ip daddr 10.0.0.0/9 drop",
		"ip daddr 10.0.0.0/ drop",
		"ip daddr 10.0.0.0/32 drop",
		"ip daddr fd00::1 drop",
		"ct state sometimes drop",
		"th dport 65536 drop",
		"th dport  drop",
		"dnat ip to th dport map @names",
		"dnat to meta l4proto . th dport map @ports",
		"dnat ip to meta l4proto . th dport @ports",
		"jump",
		"dropped",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (compile(good[i]) != 0)
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (compile(bad[i]) != -EINVAL)
			fail_msg("understood: %s", bad[i]);
}

static void test_elements(void **state)
{
	static const uint8_t port[] = {6, 0, 0, 0, 0x1f, 0x90, 0, 0};
	static const uint8_t target[] = {172, 17, 0, 2, 0, 80, 0, 0};
	static const struct {
		size_t set;
		const char *text;
	} bad[] = {
		{0, ""},
		{0, "\"\""},
		{0, "tare0"},
		{0, "\"sixteen-letters-\""},
		{0, "\"a\" . \"b\""},
		{0, "\"a\" : 1"},
		{1, "tcp . 80"},
		{1, "tcp . 80 : 172.17.0.2"},
		{1, "tcp : 172.17.0.2 . 80"},
		{1, "gre . 80 : 172.17.0.2 . 80"},
		{1, "tcp . 80 : 172.17.0.0/16 . 80"},
		{1, "tcp . 80 : fd00::1 . 80"},
		{2, "\"a\" . 172.17.0.0/33"},
		{2, "\"a\" . 172.17.0.0/"},
		{2, "\"a\" . fd00::/64"},
	};
	struct nft_element e;

	assert_int_equal(nft_parse_element(&sets[1], "tcp . 8080 : 172.17.0.2 . 80", &e), 0);
	assert_int_equal(e.key_len, sizeof(port));
	assert_memory_equal(e.key, port, sizeof(port));
	assert_int_equal(e.data_len, sizeof(target));
	assert_memory_equal(e.data, target, sizeof(target));
	/* A single key is as wide as its type. */
	assert_int_equal(nft_parse_element(&sets[0], "\"fifteen-letters\"", &e), 0);
	assert_int_equal(e.key_len, 16);
	assert_string_equal((const char *)e.key, "fifteen-letters");
	assert_int_equal(nft_parse_element(&sets[2], "\"a\" . 10.1.2.3/16", &e), 0);
	assert_memory_equal(e.key + 16, "\x0a\x01\x00\x00", 4);
	assert_memory_equal(e.end + 16, "\x0a\x01\xff\xff", 4);
	assert_string_equal((const char *)e.end, "a");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (nft_parse_element(&sets[bad[i].set], bad[i].text, &e) != -EINVAL)
			fail_msg("understood: %s", bad[i].text);
}

static void test_types(void **state)
{
	uint32_t type = 0;
	unsigned len = 0;

	assert_int_equal(nft_parse_types("inet_proto . inet_service", &type, &len), 0);
	assert_int_equal(type, 12 << 6 | 13);
	assert_int_equal(len, 8);
	assert_int_equal(nft_parse_types("nf_proto", &type, &len), 0);
	assert_int_equal(len, 1);
	assert_int_equal(nft_parse_types("ct_state", &type, &len), -EINVAL);
	assert_int_equal(nft_parse_types("", &type, &len), -EINVAL);
	assert_int_equal(nft_parse_types("ifname . ifname . ifname . ifname . ifname", &type, &len),
			 -EINVAL);
	assert_int_equal(nft_family("inet"), 1);
	assert_int_equal(nft_family("arp"), -EINVAL);
	assert_int_equal(nft_hook("ingress"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
