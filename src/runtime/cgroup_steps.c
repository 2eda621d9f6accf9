/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups as plan steps: what sys/cgroup computed becomes directories, writes and, on v2,
 * the device filter; the container's own view of them becomes mounts.
 */
/* lint file: paths of the host's cgroupfs, put together by sys/cgroup */
#include "runtime/cgroup_steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/container_plan.h"
#include "sys/devfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

/* ---- the device filter of v2 ---- */

struct filter {
	size_t n;
	struct device_rule rules[];
};

static int run_devfilter(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int fd = open(step->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct filter *filter = (const struct filter *)(const void *)step->text;
	int rc = fd < 0 ? -errno : devfilter_attach(fd, filter->rules, filter->n);

	return rc < 0 ? err_sys(err, -rc, "filter devices in %s", step->path) : 0;
}

static void explain_devfilter(const struct step *step, enum step_text mode, struct str *out)
{
	const struct filter *filter = (const struct filter *)(const void *)step->text;

	str_addf(out, "# bpf: a device filter of %zu rules on %s; no shell form", filter->n,
		 step->path);
}

static const struct step_op step_devfilter = {"device filter", run_devfilter, explain_devfilter};

static void add_devfilter(struct plan *plan, const struct cgroup_actions *actions, const char *path)
{
	struct step *step = plan_add(plan, &step_devfilter, STEP_HOST);
	size_t bytes = actions->n_rules * sizeof(actions->rules[0]);
	struct filter *filter = mem_alloc(sizeof(*filter) + bytes);

	filter->n = actions->n_rules;
	memcpy(filter->rules, actions->rules, bytes);
	step->path = str_dup(path);
	step->text = (char *)(void *)filter; /* freed with the step */
}

/* ---- making a group ---- */

/* ---- a limit: a write whose failure names the user's option ---- */

static int run_limit(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int fd = open(step->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc = fd < 0 ? -errno : fd_write_full(fd, step->text, strlen(step->text));
	const struct cgroup_action action = {
		.kind = CGROUP_WRITE, .path = step->path, .value = step->text, .flag = step->type};

	return rc < 0 ? cgroup_action_error(&action, -rc, err) : 0;
}

static void explain_limit(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "echo ");
	str_add_shell(out, step->text);
	str_add(out, " > ");
	str_add_shell(out, step->path);
}

static const struct step_op step_limit = {"limit", run_limit, explain_limit};

static void add_limit(struct plan *plan, const struct cgroup_action *action)
{
	struct step *step = plan_add(plan, &step_limit, STEP_HOST);

	step->path = str_dup(action->path);
	step->text = str_dup(action->value);
	step->type = str_dup(action->flag);
	step->is_optional = !action->required;
}

static void add_action(struct plan *plan, const struct cgroup_actions *actions, size_t i)
{
	const struct cgroup_action *action = &actions->items[i];

	switch (action->kind) {
	case CGROUP_MKDIR:
		plan_mkdir(plan, STEP_HOST, action->path, 0755);
		break;
	case CGROUP_WRITE:
		add_limit(plan, action);
		break;
	case CGROUP_DEVFILTER:
		add_devfilter(plan, actions, action->path);
		plan->steps[plan->n - 1]->is_optional = !action->required;
		break;
	}
}

int runtime_add_cgroup_steps(struct plan *plan, const struct cgroup_layout *layout,
			     const char *name, const struct cgroup_limits *limits,
			     struct cgroup_actions *actions, struct strv *warnings, struct err *err)
{
	int rc = cgroup_plan(layout, name, limits, actions, err);

	if (rc < 0)
		return rc;
	plan_group(plan, "a place of its own among the control groups, with its limits");
	for (size_t i = 0; i < actions->n; i++)
		add_action(plan, actions, i);
	plan_group(plan, NULL);
	strv_add_all(warnings, &actions->warnings);
	return 0;
}

void runtime_add_cgroup_joins(struct plan *plan, const struct cgroup_layout *layout,
			      const struct cgroup_actions *actions)
{
	plan_group(plan, "the first process joins its control groups, and sees nothing above them");
	strv_foreach (i, &actions->dirs)
		plan_join_cgroup(plan, actions->dirs.items[i], layout->mode != CGROUP_V2);
}

/* ---- the container's view ---- */

static void add_v1_mount(struct plan *plan, const struct cgroup_layout *layout,
			 const struct cgroup_hierarchy *hierarchy, const char *target,
			 uint64_t attrs)
{
	const char *base = strrchr(hierarchy->root, '/');
	cleanup_free char *path = str_printf("%s%s", target, base ? base : hierarchy->root);
	cleanup_strv struct strv options = STRV_INIT;

	for (unsigned c = 0; c < CGROUP_N_CONTROLLERS; c++)
		if (hierarchy->controllers & (1U << c))
			strv_add(&options, cgroup_controller_name(c, layout->mode));
	plan_mount(plan, "cgroup", "cgroup", path, &options, attrs);
}

void runtime_add_cgroup_mounts(struct plan *plan, const struct cgroup_layout *layout,
			       const char *target, uint64_t attrs)
{
	cleanup_strv struct strv options = STRV_INIT;

	if (layout->mode == CGROUP_NONE)
		return;
	if (layout->mode == CGROUP_V2) {
		plan_mount(plan, "cgroup2", "cgroup", target, NULL, attrs);
		return;
	}
	strv_add(&options, "mode=755");
	plan_mount(plan, "tmpfs", "tmpfs", target, &options, attrs & ~(uint64_t)MOUNT_ATTR_RDONLY);
	for (size_t i = 0; i < layout->n; i++)
		add_v1_mount(plan, layout, &layout->hierarchies[i], target, attrs);
	if (attrs & MOUNT_ATTR_RDONLY)
		plan_readonly_mount(plan, target);
}

/* ---- removing a group ---- */

void runtime_plan_teardown(const struct cgroup_layout *layout, const char *cgroup, bool has_cpuset,
			   struct plan *plan)
{
	plan_group(plan, "its control groups go with it");
	for (size_t i = 0; i < layout->n; i++) {
		bool only_cpuset = layout->hierarchies[i].controllers == 1U << CGROUP_CPUSET;

		if (only_cpuset && !has_cpuset)
			continue;
		cleanup_free char *dir = str_printf("%s/%s", layout->hierarchies[i].root, cgroup);
		plan_rmdir(plan, dir);
	}
	plan_group(plan, NULL);
}
