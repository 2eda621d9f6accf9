/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans as golden data, tests/data/plan/NAME.txt: the steps of a container on a v1 and on a v2 host
 * in their order, what each kind of step says in both modes, and a whole script. Nothing is
 * executed but the executor itself, on steps made for it.
 *
 * After a change that was meant, TARE_WRITE_GOLDEN=1 in the environment writes the files anew; the
 * difference is then to be read.
 */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "plan/net_steps.h"
#include "plan/plan.h"
#include "plan/steps.h"
#include "runtime/container_plan.h"
#include "sys/caps.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ID "0123456789ab"

/* ---- golden files ---- */

static void write_golden(const char *path, const struct str *text)
{
	assert_int_equal(fd_write_file_at(AT_FDCWD, path, str_get(text), text->len, 0644), 0);
}

/* Compares TEXT with the golden file NAME; says the first line that differs. */
static void check_golden(const char *name, const struct str *text)
{
	cleanup_free char *path = str_printf(DATA_DIR "/%s.txt", name);
	cleanup_str struct str want = STR_INIT;
	const char *a = str_get(text);
	const char *b = NULL;

	if (getenv("TARE_WRITE_GOLDEN"))
		write_golden(path, text);
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 1 << 20, &want), 0);
	b = str_get(&want);
	for (int line = 1; *a || *b; line++) {
		size_t a_len = strcspn(a, "\n");
		size_t b_len = strcspn(b, "\n");

		if (a_len != b_len || memcmp(a, b, a_len) != 0)
			fail_msg("%s.txt:%d:\n  got  %.*s\n  want %.*s", name, line, (int)a_len, a,
				 (int)b_len, b);
		a += a_len + (a[a_len] == '\n');
		b += b_len + (b[b_len] == '\n');
	}
}

/* ---- a small container ---- */

static struct sock_filter instructions[3];
static const struct sock_fprog program = {.len = 3, .filter = instructions};

static void set_process(struct oci_runtime_config *c)
{
	strv_split(&c->args, "sh|-c|echo \"it's\" $HOME", '|');
	strv_split(&c->env, "PATH=/bin|A=with blank", '|');
	c->cwd = str_dup("/srv/data");
	c->capabilities = CAPS_BIT(0) | CAPS_BIT(7);
	c->no_new_privs = true;
	c->oom_score_adj = 200;
	c->hostname = str_dup(ID);
	c->cgroup = str_dup("tare/" ID);
	oci_add_rlimit(c, RLIMIT_NOFILE, 1024, RLIM_INFINITY, "--ulimit");
	oci_annotate(c, OCI_NOTE_USER, "alice:wheel");
	oci_annotate(c, OCI_NOTE_GROUPS, "5,audio");
}

