/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups for real, on whatever this host has: every limit read back from its file, and what
 * it does seen from inside. Makes groups named "tare-test-<pid>" only. Needs root; without it, or
 * without writable control groups, the whole program is skipped (exit status 77).
 */
#include "../unit/unit.h"

#include "cgroup_box.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_NS 1000000000ULL
#define MIB	  (1LL << 20)

static struct cgroup_limit typed(int64_t value)
{
	return (struct cgroup_limit){value, LIMIT_USER};
}

static void make(struct box *box)
{
	struct err err = ERR_INIT;

	if (box_make(box, &err) < 0)
		fail_msg("%s (%s)", err.msg, err.hint);
}

/* ---- every limit is in its file ---- */

struct readback {
	enum cgroup_controller controller;
	const char *v1_file, *v1_value;
	const char *v2_file, *v2_value;
};

static void check_readback(const struct box *box, const struct readback *rows, size_t n)
{
	bool v2 = box->layout.mode == CGROUP_V2;

	for (size_t i = 0; i < n; i++) {
		const char *file = v2 ? rows[i].v2_file : rows[i].v1_file;

		if (file)
			assert_string_equal(box_read(box, rows[i].controller, file),
					    v2 ? rows[i].v2_value : rows[i].v1_value);
	}
}

static void limits_are_read_back(void **state)
{
	static const struct readback rows[] = {
		{CGROUP_MEMORY, "memory.limit_in_bytes", "67108864", "memory.max", "67108864"},
		{CGROUP_MEMORY, "memory.soft_limit_in_bytes", "33554432", "memory.low", "33554432"},
		{CGROUP_MEMORY, NULL, NULL, "memory.oom.group", "1"},
		{CGROUP_CPU, "cpu.shares", "512", "cpu.weight", "50"},
		{CGROUP_CPU, "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000"},
		{CGROUP_CPU, "cpu.cfs_period_us", "100000", NULL, NULL},
		{CGROUP_CPUSET, "cpuset.cpus", "0", "cpuset.cpus", "0"},
		{CGROUP_CPUSET, "cpuset.mems", "0", "cpuset.mems", "0"},
		{CGROUP_PIDS, "pids.max", "77", "pids.max", "77"},
	};
	struct box box;

	box_init(&box, "limits");
	box.limits.memory = typed(64 * MIB);
	box.limits.reservation = typed(32 * MIB);
	box.limits.cpu_shares = typed(512);
	box.limits.nano_cpus = typed(500000000);
	box.limits.pids = typed(77);
	box.limits.cpuset_cpus = str_dup("0");
	box.limits.cpuset_mems = str_dup("0");
	make(&box);
	check_readback(&box, rows, ARRAY_LEN(rows));
	box_done(&box);
}

static void quota_and_period(void **state)
{
	static const struct readback rows[] = {
		{CGROUP_CPU, "cpu.cfs_quota_us", "20000", "cpu.max", "20000 50000"},
		{CGROUP_CPU, "cpu.cfs_period_us", "50000", NULL, NULL},
	};
	struct box box;

	box_init(&box, "quota");
	box.limits.cpu_quota = typed(20000);
	box.limits.cpu_period = typed(50000);
	make(&box);
	check_readback(&box, rows, ARRAY_LEN(rows));
	box_done(&box);
}

static void swap_limit(void **state)
{
	static const struct readback rows[] = {
		{CGROUP_MEMORY, "memory.memsw.limit_in_bytes", "100663296", "memory.swap.max",
		 "33554432"},
	};
	struct box box;
	struct err err = ERR_INIT;

	box_init(&box, "swap");
	box.limits.memory = typed(64 * MIB);
	box.limits.memory_swap = typed(96 * MIB);
	if (box_make(&box, &err) < 0) {
		/* the only honest alternative, on a kernel that does not count swap */
		assert_non_null(strstr(err.msg, "--memory-swap"));
		assert_string_equal(box_read(&box, CGROUP_MEMORY, rows[0].v1_file), "?");
		assert_string_equal(box_read(&box, CGROUP_MEMORY, rows[0].v2_file), "?");
	} else {
		check_readback(&box, rows, ARRAY_LEN(rows));
	}
	box_done(&box);
}

static void swappiness_is_refused_on_v2(void **state)
{
	struct box box;
	struct err err = ERR_INIT;
	int rc = 0;

	box_init(&box, "swappiness");
	box.limits.swappiness = typed(10);
	rc = box_make(&box, &err);
	if (box.layout.mode == CGROUP_V2) {
		assert_int_equal(rc, -ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, "--memory-swappiness"));
	} else {
		assert_int_equal(rc, 0);
		assert_string_equal(box_read(&box, CGROUP_MEMORY, "memory.swappiness"), "10");
	}
	box_done(&box);
}

