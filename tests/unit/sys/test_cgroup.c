/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups as data: layouts from mountinfo, the lists of actions for v1, v2 and hybrid hosts
 * that are directories made for the test, and what a host without a control makes of it. In the
 * golden text "@" is that directory; a line is one action, "?" before it when it is not required,
 * the option behind it at the end.
 */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/cgroup_live.h"
#include "sys/cgroup_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- hosts made of files ---- */

static char top[64]; /* of the host of one test */

static int make_host(void **state)
{
	snprintf(top, sizeof(top), "/tmp/tare-test-cgroup.XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_host(void **state)
{
	return fd_remove_tree_at(AT_FDCWD, top);
}

/* Makes PATH below the host, with its directories. */
static void put(const char *path, const char *text)
{
	cleanup_free char *full = str_printf("%s/%s", top, path);
	char *slash = strrchr(full, '/');

	*slash = '\0';
	assert_int_equal(fd_mkdir_p(full, 0755), 0);
	*slash = '/';
	assert_int_equal(fd_write_file_at(AT_FDCWD, full, text, strlen(text), 0644), 0);
}

static void put_all(const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(paths[i], "");
}

static void add(struct cgroup_layout *l, const char *dir, unsigned controllers)
{
	struct cgroup_hierarchy *h = &l->hierarchies[l->n++];

	snprintf(h->root, sizeof(h->root), "%s%s%s", top, dir[0] ? "/" : "", dir);
	h->controllers = controllers;
}

#define BIT(c) (1U << CGROUP_##c)

/* As on a host with every v1 controller, cpu and cpuacct together. */
static struct cgroup_layout v1_host(void)
{
	static const char *const files[] = {
		"devices/cgroup.procs",
		"pids/cgroup.procs",
		"freezer/cgroup.procs",
		"memory/memory.limit_in_bytes",
		"memory/memory.memsw.limit_in_bytes",
		"memory/memory.soft_limit_in_bytes",
		"memory/memory.swappiness",
		"memory/memory.oom_control",
		"cpu,cpuacct/cpu.shares",
		"cpu,cpuacct/cpu.cfs_quota_us",
		"blkio/blkio.throttle.read_bps_device",
		"blkio/blkio.throttle.write_bps_device",
		"blkio/blkio.throttle.read_iops_device",
		"blkio/blkio.throttle.write_iops_device",
		"blkio/blkio.bfq.io_service_bytes",
	};
	struct cgroup_layout l = {.mode = CGROUP_V1};

	put_all(files, ARRAY_LEN(files));
	put("cpuset/cpuset.cpus", "0-3\n");
	put("cpuset/cpuset.mems", "0\n");
	add(&l, "devices", BIT(DEVICES));
	add(&l, "pids", BIT(PIDS));
	add(&l, "memory", BIT(MEMORY));
	add(&l, "freezer", BIT(FREEZER));
	add(&l, "cpu,cpuacct", BIT(CPU) | BIT(CPUACCT));
	add(&l, "blkio", BIT(BLKIO));
	add(&l, "cpuset", BIT(CPUSET));
	return l;
}

static struct cgroup_layout v2_host(void)
{
	struct cgroup_layout l = {.mode = CGROUP_V2};

	put("cgroup.subtree_control", "memory pids\n");
	put("io.cost.qos", "");
	add(&l, "", BIT(CPUSET) | BIT(CPU) | BIT(BLKIO) | BIT(MEMORY) | BIT(PIDS));
	return l;
}

/* ---- printing ---- */

static void add_short(struct str *out, const char *path)
{
	size_t len = strlen(top);

	if (strncmp(path, top, len) == 0)
		str_addf(out, "@%s", path + len);
	else
		str_add(out, path);
}

static void print_actions(const struct cgroup_actions *a, struct str *out)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct cgroup_action *x = &a->items[i];

		str_add(out, x->required ? "" : "?");
		str_add(out, x->kind == CGROUP_MKDIR ? "mkdir " : "");
		str_add(out, x->kind == CGROUP_DEVFILTER ? "filter " : "");
		add_short(out, x->path);
		if (x->kind == CGROUP_WRITE)
			str_addf(out, " = %s", x->value);
		str_addf(out, "%s%s\n", x->flag ? " " : "", x->flag ? x->flag : "");
	}
	strv_foreach (i, &a->warnings)
		str_addf(out, "warning: %s\n", a->warnings.items[i]);
	str_add(out, a->join_by_clone ? "born in" : "join");
	strv_foreach (i, &a->dirs) {
		str_add_char(out, ' ');
		add_short(out, a->dirs.items[i]);
	}
}