static void set_root(struct oci_runtime_config *c)
{
	static const uint64_t flags[] = {CLONE_NEWNS,  CLONE_NEWPID, CLONE_NEWUTS,
					 CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWCGROUP};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		oci_add_namespace(c, flags[i], NULL);
	oci_add_mount(c, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	oci_add_mount(c, "/dev", "tmpfs", "tmpfs", "nosuid,noexec,mode=755,size=64k");
	oci_add_mount(c, "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,ro");
	str_replace(&oci_add_mount(c, "/my data", "bind", "/home/me/my data", "rbind,ro")->flag,
		    "-v");
	oci_add_device(c, "/dev/null", S_IFCHR | 0666, makedev(1, 3), 0, 0);
	oci_set_sysctl(c, "net.ipv4.ip_forward", "1");
	strv_add(&c->masked_paths, "/proc/kcore");
	strv_add(&c->readonly_paths, "/proc/sys");
	c->root_readonly = true;
	c->limits.devices_may_be_missing = true;
	c->limits.pids = (struct cgroup_limit){.value = 2048, .source = LIMIT_IMPLIED};
}

/* A host whose hierarchies lie below a directory that is not there: nothing of the real host's
 * control groups can show in the plan. */
static struct cgroup_layout fake_host(enum cgroup_mode mode)
{
	static const struct cgroup_hierarchy v1[] = {
		{"/nonexistent/devices", 1U << CGROUP_DEVICES},
		{"/nonexistent/pids", 1U << CGROUP_PIDS},
		{"/nonexistent/cpu,cpuacct", 1U << CGROUP_CPU | 1U << CGROUP_CPUACCT},
	};
	struct cgroup_layout l = {.mode = mode, .n = 1};

	if (mode == CGROUP_V1) {
		l.n = ARRAY_LEN(v1);
		memcpy(l.hierarchies, v1, sizeof(v1));
	} else {
		l.hierarchies[0] = (struct cgroup_hierarchy){"/nonexistent",
							     1U << CGROUP_PIDS | 1U << CGROUP_CPU};
	}
	return l;
}

/* Makes the plan of the container, HANDLE it, and throw it away. */
static void with_plan(enum cgroup_mode mode, bool script,
		      void (*handle)(const struct plan *plan, struct str *out), struct str *out)
{
	struct cgroup_layout layout = fake_host(mode);
	cleanup_oci_config struct oci_runtime_config config = OCI_RUNTIME_CONFIG_INIT;
	cleanup_strv struct strv lowers = STRV_INIT;
	cleanup_strv struct strv warnings = STRV_INIT;
	struct runtime_place place = {.dir = "/state/containers/" ID,
				      .lowers = &lowers,
				      .cgroups = &layout,
				      .seccomp = &program,
				      .seccomp_name = "default",
				      .script = script};
	struct plan_exec_info info;
	struct plan plan;
	struct err err = ERR_INIT;

	set_process(&config);
	set_root(&config);
	strv_split(&lowers, "/state/layers/b|/state/layers/a", '|');
	assert_int_equal(plan_init(&plan, &err), 0);
	if (runtime_plan_start(&config, &place, &info, &plan, &warnings, &err) < 0)
		fail_msg("%s", err.msg);
	runtime_plan_teardown(&layout, config.cgroup, false, &plan);
	handle(&plan, out);
	plan_done(&plan);
}

/* ---- printing ---- */

static const char *const where_names[] = {"host", "inside", "teardown"};

static void add_text(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_str struct str text = STR_INIT;

	step->op->explain(step, mode, &text);
	str_add(out, mode == TEXT_TRACE ? "  trace:  " : "  script: ");
	for (const char *p = str_get(&text); *p; p++) {
		str_add_char(out, *p);
		if (*p == '\n')
			str_add(out, "          ");
	}
	str_add_char(out, '\n');
}

/* "where step" of each, groups between them. */
static void print_steps(const struct plan *plan, struct str *out)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct step *step = plan->steps[i];

		if (step->comment)
			str_addf(out, "# %s\n", step->comment);
		str_addf(out, "%s %s%s%s%s%s\n", where_names[step->where], step->op->name,
			 step->path ? " " : "", step->path ? step->path : "",
			 step->flag ? " by " : "", step->flag ? step->flag : "");
	}
}

static void print_texts(const struct plan *plan, struct str *out)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct step *step = plan->steps[i];

		str_addf(out, "%s %s\n", where_names[step->where], step->op->name);
		add_text(step, TEXT_TRACE, out);
		add_text(step, TEXT_SCRIPT, out);
	}
}

static void steps_on_v1(void **state)
{
	cleanup_str struct str out = STR_INIT;

	with_plan(CGROUP_V1, false, print_steps, &out);
	check_golden("steps-v1", &out);
}

static void steps_on_v2(void **state)
{
	cleanup_str struct str out = STR_INIT;

	with_plan(CGROUP_V2, false, print_steps, &out);
	check_golden("steps-v2", &out);
}

static void script(void **state)
{
	cleanup_str struct str out = STR_INIT;

	with_plan(CGROUP_V1, true, plan_script, &out);
	check_golden("script", &out);
}

/* ---- every kind of step ---- */

static void add_files(struct plan *plan)
{
	plan_mkdir(plan, STEP_HOST, "/state/a b", 0700);
	plan_mkdir(plan, STEP_HOST, "/state/plain", 0755);
	plan_create_file(plan, "/state/hosts", "127.0.0.1\tlocalhost\n", 0644);
	plan_unpack(plan, "/images/x.tar.gz", "/state/layer");
	plan_rmdir(plan, "/sys/fs/cgroup/tare/" ID);
	plan_rmdir_if_empty(plan, "/sys/fs/cgroup/tare");
	plan_remove_tree(plan, "/state/it's");
}

