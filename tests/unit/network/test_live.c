/* SPDX-License-Identifier: Apache-2.0 */
/* The files that tell what is alive. */
#include "../unit.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "network/live.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CONTAINER "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NETWORK	  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int make_dir(void **state)
{
	char *dir = str_dup("/tmp/tare-live.XXXXXX");

	*state = dir;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	int rc = fd_remove_tree_at(AT_FDCWD, *state);

	free(*state);
	return rc;
}

static struct endpoint make_endpoint(void)
{
	struct endpoint e = {.network_id = NETWORK,
			     .id = CONTAINER,
			     .network_name = str_dup("net1"),
			     .ifname = "eth0",
			     .host_ifname = "veth0123456",
			     .is_gateway4 = true};

	assert_int_equal(ip_prefix_parse("10.1.0.2/16", &e.ip4), 0);
	assert_int_equal(ip_prefix_parse("fd00::2/64", &e.ip6), 0);
	assert_int_equal(ip_parse("10.1.0.1", &e.gateway4), 0);
	assert_int_equal(mac_parse("02:42:0a:01:00:02", e.mac), 0);
	strv_add(&e.names, "web");
	strv_add(&e.names, "aaaaaaaaaaaa");
	strv_add(&e.links, "db postgres");
	strv_add(&e.sysctls, "net.ipv4.conf.IFNAME.forwarding=1");
	return e;
}

static void test_round_trip(void **state)
{
	cleanup_close int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_live_network struct live_network live = {};
	cleanup_live_network struct live_network back = {};
	struct err err = ERR_INIT;

	assert_int_equal(live_network_read(dir, &back, &err), 0);
	assert_int_equal(back.n_endpoints, 0);
	live.endpoints = mem_zalloc(sizeof(*live.endpoints));
	live.endpoints[live.n_endpoints++] = make_endpoint();
	live.ports = mem_zalloc(sizeof(*live.ports));
	live.ports[live.n_ports++] = (struct published_port){
		.proto = "udp", .host_port = 53, .container_port = 5353};
	assert_int_equal(ip_parse("::", &live.ports[0].host_ip), 0);
	assert_int_equal(live_network_write(dir, &live, &err), 0);
	assert_int_equal(live_network_read(dir, &back, &err), 0);
	assert_int_equal(back.n_endpoints, 1);
	const struct endpoint *e = live_network_find(&back, NETWORK);
	char text[IP_PREFIX_TEXT_LEN];

	assert_non_null(e);
	assert_null(live_network_find(&back, CONTAINER));
	assert_string_equal(e->network_name, "net1");
	assert_string_equal(e->ifname, "eth0");
	assert_string_equal(e->host_ifname, "veth0123456");
	assert_string_equal(ip_prefix_format(&e->ip4, text), "10.1.0.2/16");
	assert_string_equal(ip_prefix_format(&e->ip6, text), "fd00::2/64");
	assert_string_equal(ip_format(&e->gateway4, text), "10.1.0.1");
	assert_int_equal(e->gateway6.family, IP_NONE);
	assert_true(e->is_gateway4);
	assert_false(e->is_gateway6);
	assert_string_equal(e->names.items[1], "aaaaaaaaaaaa");
	assert_string_equal(e->sysctls.items[0], "net.ipv4.conf.IFNAME.forwarding=1");
	assert_string_equal(back.ports[0].proto, "udp");
	assert_int_equal(back.ports[0].host_port, 53);
	assert_int_equal(back.ports[0].container_port, 5353);
	live_network_remove(&back, 0);
	assert_int_equal(back.n_endpoints, 0);
}

static void test_endpoint_file(void **state)
{
	struct endpoint e = make_endpoint();
	struct err err = ERR_INIT;
	cleanup_free char *path = str_printf("%s/networks/" NETWORK "/endpoints/" CONTAINER,
					     (char *)*state);
	cleanup_str struct str text = STR_INIT;

	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(live_endpoint_write(*state, CONTAINER, &e, &err), 0);
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 4096, &text), 0);
	assert_string_equal(
		str_get(&text),
		"name web\nname aaaaaaaaaaaa\nnetwork net1\nlink db postgres\nip4 10.1.0.2\n"
		"ip6 fd00::2\nmac 02:42:0a:01:00:02\nifname eth0\n"
		"host veth0123456\nendpoint " CONTAINER "\n");
	live_endpoint_remove(*state, CONTAINER, &e);
	assert_int_equal(access(path, F_OK), -1);
	live_endpoint_remove(*state, CONTAINER, &e);
	endpoint_done(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_endpoint_file, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
