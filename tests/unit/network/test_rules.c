/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall, in a network namespace of the test's own: what is explained is what is loaded;
 * whatever somebody changes is seen; elements cost the same however many there are; writers do not
 * lose each other's changes.
 */
#include "../unit.h"

#include "../shell.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "network/rules.h"
#include "plan/steps.h"
#include "sys/conntrack.h"
#include "sys/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TABLE "tare_test"

static char runroot[] = "/tmp/tare-rules-XXXXXX";
static bool can_unshare;

/* ---- a state to load ---- */

static struct network bridges[] = {
	{.driver = NETWORK_BRIDGE,
	 .bridge = "tare0",
	 .is_ipv4 = true,
	 .is_icc = true,
	 .is_masquerade = true,
	 .n_pools = 1},
	{.driver = NETWORK_BRIDGE,
	 .bridge = "tare-00112233aa",
	 .n_pools = 2,
	 .is_ipv4 = true,
	 .is_ipv6 = true,
	 .is_icc = true,
	 .is_masquerade = true,
	 .gateway_mode = {GATEWAY_NAT_UNPROTECTED, GATEWAY_ROUTED}},
	{.driver = NETWORK_BRIDGE,
	 .bridge = "tare-closed",
	 .is_ipv4 = true,
	 .is_internal = true,
	 .is_masquerade = true},
	{.driver = NETWORK_MACVLAN, .is_ipv4 = true},
};

static const struct {
	const char *proto, *host;
	uint16_t host_port;
	const char *container;
	uint16_t port;
	enum network_gateway_mode mode;
} port_texts[] = {
	{"tcp", "0.0.0.0", 8080, "172.17.0.2", 80, GATEWAY_NAT},
	{"udp", "0.0.0.0", 53, "172.17.0.3", 53, GATEWAY_NAT},
	{"sctp", "127.0.0.1", 9, "172.17.0.2", 9, GATEWAY_NAT},
	{"tcp", "::", 8080, "fd00::2", 80, GATEWAY_NAT},
	{"tcp", "2001:db8::1", 8081, "fd00::2", 81, GATEWAY_NAT},
	{"tcp", "0.0.0.0", 7000, "172.18.0.2", 7, GATEWAY_ROUTED},
	{"tcp", "0.0.0.0", 7001, "172.18.0.2", 7, GATEWAY_ROUTED},
	{"udp", "::", 7000, "fd00::9", 7, GATEWAY_ROUTED},
	/* Not of one family: nothing that rules could do. */
	{"tcp", "::", 8089, "172.17.0.2", 80, GATEWAY_NAT},
};

static struct rules_port ports[ARRAY_LEN(port_texts)];
static struct rules_network networks[ARRAY_LEN(bridges)];
static struct rules_state state = {.table = TABLE,
				   .networks = networks,
				   .n_networks = ARRAY_LEN(networks),
				   .ports = ports,
				   .n_ports = ARRAY_LEN(ports)};

static struct rules_port make_port(const char *proto, const char *host, uint16_t host_port,
				   const char *container, uint16_t port)
{
	struct rules_port p = {.bridge = "tare0"};

	snprintf(p.port.proto, sizeof(p.port.proto), "%s", proto);
	assert_int_equal(ip_parse(host, &p.port.host_ip), 0);
	assert_int_equal(ip_parse(container, &p.container_ip), 0);
	p.port.host_port = host_port;
	p.port.container_port = port;
	return p;
}

static void make_state(void)
{
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		networks[i].network = &bridges[i];
	assert_int_equal(ip_prefix_parse("172.17.0.0/16", &bridges[0].pools[0].subnet), 0);
	assert_int_equal(ip_prefix_parse("172.18.0.0/20", &bridges[1].pools[0].subnet), 0);
	assert_int_equal(ip_prefix_parse("fd00::/64", &bridges[1].pools[1].subnet), 0);
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		ports[i] = make_port(port_texts[i].proto, port_texts[i].host,
				     port_texts[i].host_port, port_texts[i].container,
				     port_texts[i].port);
		ports[i].mode = port_texts[i].mode;
	}
}

static int set_up(void **unused)
{
	can_unshare = unshare(CLONE_NEWNET) == 0;
	make_state();
	return mkdtemp(runroot) ? 0 : -1;
}

static int tear_down(void **unused)
{
	return fd_remove_tree_at(AT_FDCWD, runroot);
}

/* ---- helpers ---- */

static int shell(const char *command)
{
	return shell_run(runroot, command, NULL, 0);
}

static void need(bool needs_nft)
{
	if (!can_unshare || (needs_nft && shell("command -v nft >/dev/null") != 0))
		skip();
}