static void add_mounts(struct plan *plan, const struct strv *words)
{
	plan_make_private(plan, MS_PRIVATE);
	plan_make_private(plan, MS_SLAVE);
	plan_mount_overlay(plan, words, "/state/c", "/state/c/root", false);
	plan_mount_overlay(plan, words, "/state/c", "/state/c", true);
	plan_mount(plan, "tmpfs", "shm", "/dev/shm", words, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	plan_mount(plan, "sysfs", NULL, "/sys", NULL, MOUNT_ATTR_RDONLY);
	plan_open_source(plan, 0, "/home/me/my data", true, "-v");
	plan_open_shared(plan, 1, -1, "other", "/dev/shm");
	plan_bind(plan, 0, "/home/me/my data", "/my data", MOUNT_ATTR_RDONLY, MS_SLAVE, true);
	plan_bind(plan, 1, "/x", "/y", 0, MS_PRIVATE, false);
	plan_mknod(plan, "/dev/null", S_IFCHR | 0666, makedev(1, 3), 0, 0);
	plan_mknod(plan, "/dev/sda", S_IFBLK | 0660, makedev(8, 0), 0, 6);
	plan_symlink(plan, "/proc/self/fd", "/dev/fd");
	plan_mask(plan, "/proc/kcore");
	plan_readonly(plan, "/proc/sys");
	plan_readonly_mount(plan, "/sys/fs/cgroup");
	plan_readonly_root(plan);
	plan_sysctl(plan, "net.ipv4.ping_group_range", "0 2147483647", "--sysctl");
	plan_pivot(plan);
}

static void add_namespaces(struct plan *plan)
{
	plan_clone(plan, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET, NULL);
	plan_clone(plan, CLONE_NEWNS, "/sys/fs/cgroup/tare/" ID);
	plan_join_namespace(plan, STEP_INSIDE, -1, "/proc/7/ns/net", CLONE_NEWNET);
	plan_join_namespace(plan, STEP_HOST, -1, "/proc/7/ns/pid", CLONE_NEWPID);
	plan_enter_pid(plan, -1, 7);
	plan_enter(plan, -1, 7);
	plan_join_cgroup(plan, "/sys/fs/cgroup/pids/tare/" ID, true);
	plan_join_cgroup(plan, "/sys/fs/cgroup/tare/" ID, false);
	plan_unshare_cgroup(plan);
	plan_set_hostname(plan, "name");
	plan_set_domainname(plan, "example.org");
	plan_link_up(plan, "lo");
}

static void add_process(struct plan *plan, const struct strv *words,
			const struct plan_exec_info *info)
{
	plan_session(plan, false, 0, 0);
	plan_session(plan, true, 24, 80);
	plan_console(plan);
	plan_keyring(plan);
	plan_rlimit(plan, RLIMIT_NOFILE, "nofile", 1024, RLIM_INFINITY, "--ulimit");
	plan_oom_score(plan, -5, "--oom-score-adj");
	plan_user(plan, "", NULL);
	plan_user(plan, "1000:50", NULL);
	plan_user(plan, "alice:wheel", words);
	plan_seccomp(plan, &program, "default");
	plan_no_new_privs(plan);
	plan_create_workdir(plan, "/my work");
	plan_workdir(plan, "/my work");
	plan_identity(plan, CAPS_BIT(0) | CAPS_BIT(10));
	plan_exec(plan, words, info);
}

static void every_kind(void **state)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_strv struct strv env = STRV_INIT;
	cleanup_str struct str out = STR_INIT;
	const struct plan_exec_info info = {
		.env = &env, .user = "", .cwd = "/", .bounding = CAPS_ALL};
	struct err err = ERR_INIT;
	struct plan plan;

	strv_split(&words, "size=64k|a'b $c", '|');
	strv_split(&env, "PATH=/bin", '|');
	assert_int_equal(plan_init(&plan, &err), 0);
	add_files(&plan);
	add_mounts(&plan, &words);
	add_namespaces(&plan);
	add_process(&plan, &words, &info);
	print_texts(&plan, &out);
	plan_done(&plan);
	check_golden("kinds", &out);
}