/* ---- block devices ---- */

/* "major:minor" of a disk of this host; false without one. */
static bool find_disk(unsigned *ret_major, unsigned *ret_minor)
{
	DIR *dir = opendir("/sys/block");
	const struct dirent *entry = NULL;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		cleanup_free char *path = str_printf("/sys/block/%s/dev", entry->d_name);
		cleanup_str struct str text = STR_INIT;

		found = entry->d_name[0] != '.' && fd_read_kernel_file(path, 64, &text) == 0 &&
			sscanf(str_get(&text), "%u:%u", ret_major, ret_minor) == 2;
	}
	if (dir)
		closedir(dir);
	return found;
}

static void throttles(void **state)
{
	static const char *const v1[][2] = {
		{"blkio.throttle.read_bps_device", "1048576"},
		{"blkio.throttle.write_bps_device", "2097152"},
		{"blkio.throttle.read_iops_device", "100"},
		{"blkio.throttle.write_iops_device", "200"},
	};
	unsigned major = 0, minor = 0;
	struct box box;
	char want[128];

	if (!find_disk(&major, &minor))
		skip();
	box_init(&box, "throttle");
	cgroup_device_limits_add(&box.limits.read_bps, major, minor, 1048576);
	cgroup_device_limits_add(&box.limits.write_bps, major, minor, 2097152);
	cgroup_device_limits_add(&box.limits.read_iops, major, minor, 100);
	cgroup_device_limits_add(&box.limits.write_iops, major, minor, 200);
	make(&box);
	if (box.layout.mode == CGROUP_V2) {
		snprintf(want, sizeof(want), "%u:%u rbps=1048576 wbps=2097152 riops=100 wiops=200",
			 major, minor);
		assert_string_equal(box_read(&box, CGROUP_BLKIO, "io.max"), want);
	}
	for (size_t i = 0; i < ARRAY_LEN(v1) && box.layout.mode != CGROUP_V2; i++) {
		snprintf(want, sizeof(want), "%u:%u %s", major, minor, v1[i][1]);
		assert_string_equal(box_read(&box, CGROUP_BLKIO, v1[i][0]), want);
	}
	box_done(&box);
}