static void expect(const struct cgroup_layout *layout, struct cgroup_limits *limits,
		   const char *golden)
{
	cleanup_cgroup_actions struct cgroup_actions actions = {};
	cleanup_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	if (cgroup_plan(layout, "tare/c1", limits, &actions, &err) < 0)
		fail_msg("%s", err.msg);
	print_actions(&actions, &out);
	assert_string_equal(str_get(&out), golden);
	cgroup_limits_done(limits);
}

/* The same for a group that is there. */
static void expect_update(const struct cgroup_layout *layout, struct cgroup_limits *limits,
			  const char *golden)
{
	cleanup_cgroup_actions struct cgroup_actions actions = {};
	cleanup_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	if (cgroup_plan_update(layout, "tare/c1", limits, &actions, &err) < 0)
		fail_msg("%s", err.msg);
	print_actions(&actions, &out);
	str_truncate(&out, (size_t)(strrchr(str_get(&out), '\n') - str_get(&out)));
	assert_string_equal(str_get(&out), golden);
	cgroup_limits_done(limits);
}

static void expect_error(const struct cgroup_layout *layout, struct cgroup_limits *limits, int code,
			 const char *text)
{
	cleanup_cgroup_actions struct cgroup_actions actions = {};
	struct err err = ERR_INIT;

	assert_int_equal(cgroup_plan(layout, "tare/c1", limits, &actions, &err), -code);
	if (!strstr(err.msg, text))
		fail_msg("'%s' is not in '%s'", text, err.msg);
	cgroup_limits_done(limits);
}

static struct cgroup_limit typed(int64_t value)
{
	return (struct cgroup_limit){value, LIMIT_USER};
}

static struct cgroup_limits every_limit(void)
{
	struct cgroup_limits l = {
		.memory = typed(64 << 20),
		.memory_swap = typed(96 << 20),
		.reservation = typed(32 << 20),
		.cpu_shares = typed(20),
		.nano_cpus = typed(1500000000),
		.pids = typed(100),
		.blkio_weight = typed(500),
		.all_devices = true,
	};

	l.cpuset_cpus = str_dup("0,2");
	cgroup_device_limits_add(&l.weight_device, 8, 0, 100);
	cgroup_device_limits_add(&l.read_bps, 8, 0, 1048576);
	cgroup_device_limits_add(&l.read_bps, 8, 16, 2097152);
	cgroup_device_limits_add(&l.write_iops, 8, 0, 50);
	return l;
}

/* ---- v1 ---- */

static void v1_default(void **state)
{
	struct cgroup_layout host = v1_host();
	struct cgroup_limits l = {.pids = {2048, LIMIT_IMPLIED}};
	struct device_rule fuse = {'c', 10, 229, DEVICE_RWM};

	cgroup_limits_add_device(&l, &fuse);
	expect(&host, &l,
	       "mkdir @/devices/tare\nmkdir @/devices/tare/c1\n"
	       "@/devices/tare/c1/devices.deny = a\n"
	       "?@/devices/tare/c1/devices.allow = c *:* m\n"
	       "?@/devices/tare/c1/devices.allow = b *:* m\n"
	       "?@/devices/tare/c1/devices.allow = c 1:3 rwm\n"
	       "?@/devices/tare/c1/devices.allow = c 1:5 rwm\n"
	       "?@/devices/tare/c1/devices.allow = c 1:7 rwm\n"
	       "?@/devices/tare/c1/devices.allow = c 1:8 rwm\n"
	       "?@/devices/tare/c1/devices.allow = c 1:9 rwm\n"
	       "?@/devices/tare/c1/devices.allow = c 5:0 rwm\n"
	       "?@/devices/tare/c1/devices.allow = c 5:1 rwm\n"
	       "?@/devices/tare/c1/devices.allow = c 5:2 rwm\n"
	       "?@/devices/tare/c1/devices.allow = c 136:* rwm\n"
	       "@/devices/tare/c1/devices.allow = c 10:229 rwm --device\n"
	       "mkdir @/pids/tare\nmkdir @/pids/tare/c1\n"
	       "?@/pids/tare/c1/pids.max = 2048 --pids-limit\n"
	       "mkdir @/memory/tare\nmkdir @/memory/tare/c1\n"
	       "mkdir @/freezer/tare\nmkdir @/freezer/tare/c1\n"
	       "mkdir @/cpu,cpuacct/tare\nmkdir @/cpu,cpuacct/tare/c1\n"
	       "mkdir @/blkio/tare\nmkdir @/blkio/tare/c1\n"
	       "join @/devices/tare/c1 @/pids/tare/c1 @/memory/tare/c1 @/freezer/tare/c1 "
	       "@/cpu,cpuacct/tare/c1 @/blkio/tare/c1");
}

