/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network steps in network namespaces of their own: what they do, and that the commands they print
 * do the same. A plan is executed, its script is run by a shell, and both show what they have made.
 */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "plan/net_steps.h"
#include "plan/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process in a network namespace of its own that does what a test does; its failure is the
 * test's. Without the right to make one there is nothing to test. */
static void in_namespace(void (*fn)(void))
{
	int status = 0;
	pid_t pid = 0;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			_exit(77);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* In such a process cmocka's own checks would end the wrong one. */
static void want(bool good, const char *what, const struct err *err)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", what, err ? err->msg : "");
	_exit(1);
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix ret;

	want(ip_prefix_parse(text, &ret) == 0, text, NULL);
	return ret;
}

/* What COMMAND prints into OUT; its exit status. */
static int capture(const char *command, struct str *out)
{
	int status = 0;
	int fds[2];
	pid_t pid = 0;

	want(pipe2(fds, O_CLOEXEC) == 0, "pipe", NULL);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	fd_read_all(fds[0], 1 << 20, out);
	close(fds[0]);
	want(waitpid(pid, &status, 0) == pid, "wait", NULL);
	return WEXITSTATUS(status);
}

/* ---- a plan for two ---- */

/* The index and the host's end differ from run to run; nothing else may. */
#define SHOW                                                                          \
	"{ ip -d -o addr; ip -o route; ip -6 -o route; cat "                          \
	"/proc/sys/net/ipv6/conf/*/disable_ipv6; "                                    \
	"timeout 0.9 busybox ping -c 1 10.9.0.1 >/dev/null && echo v4; "              \
	"timeout 0.9 busybox ping -c 1 fd09::1 >/dev/null && echo v6; } | "           \
	"sed -e 's/eth0@if[0-9]*/eth0/g; s/link-netnsid [0-9]*//g; s/^[0-9]*: //' | " \
	"grep -v -e ' fe80::'"

static int run_show(struct plan_run *run, const struct step *step, struct err *err)
{
	execl("/bin/sh", "sh", "-c", SHOW, (char *)NULL);
	return err_sys(err, errno, "exec");
}

static void explain_show(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, SHOW);
}

static const struct step_op step_show = {"show", run_show, explain_show};

static int fake_clone(struct plan_run *run, const struct step *step, struct err *err)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct plan_run child = *run;

		want(unshare((int)step->number[0]) == 0, "unshare", NULL);
		want(plan_execute(run->plan, STEP_INSIDE, &child, err) == 0, "inside", err);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return status ? err_set(err, ERR_SYSTEM, "the child failed") : 0;
}

static void add_steps(struct plan *plan)
{
	const struct ip_prefix gateways[] = {prefix("10.9.0.1/24"), prefix("fd09::1/64")};
	const struct plan_bridge bridge = {
		.name = "br9", .addrs = gateways, .n_addrs = 2, .mtu = 1400, .is_ipv6 = true};
	const struct plan_link link = {.kind = "veth",
				       .host_ifname = "veth9",
				       .master = "br9",
				       .ifname = "eth0",
				       .mac = {2, 0x42, 10, 9, 0, 2},
				       .mtu = 1400,
				       .netns_fd = -1,
				       .group = 7,
				       .is_hairpin = true};
	const struct ip_prefix four = prefix("10.9.0.2/24");
	const struct ip_prefix six = prefix("fd09::2/64");
	const struct ip_prefix all4 = prefix("0.0.0.0/0");
	const struct ip_prefix all6 = prefix("::/0");
	const struct ip_prefix far = prefix("192.0.2.0/24");

	plan_net_open(plan);
	plan_net_bridge(plan, STEP_HOST, &bridge);
	plan_clone(plan, CLONE_NEWNET, NULL);
	plan_net_link(plan, STEP_INSIDE, &link);
	plan_net_hairpin(plan, STEP_INSIDE, "veth9");
	plan_net_commit(plan, STEP_INSIDE, NET_HOST);
	plan_net_up(plan, STEP_INSIDE, "lo");
	plan_net_up(plan, STEP_INSIDE, "eth0");
	plan_net_address(plan, STEP_INSIDE, "eth0", &four);
	plan_net_address(plan, STEP_INSIDE, "eth0", &six);
	plan_net_route(plan, STEP_INSIDE, &all4, &gateways[0].addr, "eth0");
	plan_net_route(plan, STEP_INSIDE, &all6, &gateways[1].addr, "eth0");
	plan_net_route(plan, STEP_INSIDE, &far, NULL, "eth0");
	plan_net_commit(plan, STEP_INSIDE, NET_OWN);
	plan_net_ready(plan, STEP_INSIDE, NET_HOST, "veth9");
	plan_net_ready(plan, STEP_INSIDE, NET_OWN, "eth0");
	plan_net_close(plan);
	plan_add(plan, &step_show, STEP_INSIDE);
	plan_net_down(plan, STEP_TEARDOWN, "veth9");
	plan_net_commit(plan, STEP_TEARDOWN, NET_HOST);
	/* It would go with its other end's namespace, but later; the name is needed again now. */
	plan_net_delete(plan, STEP_TEARDOWN, "veth9");
	plan_net_delete(plan, STEP_TEARDOWN, "br9");
	plan_net_commit(plan, STEP_TEARDOWN, NET_HOST);
}

