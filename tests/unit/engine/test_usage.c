/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's arithmetic. The figures of "recorded" are those of a container under docker 28 that was
 * paused while its group's files and what docker stats said were read; the trees are made of them,
 * as v1 and as v2 have them.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/state.h"
#include "engine/usage.h"
#include "sys/cgroup_stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"

#define ALL_CONTROLLERS ((1U << CGROUP_N_CONTROLLERS) - 1)
#define HOST_MEMORY	(24684092ULL * 1024)

static char top[] = "/tmp/test-usage-XXXXXX";

static int make_top(void **state)
{
	return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
	return fd_remove_tree_at(AT_FDCWD, top);
}

static void put(const char *path, const char *text)
{
	cleanup_free char *full = str_printf("%s/%s", top, path);
	char *slash = strrchr(full, '/');

	*slash = '\0';
	assert_int_equal(fd_mkdir_p(full, 0755), 0);
	*slash = '/';
	assert_int_equal(fd_write_file_at(AT_FDCWD, full, text, strlen(text), 0644), 0);
}

/* All controllers on one hierarchy: the files have different names. */
static void host_at(const char *dir, enum cgroup_mode mode, struct engine *ret)
{
	*ret = (struct engine){.has_cgroups = true};
	ret->cgroups.mode = mode;
	ret->cgroups.n = 1;
	ret->cgroups.hierarchies[0].controllers = ALL_CONTROLLERS;
	snprintf(ret->cgroups.hierarchies[0].root, CGROUP_ROOT_LEN, "%s/%s", top, dir);
}

static void assert_recorded(struct engine *engine)
{
	struct usage_host host = {};
	/* a process in our own network namespace: no network of its own, as docker has it */
	const struct container_state state = {.status = STATUS_RUNNING, .pid = getpid()};
	struct usage u;
	char used[32], limit[32], percent[32];

	usage_host_read(&host);
	host.cpu_ns = 5;
	host.memory = HOST_MEMORY;
	usage_read(engine, &host, "d096", &state, &u);
	num_format_size_binary((double)u.memory, 4, used, sizeof(used));
	num_format_size_binary((double)u.memory_limit, 4, limit, sizeof(limit));
	snprintf(percent, sizeof(percent), "%.2f%%", usage_memory_percent(&u));
	assert_string_equal(used, "62.01MiB");
	assert_string_equal(limit, "300MiB");
	assert_string_equal(percent, "20.67%");
	assert_int_equal(u.cpu_ns, 36057000);
	assert_int_equal(u.host_cpu_ns, 5);
	assert_int_equal(u.read_bytes, 155648);
	assert_int_equal(u.written, 65536);
	assert_int_equal(u.pids, 1);
	assert_int_equal(u.received, 0);
}

static void recorded_on_v1(void **state)
{
	struct engine engine;

	host_at("v1", CGROUP_V1, &engine);
	put("v1/tare/d096/memory.usage_in_bytes", "65126400\n");
	put("v1/tare/d096/memory.limit_in_bytes", "314572800\n");
	put("v1/tare/d096/memory.stat",
	    "cache 63070208\ninactive_file 3\ntotal_cache 63070208\ntotal_inactive_file 106496\n");
	put("v1/tare/d096/cpuacct.usage", "36057000\n");
	put("v1/tare/d096/pids.current", "1\n");
	put("v1/tare/d096/blkio.throttle.io_service_bytes_recursive",
	    "254:0 Read 155648\n254:0 Write 65536\n254:0 Sync 221184\n254:0 Async 0\n"
	    "254:0 Discard 0\n254:0 Total 221184\nTotal 221184\n");
	assert_recorded(&engine);
}

static void recorded_on_v2(void **state)
{
	struct engine engine;

	host_at("v2", CGROUP_V2, &engine);
	put("v2/tare/d096/memory.current", "65126400\n");
	put("v2/tare/d096/memory.max", "314572800\n");
	put("v2/tare/d096/memory.stat", "anon 1\nfile 63070208\ninactive_file 106496\n");
	put("v2/tare/d096/cpu.stat", "usage_usec 36057\nuser_usec 30000\nsystem_usec 6057\n");
	put("v2/tare/d096/pids.current", "1\n");
	put("v2/tare/d096/io.stat",
	    "254:0 rbytes=155000 wbytes=65536 rios=3 wios=1 dbytes=7 dios=0\n"
	    "8:0 rbytes=648 wbytes=0 rios=1 wios=0\n");
	assert_recorded(&engine);
}

/* The recursive file is not in every kernel. */
static void old_kernels_have_no_recursive_io(void **state)
{
	struct cgroup_stats s;
	struct engine engine;

	host_at("old", CGROUP_V1, &engine);
	put("old/tare/c/pids.current", "2\n");
	put("old/tare/c/blkio.throttle.io_service_bytes", "8:0 Read 5\n8:0 Write 6\nTotal 11\n");
	assert_int_equal(cgroup_read_stats(&engine.cgroups, "tare/c", &s), 0);
	assert_int_equal(s.read_bytes, 5);
	assert_int_equal(s.write_bytes, 6);
}