static const char v1_every[] =
	"mkdir @/devices/tare\nmkdir @/devices/tare/c1\n"
	"mkdir @/pids/tare\nmkdir @/pids/tare/c1\n"
	"@/pids/tare/c1/pids.max = 100 --pids-limit\n"
	"mkdir @/memory/tare\nmkdir @/memory/tare/c1\n"
	"@/memory/tare/c1/memory.limit_in_bytes = 67108864 --memory\n"
	"@/memory/tare/c1/memory.memsw.limit_in_bytes = 100663296 --memory-swap\n"
	"@/memory/tare/c1/memory.soft_limit_in_bytes = 33554432 --memory-reservation\n"
	"@/memory/tare/c1/memory.swappiness = 0 --memory-swappiness\n"
	"@/memory/tare/c1/memory.oom_control = 1 --oom-kill-disable\n"
	"mkdir @/freezer/tare\nmkdir @/freezer/tare/c1\n"
	"mkdir @/cpu,cpuacct/tare\nmkdir @/cpu,cpuacct/tare/c1\n"
	"@/cpu,cpuacct/tare/c1/cpu.shares = 20 --cpu-shares\n"
	"@/cpu,cpuacct/tare/c1/cpu.cfs_period_us = 100000 --cpus\n"
	"@/cpu,cpuacct/tare/c1/cpu.cfs_quota_us = 150000 --cpus\n"
	"mkdir @/blkio/tare\nmkdir @/blkio/tare/c1\n"
	"@/blkio/tare/c1/blkio.bfq.weight = 500 --blkio-weight\n"
	"@/blkio/tare/c1/blkio.bfq.weight_device = 8:0 100 --blkio-weight-device\n"
	"@/blkio/tare/c1/blkio.throttle.read_bps_device = 8:0 1048576 --device-read-bps\n"
	"@/blkio/tare/c1/blkio.throttle.read_bps_device = 8:16 2097152 --device-read-bps\n"
	"@/blkio/tare/c1/blkio.throttle.write_iops_device = 8:0 50 --device-write-iops\n"
	"mkdir @/cpuset/tare\nmkdir @/cpuset/tare/c1\n"
	"@/cpuset/tare/cpuset.cpus = 0-3\n"
	"@/cpuset/tare/c1/cpuset.cpus = 0,2 --cpuset-cpus\n"
	"@/cpuset/tare/cpuset.mems = 0\n"
	"@/cpuset/tare/c1/cpuset.mems = 0\n"
	"join @/devices/tare/c1 @/pids/tare/c1 @/memory/tare/c1 @/freezer/tare/c1 "
	"@/cpu,cpuacct/tare/c1 @/blkio/tare/c1 @/cpuset/tare/c1";

static void v1_every_limit(void **state)
{
	struct cgroup_layout host = v1_host();
	struct cgroup_limits l = every_limit();

	l.swappiness = typed(0);
	l.oom_kill_disable = true;
	expect(&host, &l, v1_every);
}

/* The unified hierarchy of a hybrid host is none of ours. */
static void hybrid_is_v1(void **state)
{
	struct cgroup_layout host = v1_host();
	struct cgroup_limits l = every_limit();

	host.mode = CGROUP_HYBRID;
	put("unified/cgroup.controllers", "hugetlb\n");
	l.swappiness = typed(0);
	l.oom_kill_disable = true;
	expect(&host, &l, v1_every);
}

/* A parent that has CPUs already keeps them, and the group inherits from it. */
static void v1_cpuset_inherits_from_the_nearest(void **state)
{
	struct cgroup_layout host = v1_host();
	struct cgroup_layout alone = {
		.mode = CGROUP_V1, .n = 1, .hierarchies = {host.hierarchies[6]}};
	struct cgroup_limits l = {.all_devices = true};

	put("cpuset/tare/cpuset.cpus", "2\n");
	put("cpuset/tare/cpuset.mems", "\n");
	l.cpuset_mems = str_dup("0");
	expect(&alone, &l,
	       "mkdir @/cpuset/tare\nmkdir @/cpuset/tare/c1\n"
	       "@/cpuset/tare/c1/cpuset.cpus = 2\n"
	       "@/cpuset/tare/cpuset.mems = 0\n"
	       "@/cpuset/tare/c1/cpuset.mems = 0 --cpuset-mems\n"
	       "join @/cpuset/tare/c1");
}

