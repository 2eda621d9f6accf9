/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a group on v1 (and on hybrid hosts, whose controllers are on v1): the same name in
 * each hierarchy, hierarchy by hierarchy. Files as kernel Documentation/admin-guide/cgroup-v1 names
 * them, values as runc writes them.
 *
 * Every container is in the hierarchies of all controllers below, limited or not: devices because
 * what is not denied is permitted, pids, memory, cpuacct and blkio to be counted, freezer to be
 * paused, cpu so that a later update finds its place. cpuset is entered only when asked for (or
 * where it shares a hierarchy): a new group has no CPU at all until it is given some.
 * notify_on_release stays 0, so no release_agent ever runs (CVE-2022-0492).
 */
#include "sys/cgroup_plan.h"

#include "base/mem.h"
#include "base/num.h"

#include <inttypes.h>

/* ROOT and DIR: mount point and the group's directory, NULL where the controller is missing. */
typedef int plan_fn(struct cgroup_build *b, const char *root, const char *dir, struct err *err);

/* One number into one file. */
struct control {
	const struct cgroup_limit_info *info;
	const char *file; /* exists in the top directory too, where it is looked for */
	const char *warning;
};

static int add_control(struct cgroup_build *b, const struct control *control, const char *root,
		       const char *dir, int64_t value, struct err *err)
{
	const struct cgroup_limit *limit = cgroup_limit_get(b->limits, control->info);
	const char *flag = control->info->flag;

	if (!dir || !cgroup_has_file(root, control->file))
		return cgroup_missing(b, limit->source, flag, "there is no such control",
				      control->warning, err);
	cgroup_add_writef(b, dir, control->file, flag, limit->source == LIMIT_USER, "%" PRId64,
			  value);
	return 0;
}

/* ---- memory ---- */

static int add_oom_control(struct cgroup_build *b, const char *root, const char *dir,
			   struct err *err)
{
	static const char flag[] = "--oom-kill-disable";

	if (!b->limits->oom_kill_disable)
		return 0;
	if (!dir || !cgroup_has_file(root, "memory.oom_control"))
		return cgroup_missing(b, LIMIT_USER, flag, "there is no such control", NULL, err);
	cgroup_add_write(b, dir, "memory.oom_control", "1", flag, true);
	return 0;
}

/* Whether the limit of memory and swap together is to grow: then it is written before the one of
 * memory, which may never be above it. */
static bool grows_swap(const struct cgroup_build *b, const char *dir)
{
	cleanup_str struct str line = STR_INIT;
	int64_t now = 0;
	int64_t wanted = b->limits->memory_swap.value;

	if (!b->is_update || !dir)
		return false;
	cgroup_read_line(dir, "memory.memsw.limit_in_bytes", &line);
	return wanted < 0 || (num_parse_i64(str_get(&line), &now) == 0 && wanted > now);
}

/* The limit of memory and swap together can never be below that of memory alone: memory first,
 * unless both grow. */
static int plan_memory(struct cgroup_build *b, const char *root, const char *dir, struct err *err)
{
	static const struct control controls[] = {
		{&cgroup_memory, "memory.limit_in_bytes", NULL},
		{&cgroup_memory_swap, "memory.memsw.limit_in_bytes", CGROUP_NO_SWAP_LIMIT},
		{&cgroup_reservation, "memory.soft_limit_in_bytes", NULL},
		{&cgroup_swappiness, "memory.swappiness", NULL},
	};
	bool swap_first = grows_swap(b, dir);

	for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
		const struct control *c = &controls[i < 2 && swap_first ? 1 - i : i];
		const struct cgroup_limit *limit = cgroup_limit_get(b->limits, c->info);
		bool zero_counts = c->info == &cgroup_swappiness;
		int rc = 0;

		if (limit->source && (limit->value != 0 || zero_counts))
			rc = add_control(b, c, root, dir, limit->value, err);
		if (rc < 0)
			return rc;
	}
	return add_oom_control(b, root, dir, err);
}

/* ---- cpu ---- */

static int add_bandwidth(struct cgroup_build *b, const char *root, const char *dir, struct err *err)
{
	struct cgroup_bandwidth bw = {};
	bool required = false;

	if (!cgroup_bandwidth_get(b->limits, &bw))
		return 0;
	if (!dir || !cgroup_has_file(root, "cpu.cfs_quota_us"))
		return cgroup_missing(b, bw.source, bw.flag, "CPU time cannot be limited", NULL,
				      err);
	required = bw.source == LIMIT_USER;
	if (bw.period > 0)
		cgroup_add_writef(b, dir, "cpu.cfs_period_us", bw.flag, required, "%" PRId64,
				  bw.period);
	if (bw.quota > 0 || b->is_update)
		cgroup_add_writef(b, dir, "cpu.cfs_quota_us", bw.flag, required, "%" PRId64,
				  bw.quota);
	return 0;
}

