/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links, addresses and routes, made and asked for in a network namespace of the test's own.
 */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix ret = {};

	assert_int_equal(ip_prefix_parse(text, &ret), 0);
	return ret;
}

static int open_own(void)
{
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		skip();
	return netlink_open(NETLINK_ROUTE);
}

static int link_flags(int fd, const char *ifname)
{
	struct ifreq request = {};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	return ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? -errno : (uint16_t)request.ifr_flags;
}

/* The first of N that has an address in common with SUBNET; default routes do not count. */
static const struct ip_prefix *find_overlap(const struct ip_prefix *known, size_t n,
					    const struct ip_prefix *subnet)
{
	for (size_t i = 0; i < n; i++)
		if (known[i].len && ip_is_overlapping(&known[i], subnet))
			return &known[i];
	return NULL;
}

static void test_modes(void **state)
{
	static const struct {
		const char *kind, *word;
		int rc;
		uint32_t mode;
	} cases[] = {
		{"macvlan", NULL, 0, MACVLAN_MODE_BRIDGE},
		{"macvlan", "", 0, MACVLAN_MODE_BRIDGE},
		{"macvlan", "vepa", 0, MACVLAN_MODE_VEPA},
		{"macvlan", "passthru", 0, MACVLAN_MODE_PASSTHRU},
		{"macvlan", "l2", -EINVAL, 0},
		{"ipvlan", NULL, 0, IPVLAN_MODE_L2},
		{"ipvlan", "l3s", 0, IPVLAN_MODE_L3S},
		{"ipvlan", "bridge", -EINVAL, 0},
		{"veth", NULL, 0, 0},
		{"veth", "private", -EINVAL, 0},
		{"tun", NULL, -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t mode = 99;

		assert_int_equal(rtnl_parse_mode(cases[i].kind, cases[i].word, &mode), cases[i].rc);
		assert_int_equal(mode, cases[i].rc ? 99 : cases[i].mode);
	}
}

/* A bridge with a port and two addresses. */
static int make_bridge(int fd)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	const struct ip_prefix four = prefix("10.9.0.1/24");
	const struct ip_prefix six = prefix("fd09::1/64");
	struct rtnl_link link = {.kind = "veth",
				 .host_ifname = "v0",
				 .ifname = "v1",
				 .mac = {2, 0x42, 0, 0, 0, 1},
				 .target = {.fd = -1, .pid = getpid()}};
	int index = 0;

	rtnl_add_bridge(&batch, "br9", link.mac, 1400);
	assert_int_equal(netlink_send(fd, &batch, NULL), 0);
	index = rtnl_index(fd, "br9");
	assert_true(index > 1);
	link.link = (unsigned)index;
	rtnl_set_bridge(&batch, (unsigned)index, 0);
	rtnl_add_address(&batch, (unsigned)index, &four);
	rtnl_add_address(&batch, (unsigned)index, &four); /* there already */
	rtnl_add_address(&batch, (unsigned)index, &six);
	rtnl_add_link(&batch, &link);
	rtnl_set_hairpin(&batch, "v0");
	assert_int_equal(netlink_send(fd, &batch, NULL), 0);
	return index;
}

static void test_links(void **state)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_close int fd = open_own();
	int bridge = make_bridge(fd);
	struct netlink_failure failure;

	assert_true(link_flags(fd, "br9") & IFF_UP);
	assert_true(link_flags(fd, "v0") & IFF_UP);
	assert_false(link_flags(fd, "v1") & IFF_UP);
	assert_int_equal(link_flags(fd, "v2"), -ENODEV);
	assert_int_equal(rtnl_index(fd, "a-name-that-is-too-long"), -ENODEV);
	rtnl_set_up(&batch, (unsigned)rtnl_index(fd, "v1"));
	rtnl_set_down(&batch, "v2");
	rtnl_delete(&batch, "v2");
	assert_int_equal(netlink_send(fd, &batch, &failure), 0);
	/* Without this question it may still be off: a worker would see to it later. */
	assert_int_equal(rtnl_settle(fd, "v0"), 1);
	assert_true(link_flags(fd, "v0") & IFF_RUNNING);
	rtnl_set_down(&batch, "v0");
	assert_int_equal(netlink_send(fd, &batch, &failure), 0);
	assert_false(link_flags(fd, "v0") & IFF_UP);
	assert_int_equal(rtnl_settle(fd, "v0"), 0);
	assert_int_equal(rtnl_settle(fd, "v2"), -ENODEV);
	/* What is no bridge does not become one. */
	rtnl_set_bridge(&batch, (unsigned)rtnl_index(fd, "v0"), 0);
	assert_int_equal(netlink_send(fd, &batch, &failure), -EOPNOTSUPP);
	rtnl_delete(&batch, "v0");
	rtnl_delete(&batch, "br9");
	assert_int_equal(netlink_send(fd, &batch, &failure), 0);
	assert_int_equal(rtnl_index(fd, "v1"), -ENODEV);
	assert_true(bridge > 0);
}

/* The socket stays where it was opened, wherever its owner goes. */
static void test_namespace(void **state)
{
	cleanup_close int fd = open_own();

	make_bridge(fd);
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	assert_true(rtnl_index(fd, "br9") > 0);
	assert_int_equal(if_nametoindex("br9"), 0);
}

static void test_subnets(void **state)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_free struct ip_prefix *known = NULL;
	size_t n = 0;
	cleanup_close int fd = open_own();
	unsigned bridge = (unsigned)make_bridge(fd);
	const struct ip_prefix all = prefix("0.0.0.0/0");
	const struct ip_prefix far = prefix("192.168.0.0/20");
	const struct ip_prefix far6 = prefix("fd77::/48");
	const struct ip_addr gateway = prefix("10.9.0.7/32").addr;
	static const struct {
		const char *subnet, *want;
	} cases[] = {
		{"10.9.0.0/16", "10.9.0.1/24"}, {"10.9.0.128/25", "10.9.0.1/24"},
		{"10.9.1.0/24", NULL},		{"192.168.15.0/24", "192.168.0.0/20"},
		{"192.168.16.0/24", NULL},	{"fd77:0:0:1::/64", "fd77::/48"},
		{"fd09::/32", "fd09::1/64"},	{"fd10::/64", NULL},
		{"127.3.0.0/16", NULL}, /* lo is down: nothing has an address there */
	};

	rtnl_set_route(&batch, bridge, &all, &gateway);
	rtnl_set_route(&batch, bridge, &far, NULL);
	rtnl_set_route(&batch, bridge, &far, &gateway); /* instead */
	rtnl_set_route(&batch, bridge, &far6, NULL);
	assert_int_equal(netlink_send(fd, &batch, NULL), 0);
	assert_int_equal(rtnl_list_subnets(&known, &n), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct ip_prefix subnet = prefix(cases[i].subnet);
		const struct ip_prefix *found = find_overlap(known, n, &subnet);
		char text[IP_PREFIX_TEXT_LEN];

		if (cases[i].want == NULL) {
			assert_null(found);
			continue;
		}
		assert_non_null(found);
		assert_string_equal(ip_prefix_format(found, text), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_subnets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