static void v1_without_swap_accounting(void **state)
{
	struct cgroup_layout host = v1_host();
	struct cgroup_layout alone = {
		.mode = CGROUP_V1, .n = 1, .hierarchies = {host.hierarchies[2]}};
	struct cgroup_limits implied = {.memory = typed(64 << 20), .all_devices = true};
	struct cgroup_limits asked = {
		.memory = typed(64 << 20), .memory_swap = typed(65 << 20), .all_devices = true};
	cleanup_free char *memsw = str_printf("%s/memory/memory.memsw.limit_in_bytes", top);

	assert_int_equal(unlink(memsw), 0);
	expect(&alone, &implied,
	       "mkdir @/memory/tare\nmkdir @/memory/tare/c1\n"
	       "@/memory/tare/c1/memory.limit_in_bytes = 67108864 --memory\n"
	       "warning: Your kernel does not support swap limit capabilities or the cgroup is not "
	       "mounted. Memory limited without swap.\n"
	       "join @/memory/tare/c1");
	expect_error(&alone, &asked, ERR_UNSUPPORTED, "--memory-swap: ");
}

/* ---- v2 ---- */

static void v2_default(void **state)
{
	struct cgroup_layout host = v2_host();
	struct cgroup_limits l = {.pids = {2048, LIMIT_IMPLIED}};

	expect(&host, &l,
	       "?@/cgroup.subtree_control = +io\n"
	       "mkdir @/tare\n"
	       "?@/tare/cgroup.subtree_control = +pids --pids-limit\n"
	       "?@/tare/cgroup.subtree_control = +memory\n"
	       "?@/tare/cgroup.subtree_control = +io\n"
	       "mkdir @/tare/c1\n"
	       "?@/tare/c1/memory.oom.group = 1\n"
	       "?@/tare/c1/pids.max = 2048 --pids-limit\n"
	       "filter @/tare/c1\n"
	       "born in @/tare/c1");
}

static void v2_every_limit(void **state)
{
	struct cgroup_layout host = v2_host();
	struct cgroup_limits l = every_limit();

	put("tare/cgroup.subtree_control", "cpuset cpu io memory pids\n");
	expect(&host, &l,
	       "@/cgroup.subtree_control = +cpu --cpus\n"
	       "@/cgroup.subtree_control = +io --blkio-weight\n"
	       "@/cgroup.subtree_control = +cpuset --cpuset-cpus\n"
	       "mkdir @/tare\n"
	       "mkdir @/tare/c1\n"
	       "@/tare/c1/memory.max = 67108864 --memory\n"
	       "@/tare/c1/memory.swap.max = 33554432 --memory-swap\n"
	       "@/tare/c1/memory.low = 33554432 --memory-reservation\n"
	       "?@/tare/c1/memory.oom.group = 1\n"
	       "@/tare/c1/pids.max = 100 --pids-limit\n"
	       "@/tare/c1/cpu.weight = 2 --cpu-shares\n"
	       "@/tare/c1/cpu.max = 150000 100000 --cpus\n"
	       "@/tare/c1/cpuset.cpus = 0,2 --cpuset-cpus\n"
	       "@/tare/c1/io.weight = 4950 --blkio-weight\n"
	       "@/tare/c1/io.weight = 8:0 910 --blkio-weight-device\n"
	       "@/tare/c1/io.max = 8:0 rbps=1048576 --device-read-bps\n"
	       "@/tare/c1/io.max = 8:16 rbps=2097152 --device-read-bps\n"
	       "@/tare/c1/io.max = 8:0 wiops=50 --device-write-iops\n"
	       "born in @/tare/c1");
}

static void v2_weights_keep_ratios(void **state)
{
	static const struct {
		int64_t shares;
		const char *weight;
	} rows[] = {{2, "1"},	   {20, "2"},		{80, "8"},	   {512, "50"},
		    {1024, "100"}, {2048, "200"},	{102400, "10000"}, {262144, "10000"},
		    {1, "1"},	   {INT64_MAX, "10000"}};
	struct cgroup_layout host = v2_host();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_cgroup_actions struct cgroup_actions actions = {};
		struct cgroup_limits l = {.cpu_shares = typed(rows[i].shares)};
		struct err err = ERR_INIT;
		size_t n = 0;

		assert_int_equal(cgroup_plan(&host, "tare/c1", &l, &actions, &err), 0);
		for (size_t k = 0; k < actions.n; k++) {
			if (!str_has_suffix(actions.items[k].path, "/cpu.weight"))
				continue;
			assert_string_equal(actions.items[k].value, rows[i].weight);
			n++;
		}
		assert_int_equal(n, 1);
	}
}

