/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches as bytes, answers that end where they should not, and, where the test may make a network
 * namespace of its own, what the kernel answers.
 */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- bytes ---- */

static const struct nlmsghdr *message_at(const struct netlink_batch *batch, size_t at)
{
	return (const void *)(batch->buf + at);
}

static void test_encoding(void **state)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	const struct ifinfomsg header = {.ifi_index = 7};
	static const unsigned char want[] = {
		6,    0,    3,	  0,	'a', 0, 0, 0, /* a string with its NUL, padded */
		20,   0,    4,	  0x80, 5,   0, 5, 0, /* nested: one byte */
		9,    0,    0,	  0,	8,   0, 6, 0, /* padding; the next one */
		0x0a, 0x0b, 0x0c, 0x0d,		      /* in network order */
	};
	size_t nest = 0;

	netlink_begin(&batch, RTM_NEWLINK, NLM_F_CREATE, &header, sizeof(header));
	netlink_put_string(&batch, 3, "a");
	nest = netlink_nest(&batch, 4);
	netlink_put_u8(&batch, 5, 9);
	netlink_put_be32(&batch, 6, 0x0a0b0c0d);
	netlink_nest_end(&batch, nest);
	netlink_begin(&batch, RTM_DELLINK, 0, &header, 3);
	assert_int_equal(batch.n_messages, 2);
	assert_int_equal(message_at(&batch, 0)->nlmsg_len, 32 + sizeof(want));
	assert_int_equal(message_at(&batch, 0)->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
	assert_int_equal(message_at(&batch, 0)->nlmsg_type, RTM_NEWLINK);
	/* Lengths in bytes 8..9 are those of the nest with all that is in it. */
	assert_memory_equal(batch.buf + 32, want, 8);
	assert_memory_equal(batch.buf + 32 + 8 + 2, want + 8 + 2, sizeof(want) - 10);
	assert_int_equal(batch.len, 32 + sizeof(want) + 16 + 4);
	assert_int_equal(message_at(&batch, 32 + sizeof(want))->nlmsg_seq,
			 message_at(&batch, 0)->nlmsg_seq + 1);
	assert_int_equal(batch.error, 0);
}

static void test_limits(void **state)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_free char *large = mem_zalloc(70000);
	size_t nest = 0;

	netlink_begin(&batch, RTM_NEWLINK, 0, NULL, 0);
	netlink_put(&batch, 1, large, 70000);
	assert_int_equal(netlink_send(-1, &batch, NULL), -EMSGSIZE);
	assert_int_equal(batch.n_messages, 0);
	/* Every part fits, the nest does not. */
	netlink_begin(&batch, RTM_NEWLINK, 0, NULL, 0);
	nest = netlink_nest(&batch, 1);
	for (int i = 0; i < 3; i++)
		netlink_put(&batch, 2, large, 30000);
	netlink_nest_end(&batch, nest);
	assert_int_equal(netlink_send(-1, &batch, NULL), -EMSGSIZE);
	for (int i = 0; i < 1000; i++) {
		netlink_begin(&batch, RTM_NEWLINK, 0, NULL, 0);
		netlink_put(&batch, 2, large, 60000);
	}
	assert_true(batch.len <= 16U << 20);
	assert_int_equal(netlink_send(-1, &batch, NULL), -EMSGSIZE);
	/* Nothing is nothing to send, and afterwards the batch is as good as new. */
	assert_int_equal(netlink_send(-1, &batch, NULL), 0);
	netlink_begin(&batch, RTM_NEWLINK, 0, NULL, 0);
	netlink_tolerate(&batch, ENOENT);
	netlink_tolerate(&batch, EEXIST);
	netlink_tolerate(&batch, EBUSY);
	assert_int_equal(netlink_send(-1, &batch, NULL), -E2BIG);
}

/* ---- answers ---- */

struct raw {
	struct nlmsghdr message;
	unsigned char rest[64];
};