/* Executes the one-step plan that ADD makes; its text if TEXT is not NULL. */
static void execute(struct plan *plan, struct str *text)
{
	struct plan_run run;
	struct err err = ERR_INIT;

	plan_run_init(&run);
	if (plan_execute(plan, STEP_HOST, &run, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; text && i < plan->n; i++) {
		plan->steps[i]->op->explain(plan->steps[i], TEXT_SCRIPT, text);
		str_add(text, "\n");
	}
	plan_run_done(&run);
	plan_done(plan);
}

static void load(struct str *text)
{
	struct plan plan;
	struct err err = ERR_INIT;

	assert_int_equal(plan_init(&plan, &err), 0);
	rules_plan_load(&plan, STEP_HOST, &state, runroot);
	execute(&plan, text);
}

static void change_ports(const struct rules_port *which, size_t n, bool add, struct str *text)
{
	struct plan plan;
	struct err err = ERR_INIT;

	assert_int_equal(plan_init(&plan, &err), 0);
	rules_plan_ports(&plan, STEP_HOST, TABLE, which, n, add, runroot);
	execute(&plan, text);
}

static void change_network(const struct network *network, bool add, struct str *text)
{
	struct plan plan;
	struct err err = ERR_INIT;

	assert_int_equal(plan_init(&plan, &err), 0);
	rules_plan_network(&plan, STEP_HOST, TABLE, network, add, runroot);
	execute(&plan, text);
}

static char *output(const char *command)
{
	enum { LIMIT = 1 << 16 };
	char *text = mem_zalloc(LIMIT);

	if (shell_run(runroot, command, text, LIMIT) != 0)
		fail_msg("%s", command);
	return text;
}

/* Elements in whatever order the kernel has them: one for each line, sorted. */
#define LIST                                                                          \
	"{ nft -s list table inet " TABLE "; nft -s list table bridge " TABLE "; } |" \
	"sed 's/elements = //; s/[{},]/\\n/g' | sed 's/^[ \\t]*//; s/[ \\t]*$//' | sort"

/* SCRIPT, run in another network namespace, must leave what is here. */
static void assert_same_as(const struct str *script)
{
	cleanup_free char *path = str_printf("%s/script", runroot);
	cleanup_free char *command = str_printf("unshare -n sh -e %s", path);
	cleanup_free char *here = output(LIST), *there = NULL;
	cleanup_free char *text = str_printf("%s\n" LIST, str_get(script));

	assert_int_equal(fd_write_file_at(AT_FDCWD, path, text, strlen(text), 0600), 0);
	there = output(command);
	assert_string_equal(here, there);
	assert_true(strlen(here) > 1000);
}

/* ---- tests ---- */

/* Every rule and element is in the language that the compiler knows. */
static void test_loads(void **unused)
{
	need(false);
	assert_false(rules_are_current(runroot));
	load(NULL);
	assert_true(rules_are_current(runroot));
	assert_true(rules_compare(&state, runroot));
	/* Again over what is there. */
	load(NULL);
	assert_true(rules_are_current(runroot));
	assert_true(rules_compare(&state, runroot));
}

static void test_explained_is_loaded(void **unused)
{
	cleanup_str struct str script = STR_INIT;

	need(true);
	load(&script);
	assert_same_as(&script);
}

static void test_changes_are_explained(void **unused)
{
	cleanup_str struct str script = STR_INIT;
	struct network extra = {.driver = NETWORK_BRIDGE,
				.bridge = "tare-extra",
				.is_ipv4 = true,
				.is_icc = true,
				.is_masquerade = true};
	struct rules_port more[] = {
		make_port("tcp", "0.0.0.0", 1000, "172.17.0.9", 1000),
		make_port("udp", "192.0.2.1", 1000, "172.17.0.9", 1000),
		make_port("tcp", "0.0.0.0", 1001, "172.17.0.9", 1001),
	};

	need(true);
	load(&script);
	change_network(&extra, true, &script);
	change_ports(more, ARRAY_LEN(more), true, &script);
	change_ports(more, 1, false, &script);
	change_network(&bridges[0], false, &script);
	assert_true(rules_are_current(runroot));
	assert_same_as(&script);
	change_network(&extra, false, NULL);
	change_ports(more, ARRAY_LEN(more), false, NULL);
	change_network(&bridges[0], true, NULL);
	assert_true(rules_are_current(runroot));
	assert_true(rules_compare(&state, runroot));
}

/* Whatever somebody does to the tables: it is seen, and mended. */
static void test_vandals(void **unused)
{
	static const char *const commands[] = {
		"nft flush ruleset",
		"nft delete table inet " TABLE,
		"nft delete table bridge " TABLE,
		"nft flush chain inet " TABLE " forward",
		"nft flush chain bridge " TABLE " forward",
		"nft flush table inet " TABLE,
		"nft flush map inet " TABLE " ports4",
		"nft flush set inet " TABLE " bridges",
		"nft delete element inet " TABLE " bridges '{ \"tare0\" }'",
		"nft delete element inet " TABLE " ports4 '{ tcp . 8080 }'",
		"nft add element inet " TABLE " ports4 '{ tcp . 1 : 172.17.0.2 . 80 }'",
		"nft 'delete element inet " TABLE " ports4 { tcp . 8080 }; add element inet " TABLE
		" ports4 { tcp . 8080 : 172.17.0.9 . 80 }'",
		"nft insert rule inet " TABLE " forward accept",
		"nft add rule inet " TABLE " forward accept",
		"nft add set inet " TABLE " more '{ type ifname; }'",
		"nft add chain inet " TABLE " more",
		"nft chain inet " TABLE " forward '{ policy drop; }'",
		"nft add table inet " TABLE " '{ flags dormant; }'",
		"nft delete rule inet " TABLE " forward handle $(nft -a list chain inet " TABLE
		" forward | sed -n 's/.*drop # handle //p' | head -1)",
		"nft replace rule inet " TABLE " forward handle $(nft -a list chain inet " TABLE
		" forward | sed -n 's/.*drop # handle //p' | tail -1) accept",
	};

	need(true);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		load(NULL);
		assert_true(rules_are_current(runroot));
		if (shell(commands[i]) != 0)
			fail_msg("%s", commands[i]);
		if (rules_are_current(runroot) || rules_compare(&state, runroot))
			fail_msg("not seen: %s", commands[i]);
		load(NULL);
		if (!rules_are_current(runroot) || !rules_compare(&state, runroot))
			fail_msg("not mended: %s", commands[i]);
	}
}