static void v2_swap(void **state)
{
	struct cgroup_layout host = v2_host();
	struct cgroup_limits unlimited = {
		.memory = typed(64 << 20), .memory_swap = typed(-1), .all_devices = true};
	struct cgroup_limits implied = {.memory = typed(64 << 20), .all_devices = true};
	struct cgroup_limits asked = {
		.memory = typed(64 << 20), .memory_swap = typed(64 << 20), .all_devices = true};

	put("cgroup.subtree_control", "memory pids io");
	put("tare/cgroup.subtree_control", "memory pids io");
	expect(&host, &unlimited,
	       "mkdir @/tare\nmkdir @/tare/c1\n@/tare/c1/memory.max = 67108864 --memory\n"
	       "@/tare/c1/memory.swap.max = max --memory-swap\n"
	       "?@/tare/c1/memory.oom.group = 1\nborn in @/tare/c1");
	put("tare/memory.max", "max\n");
	expect(&host, &implied,
	       "mkdir @/tare\nmkdir @/tare/c1\n@/tare/c1/memory.max = 67108864 --memory\n"
	       "?@/tare/c1/memory.oom.group = 1\n"
	       "warning: Your kernel does not support swap limit capabilities or the cgroup is not "
	       "mounted. Memory limited without swap.\nborn in @/tare/c1");
	expect_error(&host, &asked, ERR_UNSUPPORTED, "--memory-swap: ");
}

/* Inside a container: the top directory is not the true root and has processes. */
static void v2_no_internal_processes(void **state)
{
	struct cgroup_layout host = v2_host();
	struct cgroup_limits implied = {.pids = {2048, LIMIT_IMPLIED}};
	struct cgroup_limits asked = {.memory = typed(64 << 20)};

	put("cgroup.subtree_control", "");
	put("cgroup.type", "domain\n");
	put("cgroup.procs", "1\n17\n");
	expect(&host, &implied,
	       "mkdir @/tare\nmkdir @/tare/c1\nfilter @/tare/c1\n"
	       "warning: Your kernel does not support PIDs limit capabilities or the cgroup is not "
	       "mounted. PIDs limit discarded.\nborn in @/tare/c1");
	expect_error(&host, &asked, ERR_UNSUPPORTED, "has processes of its own");
}

static void v2_pids_stay_below_the_parents(void **state)
{
	static const struct {
		int64_t asked;
		int got;
	} rows[] = {{5000, 900}, {-1, 900}, {901, 900}, {900, 900}, {10, 10}};
	struct cgroup_layout host = v2_host();

	put("cgroup.subtree_control", "memory pids io");
	put("tare/cgroup.subtree_control", "memory pids io");
	put("pids.max", "1000\n");
	put("tare/pids.max", "max\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cgroup_limits l = {.pids = typed(rows[i].asked), .all_devices = true};
		cleanup_free char *golden = str_printf(
			"mkdir @/tare\nmkdir @/tare/c1\n?@/tare/c1/memory.oom.group = 1\n"
			"@/tare/c1/pids.max = %d --pids-limit\nborn in @/tare/c1",
			rows[i].got);

		expect(&host, &l, golden);
	}
}

/* ---- refusals ---- */