static void blkio_weight(void **state)
{
	static const char *const files[][2] = {
		{"io.weight", "default 4950"},
		{"io.bfq.weight", "default 500"},
		{"blkio.bfq.weight", "500"},
		{"blkio.weight", "500"},
	};
	struct box box;
	struct err err = ERR_INIT;
	bool found = false;

	box_init(&box, "weight");
	box.limits.blkio_weight = typed(500);
	if (box_make(&box, &err) < 0) {
		/* no scheduler with weights in this kernel: refused by name, and no file is there
		 */
		assert_non_null(strstr(err.msg, "--blkio-weight"));
		for (size_t i = 0; i < ARRAY_LEN(files); i++)
			assert_string_equal(box_read(&box, CGROUP_BLKIO, files[i][0]), "?");
		box_done(&box);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		found |= strcmp(box_read(&box, CGROUP_BLKIO, files[i][0]), files[i][1]) == 0;
	assert_true(found);
	box_done(&box);
}

/* ---- devices ---- */

struct device_case {
	mode_t type;
	unsigned major, minor;
	int flags;
	bool allowed;
};

static const struct device_case device_cases[] = {
	{S_IFCHR, 1, 3, O_RDWR, true},	     /* null */
	{S_IFCHR, 1, 5, O_RDWR, true},	     /* zero */
	{S_IFCHR, 1, 9, O_RDWR, true},	     /* urandom */
	{S_IFCHR, 1, 1, O_RDONLY, false},    /* mem */
	{S_IFCHR, 1, 11, O_RDONLY, false},   /* kmsg */
	{S_IFCHR, 10, 229, O_RDONLY, false}, /* fuse */
	{S_IFBLK, 8, 0, O_RDONLY, false},    /* sda */
	{S_IFBLK, 7, 0, O_RDONLY, false},    /* loop0 */
	{S_IFCHR, 10, 200, O_RDONLY, true},  /* net/tun, which the test asks for: reading only */
	{S_IFCHR, 10, 200, O_RDWR, false},
};

/* Whether opening a fresh node of DEVICE is refused with EPERM, which is the filter and only it. */
static bool open_is_refused(const struct device_case *device)
{
	char path[64];
	int fd = -1, saved = 0;

	snprintf(path, sizeof(path), "/dev/tare-test-%d", (int)getpid());
	if (mknod(path, device->type | 0600, makedev(device->major, device->minor)) < 0)
		_exit(98); /* making a node of any kind is permitted */
	fd = open(path, device->flags | O_NONBLOCK | O_CLOEXEC);
	saved = errno;
	unlink(path);
	if (fd >= 0)
		close(fd);
	return fd < 0 && saved == EPERM;
}

/* The number of the first case that went wrong, from 1; 0 when all are right. */
static int try_devices(void *arg)
{
	const bool *filtered = arg;

	for (size_t i = 0; i < ARRAY_LEN(device_cases); i++)
		if (open_is_refused(&device_cases[i]) != (*filtered && !device_cases[i].allowed))
			return (int)i + 1;
	return 0;
}

static void devices_are_denied_by_default(void **state)
{
	bool filtered = true, unfiltered = false;
	struct device_rule tun;
	struct box box;

	/* outside none of them is refused: the test means something */
	assert_int_equal(try_devices(&unfiltered), 0);
	box_init(&box, "devices");
	assert_int_equal(device_rule_parse("c 10:200 r", &tun), 0);
	cgroup_limits_add_device(&box.limits, &tun);
	make(&box);
	assert_int_equal(box_wait(box_spawn(&box, try_devices, &filtered)), 0);
	box_done(&box);
}

static void privileged_may_use_all_devices(void **state)
{
	bool unfiltered = false;
	struct box box;

	box_init(&box, "alldevices");
	box.limits.all_devices = true;
	make(&box);
	assert_int_equal(box_wait(box_spawn(&box, try_devices, &unfiltered)), 0);
	box_done(&box);
}

/* ---- processes and memory ---- */

/* Forks children that stay until the kernel says no; how many there were. */
static int count_forks(void *arg)
{
	int n = 0;

	for (; n < 100; n++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0)
			for (;;)
				pause();
	}
	return errno == EAGAIN ? n : 97;
}

static void pids_limit_holds(void **state)
{
	struct box box;

	box_init(&box, "pids");
	box.limits.pids = typed(8);
	make(&box);
	assert_int_equal(WEXITSTATUS(box_wait(box_spawn(&box, count_forks, NULL))), 7);
	box_done(&box);
}

static int eat_memory(void *arg)
{
	size_t len = 64 * MIB;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < len; i += 4096)
		((volatile char *)p)[i] = 1;
	return 0;
}

static void oom_is_known(void **state)
{
	struct box box;
	uint64_t kills = 99;
	int status = 0;

	box_init(&box, "oom");
	box.limits.memory = typed(16 * MIB);
	box.limits.memory_swap = (struct cgroup_limit){16 * MIB, LIMIT_IMPLIED};
	make(&box);
	assert_int_equal(cgroup_read_oom_kills(&box.layout, box.name, &kills), 0);
	assert_int_equal(kills, 0);
	status = box_wait(box_spawn(&box, eat_memory, NULL));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(cgroup_read_oom_kills(&box.layout, box.name, &kills), 0);
	assert_true(kills >= 1);
	box_done(&box);
}

/* ---- CPU time, freezing, killing ---- */

static int burn(void *arg)
{
	for (volatile unsigned long i = 0;; i++)
		;
	return 0;
}

static uint64_t cpu_of(const struct box *box)
{
	struct cgroup_stats stats;

	assert_int_equal(cgroup_read_stats(&box->layout, box->name, &stats), 0);
	return stats.cpu_ns;
}

/* Waits until the groups together used MORE of CPU time than they had. */
static void wait_for_cpu(struct box *const boxes[], size_t n, uint64_t more)
{
	uint64_t start = 0, now = 0, give_up = clock_mono_ns() + 60 * SECOND_NS;

	for (size_t i = 0; i < n; i++)
		start += cpu_of(boxes[i]);
	while (now < start + more) {
		now = 0;
		assert_true(clock_mono_ns() < give_up);
		usleep(5000);
		for (size_t i = 0; i < n; i++)
			now += cpu_of(boxes[i]);
	}
}