/* What a bridge, its ports, and the links of the other drivers say. */
static void add_network(struct plan *plan)
{
	const struct ip_prefix four = {{IP_V4, {10, 9, 0, 1}}, 24};
	const struct ip_prefix six = {{IP_V6, {0xfd, 9, [15] = 1}}, 64};
	const struct ip_prefix all4 = {{IP_V4, {0}}, 0};
	const struct ip_prefix all6 = {{IP_V6, {0}}, 0};
	const struct ip_prefix point = {{IP_V4, {10, 9, 1, 0}}, 31};
	const struct plan_bridge bridge = {
		.name = "br9", .mtu = 1400, .addrs = &four, .n_addrs = 1};
	const struct plan_link veth = {.kind = "veth",
				       .host_ifname = "veth9",
				       .master = "br9",
				       .ifname = "eth0",
				       .mac = {2, 0x42, 10, 9, 0, 2},
				       .netns_fd = -1,
				       .group = 7,
				       .is_hairpin = true};
	const struct plan_link macvlan = {.kind = "macvlan",
					  .master = "eth0.5",
					  .mode = "bridge",
					  .ifname = "eth1",
					  .mtu = 1400,
					  .netns_fd = -1,
					  .netns_path = "/proc/7/ns/net"};

	plan_net_open(plan);
	plan_net_bridge(plan, STEP_HOST, &bridge);
	plan_net_parent(plan, STEP_HOST, "eth0.5", "eth0", 5);
	plan_net_parent(plan, STEP_HOST, "dm-1", NULL, 0);
	plan_net_link(plan, STEP_HOST, &macvlan);
	plan_net_commit(plan, STEP_HOST, NET_HOST);
	plan_net_ipv6(plan, STEP_INSIDE, "default", false);
	plan_net_ipv6(plan, STEP_INSIDE, "eth0", true);
	plan_net_link(plan, STEP_INSIDE, &veth);
	plan_net_commit(plan, STEP_INSIDE, NET_HOST);
	plan_net_up(plan, STEP_INSIDE, "lo");
	plan_net_address(plan, STEP_INSIDE, "eth0", &four);
	plan_net_address(plan, STEP_INSIDE, "eth0", &point);
	plan_net_address(plan, STEP_INSIDE, "eth0", &six);
	plan_net_route(plan, STEP_INSIDE, &all4, &four.addr, "eth0");
	plan_net_route(plan, STEP_INSIDE, &all6, &six.addr, "eth0");
	plan_net_route(plan, STEP_INSIDE, &point, NULL, "eth0");
	plan_net_commit(plan, STEP_INSIDE, NET_OWN);
	plan_net_ready(plan, STEP_INSIDE, NET_HOST, "veth9");
	plan_net_ready(plan, STEP_INSIDE, NET_OWN, "eth0");
	plan_net_close(plan);
	plan_net_down(plan, STEP_TEARDOWN, "veth9");
	plan_net_delete(plan, STEP_TEARDOWN, "br9");
}

static void every_kind_of_network(void **state)
{
	cleanup_str struct str out = STR_INIT;
	struct err err = ERR_INIT;
	struct plan plan;

	assert_int_equal(plan_init(&plan, &err), 0);
	add_network(&plan);
	print_texts(&plan, &out);
	plan_done(&plan);
	check_golden("network", &out);
}

/* ---- the executor ---- */

static int n_run;

static int run_counted(struct plan_run *run, const struct step *step, struct err *err)
{
	n_run++;
	return step->number[0] ? err_set(err, (enum err_code)step->number[0], "step %s", step->text)
			       : 0;
}

static void explain_counted(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "count \"%s\"\n\x01", step->text);
}

static const struct step_op step_counted = {"counted", run_counted, explain_counted};

static struct step *add_counted(struct plan *plan, enum step_where where, const char *text,
				enum err_code fails)
{
	struct step *step = plan_add(plan, &step_counted, where);

	step->text = str_dup(text);
	step->number[0] = fails;
	return step;
}