static void what_was_typed_is_not_dropped(void **state)
{
	const struct cgroup_layout v2 = v2_host();
	const struct cgroup_layout none = {.mode = CGROUP_NONE};
	struct {
		const struct cgroup_layout *layout;
		struct cgroup_limits limits;
		const char *text;
	} rows[] = {
		{&v2, {.swappiness = typed(10)}, "--memory-swappiness: "},
		{&v2, {.oom_kill_disable = true}, "--oom-kill-disable: "},
		{&none, {.memory = typed(64 << 20), .all_devices = true}, "--memory: "},
		{&none, {.nano_cpus = typed(1000000000), .all_devices = true}, "--cpus: "},
		{&none, {.cpu_quota = typed(5000), .all_devices = true}, "--cpu-quota: "},
		{&none, {.cpu_period = typed(5000), .all_devices = true}, "--cpu-period: "},
		{&none, {.pids = typed(10), .all_devices = true}, "--pids-limit: "},
		{&none, {.blkio_weight = typed(10), .all_devices = true}, "--blkio-weight: "},
		{&none, {.cpuset_mems = str_dup("0"), .all_devices = true}, "--cpuset-mems: "},
		{&none, {}, "devices cannot be filtered"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_error(rows[i].layout, &rows[i].limits, ERR_UNSUPPORTED, rows[i].text);
}

static void no_control_groups_at_all(void **state)
{
	const struct cgroup_layout none = {.mode = CGROUP_NONE};
	struct cgroup_limits l = {.pids = {2048, LIMIT_IMPLIED}, .devices_may_be_missing = true};

	expect(&none, &l,
	       "warning: devices cannot be filtered: there is no devices controller\n"
	       "warning: Your kernel does not support PIDs limit capabilities or the cgroup is not "
	       "mounted. PIDs limit discarded.\njoin");
}

static void ranges_and_conflicts(void **state)
{
	static const struct {
		struct cgroup_limits limits;
		const char *text;
	} rows[] = {
		{{.memory = {5 << 20, LIMIT_USER}}, "Minimum memory limit allowed is 6MB"},
		{{.memory = {8 << 20, LIMIT_USER}, .memory_swap = {7 << 20, LIMIT_USER}},
		 "Minimum memoryswap limit should be larger than memory limit, see usage"},
		{{.memory_swap = {8 << 20, LIMIT_USER}},
		 "You should always set the Memory limit when using Memoryswap limit, see usage"},
		{{.reservation = {1, LIMIT_USER}}, "Minimum memory reservation allowed is 6MB"},
		{{.memory = {8 << 20, LIMIT_USER}, .reservation = {9 << 20, LIMIT_USER}},
		 "Minimum memory limit can not be less than memory reservation limit, see usage"},
		{{.swappiness = {101, LIMIT_USER}}, "memory swappiness range is 0-100"},
		{{.nano_cpus = {1, LIMIT_USER}, .cpu_quota = {1000, LIMIT_USER}},
		 "Nano CPUs and CPU Quota cannot both be set"},
		{{.nano_cpus = {1, LIMIT_USER}, .cpu_period = {1000, LIMIT_USER}},
		 "Nano CPUs and CPU Period cannot both be set"},
		{{.cpu_quota = {999, LIMIT_USER}}, "CPU cfs quota can not be less than 1ms"},
		{{.cpu_period = {999, LIMIT_USER}}, "CPU cfs period can not be less than 1ms"},
		{{.blkio_weight = {9, LIMIT_USER}}, "Range of blkio weight is from 10 to 1000"},
		{{.cpu_shares = {-1, LIMIT_USER}}, "invalid CPU shares"},
	};
	struct err err = ERR_INIT;
	struct cgroup_limits none = {};

	assert_int_equal(cgroup_limits_check(&none, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(cgroup_limits_check(&rows[i].limits, &err), -ERR_INVALID);
		assert_non_null(strstr(err.msg, rows[i].text));
	}
}

static void names(void **state)
{
	static const char *const good[] = {"tare/c1", "a", "system.slice/tare-x"};
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/."};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(cgroup_name_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(cgroup_name_is_valid(bad[i]));
}

/* ---- layouts ---- */

static void layouts_from_mountinfo(void **state)
{
	struct cgroup_layout l;

	cgroup_detect_mountinfo("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
				"30 22 0:26 /docker/x /c/cpu,cpuacct ro,nosuid master:9 - cgroup "
				"cgroup rw,cpu,cpuacct\n"
				"31 22 0:27 / /c/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
				"32 22 0:28 / /c/memory rw shared:1 - cgroup cgroup rw,memory\n"
				"33 22 0:28 / /other/memory rw shared:1 - cgroup cgroup rw,memory\n"
				"34 22 0:29 / /c/odd\\040name rw - cgroup cgroup rw,pids\n"
				"35 22 0:30 / /c/unified rw - cgroup2 cgroup2 rw\n"
				"36 22 0:31 bad line\n",
				&l);
	assert_int_equal(l.mode, CGROUP_HYBRID);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.hierarchies[0].root, "/c/cpu,cpuacct");
	assert_int_equal(l.hierarchies[0].controllers, BIT(CPU) | BIT(CPUACCT));
	assert_string_equal(cgroup_find(&l, CGROUP_MEMORY)->root, "/c/memory");
	assert_null(cgroup_find(&l, CGROUP_PIDS));

	cgroup_detect_mountinfo("32 22 0:28 / /c rw - cgroup none rw,memory,pids,devices", &l);
	assert_int_equal(l.mode, CGROUP_V1);
	assert_int_equal(l.hierarchies[0].controllers, BIT(MEMORY) | BIT(PIDS) | BIT(DEVICES));

	cgroup_detect_mountinfo("", &l);
	assert_int_equal(l.mode, CGROUP_NONE);
	assert_int_equal(l.n, 0);
}

static void v2_layout_from_mountinfo(void **state)
{
	cleanup_free char *text = str_printf("30 22 0:26 / %s rw - cgroup2 cgroup2 rw\n", top);
	struct cgroup_layout l;

	put("cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
	cgroup_detect_mountinfo(text, &l);
	assert_int_equal(l.mode, CGROUP_V2);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.hierarchies[0].controllers,
			 BIT(CPUSET) | BIT(CPU) | BIT(BLKIO) | BIT(MEMORY) | BIT(PIDS));
}

/* ---- figures ---- */

static void stats_of_v2(void **state)
{
	struct cgroup_layout host = v2_host();
	uint64_t oom_kills = 0;
	struct cgroup_stats s;

	assert_int_equal(cgroup_read_stats(&host, "tare/c1", &s), -ENOENT);
	put("tare/c1/memory.current", "4096\n");
	put("tare/c1/memory.max", "max\n");
	put("tare/c1/memory.stat", "anon 1\ninactive_file 77\nactive_file 2\n");
	put("tare/c1/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 1\n");
	put("tare/c1/cpu.stat", "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_throttled 4\n");
	put("tare/c1/pids.current", "6\n");
	put("tare/c1/pids.max", "8\n");
	put("tare/c1/io.stat", "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\n");
	assert_int_equal(cgroup_read_stats(&host, "tare/c1", &s), 0);
	assert_int_equal(s.memory, 4096);
	assert_true(s.memory_limit == UINT64_MAX);
	assert_int_equal(s.memory_inactive_file, 77);
	assert_int_equal(cgroup_read_oom_kills(&host, "tare/c1", &oom_kills), 0);
	assert_int_equal(oom_kills, 2);
	assert_int_equal(s.cpu_ns, 5000);
	assert_int_equal(s.pids, 6);
	assert_int_equal(s.read_bytes, 11);
	assert_int_equal(s.write_bytes, 22);
}

static void stats_of_v1(void **state)
{
	struct cgroup_layout host = v1_host();
	uint64_t oom_kills = 0;
	struct cgroup_stats s;

	put("freezer/tare/c1/freezer.state", "THAWED\n");
	put("memory/tare/c1/memory.usage_in_bytes", "4096\n");
	put("memory/tare/c1/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/tare/c1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
	put("memory/tare/c1/memory.stat", "inactive_file 1\ntotal_inactive_file 9\n");
	put("cpu,cpuacct/tare/c1/cpuacct.usage", "123456\n");
	put("blkio/tare/c1/blkio.throttle.io_service_bytes_recursive",
	    "8:0 Read 7\n8:0 Write 8\n8:0 Total 15\n8:16 Read 1\nTotal 16\n");
	assert_int_equal(cgroup_read_stats(&host, "tare/c1", &s), 0);
	assert_true(s.memory_limit == UINT64_MAX);
	assert_int_equal(s.memory_inactive_file, 9);
	assert_int_equal(cgroup_read_oom_kills(&host, "tare/c1", &oom_kills), 0);
	assert_int_equal(oom_kills, 5);
	assert_int_equal(s.cpu_ns, 123456);
	assert_int_equal(s.read_bytes, 8);
	assert_int_equal(s.write_bytes, 8);
}

static void failures_name_the_option(void **state)
{
	struct cgroup_layout host = v1_host();
	cleanup_cgroup_actions struct cgroup_actions actions = {};
	struct cgroup_limits l = {.memory = typed(64 << 20), .all_devices = true};
	struct err err = ERR_INIT;
	bool seen = false;

	assert_int_equal(cgroup_plan(&host, "tare/c1", &l, &actions, &err), 0);
	for (size_t i = 0; i < actions.n; i++) {
		int rc = cgroup_action_run(&actions, i, &err);

		/* made directories are empty here: the kernel puts no files into them */
		if (actions.items[i].kind == CGROUP_MKDIR) {
			assert_int_equal(rc, 0);
			continue;
		}
		assert_int_equal(rc, actions.items[i].required ? -ERR_NOT_FOUND : 1);
		seen |= strstr(err.msg, "--memory: write 67108864 to ") != NULL;
		assert_string_equal(err.hint, "this kernel does not have that control");
	}
	assert_true(seen);
}

/* The kernel keeps memory <= memory and swap at every moment: which comes first depends on where
 * they are now. */
static void v1_update_orders_memory_and_swap(void **state)
{
	static const struct {
		const char *now;
		int64_t memory, swap;
		bool swap_first;
	} cases[] = {
		{"134217728\n", 256 << 20, 512 << 20, true},
		{"134217728\n", 256 << 20, -1, true},
		{"134217728\n", 64 << 20, 64 << 20, false},
		{"134217728\n", 128 << 20, 128 << 20, false},
		{"9223372036854771712\n", 64 << 20, 128 << 20, false},
	};
	struct cgroup_layout l = v1_host();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cgroup_limits limits = {.memory = typed(cases[i].memory),
					       .memory_swap = typed(cases[i].swap)};
		cleanup_free char *memory = str_printf(
			"@/memory/tare/c1/memory.limit_in_bytes = %lld --memory",
			(long long)cases[i].memory);
		cleanup_free char *swap = str_printf(
			"@/memory/tare/c1/memory.memsw.limit_in_bytes = %lld --memory-swap",
			(long long)cases[i].swap);
		cleanup_free char *golden = cases[i].swap_first
						    ? str_printf("%s\n%s", swap, memory)
						    : str_printf("%s\n%s", memory, swap);

		put("memory/tare/c1/memory.memsw.limit_in_bytes", cases[i].now);
		expect_update(&l, &limits, golden);
	}
}

/* Nothing is made but the group in cpuset, and only what was said is written: no device rule. */
static void v1_update_touches_what_was_said(void **state)
{
	struct cgroup_layout l = v1_host();
	struct cgroup_limits pids = {.pids = typed(-1)};
	struct cgroup_limits cpu = {.cpu_quota = typed(-1), .cpu_shares = typed(512)};
	struct cgroup_limits cpuset = {.cpuset_cpus = str_dup("1")};

	expect_update(&l, &pids, "@/pids/tare/c1/pids.max = max --pids-limit");
	expect_update(&l, &cpu,
		      "@/cpu,cpuacct/tare/c1/cpu.shares = 512 --cpu-shares\n"
		      "@/cpu,cpuacct/tare/c1/cpu.cfs_quota_us = -1 --cpu-quota");
	expect_update(&l, &cpuset,
		      "mkdir @/cpuset/tare\nmkdir @/cpuset/tare/c1\n"
		      "@/cpuset/tare/cpuset.cpus = 0-3\n"
		      "@/cpuset/tare/c1/cpuset.cpus = 1 --cpuset-cpus\n"
		      "@/cpuset/tare/cpuset.mems = 0\n@/cpuset/tare/c1/cpuset.mems = 0");
}

/* A controller that no container had asked for is passed down; no directory, no filter. */
static void v2_update(void **state)
{
	struct cgroup_layout l = v2_host();
	struct cgroup_limits limits = {.nano_cpus = typed(500000000), .pids = typed(-1)};

	put("cgroup.subtree_control", "memory pids io\n");
	put("tare/cgroup.subtree_control", "memory pids io\n");
	expect_update(&l, &limits,
		      "@/cgroup.subtree_control = +cpu --cpus\n"
		      "@/tare/cgroup.subtree_control = +cpu --cpus\n"
		      "?@/tare/c1/memory.oom.group = 1\n"
		      "@/tare/c1/pids.max = max --pids-limit\n"
		      "@/tare/c1/cpu.max = 50000 100000 --cpus");
}

/* What was written before the one that fails is given its former value back. */
static void update_is_all_or_nothing(void **state)
{
	struct cgroup_layout l = v1_host();
	struct cgroup_limits limits = {.pids = typed(10), .memory = typed(64 << 20)};
	cleanup_free char *path = str_printf("%s/pids/tare/c1/pids.max", top);
	cleanup_strv struct strv warnings = STRV_INIT;
	cleanup_str struct str text = STR_INIT;
	struct err err = ERR_INIT;

	put("pids/tare/c1/pids.max", "77\n");
	assert_true(cgroup_update(&l, "tare/c1", &limits, &warnings, &err) < 0);
	assert_non_null(strstr(err.msg, "--memory: write 67108864 to "));
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 64, &text), 0);
	/* a plain file is not cut off by a shorter value, as the kernel's are */
	assert_string_equal(str_get(&text), "77\n");
	put("memory/tare/c1/memory.limit_in_bytes", "1\n");
	err_clear(&err);
	assert_int_equal(cgroup_update(&l, "tare/c1", &limits, &warnings, &err), 0);
	str_truncate(&text, 0);
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 64, &text), 0);
	assert_string_equal(str_get(&text), "10\n");
}