static void one_that_does_not_run_uses_nothing(void **state)
{
	const struct usage_host host = {.cpu_ns = 5, .memory = HOST_MEMORY, .n_cpus = 2};
	const struct container_state ended = {.status = STATUS_EXITED};
	const struct container_state gone = {.status = STATUS_RUNNING, .pid = 1};
	const struct usage nothing = {};
	struct engine engine;
	struct usage u;

	host_at("v1", CGROUP_V1, &engine);
	put("v1/tare/ended/pids.current", "1\n");
	usage_read(&engine, &host, "ended", &ended, &u);
	assert_memory_equal(&u, &nothing, sizeof(u));
	usage_read(&engine, &host, "no-group", &gone, &u);
	assert_memory_equal(&u, &nothing, sizeof(u));
	assert_true(usage_memory_percent(&u) == 0);
}

static void memory_without_a_limit_is_the_hosts(void **state)
{
	const struct {
		struct cgroup_stats stats;
		uint64_t host, memory, limit;
	} cases[] = {
		{{.memory = 100, .memory_limit = UINT64_MAX}, 1000, 100, 1000},
		{{.memory = 100, .memory_limit = 2000}, 1000, 100, 1000},
		{{.memory = 100, .memory_limit = 500}, 1000, 100, 500},
		{{.memory = 100, .memory_limit = 500}, 0, 100, 500},
		{{.memory = 100, .memory_inactive_file = 99, .memory_limit = 500}, 1000, 1, 500},
		/* counted at different moments: the cache is more than all */
		{{.memory = 100, .memory_inactive_file = 100, .memory_limit = 500}, 1000, 100, 500},
		{{.memory = 100, .memory_inactive_file = 101, .memory_limit = 500}, 1000, 100, 500},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct usage u = {};

		usage_set_memory(&u, &cases[i].stats, cases[i].host);
		assert_int_equal(u.memory, cases[i].memory);
		assert_int_equal(u.memory_limit, cases[i].limit);
	}
}

static void percent_of_cpu(void **state)
{
	const struct {
		struct usage before, now;
		unsigned n_cpus;
		double percent;
	} cases[] = {
		/* half of one CPU of two: the host counts 2 s in one */
		{{.cpu_ns = 100, .host_cpu_ns = 1000}, {.cpu_ns = 600, .host_cpu_ns = 3000}, 2, 50},
		{{.cpu_ns = 0, .host_cpu_ns = 1}, {.cpu_ns = 2000, .host_cpu_ns = 2001}, 2, 200},
		/* the first sample, and one of another run */
		{{}, {.cpu_ns = 600, .host_cpu_ns = 3000}, 2, 0},
		{{.cpu_ns = 700, .host_cpu_ns = 1000}, {.cpu_ns = 600, .host_cpu_ns = 3000}, 2, 0},
		/* nothing used, no time gone, time back */
		{{.cpu_ns = 6, .host_cpu_ns = 1}, {.cpu_ns = 6, .host_cpu_ns = 3}, 2, 0},
		{{.cpu_ns = 6, .host_cpu_ns = 3}, {.cpu_ns = 7, .host_cpu_ns = 3}, 2, 0},
		{{.cpu_ns = 6, .host_cpu_ns = 3}, {.cpu_ns = 7, .host_cpu_ns = 2}, 2, 0},
		/* it ended */
		{{.cpu_ns = 6, .host_cpu_ns = 3}, {}, 2, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		double got = usage_cpu_percent(&cases[i].before, &cases[i].now, cases[i].n_cpus);

		assert_true(got > cases[i].percent - 1e-9 && got < cases[i].percent + 1e-9);
	}
}

static void files_of_proc(void **state)
{
	static const char dev[] = "Inter-|   Receive                            |  Transmit\n"
				  " face |bytes    packets errs drop fifo frame compressed "
				  "multicast|bytes    packets\n"
				  "    lo:    9000      7    0    0    0     0          0         "
				  "0     9000      70\n"
				  "  eth0:     586       7    0    0    0     0          0         "
				  "0      42       1\n"
				  "eth10:1000000000000 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0\n";
	uint64_t received = 1, sent = 1;

	usage_parse_net_dev(dev, &received, &sent);
	assert_true(received == 1000000000586ULL);
	assert_int_equal(sent, 50);
	usage_parse_net_dev("", &received, &sent);
	assert_int_equal(received, 0);
	/* seven of the figures: not steal and what guests had, which is in user */
	assert_true(usage_parse_stat("cpu  1 2 3 4 5 6 7 100 100 100\ncpu0 1 2\n", 100) ==
		    28 * 10000000ULL);
	assert_int_equal(usage_parse_stat("intr 5\n", 100), 0);
	assert_int_equal(usage_parse_stat("cpu  1\n", 0), 0);
	assert_true(usage_parse_meminfo("MemTotal:       24684092 kB\nMemFree: 1 kB\n") ==
		    HOST_MEMORY);
	assert_int_equal(usage_parse_meminfo("MemFree: 1 kB\n"), 0);
}

static void this_host_has_figures(void **state)
{
	struct usage_host host = {};

	usage_host_read(&host);
	assert_true(host.cpu_ns > 0);
	assert_true(host.memory > 0);
	assert_true(host.n_cpus > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_on_v1),
		cmocka_unit_test(recorded_on_v2),
		cmocka_unit_test(old_kernels_have_no_recursive_io),
		cmocka_unit_test(one_that_does_not_run_uses_nothing),
		cmocka_unit_test(memory_without_a_limit_is_the_hosts),
		cmocka_unit_test(percent_of_cpu),
		cmocka_unit_test(files_of_proc),
		cmocka_unit_test(this_host_has_figures),
	};

	return cmocka_run_group_tests(tests, make_top, remove_top);
}