/* Other people's tables are theirs: they are looked past, once. */
static void test_others_are_left_alone(void **unused)
{
	cleanup_free char *text = NULL;

	need(true);
	load(NULL);
	assert_int_equal(shell("nft add table inet other"), 0);
	assert_false(rules_are_current(runroot));
	assert_true(rules_compare(&state, runroot));
	assert_true(rules_are_current(runroot));
	assert_int_equal(shell("nft add chain inet other forward"), 0);
	change_ports(ports, 1, false, NULL);
	change_ports(ports, 1, true, NULL);
	/* Our own changes meanwhile do not hide that. */
	assert_false(rules_are_current(runroot));
	assert_true(rules_compare(&state, runroot));
	load(NULL);
	text = output("nft list tables");
	assert_non_null(strstr(text, "inet other"));
	assert_int_equal(shell("nft delete table inet other"), 0);
}

static void test_ports_change_hands(void **unused)
{
	struct rules_port old = make_port("tcp", "0.0.0.0", 99, "172.17.0.2", 80);
	struct rules_port new = make_port("tcp", "0.0.0.0", 99, "172.17.0.3", 80);
	const struct nft_set set = {"ports4", "inet_proto . inet_service",
				    "ipv4_addr . inet_service", false};
	const struct nft_table table = {.family = "inet", .name = TABLE};
	cleanup_close int fd = -1;

	need(false);
	load(NULL);
	fd = nft_open();
	change_ports(&old, 1, true, NULL);
	change_ports(&old, 1, true, NULL);
	assert_true(rules_are_current(runroot));
	/* The first container was killed: nobody took its port away. */
	change_ports(&new, 1, true, NULL);
	assert_int_equal(nft_find_element(fd, &table, &set, "tcp . 99 : 172.17.0.3 . 80"),
			 NFT_FOUND_SAME);
	/* Somebody does now, too late. */
	change_ports(&old, 1, false, NULL);
	assert_int_equal(nft_find_element(fd, &table, &set, "tcp . 99 : 172.17.0.3 . 80"),
			 NFT_FOUND_SAME);
	assert_int_equal(nft_find_element(fd, &table, &set, "tcp . 99 : 172.17.0.2 . 80"),
			 NFT_FOUND_OTHER);
	change_ports(&new, 1, false, NULL);
	change_ports(&new, 1, false, NULL);
	assert_int_equal(nft_find_element(fd, &table, &set, "tcp . 99 : 172.17.0.3 . 80"),
			 NFT_FOUND_NONE);
	assert_true(rules_compare(&state, runroot));
	assert_true(rules_are_current(runroot));
}

static uint64_t time_of(const struct rules_port *port)
{
	uint64_t best = ~0ULL;

	for (int i = 0; i < 5; i++) {
		uint64_t start = clock_mono_ns(), ns = 0;

		change_ports(port, 1, true, NULL);
		ns = clock_mono_ns() - start;
		best = ns < best ? ns : best;
		if (i < 4)
			change_ports(port, 1, false, NULL);
	}
	return best;
}

