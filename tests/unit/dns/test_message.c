/* SPDX-License-Identifier: Apache-2.0 */
/* Reading questions and writing answers. */
#include "dns/message.h"

#include "../unit.h"
#include "packets.h"

#include <stdio.h>

static struct dns_query parse(const struct packet *p, int expected)
{
	struct dns_query q;

	assert_int_equal(dns_query_parse(p->bytes, p->len, &q), expected);
	return q;
}

static void test_question(void **state)
{
	struct packet p = make_query("WeB.Example", DNS_TYPE_AAAA, 0);
	struct dns_query q = parse(&p, 0);

	assert_string_equal(q.name, "web.example");
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.type, DNS_TYPE_AAAA);
	assert_int_equal(q.class, DNS_CLASS_IN);
	assert_int_equal(q.udp_size, 512);
	assert_false(q.has_edns);
	assert_true(q.has_plain_name);
	assert_int_equal(q.question_len, p.len - DNS_HEADER_LEN);
}

static void test_edns(void **state)
{
	static const unsigned sizes[][2] = {{100, 512}, {512, 512}, {1000, 1000}, {65535, 1232}};

	for (size_t i = 0; i < 4; i++) {
		struct packet p = make_query("web", DNS_TYPE_A, sizes[i][0]);
		struct dns_query q = parse(&p, 0);

		assert_true(q.has_edns);
		assert_int_equal(q.udp_size, sizes[i][1]);
	}
}

static void test_longest_name(void **state)
{
	char name[300] = "";
	struct packet p;

	for (int i = 0; i < 127; i++)
		memcpy(name + 2 * i, "a.", 2);
	name[253] = '\0'; /* 127 labels of one byte: 255 bytes on the wire */
	p = make_query(name, DNS_TYPE_A, 0);
	assert_string_equal(parse(&p, 0).name, name);
	memcpy(name + 253, ".a", 3);
	p = make_query(name, DNS_TYPE_A, 0);
	parse(&p, DNS_FORMERR);
}

static void test_root_and_odd_names(void **state)
{
	struct packet p = make_query("", DNS_TYPE_A, 0);

	assert_string_equal(parse(&p, 0).name, "");
	/* One label with a dot in it is not two labels. */
	p = (struct packet){};
	put_header(&p, 1, 0, 1, 0);
	put(&p, "\3a.b\0\0\1\0\1", 9);
	assert_false(parse(&p, 0).has_plain_name);
}

