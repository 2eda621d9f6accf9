/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New limits for a group that has processes. Each file is read before it is written, so that an
 * error half way takes everything back: a container has the limits that are on record, or the ones
 * that were asked for, and never some of both.
 *
 * On v1 a container without a set of processors is not in the cpuset hierarchy at all (a new group
 * there has no processor until it is given some). One that is to have a set moves there with all
 * its processes, which may be forking.
 */
#include "sys/cgroup_live.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/cgroup_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_LIMIT  4096
#define MOVE_ROUNDS 100

/* ---- writing, and taking back ---- */

static bool is_write(const struct cgroup_action *a)
{
	/* What is passed down to groups below stays passed down: others may use it by now. */
	return a->kind == CGROUP_WRITE && !str_has_suffix(a->path, "subtree_control");
}

/* The first line of the file behind A, owned; NULL where there is nothing to give back. */
static char *read_before(const struct cgroup_action *a)
{
	cleanup_str struct str text = STR_INIT;

	if (!is_write(a) || fd_read_kernel_file(a->path, FILE_LIMIT, &text) < 0 || !text.len)
		return NULL;
	str_truncate(&text, strcspn(str_get(&text), "\n"));
	return str_take(&text);
}

static void take_back(const struct cgroup_action *items, char *const *before, size_t n)
{
	while (n-- > 0) {
		struct cgroup_action back = items[n];
		struct cgroup_actions one = {.items = &back, .n = 1};
		struct err ignored = ERR_INIT;

		back.value = before[n];
		if (before[n])
			cgroup_action_run(&one, 0, &ignored);
	}
}

/* A group cannot be given less memory than it holds and the kernel cannot take from it. */
static int explain_busy(const struct cgroup_action *a, struct err *err)
{
	if (err->errnum == EBUSY && str_has_suffix(a->path, "limit_in_bytes"))
		err_hint(err, "the container uses more than that; stop what uses it, or give it a "
			      "higher limit");
	return -err->code;
}

static int run_actions(const struct cgroup_actions *actions, char **before, struct strv *warnings,
		       struct err *err)
{
	for (size_t i = 0; i < actions->n; i++) {
		int rc = 0;

		before[i] = read_before(&actions->items[i]);
		rc = cgroup_action_run(actions, i, err);
		if (rc < 0) {
			take_back(actions->items, before, i);
			return explain_busy(&actions->items[i], err);
		}
		if (rc > 0 && actions->items[i].flag)
			strv_add(warnings, err->msg);
		err_clear(err);
	}
	return 0;
}

/* ---- into the cpuset hierarchy ---- */

/* Moves what is in the group elsewhere and not in DIR yet; the number of processes moved, or
 * -errno.
 */
static int move_round(const struct cgroup_layout *layout, const char *name, const char *dir)
{
	cleanup_free char *path = str_printf("%s/cgroup.procs", dir);
	cleanup_str struct str there = STR_INIT;
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	int moved = 0;
	int rc = cgroup_list_pids(layout, name, &pids, &n);

	str_add_char(&there, '\n');
	if (rc >= 0)
		rc = fd_read_kernel_file(path, SIZE_MAX, &there);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		char line[16];
		int fd = -1;

		snprintf(line, sizeof(line), "\n%d\n", pids[i]);
		if (strstr(str_get(&there), line))
			continue;
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		line[strlen(line) - 1] = '\0';
		rc = fd < 0 ? -errno : fd_write_full(fd, line + 1, strlen(line + 1));
		if (fd >= 0)
			close(fd);
		moved += rc == 0;
		rc = rc == -ESRCH ? 0 : rc;
	}
	return rc < 0 ? rc : moved;
}

/* Until a round finds nobody left behind: a child is born where its parent is. */
static int move_all(const struct cgroup_layout *layout, const char *name, const char *dir)
{
	for (int i = 0; i < MOVE_ROUNDS; i++) {
		int rc = move_round(layout, name, dir);

		if (rc <= 0)
			return rc;
	}
	return -EAGAIN;
}

static char *separate_cpuset(const struct cgroup_layout *layout, const char *name)
{
	const struct cgroup_hierarchy *h = cgroup_find(layout, CGROUP_CPUSET);

	if (layout->mode == CGROUP_V2 || !h || h->controllers != 1U << CGROUP_CPUSET)
		return NULL;
	return str_printf("%s/%s", h->root, name);
}

/* BEFORE has room for each action. */
static int update(const struct cgroup_layout *layout, const char *name,
		  const struct cgroup_actions *actions, const char *cpuset, char **before,
		  struct strv *warnings, struct err *err)
{
	int rc = run_actions(actions, before, warnings, err);

	if (rc < 0 || !cpuset)
		return rc;
	rc = move_all(layout, name, cpuset);
	if (rc == 0)
		return 0;
	take_back(actions->items, before, actions->n);
	return err_sys(err, -rc, "--cpuset-cpus: move the processes to %s", cpuset);
}

int cgroup_update(const struct cgroup_layout *layout, const char *name,
		  const struct cgroup_limits *limits, struct strv *warnings, struct err *err)
{
	cleanup_cgroup_actions struct cgroup_actions actions = {};
	cleanup_free char *cpuset = NULL;
	cleanup_free char **before = NULL;
	int rc = cgroup_plan_update(layout, name, limits, &actions, err);

	if (rc < 0)
		return rc;
	strv_add_all(warnings, &actions.warnings);
	if (limits->cpuset_cpus || limits->cpuset_mems)
		cpuset = separate_cpuset(layout, name);
	before = mem_zalloc((actions.n + 1) * sizeof(*before));
	rc = update(layout, name, &actions, cpuset, before, warnings, err);
	for (size_t i = 0; i < actions.n; i++)
		free(before[i]);
	return rc;
}