static void frozen_means_no_cpu(void **state)
{
	struct box box;
	struct box *boxes[] = {&box};
	uint64_t before = 0;

	box_init(&box, "freeze");
	make(&box);
	box_spawn(&box, burn, NULL);
	wait_for_cpu(boxes, 1, SECOND_NS / 50);
	assert_int_equal(cgroup_is_frozen(&box.layout, box.name), 0);
	assert_int_equal(cgroup_freeze(&box.layout, box.name, true, 5 * SECOND_NS), 0);
	assert_int_equal(cgroup_is_frozen(&box.layout, box.name), 1);
	before = cpu_of(&box);
	usleep(50000);
	assert_int_equal(cpu_of(&box), before);
	assert_int_equal(cgroup_freeze(&box.layout, box.name, false, 5 * SECOND_NS), 0);
	wait_for_cpu(boxes, 1, SECOND_NS / 100);
	/* and killed while frozen, by box_done */
	assert_int_equal(cgroup_freeze(&box.layout, box.name, true, 5 * SECOND_NS), 0);
	box_done(&box);
}

static int fork_for_ever(void *arg)
{
	for (;;)
		if (fork() < 0)
			sched_yield();
	return 0;
}

static void fork_bomb_is_killed(void **state)
{
	struct box box;
	struct box *boxes[] = {&box};
	struct cgroup_stats stats;

	box_init(&box, "bomb");
	box.limits.pids = typed(64);
	make(&box);
	box_spawn(&box, fork_for_ever, NULL);
	wait_for_cpu(boxes, 1, SECOND_NS / 20);
	assert_int_equal(cgroup_read_stats(&box.layout, box.name, &stats), 0);
	assert_true(stats.pids > 1);
	assert_true(stats.pids <= 64);
	assert_int_equal(cgroup_kill(&box.layout, box.name, 20 * SECOND_NS), 0);
	box_done(&box);
}

static void shares_divide_one_cpu(void **state)
{
	struct box low, high;
	struct box *boxes[] = {&low, &high};
	uint64_t l = 0, h = 0;

	box_init(&low, "low");
	box_init(&high, "high");
	low.limits.cpu_shares = typed(20);
	high.limits.cpu_shares = typed(80);
	low.limits.cpuset_cpus = str_dup("0");
	high.limits.cpuset_cpus = str_dup("0");
	make(&low);
	make(&high);
	box_spawn(&low, burn, NULL);
	box_spawn(&high, burn, NULL);
	wait_for_cpu(boxes, 2, SECOND_NS / 10);
	l = cpu_of(&low);
	h = cpu_of(&high);
	wait_for_cpu(boxes, 2, 2 * SECOND_NS);
	l = cpu_of(&low) - l;
	h = cpu_of(&high) - h;
	print_message("20:80 gave %.1f:%.1f\n", 100.0 * (double)l / (double)(l + h),
		      100.0 * (double)h / (double)(l + h));
	assert_true(l * 100 >= (l + h) * 15);
	assert_true(l * 100 <= (l + h) * 25);
	box_done(&low);
	box_done(&high);
}

static void groups_below_are_removed(void **state)
{
	struct box box;

	box_init(&box, "nested");
	make(&box);
	strv_foreach (i, &box.actions.dirs) {
		cleanup_free char *a = str_printf("%s/a", box.actions.dirs.items[i]);
		cleanup_free char *b = str_printf("%s/a/b", box.actions.dirs.items[i]);

		assert_int_equal(mkdir(a, 0755), 0);
		assert_int_equal(mkdir(b, 0755), 0);
	}
	box_done(&box);
}

/* ---- main ---- */

static bool can_run(void)
{
	struct cgroup_layout layout;
	bool ok = false;

	cgroup_detect(&layout);
	ok = geteuid() == 0 && layout.mode != CGROUP_NONE &&
	     access(layout.hierarchies[0].root, W_OK) == 0;
	printf("control groups: %s, %zu hierarchies\n", cgroup_mode_name(layout.mode), layout.n);
	return ok;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_read_back),
		cmocka_unit_test(quota_and_period),
		cmocka_unit_test(swap_limit),
		cmocka_unit_test(swappiness_is_refused_on_v2),
		cmocka_unit_test(throttles),
		cmocka_unit_test(blkio_weight),
		cmocka_unit_test(devices_are_denied_by_default),
		cmocka_unit_test(privileged_may_use_all_devices),
		cmocka_unit_test(pids_limit_holds),
		cmocka_unit_test(oom_is_known),
		cmocka_unit_test(frozen_means_no_cpu),
		cmocka_unit_test(fork_bomb_is_killed),
		cmocka_unit_test(shares_divide_one_cpu),
		cmocka_unit_test(groups_below_are_removed),
	};

	if (!can_run())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