static void execute(struct str *out)
{
	struct err err = ERR_INIT;
	struct plan plan;
	struct plan_run run;
	int saved = dup(1);
	int fds[2];

	plan_run_init(&run);
	want(plan_init(&plan, &err) == 0, "plan", &err);
	want(pipe2(fds, O_CLOEXEC) == 0, "pipe", NULL);
	add_steps(&plan);
	run.clone = fake_clone;
	run.plan = &plan;
	dup2(fds[1], 1);
	want(plan_execute(&plan, STEP_HOST, &run, &err) == 0, "execute", &err);
	dup2(saved, 1);
	close(fds[1]);
	fd_read_all(fds[0], 1 << 20, out);
	want(if_nametoindex("br9") > 0, "bridge", NULL);
	want(plan_execute(&plan, STEP_TEARDOWN, &run, &err) == 0, "teardown", &err);
	want(if_nametoindex("br9") == 0, "bridge deleted", NULL);
	plan_run_done(&run);
	plan_done(&plan);
}

static void run_script(struct str *out)
{
	cleanup_str struct str script = STR_INIT;
	struct err err = ERR_INIT;
	struct plan plan;

	want(plan_init(&plan, &err) == 0, "plan", &err);
	add_steps(&plan);
	plan_script(&plan, &script);
	plan_done(&plan);
	if (capture(str_get(&script), out) != 0) {
		fprintf(stderr, "%s\n%s\n", str_get(&script), str_get(out));
		_exit(1);
	}
	want(if_nametoindex("br9") == 0, "the script leaves its bridge", NULL);
}

static void both_ways(void)
{
	cleanup_str struct str executed = STR_INIT;
	cleanup_str struct str scripted = STR_INIT;

	execute(&executed);
	run_script(&scripted);
	if (strcmp(str_get(&executed), str_get(&scripted)) != 0) {
		fprintf(stderr, "executed:\n%s\nscripted:\n%s\n", str_get(&executed),
			str_get(&scripted));
		_exit(1);
	}
	want(strstr(str_get(&executed), "inet 10.9.0.2/24 brd 10.9.0.255 scope global eth0"),
	     str_get(&executed), NULL);
	want(strstr(str_get(&executed), "default via fd09::1 dev eth0"), str_get(&executed), NULL);
	/* The first packet gets through. */
	want(strstr(str_get(&executed), "\nv4\nv6\n"), str_get(&executed), NULL);
}

static void test_both_ways(void **state)
{
	in_namespace(both_ways);
}

/* ---- single steps ---- */

static struct plan plan;
static struct plan_run run;
static struct err err;

static void begin(void)
{
	plan_run_init(&run);
	want(plan_init(&plan, &err) == 0, "plan", &err);
}

static int finish(void)
{
	int rc = plan_execute(&plan, STEP_HOST, &run, &err);

	plan_done(&plan);
	plan_run_done(&run);
	return rc;
}

static void no_ipv6(void)
{
	const struct ip_prefix gateway = prefix("10.9.0.1/24");
	struct plan_bridge bridge = {.name = "br9", .addrs = &gateway, .n_addrs = 1};
	cleanup_str struct str out = STR_INIT;

	begin();
	plan_net_ipv6(&plan, STEP_HOST, "default", false);
	plan_net_bridge(&plan, STEP_HOST, &bridge);
	want(finish() == 0, "bridge", &err);
	want(capture("cd /proc/sys/net; cat ipv6/conf/default/disable_ipv6 "
		     "ipv6/conf/br9/disable_ipv6 ipv4/conf/br9/route_localnet "
		     "; ip -d -o link show dev br9 | grep -o 'forward_delay [0-9]*'; ip -o -6 addr "
		     "show dev br9",
		     &out) == 0,
	     "read", NULL);
	want(str_is_equal(str_get(&out), "1\n1\n1\nforward_delay 0\n"), str_get(&out), NULL);
	/* The same again, with more: nothing is in its way, what is new is added. */
	begin();
	bridge.is_ipv6 = true;
	bridge.mtu = 1300;
	bridge.addrs = (struct ip_prefix[]){gateway, prefix("fd09::1/64")};
	bridge.n_addrs = 2;
	plan_net_bridge(&plan, STEP_HOST, &bridge);
	want(finish() == 0, "bridge again", &err);
	str_truncate(&out, 0);
	capture("cat /proc/sys/net/ipv6/conf/br9/disable_ipv6; ip -o addr show dev br9 | grep -c "
		"-e 10.9.0.1/24 -e fd09::1/64; ip -o link show dev br9 | grep -o 'mtu [0-9]*'",
		&out);
	want(str_is_equal(str_get(&out), "0\n2\nmtu 1300\n"), str_get(&out), NULL);
}