static void test_hostile(void **state)
{
	struct raw raw = {.message = {.nlmsg_len = 16 + 64}};
	struct nlattr attr = {.nla_len = 200, .nla_type = 1};
	const struct nlattr *attrs[3];

	/* One that says it is longer than the message, one shorter than its own head. */
	memcpy(raw.rest, &attr, sizeof(attr));
	netlink_parse(&raw.message, 0, attrs, 2);
	assert_null(attrs[1]);
	attr.nla_len = 3;
	memcpy(raw.rest, &attr, sizeof(attr));
	netlink_parse(&raw.message, 0, attrs, 2);
	assert_null(attrs[1]);
	/* A string that does not end, numbers of another size. */
	attr.nla_len = 8;
	memcpy(raw.rest, &attr, sizeof(attr));
	memcpy(raw.rest + 4, "abcd", 4);
	netlink_parse(&raw.message, 0, attrs, 2);
	assert_non_null(attrs[1]);
	assert_string_equal(netlink_string(attrs[1]), "");
	assert_int_equal(netlink_be32(attrs[1], 0), 0x61626364);
	assert_int_equal(netlink_u8(attrs[1], 5), 5);
	assert_int_equal(netlink_be64(attrs[1], 6), 6);
	assert_int_equal(netlink_u32(NULL, 7), 7);
	assert_string_equal(netlink_string(NULL), "");
	/* A message shorter than the header that is looked for. */
	assert_null(netlink_header(&raw.message, 65));
	netlink_parse(&raw.message, 100, attrs, 2);
	assert_null(attrs[1]);
	raw.message.nlmsg_len = 3;
	assert_null(netlink_header(&raw.message, 0));
}

static int count_bytes(const struct nlattr *item, void *data)
{
	size_t *total = data;
	const unsigned char *p = netlink_data(item);

	for (size_t i = 0; i < netlink_len(item); i++)
		*total += p[i] | 1U;
	return 0;
}

/* With the address sanitizer this finds every byte read outside. */
static void test_random(void **state)
{
	for (int i = 0; i < 20000; i++) {
		struct raw *raw = mem_zalloc(sizeof(*raw));
		const struct nlattr *attrs[8];
		size_t total = 0;

		assert_int_equal(getrandom(raw->rest, sizeof(raw->rest), 0), sizeof(raw->rest));
		for (size_t k = 1; k < sizeof(raw->rest); k += 4)
			raw->rest[k] = 0; /* lengths that can be true */
		raw->message.nlmsg_len = (uint32_t)(16 + i % 65);
		netlink_parse(&raw->message, (size_t)(i % 7), attrs, 7);
		for (size_t k = 0; k < 8; k++) {
			netlink_each(attrs[k], count_bytes, &total);
			assert_true(strlen(netlink_string(attrs[k])) <= 64);
			assert_true(netlink_len(attrs[k]) <= 64);
		}
		free(raw);
	}
}

/* ---- the kernel ---- */

/* A socket in a network namespace that nobody else has. */
static int open_own(void)
{
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		skip();
	return netlink_open(NETLINK_ROUTE);
}

static void add_link(struct netlink_batch *batch, const char *name)
{
	const struct ifinfomsg header = {};
	size_t nest = 0;

	netlink_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	netlink_put_string(batch, IFLA_IFNAME, name);
	nest = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_string(batch, IFLA_INFO_KIND, "bridge");
	netlink_nest_end(batch, nest);
}

static void del_link(struct netlink_batch *batch, const char *name)
{
	const struct ifinfomsg header = {};

	netlink_begin(batch, RTM_DELLINK, 0, &header, sizeof(header));
	netlink_put_string(batch, IFLA_IFNAME, name);
}

static void test_failures(void **state)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_close int fd = open_own();
	struct netlink_failure failure;
	const struct ifinfomsg header = {};

	assert_true(fd >= 0);
	add_link(&batch, "a");
	del_link(&batch, "nothing");
	add_link(&batch, "b");
	assert_int_equal(netlink_send(fd, &batch, &failure), -ENODEV);
	assert_int_equal(failure.index, 1);
	/* What came behind it was done. */
	assert_true(if_nametoindex("b") > 0);
	del_link(&batch, "a");
	add_link(&batch, "b");
	netlink_tolerate(&batch, EEXIST);
	del_link(&batch, "b");
	assert_int_equal(netlink_send(fd, &batch, &failure), 0);
	assert_int_equal(if_nametoindex("b"), 0);
	/* The last one fails; the kernel has words for it. */
	add_link(&batch, "c");
	netlink_begin(&batch, RTM_NEWLINK, NLM_F_CREATE, &header, sizeof(header));
	netlink_put_string(&batch, IFLA_IFNAME, "a/b");
	assert_true(netlink_send(fd, &batch, &failure) < 0);
	assert_int_equal(failure.index, 1);
	del_link(&batch, "c");
	assert_int_equal(netlink_send(fd, &batch, NULL), 0);
}