#define WITH_HOST(fn) cmocka_unit_test_setup_teardown(fn, make_host, remove_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOST(v1_default),
		WITH_HOST(v1_every_limit),
		WITH_HOST(hybrid_is_v1),
		WITH_HOST(v1_cpuset_inherits_from_the_nearest),
		WITH_HOST(v1_without_swap_accounting),
		WITH_HOST(v2_default),
		WITH_HOST(v2_every_limit),
		WITH_HOST(v2_weights_keep_ratios),
		WITH_HOST(v2_swap),
		WITH_HOST(v2_no_internal_processes),
		WITH_HOST(v2_pids_stay_below_the_parents),
		WITH_HOST(what_was_typed_is_not_dropped),
		WITH_HOST(no_control_groups_at_all),
		cmocka_unit_test(ranges_and_conflicts),
		cmocka_unit_test(names),
		cmocka_unit_test(layouts_from_mountinfo),
		WITH_HOST(v2_layout_from_mountinfo),
		WITH_HOST(stats_of_v2),
		WITH_HOST(stats_of_v1),
		WITH_HOST(failures_name_the_option),
		WITH_HOST(v1_update_orders_memory_and_swap),
		WITH_HOST(v1_update_touches_what_was_said),
		WITH_HOST(v2_update),
		WITH_HOST(update_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