static void test_refused_messages(void **state)
{
	static const struct {
		unsigned flags, questions, more;
		const char *rest;
		size_t len;
		int expected;
	} cases[] = {
		{0x8000, 1, 0, "\1a\0\0\1\0\1", 7, DNS_DROP},	/* an answer */
		{0x2800, 1, 0, "\1a\0\0\1\0\1", 7, DNS_NOTIMP}, /* an update */
		{0, 0, 0, "", 0, DNS_FORMERR},			/* no question */
		{0, 2, 0, "\1a\0\0\1\0\1\1b\0\0\1\0\1", 14, DNS_FORMERR},
		{0, 1, 0, "\300\14\0\1\0\1", 6, DNS_FORMERR},	 /* a pointer to itself */
		{0, 1, 0, "\1a\300\14\0\1\0\1", 8, DNS_FORMERR}, /* a loop behind a label */
		{0, 1, 0, "\100a\0\0\1\0\1", 7, DNS_FORMERR},	 /* a kind of label long gone */
		{0, 1, 0, "\77a\0\0\1\0\1", 7, DNS_FORMERR},	 /* longer than the message */
		{0, 1, 0, "\1a", 2, DNS_FORMERR},		 /* without an end */
		{0, 1, 0, "\1a\0\0\1\0", 6, DNS_FORMERR},	 /* half a class */
		{0, 1, 1, "\1a\0\0\1\0\1", 7, DNS_FORMERR},	 /* a record that is not there */
		{0, 1, 1, "\1a\0\0\1\0\1\0\0\51\4\0\0\0\0\0\0\11", 18, DNS_FORMERR},
		{0, 1, 17, "\1a\0\0\1\0\1", 7, DNS_FORMERR}, /* more than anybody needs */
		{0, 1, 1, "\1a\0\0\1\0\1\300\377\0\51\4\0\0\0\0\0\0\0", 19, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet p = {};

		put_header(&p, 7, cases[i].flags, cases[i].questions, cases[i].more);
		put(&p, cases[i].rest, cases[i].len);
		parse(&p, cases[i].expected);
	}
	for (size_t len = 0; len < DNS_HEADER_LEN; len++)
		parse(&(struct packet){.len = len}, DNS_DROP);
}

static void test_answer(void **state)
{
	static const uint8_t expected[] = {0x12, 0x34, 0x81, 0x80, 0,	1,   0, 2, 0,  0,
					   0,	 1,    3,    'W',  'e', 'b', 0, 0, 1,  0,
					   1,	 0xc0, 12,   0,	   1,	0,   1, 0, 0,  2,
					   88,	 0,    4,    172,  18,	0,   2, /* 600 seconds */
					   0xc0, 12,   0,    1,	   0,	1,   0, 0, 2,  88,
					   0,	 4,    172,  18,   0,	3,   0, 0, 41, 4,
					   208,	 0,    0,    0,	   0,	0,   0};
	struct packet p = make_query("Web", DNS_TYPE_A, 1232);
	struct dns_query q = parse(&p, 0);
	uint8_t buf[DNS_UDP_MAX];
	struct dns_answer a;

	dns_answer_begin(&a, buf, sizeof(buf), p.bytes, &q);
	dns_answer_add_address(&a, &(struct ip_addr){IP_V4, {172, 18, 0, 2}});
	dns_answer_add_address(&a, &(struct ip_addr){IP_V4, {172, 18, 0, 3}});
	assert_int_equal(dns_answer_end(&a, DNS_NOERROR), sizeof(expected));
	assert_memory_equal(buf, expected, sizeof(expected));
}

static void test_full_answer(void **state)
{
	struct packet p = make_query("web", DNS_TYPE_A, 0);
	struct dns_query q = parse(&p, 0);
	uint8_t buf[DNS_UDP_MIN];
	struct dns_answer a;
	size_t len = 0;

	dns_answer_begin(&a, buf, sizeof(buf), p.bytes, &q);
	for (int i = 0; i < 100; i++)
		dns_answer_add_address(&a, &(struct ip_addr){IP_V4, {10, 0, 0, (uint8_t)i}});
	len = dns_answer_end(&a, DNS_NOERROR);
	assert_true(len <= 512);
	assert_true(buf[2] & 2);
	assert_int_equal(buf[7], (512 - p.len) / 16);
}

static void test_pointers(void **state)
{
	struct packet p = make_query("2.0.18.172.in-addr.arpa", DNS_TYPE_PTR, 0);
	struct dns_query q = parse(&p, 0);
	static const char *const bad[] = {
		"", "a..b", ".a", "a.",
		"0123456789012345678901234567890123456789012345678901234567890123"};
	uint8_t buf[DNS_UDP_MIN];
	struct dns_answer a;

	dns_answer_begin(&a, buf, sizeof(buf), p.bytes, &q);
	dns_answer_add_pointer(&a, "web.net1");
	assert_int_equal(dns_answer_end(&a, DNS_NOERROR), p.len + 12 + 10);
	assert_memory_equal(buf + p.len + 12, "\3web\4net1", 10);
	for (size_t i = 1; i < 5; i++) {
		dns_answer_begin(&a, buf, sizeof(buf), p.bytes, &q);
		dns_answer_add_pointer(&a, bad[i]);
		assert_int_equal(a.n, 0);
	}
}

static void test_reverse(void **state)
{
	static const struct {
		const char *name, *address;
	} cases[] = {
		{"2.0.18.172.in-addr.arpa", "172.18.0.2"},
		{"255.255.255.255.in-addr.arpa", "255.255.255.255"},
		{"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
		 "fd00::2"},
		{"256.0.18.172.in-addr.arpa", NULL},
		{"0.18.172.in-addr.arpa", NULL},
		{"1.2.0.18.172.in-addr.arpa", NULL},
		{"x.0.18.172.in-addr.arpa", NULL},
		{"in-addr.arpa", NULL},
		{"2.0.ip6.arpa", NULL},
		{"g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", NULL},
		{"172.18.0.2", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[IP_TEXT_LEN];
		struct ip_addr addr;

		assert_int_equal(dns_parse_reverse(cases[i].name, &addr), cases[i].address != NULL);
		if (cases[i].address)
			assert_string_equal(ip_format(&addr, text), cases[i].address);
	}
}

static void test_matching(void **state)
{
	struct packet q = make_query("web", DNS_TYPE_A, 1232);
	struct packet a = {};

	put_header(&a, 99, 0x8180, 1, 0);
	put_question(&a, "WEB", DNS_TYPE_A);
	assert_true(dns_is_answer(a.bytes, a.len, 99, q.bytes, q.len));
	assert_false(dns_is_answer(a.bytes, a.len, 98, q.bytes, q.len));
	assert_false(dns_is_answer(a.bytes, a.len - 1, 99, q.bytes, q.len));
	assert_false(dns_is_answer(a.bytes, 11, 99, q.bytes, q.len));
	a.bytes[2] = 0x01; /* a question is no answer */
	assert_false(dns_is_answer(a.bytes, a.len, 99, q.bytes, q.len));
	a = (struct packet){};
	put_header(&a, 99, 0x8180, 1, 0);
	put_question(&a, "wab", DNS_TYPE_A);
	assert_false(dns_is_answer(a.bytes, a.len, 99, q.bytes, q.len));
	a = (struct packet){};
	put_header(&a, 99, 0x8180, 1, 0);
	put_question(&a, "web", DNS_TYPE_AAAA);
	assert_false(dns_is_answer(a.bytes, a.len, 99, q.bytes, q.len));
	/* Without its question only a refusal is one. */
	a = (struct packet){};
	put_header(&a, 99, 0x8180, 0, 0);
	assert_false(dns_is_answer(a.bytes, a.len, 99, q.bytes, q.len));
	a.bytes[3] |= DNS_FORMERR;
	assert_true(dns_is_answer(a.bytes, a.len, 99, q.bytes, q.len));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),	 cmocka_unit_test(test_edns),
		cmocka_unit_test(test_longest_name),	 cmocka_unit_test(test_root_and_odd_names),
		cmocka_unit_test(test_refused_messages), cmocka_unit_test(test_answer),
		cmocka_unit_test(test_full_answer),	 cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_reverse),		 cmocka_unit_test(test_matching),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