static void test_text(void **state)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_close int fd = open_own();
	struct netlink_failure failure;
	const struct rtmsg route = {.rtm_family = AF_INET, .rtm_dst_len = 33};

	netlink_begin(&batch, RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof(route));
	assert_int_equal(netlink_send(fd, &batch, &failure), -EINVAL);
	assert_string_equal(failure.text, "Invalid prefix length");
}

struct links {
	size_t n;
	size_t restarts;
	char last[IFNAMSIZ];
	int rc;
};

static int take_link(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[IFLA_IFNAME + 1];
	struct links *links = data;

	if (message == NULL) {
		links->n = 0;
		links->restarts++;
		return 0;
	}
	assert_int_equal(message->nlmsg_type, RTM_NEWLINK);
	netlink_parse(message, sizeof(struct ifinfomsg), attrs, IFLA_IFNAME);
	snprintf(links->last, sizeof(links->last), "%s", netlink_string(attrs[IFLA_IFNAME]));
	links->n++;
	return links->rc;
}

static void ask_dump(struct netlink_batch *batch)
{
	const struct ifinfomsg header = {};

	netlink_begin(batch, RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header));
}

static void test_questions(void **state)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_close int fd = open_own();
	const struct ifinfomsg header = {};
	struct links links = {};

	/* More than one datagram of answers. */
	for (int i = 0; i < 100; i++) {
		char name[IFNAMSIZ];

		snprintf(name, sizeof(name), "d%d", i);
		add_link(&batch, name);
	}
	assert_int_equal(netlink_send(fd, &batch, NULL), 0);
	ask_dump(&batch);
	assert_int_equal(netlink_dump(fd, &batch, take_link, &links), 0);
	assert_int_equal(links.n, 101);
	/* Who has seen enough leaves nothing behind that the next question would take for its own.
	 */
	links = (struct links){.rc = -ECANCELED};
	ask_dump(&batch);
	assert_int_equal(netlink_dump(fd, &batch, take_link, &links), -ECANCELED);
	assert_int_equal(links.n, 1);
	links = (struct links){};
	netlink_begin(&batch, RTM_GETLINK, 0, &header, sizeof(header));
	netlink_put_string(&batch, IFLA_IFNAME, "d42");
	assert_int_equal(netlink_get(fd, &batch, take_link, &links), 0);
	assert_int_equal(links.n, 1);
	assert_string_equal(links.last, "d42");
	netlink_begin(&batch, RTM_GETLINK, 0, &header, sizeof(header));
	netlink_put_string(&batch, IFLA_IFNAME, "e42");
	assert_int_equal(netlink_get(fd, &batch, take_link, &links), -ENODEV);
	assert_int_equal(links.n, 1);
}

/* A batch larger than a socket takes by default. */
static void test_large(void **state)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_close int fd = open_own();
	struct netlink_failure failure;

	if (geteuid() != 0)
		skip();
	for (int i = 0; i < 9000; i++) {
		del_link(&batch, "nothing");
		netlink_tolerate(&batch, ENODEV);
	}
	add_link(&batch, "last");
	assert_true(batch.len > 300000);
	/* So many errors, and the acknowledgement of the last one behind them. */
	assert_int_equal(netlink_send(fd, &batch, &failure), 0);
	assert_true(if_nametoindex("last") > 0);
	del_link(&batch, "last");
	assert_int_equal(netlink_send(fd, &batch, &failure), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encoding),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_hostile),	  cmocka_unit_test(test_random),
		cmocka_unit_test(test_failures),  cmocka_unit_test(test_text),
		cmocka_unit_test(test_questions), cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
