/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a container specification: each row sets one thing wrong and names the complaint.
 */
#include "base/err.h"
#include "base/mem.h"
#include "engine/spec.h"

#include "../unit.h"

#define MIB (1LL << 20)

static void mount_add(struct container_spec *s, enum mount_type type, const char *source,
		      const char *target)
{
	struct mount_spec m = {.type = type, .source = str_dup(source), .target = str_dup(target)};

	spec_add_mount(s, &m);
}

static void network_add(struct container_spec *s, const char *name)
{
	struct endpoint_request r = {.network = str_dup(name)};

	spec_add_network(s, &r);
}

#define RULE(name, body)                           \
	static void name(struct container_spec *s) \
	{                                          \
		body;                              \
	}
#define TEXT(field, value) str_replace(&s->field, value)

RULE(nothing, (void)s)
RULE(rm_restart, s->auto_remove = true; spec_parse_restart(s, "always", &(struct err){}))
RULE(rm_restart_no, s->auto_remove = true; spec_parse_restart(s, "no", &(struct err){}))
RULE(detach_attach, s->detach = true; s->attach = ATTACH_STDOUT)
RULE(restart_count, spec_parse_restart(s, "always:3", &(struct err){}))
RULE(restart_negative, spec_parse_restart(s, "on-failure:-1", &(struct err){}))
RULE(restart_good, spec_parse_restart(s, "on-failure:5", &(struct err){}))
RULE(restart_unless, spec_parse_restart(s, "unless-stopped", &(struct err){}))
RULE(memory_least, s->memory = 6 * MIB)
RULE(memory_small, s->memory = 6 * MIB - 1)
RULE(swap_small, s->memory = 64 * MIB; s->memory_swap = 32 * MIB)
RULE(swap_alone, s->memory_swap = 64 * MIB)
RULE(swap_unlimited, s->memory_swap = -1)
RULE(swappiness, s->memory_swappiness = 101)
RULE(reservation_small, s->memory_reservation = MIB)
RULE(reservation_big, s->memory = 64 * MIB; s->memory_reservation = 65 * MIB)
RULE(oom_score, s->oom_score_adj = -1001)
RULE(cpus_period, s->nano_cpus = 1; s->cpu_period = 1000)
RULE(cpus_quota, s->nano_cpus = 1; s->cpu_quota = 1000)
RULE(period_small, s->cpu_period = 999)
RULE(quota_small, s->cpu_quota = 999)
RULE(blkio, s->blkio_weight = 9)
RULE(pid_bad, TEXT(pid_mode, "foo"))
RULE(pid_container, TEXT(pid_mode, "container:x"))
RULE(pid_nobody, TEXT(pid_mode, "container:"))
RULE(ipc_bad, TEXT(ipc_mode, "foo"))
RULE(ipc_shareable, TEXT(ipc_mode, "shareable"))
RULE(uts_hostname, TEXT(uts_mode, "host"); TEXT(hostname, "h"))
RULE(cgroupns_bad, TEXT(cgroupns_mode, "foo"))
RULE(network_two, network_add(s, "a"); network_add(s, "host"))
RULE(network_nobody, network_add(s, "container:"))
RULE(network_hostname, network_add(s, "container:x"); TEXT(hostname, "h"))
RULE(network_host_name, network_add(s, "host"); TEXT(hostname, "h"))
RULE(name_short, TEXT(name, "a"))
RULE(name_bad, TEXT(name, "-a"))
RULE(name_slash, TEXT(name, "/ab"))
RULE(hostname_bad, TEXT(hostname, "-x"))
RULE(hostname_dots, TEXT(hostname, "a.b-c.d_e"))
RULE(workdir, TEXT(workdir, "a"))
RULE(env_bad, strv_add(&s->env, "=x"))
RULE(target_root, mount_add(s, MOUNT_BIND, "/a", "/x/.."))
RULE(target_twice, mount_add(s, MOUNT_BIND, "/a", "/x"); mount_add(s, MOUNT_TMPFS, NULL, "//x/"))
RULE(propagation, mount_add(s, MOUNT_BIND, "/a", "/x"); TEXT(mounts[0].propagation, "foo"))
RULE(mount_good, mount_add(s, MOUNT_BIND, "/a", "/x"); mount_add(s, MOUNT_TMPFS, NULL, "/x/y"))
RULE(log_driver, TEXT(log_driver, "nosuch"))
RULE(log_none, TEXT(log_driver, "none"); strv_add(&s->log_options, "a=b"))
RULE(log_option, strv_add(&s->log_options, "foo=b"))
RULE(log_size, strv_add(&s->log_options, "max-size=x"))