static int plan_cpu(struct cgroup_build *b, const char *root, const char *dir, struct err *err)
{
	static const struct control shares = {&cgroup_cpu_shares, "cpu.shares", NULL};
	int64_t value = b->limits->cpu_shares.value;
	int rc = 0;

	if (value > 0) {
		/* the kernel's own range; docker clamps too */
		value = value < 2 ? 2 : value > 262144 ? 262144 : value;
		rc = add_control(b, &shares, root, dir, value, err);
	}
	return rc < 0 ? rc : add_bandwidth(b, root, dir, err);
}

/* ---- cpuset ---- */

/* Gives FILE of each directory on the way to the group what the one above has, where it is empty,
 * and the group itself VALUE or else the same. */
static void add_cpuset_file(struct cgroup_build *b, const char *root, const char *file,
			    const char *value, const char *flag)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_str struct str dir = STR_INIT, line = STR_INIT, inherited = STR_INIT;

	strv_split(&words, b->name, '/');
	str_add(&dir, root);
	cgroup_read_line(root, file, &inherited);
	strv_foreach (i, &words) {
		bool is_group = i + 1 == words.n;

		str_addf(&dir, "/%s", words.items[i]);
		cgroup_read_line(str_get(&dir), file, &line);
		if (is_group && value) {
			cgroup_add_write(b, str_get(&dir), file, value, flag, true);
		} else if (is_group || line.len == 0) {
			cgroup_add_write(b, str_get(&dir), file, str_get(&inherited), NULL, true);
		} else {
			str_truncate(&inherited, 0);
			str_add(&inherited, str_get(&line));
		}
	}
}

static bool wants_cpuset(const struct cgroup_limits *l)
{
	return l->cpuset_cpus || l->cpuset_mems;
}

static int plan_cpuset(struct cgroup_build *b, const char *root, const char *dir, struct err *err)
{
	const struct cgroup_limits *l = b->limits;

	if (!dir && wants_cpuset(l))
		return cgroup_missing(b, LIMIT_USER,
				      l->cpuset_cpus ? "--cpuset-cpus" : "--cpuset-mems",
				      "there is no cpuset controller", NULL, err);
	if (dir && (wants_cpuset(l) || !b->is_update)) {
		add_cpuset_file(b, root, "cpuset.cpus", l->cpuset_cpus, "--cpuset-cpus");
		add_cpuset_file(b, root, "cpuset.mems", l->cpuset_mems, "--cpuset-mems");
	}
	return 0;
}

/* ---- pids ---- */

static int plan_pids(struct cgroup_build *b, const char *root, const char *dir, struct err *err)
{
	const struct cgroup_limit *limit = &b->limits->pids;
	int64_t value = 0;

	if (b->is_update && !limit->source)
		return 0;
	if (limit->source && limit->value > 0 && !dir)
		return cgroup_missing(b, limit->source, cgroup_pids.flag,
				      "there is no pids controller",
				      "Your kernel does not support PIDs limit capabilities or the "
				      "cgroup is not mounted. PIDs limit discarded.",
				      err);
	value = dir ? cgroup_pids_within_parents(b, root, limit->value) : -1;
	if (value > 0)
		cgroup_add_writef(b, dir, "pids.max", cgroup_pids.flag, limit->source == LIMIT_USER,
				  "%" PRId64, value);
	else if (dir && b->is_update)
		cgroup_add_write(b, dir, "pids.max", "max", cgroup_pids.flag, true);
	return 0;
}

/* ---- blkio ---- */

/* The weight belongs to an I/O scheduler: CFQ's file until Linux 4.20, BFQ's since. Neither is in
 * the top directory; what is there tells of BFQ, and the parent, where it exists, of both. */
static const char *weight_file(struct cgroup_build *b, const char *root)
{
	cleanup_free char *parent = cgroup_parent(b, root);

	if (cgroup_has_file(root, "blkio.bfq.io_service_bytes") ||
	    cgroup_has_file(parent, "blkio.bfq.weight"))
		return "blkio.bfq.weight";
	if (strcmp(parent, root) != 0 && cgroup_has_file(parent, "cgroup.procs") &&
	    !cgroup_has_file(parent, "blkio.weight"))
		return NULL;
	return "blkio.weight";
}

static int add_weight(struct cgroup_build *b, const char *root, const char *dir, struct err *err)
{
	const struct cgroup_limit *limit = &b->limits->blkio_weight;
	const char *file = dir ? weight_file(b, root) : NULL;

	if (!limit->source || limit->value == 0)
		return 0;
	if (!file)
		return cgroup_missing(b, limit->source, cgroup_blkio_weight.flag,
				      "no I/O scheduler has weights", NULL, err);
	cgroup_add_writef(b, dir, file, cgroup_blkio_weight.flag, limit->source == LIMIT_USER,
			  "%" PRId64, limit->value);
	return 0;
}