static void test_thousand_ports(void **unused)
{
	struct rules_port port = make_port("tcp", "0.0.0.0", 20000, "172.17.0.2", 80);
	uint64_t first = 0, last = 0;

	need(false);
	load(NULL);
	first = time_of(&port);
	for (int i = 1; i < 1000; i++) {
		port.port.host_port = (uint16_t)(20000 + i);
		change_ports(&port, 1, true, NULL);
	}
	port.port.host_port = 21000;
	last = time_of(&port);
	print_message("the first port %u us, the thousandth %u us\n", (unsigned)(first / 1000),
		      (unsigned)(last / 1000));
	assert_true(last < first * 2);
	assert_true(rules_are_current(runroot));
	load(NULL);
}

/* Eight processes add and take; what is left is what they left, and nobody has reason to reload. */
static void test_writers(void **unused)
{
	enum { WRITERS = 8, ROUNDS = 40 };
	static struct rules_port left[ARRAY_LEN(ports) + WRITERS];
	struct rules_state after = state;

	need(false);
	load(NULL);
	memcpy(left, ports, sizeof(ports));
	for (int i = 0; i < WRITERS; i++) {
		left[ARRAY_LEN(ports) + i] = make_port("udp", "0.0.0.0", (uint16_t)(30000 + i),
						       "172.17.0.2", 80);
		if (fork() != 0)
			continue;
		for (int k = 0; k < ROUNDS; k++) {
			change_ports(&left[ARRAY_LEN(ports) + i], 1, true, NULL);
			if (k + 1 < ROUNDS)
				change_ports(&left[ARRAY_LEN(ports) + i], 1, false, NULL);
			/* Others are between their change and its note: still it is ours alone. */
			if (!rules_are_current(runroot))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status = 0;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_true(rules_are_current(runroot));
	after.ports = left;
	after.n_ports = ARRAY_LEN(left);
	assert_true(rules_compare(&after, runroot));
	assert_false(rules_compare(&state, runroot));
}

/* One who sends datagrams before the port is published, and goes on with the same socket. */
static void test_flows_ask_again(void **unused)
{
	struct rules_port port = make_port("udp", "0.0.0.0", 31000, "172.17.0.2", 80);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(31000)};
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	need(true);
	load(NULL);
	assert_int_equal(shell("ip link set lo up"), 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	change_ports(&port, 1, true, NULL);
	assert_int_equal(conntrack_forget_udp(IP_V4, 31000), 0);
	change_ports(&port, 1, false, NULL);
	(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_int_equal(conntrack_forget_udp(IP_V4, 31001), 0);
	assert_int_equal(conntrack_forget_udp(IP_V6, 31000), 0);
	assert_int_equal(conntrack_forget_udp(IP_V4, 31000), 1);
	assert_int_equal(conntrack_forget_udp(IP_V4, 31000), 0);
}

static void test_removal(void **unused)
{
	struct plan plan;
	struct err err = ERR_INIT;
	cleanup_free char *text = NULL;

	need(true);
	load(NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(plan_init(&plan, &err), 0);
		rules_plan_remove(&plan, STEP_HOST, TABLE, runroot);
		execute(&plan, NULL);
	}
	text = output("nft list tables");
	assert_string_equal(text, "");
	assert_false(rules_compare(&state, runroot));
	/* Whoever adds a port now is told, and nothing is half there. */
	assert_int_equal(plan_init(&plan, &err), 0);
	rules_plan_ports(&plan, STEP_HOST, TABLE, ports, 1, true, runroot);
	{
		struct plan_run run;

		plan_run_init(&run);
		assert_int_equal(plan_execute(&plan, STEP_HOST, &run, &err), -ERR_UNAVAILABLE);
		plan_run_done(&run);
	}
	plan_done(&plan);
}

static void test_names(void **unused)
{
	char name[RULES_TABLE_LEN], other[RULES_TABLE_LEN];

	rules_table_name("/var/lib/tare", name);
	assert_string_equal(name, "tare");
	rules_table_name("/tmp/a", name);
	rules_table_name("/tmp/b", other);
	assert_string_not_equal(name, other);
	assert_int_equal(strlen(name), strlen("tare_01234567"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_explained_is_loaded),
		cmocka_unit_test(test_changes_are_explained),
		cmocka_unit_test(test_vandals),
		cmocka_unit_test(test_others_are_left_alone),
		cmocka_unit_test(test_ports_change_hands),
		cmocka_unit_test(test_thousand_ports),
		cmocka_unit_test(test_writers),
		cmocka_unit_test(test_flows_ask_again),
		cmocka_unit_test(test_removal),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