static void test_bridge(void **state)
{
	in_namespace(no_ipv6);
}

static void add_veth(const char *host, const char *master, const char *mode)
{
	const struct plan_link link = {.kind = "veth",
				       .host_ifname = host,
				       .master = master,
				       .mode = mode,
				       .ifname = "inner",
				       .netns_fd = -1};

	plan_net_link(&plan, STEP_HOST, &link);
	plan_net_commit(&plan, STEP_HOST, NET_HOST);
}

static void errors(void)
{
	const struct ip_prefix addr = prefix("10.9.0.2/24");
	const struct ip_prefix all = prefix("0.0.0.0/0");
	const struct ip_addr nowhere = prefix("192.0.2.1/32").addr;
	const struct plan_bridge bridge = {.name = "lo"};

	begin();
	plan_net_bridge(&plan, STEP_HOST, &bridge);
	want(finish() == -ERR_CONFLICT, "a bridge lo", &err);
	want(str_is_equal(err.msg, "link lo is there and is not a bridge"), "message", &err);
	begin();
	add_veth("veth9", "no-bridge", NULL);
	want(finish() < 0 && strstr(err.msg, "find link no-bridge"), "no bridge", &err);
	begin();
	add_veth("veth9", NULL, "l2");
	want(finish() == -ERR_INVALID && strstr(err.msg, "veth has no mode l2"), "mode", &err);
	begin();
	add_veth("veth9", NULL, NULL);
	plan_net_up(&plan, STEP_HOST, "inner");
	plan_net_address(&plan, STEP_HOST, "inner", &addr);
	plan_net_route(&plan, STEP_HOST, &all, &nowhere, "inner");
	plan_net_commit(&plan, STEP_HOST, NET_OWN);
	want(finish() < 0, "a gateway out of reach", &err);
	want(strstr(err.msg, "route inner: 0.0.0.0/0 (Nexthop has invalid gateway)"), "route",
	     &err);
	begin();
	add_veth("veth9", NULL, NULL);
	want(finish() == -ERR_CONFLICT, "one that is there", &err);
	begin();
	plan_net_delete(&plan, STEP_HOST, "not-there");
	plan_net_down(&plan, STEP_HOST, "not-there");
	plan_net_down(&plan, STEP_HOST, "veth9");
	plan_net_commit(&plan, STEP_HOST, NET_HOST);
	want(finish() == 0, "what is not there", &err);
}

static void test_errors(void **state)
{
	in_namespace(errors);
}

/* Into a namespace by descriptor, from the host's side, as for a container that runs. */
static void into_other(void)
{
	cleanup_close int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cleanup_close int other = -1;
	struct plan_link link = {.kind = "veth", .host_ifname = "v0", .ifname = "eth7"};

	want(unshare(CLONE_NEWNET) == 0, "unshare", NULL);
	other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	want(setns(home, CLONE_NEWNET) == 0, "setns", NULL);
	begin();
	link.netns_fd = other;
	link.netns_path = "/proc/1/ns/net";
	plan_net_link(&plan, STEP_HOST, &link);
	plan_net_commit(&plan, STEP_HOST, NET_HOST);
	/* And one on a parent, in the second namespace as well. */
	link = (struct plan_link){.kind = "macvlan",
				  .master = "v0",
				  .mode = "private",
				  .ifname = "eth8",
				  .mac = {2, 0x42, 0, 0, 0, 8},
				  .netns_fd = other,
				  .netns_path = "/proc/1/ns/net"};
	plan_net_link(&plan, STEP_HOST, &link);
	plan_net_commit(&plan, STEP_HOST, NET_HOST);
	want(finish() == 0, "links", &err);
	want(if_nametoindex("v0") > 0 && if_nametoindex("eth7") == 0, "outer end", NULL);
	want(setns(other, CLONE_NEWNET) == 0, "setns", NULL);
	want(if_nametoindex("eth7") > 0 && if_nametoindex("eth8") > 0, "inner ends", NULL);
}

static void test_into_other(void **state)
{
	in_namespace(into_other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_into_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
