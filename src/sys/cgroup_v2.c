/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a group on v2. One directory; files as kernel Documentation/admin-guide/cgroup-v2.rst
 * names them.
 *
 * A controller's files are in a group only when the directory above lists it in
 * cgroup.subtree_control, so each directory on the way down is asked to pass on what is needed and
 * is not passed on yet: on a host with systemd, or after the first container, that is nothing. A
 * directory other than the true root cannot pass anything on while it has processes itself ("no
 * internal processes"); inside a container the top directory is usually such a one, which is found
 * here and said before anything was changed.
 */
#include "sys/cgroup_plan.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

/* What is needed of one controller and why. */
struct need {
	enum limit_source source; /* LIMIT_UNSET: not needed */
	const char *flag;
	const char *warning;
	bool is_there; /* after plan_needs: can be used */
};

struct v2 {
	struct cgroup_build *b;
	const char *root;
	unsigned available;
	char *dir; /* owned: the group */
	struct need needs[CGROUP_N_CONTROLLERS];
};

static void v2_done(struct v2 *v)
{
	free(v->dir);
}

static void need(struct v2 *v, enum cgroup_controller c, enum limit_source source, const char *flag)
{
	if (source > v->needs[c].source) {
		v->needs[c].source = source;
		v->needs[c].flag = flag;
	}
}

static void need_limit(struct v2 *v, enum cgroup_controller c, const struct cgroup_limit_info *info)
{
	const struct cgroup_limit *limit = cgroup_limit_get(v->b->limits, info);

	if (limit->source && limit->value != 0)
		need(v, c, limit->source, info->flag);
}

/* memory, pids and io are used by every container: to count, and to know of an OOM. */
static void find_needs(struct v2 *v)
{
	static const struct {
		enum cgroup_controller controller;
		const struct cgroup_limit_info *info;
	} rows[] = {
		{CGROUP_MEMORY, &cgroup_memory},      {CGROUP_MEMORY, &cgroup_memory_swap},
		{CGROUP_MEMORY, &cgroup_reservation}, {CGROUP_PIDS, &cgroup_pids},
		{CGROUP_CPU, &cgroup_nano_cpus},      {CGROUP_CPU, &cgroup_cpu_shares},
		{CGROUP_CPU, &cgroup_cpu_quota},      {CGROUP_CPU, &cgroup_cpu_period},
		{CGROUP_BLKIO, &cgroup_blkio_weight},
	};
	const struct cgroup_limits *l = v->b->limits;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		need_limit(v, rows[i].controller, rows[i].info);
	for (size_t i = 0; i < CGROUP_N_DEVICE_LISTS; i++)
		if (cgroup_device_list_get(l, &cgroup_device_lists[i])->n > 0)
			need(v, CGROUP_BLKIO, LIMIT_USER, cgroup_device_lists[i].flag);
	if (l->cpuset_cpus || l->cpuset_mems)
		need(v, CGROUP_CPUSET, LIMIT_USER,
		     l->cpuset_cpus ? "--cpuset-cpus" : "--cpuset-mems");
	need(v, CGROUP_MEMORY, LIMIT_IMPLIED, NULL);
	need(v, CGROUP_PIDS, LIMIT_IMPLIED, NULL);
	need(v, CGROUP_BLKIO, LIMIT_IMPLIED, NULL);
	v->needs[CGROUP_PIDS].warning = "Your kernel does not support PIDs limit capabilities or "
					"the cgroup is not mounted. "
					"PIDs limit discarded.";
}

static int check_available(struct v2 *v, struct err *err)
{
	for (unsigned c = 0; c < CGROUP_N_CONTROLLERS; c++) {
		struct need *n = &v->needs[c];
		char what[64];
		int rc = 0;

		n->is_there = n->source && (v->available & (1U << c));
		if (!n->source || n->is_there)
			continue;
		snprintf(what, sizeof(what), "there is no %s controller",
			 cgroup_controller_name(c, CGROUP_V2));
		rc = cgroup_missing(v->b, n->source, n->flag, what, n->warning, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- passing controllers down ---- */

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = line; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && memcmp(p, word, len) == 0)
			return true;
		p += n;
	}
	return false;
}

/* cgroup.type is in every directory but the true root, which alone may have processes beside. */
static bool is_blocked(const char *dir)
{
	cleanup_str struct str line = STR_INIT;

	if (!cgroup_has_file(dir, "cgroup.type"))
		return false;
	cgroup_read_line(dir, "cgroup.procs", &line);
	return line.len > 0;
}

static int refuse_blocked(struct v2 *v, struct need *n, const char *dir, struct err *err)
{
	n->is_there = false;
	if (n->source != LIMIT_USER) {
		if (n->warning)
			strv_add(&v->b->actions->warnings, n->warning);
		return 0;
	}
	err_set(err, ERR_UNSUPPORTED,
		"%s: control group %s has processes of its own, so no group below it can be "
		"limited",
		n->flag, dir);
	return err_hint(
		err,
		"move them beside: mkdir %s/init && for p in $(cat %s/cgroup.procs); do echo $p "
		"> %s/init/cgroup.procs; done",
		dir, dir, dir);
}

/* DIR passes on every controller that is needed. One write each: if one is refused, the others are
 * not. */
static int pass_down(struct v2 *v, const char *dir, struct err *err)
{
	cleanup_str struct str line = STR_INIT;
	int rc = 0;

	cgroup_read_line(dir, "cgroup.subtree_control", &line);
	for (unsigned c = 0; c < CGROUP_N_CONTROLLERS && rc >= 0; c++) {
		struct need *n = &v->needs[c];
		const char *name = cgroup_controller_name(c, CGROUP_V2);

		if (!n->is_there || has_word(str_get(&line), name))
			continue;
		if (is_blocked(dir))
			rc = refuse_blocked(v, n, dir, err);
		else
			cgroup_add_writef(v->b, dir, "cgroup.subtree_control", n->flag,
					  n->source == LIMIT_USER, "+%s", name);
	}
	return rc;
}

static int add_path(struct v2 *v, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_str struct str dir = STR_INIT;

	strv_split(&words, v->b->name, '/');
	str_add(&dir, v->root);
	strv_foreach (i, &words) {
		int rc = pass_down(v, str_get(&dir), err);

		if (rc < 0)
			return rc;
		str_addf(&dir, "/%s", words.items[i]);
		if (!v->b->is_update)
			cgroup_add_mkdir(v->b, str_get(&dir));
	}
	v->dir = str_take(&dir);
	strv_add(&v->b->actions->dirs, v->dir);
	v->b->actions->join_by_clone = true;
	return 0;
}

/* ---- limits ---- */

/* Whether the parent, a directory like the group's own, shows that FILE is not among the files of
 * the controller whose MARKER is there; when it does not exist yet nothing is known, and the write
 * tells. */
static bool is_known_missing(struct v2 *v, const char *marker, const char *file)
{
	cleanup_free char *parent = cgroup_parent(v->b, v->root);

	return strcmp(parent, v->root) != 0 && cgroup_has_file(parent, marker) &&
	       !cgroup_has_file(parent, file);
}

static void add_number(struct v2 *v, const char *file, const struct cgroup_limit_info *info,
		       int64_t value)
{
	bool required = cgroup_limit_get(v->b->limits, info)->source == LIMIT_USER;

	if (value < 0)
		cgroup_add_write(v->b, v->dir, file, "max", info->flag, required);
	else
		cgroup_add_writef(v->b, v->dir, file, info->flag, required, "%" PRId64, value);
}

static int add_swap(struct v2 *v, struct err *err)
{
	const struct cgroup_limits *l = v->b->limits;
	int64_t swap = l->memory_swap.value;

	if (!l->memory_swap.source || l->memory.value <= 0 || swap == 0)
		return 0;
	if (is_known_missing(v, "memory.max", "memory.swap.max"))
		return cgroup_missing(v->b, l->memory_swap.source, cgroup_memory_swap.flag,
				      "swap cannot be limited", CGROUP_NO_SWAP_LIMIT, err);
	/* v1 counts memory and swap together, v2 swap alone */
	add_number(v, "memory.swap.max", &cgroup_memory_swap,
		   swap < 0 ? -1 : swap - l->memory.value);
	return 0;
}

static int plan_memory(struct v2 *v, struct err *err)
{
	const struct cgroup_limits *l = v->b->limits;
	int rc = 0;

	if (l->swappiness.source)
		rc = cgroup_missing(v->b, l->swappiness.source, cgroup_swappiness.flag,
				    "cgroup v2 has no swappiness of a group", NULL, err);
	if (rc >= 0 && l->oom_kill_disable)
		rc = cgroup_missing(v->b, LIMIT_USER, "--oom-kill-disable",
				    "cgroup v2 cannot disable the OOM killer", NULL, err);
	if (rc < 0 || !v->needs[CGROUP_MEMORY].is_there)
		return rc;
	if (l->memory.source && l->memory.value != 0)
		add_number(v, "memory.max", &cgroup_memory, l->memory.value);
	rc = add_swap(v, err);
	if (l->reservation.source && l->reservation.value != 0)
		add_number(v, "memory.low", &cgroup_reservation, l->reservation.value);
	/* a container is one thing: half of it alive after an OOM helps nobody */
	cgroup_add_write(v->b, v->dir, "memory.oom.group", "1", NULL, false);
	return rc;
}

static int plan_pids(struct v2 *v, struct err *err)
{
	int64_t value = -1;

	if (v->b->is_update && !v->b->limits->pids.source)
		return 0;
	if (v->needs[CGROUP_PIDS].is_there)
		value = cgroup_pids_within_parents(v->b, v->root, v->b->limits->pids.value);
	if (value > 0 || (v->b->is_update && v->needs[CGROUP_PIDS].is_there))
		add_number(v, "pids.max", &cgroup_pids, value);
	return 0;
}

/* docker's formula, 1 + (shares - 2) * 9999 / 262142, makes 39 of the normal 1024 where the
 * kernel's normal weight is 100, and 1 and 3 of 20 and 80. Scaled by the two normals instead and
 * rounded, ratios hold between containers and against everything else on the host. */
static int64_t weight_of_shares(int64_t shares)
{
	int64_t weight = 0;

	if (shares > 262144) /* the limit of v1, and of what can be multiplied */
		shares = 262144;
	weight = (shares * 100 + 512) / 1024;
	return weight < 1 ? 1 : weight > 10000 ? 10000 : weight;
}

static int plan_cpu(struct v2 *v, struct err *err)
{
	const struct cgroup_limits *l = v->b->limits;
	struct cgroup_bandwidth bw = {};
	char quota[24] = "max";

	if (!v->needs[CGROUP_CPU].is_there)
		return 0;
	if (l->cpu_shares.value > 0)
		add_number(v, "cpu.weight", &cgroup_cpu_shares,
			   weight_of_shares(l->cpu_shares.value));
	if (!cgroup_bandwidth_get(l, &bw))
		return 0;
	if (bw.quota > 0)
		snprintf(quota, sizeof(quota), "%" PRId64, bw.quota);
	cgroup_add_writef(v->b, v->dir, "cpu.max", bw.flag, bw.source == LIMIT_USER, "%s %" PRId64,
			  quota, bw.period > 0 ? bw.period : 100000);
	return 0;
}

static int plan_cpuset(struct v2 *v, struct err *err)
{
	const struct cgroup_limits *l = v->b->limits;

	if (l->cpuset_cpus)
		cgroup_add_write(v->b, v->dir, "cpuset.cpus", l->cpuset_cpus, "--cpuset-cpus",
				 true);
	if (l->cpuset_mems)
		cgroup_add_write(v->b, v->dir, "cpuset.mems", l->cpuset_mems, "--cpuset-mems",
				 true);
	return 0;
}

/* ---- io ---- */

/* io.weight comes with the io.cost policy, whose files are in the root; io.bfq.weight with the BFQ
 * scheduler. NULL when it is known that neither is there. */
static const char *weight_file(struct v2 *v)
{
	if (cgroup_has_file(v->root, "io.cost.qos") || !is_known_missing(v, "io.stat", "io.weight"))
		return "io.weight";
	return is_known_missing(v, "io.stat", "io.bfq.weight") ? NULL : "io.bfq.weight";
}

/* docker's 10..1000 on the scale of the file: runc's formula for io.weight (1..10000), BFQ's own
 * scale is docker's. */
static uint64_t weight_for(const char *file, uint64_t weight)
{
	return strcmp(file, "io.weight") == 0 ? 1 + (weight - 10) * 9999 / 990 : weight;
}

static int add_device_list(struct v2 *v, const struct cgroup_device_list *list, const char *weight,
			   struct err *err)
{
	const struct cgroup_device_limits *limits = cgroup_device_list_get(v->b->limits, list);

	for (size_t i = 0; i < limits->n; i++) {
		const struct cgroup_device_limit *d = &limits->items[i];

		if (list->v2_key)
			cgroup_add_writef(v->b, v->dir, "io.max", list->flag, true,
					  "%u:%u %s=%" PRIu64, d->major, d->minor, list->v2_key,
					  d->value);
		else if (weight)
			cgroup_add_writef(v->b, v->dir, weight, list->flag, true, "%u:%u %" PRIu64,
					  d->major, d->minor, weight_for(weight, d->value));
		else
			return cgroup_missing(v->b, LIMIT_USER, list->flag,
					      "no I/O scheduler has weights", NULL, err);
	}
	return 0;
}

static int plan_io(struct v2 *v, struct err *err)
{
	const struct cgroup_limit *limit = &v->b->limits->blkio_weight;
	const char *weight = NULL;
	int rc = 0;

	if (!v->needs[CGROUP_BLKIO].is_there)
		return 0;
	if (limit->value > 0 || v->b->limits->weight_device.n > 0)
		weight = weight_file(v);
	if (limit->value > 0 && !weight)
		rc = cgroup_missing(v->b, limit->source, cgroup_blkio_weight.flag,
				    "no I/O scheduler has weights", NULL, err);
	else if (limit->value > 0)
		add_number(v, weight, &cgroup_blkio_weight,
			   (int64_t)weight_for(weight, (uint64_t)limit->value));
	for (size_t i = 0; i < CGROUP_N_DEVICE_LISTS && rc >= 0; i++)
		rc = add_device_list(v, &cgroup_device_lists[i], weight, err);
	return rc;
}

static int plan_devices(struct v2 *v, struct err *err)
{
	if (!v->b->limits->all_devices)
		cgroup_add_devfilter(v->b, v->dir, !v->b->limits->devices_may_be_missing);
	return 0;
}

int cgroup_plan_v2(struct cgroup_build *b, struct err *err)
{
	static int (*const phases[])(struct v2 * v, struct err * err) = {
		check_available, add_path,    plan_memory, plan_pids,
		plan_cpu,	 plan_cpuset, plan_io,	   plan_devices,
	};
	cleanup_with(v2_done) struct v2 v = {
		.b = b,
		.root = b->layout->hierarchies[0].root,
		.available = b->layout->hierarchies[0].controllers,
	};
	int rc = 0;

	find_needs(&v);
	for (size_t i = 0; i < ARRAY_LEN(phases) && rc >= 0; i++)
		rc = phases[i](&v, err);
	return rc;
}