static int add_device_list(struct cgroup_build *b, const struct cgroup_device_list *list,
			   const char *root, const char *dir, struct err *err)
{
	const struct cgroup_device_limits *limits = cgroup_device_list_get(b->limits, list);
	const char *weight = dir && !list->v1_file && limits->n ? weight_file(b, root) : NULL;
	cleanup_free char *file = NULL;

	if (limits->n == 0)
		return 0;
	if (weight)
		file = str_printf("%s_device", weight);
	else if (dir && list->v1_file && cgroup_has_file(root, list->v1_file))
		file = str_dup(list->v1_file);
	if (!file)
		return cgroup_missing(b, LIMIT_USER, list->flag, "there is no such control", NULL,
				      err);
	for (size_t i = 0; i < limits->n; i++)
		cgroup_add_writef(b, dir, file, list->flag, true, "%u:%u %" PRIu64,
				  limits->items[i].major, limits->items[i].minor,
				  limits->items[i].value);
	return 0;
}

static int plan_blkio(struct cgroup_build *b, const char *root, const char *dir, struct err *err)
{
	int rc = add_weight(b, root, dir, err);

	for (size_t i = 0; i < CGROUP_N_DEVICE_LISTS && rc >= 0; i++)
		rc = add_device_list(b, &cgroup_device_lists[i], root, dir, err);
	return rc;
}

/* ---- devices ---- */

/* Deny first, then permit. A default device that an outer container has not got itself cannot be
 * permitted: that is no reason to stop, for one the user asked for it is. */
static int plan_devices(struct cgroup_build *b, const char *root, const char *dir, struct err *err)
{
	const struct cgroup_actions *a = b->actions;

	if (b->limits->all_devices)
		return 0;
	if (!dir && b->limits->devices_may_be_missing)
		return cgroup_missing(b, LIMIT_IMPLIED, NULL, "",
				      "devices cannot be filtered: there is no devices controller",
				      err);
	if (!dir) {
		err_set(err, ERR_UNSUPPORTED,
			"%sdevices cannot be filtered: this host has no "
			"devices controller",
			b->limits->n_devices ? "--device: " : "");
		return err_hint(err, "mount the devices hierarchy of cgroup v1, or use cgroup v2");
	}
	cgroup_add_write(b, dir, "devices.deny", "a", NULL, true);
	for (size_t i = 0; i < a->n_rules; i++) {
		bool is_default = i < device_n_defaults();
		char text[DEVICE_RULE_LEN];

		cgroup_add_write(b, dir, "devices.allow", device_rule_format(&a->rules[i], text),
				 is_default ? NULL : "--device", !is_default);
	}
	return 0;
}

/* ---- all ---- */

static plan_fn *const controller_plans[CGROUP_N_CONTROLLERS] = {
	[CGROUP_DEVICES] = plan_devices, [CGROUP_PIDS] = plan_pids,   [CGROUP_MEMORY] = plan_memory,
	[CGROUP_CPU] = plan_cpu,	 [CGROUP_BLKIO] = plan_blkio, [CGROUP_CPUSET] = plan_cpuset,
};

static int plan_controllers(struct cgroup_build *b, unsigned controllers, const char *root,
			    const char *dir, struct err *err)
{
	int rc = 0;

	for (unsigned c = 0; c < CGROUP_N_CONTROLLERS && rc >= 0; c++)
		if ((controllers & (1U << c)) && controller_plans[c])
			rc = controller_plans[c](b, root, dir, err);
	return rc;
}

int cgroup_plan_v1(struct cgroup_build *b, struct err *err)
{
	const unsigned cpuset = 1U << CGROUP_CPUSET;
	unsigned missing = (1U << CGROUP_N_CONTROLLERS) - 1;
	int rc = 0;

	for (size_t i = 0; i < b->layout->n && rc >= 0; i++) {
		const struct cgroup_hierarchy *h = &b->layout->hierarchies[i];
		cleanup_free char *dir = NULL;

		missing &= ~h->controllers;
		if (h->controllers == cpuset && !wants_cpuset(b->limits))
			continue;
		/* A running container may have been left out of cpuset until now. */
		if (b->is_update && h->controllers != cpuset)
			dir = str_printf("%s/%s", h->root, b->name);
		else
			dir = cgroup_add_path(b, h->root);
		strv_add(&b->actions->dirs, dir);
		rc = plan_controllers(b, h->controllers, h->root, dir, err);
	}
	return rc < 0 ? rc : plan_controllers(b, missing, NULL, NULL, err);
}