static void set_up_plan(struct plan *plan)
{
	struct err err = ERR_INIT;

	n_run = 0;
	assert_int_equal(plan_init(plan, &err), 0);
}

/* Stops at the first failure, which names the user's option; optional ones go on. */
static void execution(void **state)
{
	struct plan_run run;
	struct plan plan;
	struct err err = ERR_INIT;
	size_t n = 0;

	plan_run_init(&run);
	set_up_plan(&plan);
	add_counted(&plan, STEP_HOST, "a", ERR_NONE);
	add_counted(&plan, STEP_INSIDE, "elsewhere", ERR_SYSTEM);
	add_counted(&plan, STEP_HOST, "b", ERR_SYSTEM)->is_optional = true;
	add_counted(&plan, STEP_HOST, "c", ERR_CONFLICT)->flag = str_dup("--memory");
	add_counted(&plan, STEP_HOST, "never", ERR_NONE);
	assert_int_equal(plan_execute(&plan, STEP_HOST, &run, &err), -ERR_CONFLICT);
	assert_string_equal(err.msg, "--memory cannot be applied: step c");
	assert_int_equal(n_run, 3);
	assert_int_equal(plan.results[2].state, 2);
	assert_int_equal(plan.results[4].state, 0);
	plan_total_ns(&plan, 1U << STEP_HOST, &n);
	assert_int_equal(n, 3);
	plan_done(&plan);
	plan_run_done(&run);
}

/* Taking down goes on after a failure and returns the first one. */
static void teardown_goes_on(void **state)
{
	struct plan_run run;
	struct plan plan;
	struct err err = ERR_INIT;

	plan_run_init(&run);
	set_up_plan(&plan);
	add_counted(&plan, STEP_TEARDOWN, "first", ERR_CONFLICT);
	add_counted(&plan, STEP_TEARDOWN, "second", ERR_SYSTEM);
	add_counted(&plan, STEP_TEARDOWN, "third", ERR_NONE);
	assert_int_equal(plan_execute(&plan, STEP_TEARDOWN, &run, &err), -ERR_CONFLICT);
	assert_string_equal(err.msg, "step first");
	assert_int_equal(n_run, 3);
	plan_done(&plan);
	plan_run_done(&run);
}

/* What was run is told, group by group; what was not is not. */
static void explanations(void **state)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_str struct str json = STR_INIT;
	struct plan_run run;
	struct plan plan;
	struct err err = ERR_INIT;

	plan_run_init(&run);
	set_up_plan(&plan);
	plan_group(&plan, "the group");
	add_counted(&plan, STEP_HOST, "a", ERR_NONE);
	add_counted(&plan, STEP_INSIDE, "not run", ERR_NONE);
	add_counted(&plan, STEP_HOST, "b", ERR_SYSTEM)->is_optional = true;
	assert_int_equal(plan_execute(&plan, STEP_HOST, &run, &err), 0);
	for (size_t i = 0; i < plan.n; i++)
		plan.results[i].ns = 1500 * (i + 1);
	plan_explain(&plan, 7, &text);
	assert_string_equal(str_get(&text),
			    "# the group\n"
			    "     2 us  count \"a\"\n           \x01\n"
			    "     4 us  count \"b\"\n           \x01   # not on this host\n");
	plan_explain_json(&plan, 7, &json);
	assert_string_equal(
		str_get(&json),
		"[\n  {\"where\": \"host\", \"step\": \"counted\", \"us\": 1.5, \"group\": "
		"\"the group\", \"shell\": \"count \\\"a\\\"\\n\\u0001\"},\n"
		"  {\"where\": \"host\", \"step\": \"counted\", \"us\": 4.5, \"group\": "
		"\"the group\", \"shell\": \"count \\\"b\\\"\\n\\u0001\"}\n]\n");
	plan_done(&plan);
	plan_run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_on_v1),
		cmocka_unit_test(steps_on_v2),
		cmocka_unit_test(script),
		cmocka_unit_test(every_kind),
		cmocka_unit_test(every_kind_of_network),
		cmocka_unit_test(execution),
		cmocka_unit_test(teardown_goes_on),
		cmocka_unit_test(explanations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