static const struct {
	void (*set)(struct container_spec *s);
	const char *complaint; /* NULL: none */
} rows[] = {
	{nothing, NULL},
	{rm_restart, "conflicting options: cannot specify both --restart and --rm"},
	{rm_restart_no, NULL},
	{detach_attach, "conflicting options: cannot specify both --attach and --detach"},
	{restart_count,
	 "invalid restart policy: maximum retry count can only be used with 'on-failure'"},
	{restart_negative, "invalid restart policy: maximum retry count cannot be negative"},
	{restart_good, NULL},
	{restart_unless, NULL},
	{memory_least, NULL},
	{memory_small, "Minimum memory limit allowed is 6MB"},
	{swap_small, "Minimum memoryswap limit should be larger than memory limit, see usage"},
	{swap_alone,
	 "You should always set the Memory limit when using Memoryswap limit, see usage"},
	{swap_unlimited, NULL},
	{swappiness, "invalid value: 101. Valid memory swappiness range is 0-100"},
	{reservation_small, "Minimum memory reservation allowed is 6MB"},
	{reservation_big,
	 "Minimum memory limit can not be less than memory reservation limit, see usage"},
	{oom_score, "Invalid value -1001, range for oom score adj is [-1000, 1000]"},
	{cpus_period, "Conflicting options: Nano CPUs and CPU Period cannot both be set"},
	{cpus_quota, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"},
	{period_small,
	 "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
	{quota_small, "CPU cfs quota can not be less than 1ms (i.e. 1000)"},
	{blkio, "Range of blkio weight is from 10 to 1000"},
	{pid_bad, "--pid: invalid PID mode"},
	{pid_container, NULL},
	{pid_nobody, "--pid: invalid PID mode"},
	{ipc_bad, "invalid IPC mode: foo"},
	{ipc_shareable, NULL},
	{uts_hostname, "conflicting options: hostname and the UTS mode"},
	{cgroupns_bad, "--cgroupns: invalid CGROUP mode"},
	{network_two, "conflicting options: cannot attach both user-defined and non-user-defined "
		      "network-modes"},
	{network_nobody, "invalid container format container:<name|id>"},
	{network_hostname, "conflicting options: hostname and the network mode"},
	{network_host_name, NULL},
	{name_short, "Invalid container name (a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
	{name_bad, "Invalid container name (-a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
	{name_slash, NULL},
	{hostname_bad, "invalid hostname format: -x"},
	{hostname_dots, NULL},
	{workdir, "the working directory 'a' is invalid, it needs to be an absolute path"},
	{env_bad, "invalid environment variable: =x"},
	{target_root,
	 "invalid mount config for type \"bind\": invalid specification: destination can't "
	 "be '/'"},
	{target_twice, "Duplicate mount point: //x/"},
	{propagation, "invalid mount config for type \"bind\": invalid propagation mode: foo"},
	{mount_good, NULL},
	{log_driver, "error looking up logging plugin nosuch: plugin \"nosuch\" not found"},
	{log_none, "invalid logging opts for driver none"},
	{log_option, "unknown log opt 'foo' for json-file log driver"},
	{log_size, "failed to initialize logging driver: invalid size: 'x'"},
};

static void each_rule(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_spec struct container_spec s = {};
		struct err err = ERR_INIT;
		int rc = 0;

		spec_init(&s);
		rows[i].set(&s);
		rc = spec_validate(&s, &err);
		if (!str_is_equal(rc < 0 ? err.msg : NULL, rows[i].complaint))
			fail_msg("row %zu: got %s, want %s", i, rc < 0 ? err.msg : "none",
				 rows[i].complaint ? rows[i].complaint : "none");
		assert_true(rc == 0 || err.code == ERR_INVALID);
	}
}

static void a_later_ulimit_wins(void **state)
{
	cleanup_spec struct container_spec s = {};
	struct ulimit_spec a = {.name = str_dup("core"), .soft = 1, .hard = 1};
	struct ulimit_spec b = {.name = str_dup("core"), .soft = 2, .hard = 3};

	spec_set_ulimit(&s, &a);
	spec_set_ulimit(&s, &b);
	assert_null(a.name);
	assert_int_equal(s.n_ulimits, 1);
	assert_int_equal(s.ulimits[0].hard, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule),
		cmocka_unit_test(a_later_ulimit_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
