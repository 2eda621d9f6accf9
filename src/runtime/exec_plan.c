/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A further command in a running container: the same control groups, the same namespaces, the same
 * limits, capabilities and filter as its first process.
 */
#include "runtime/exec_plan.h"

#include "base/mem.h"
#include "runtime/limit_steps.h"

void runtime_plan_exec(const struct oci_runtime_config *config, const struct runtime_exec *exec,
		       struct plan_exec_info *info, struct plan *plan)
{
	*info = (struct plan_exec_info){
		.env = &config->env,
		.user = exec->user,
		.cwd = exec->cwd,
		.bounding = exec->capabilities,
		.no_new_privs = exec->no_new_privs,
	};
	plan_group(plan, "a process born in the container's pid namespace");
	plan_enter_pid(plan, exec->pidfd, exec->pid);
	plan_clone(plan, 0,
		   exec->cgroups_are_v1 || !exec->cgroups->n ? NULL : exec->cgroups->items[0]);
	plan_group(plan, "into the container's control groups and all its other namespaces");
	strv_foreach (i, exec->cgroups)
		plan_join_cgroup(plan, exec->cgroups->items[i], exec->cgroups_are_v1);
	plan_enter(plan, exec->pidfd, exec->pid);
	if (exec->tools_path) {
		plan_group(plan, "tools that this process alone sees");
		plan_own_mounts(plan);
		plan_mount_tools(plan, exec->tools_fd, exec->tools_path);
	}
	plan_group(plan, "a session and the container's limits");
	plan_session(plan, exec->terminal, exec->rows, exec->columns);
	plan_keyring(plan);
	runtime_add_limits(plan, config, false);
	plan_oom_score(plan, config->oom_score_adj, NULL);
	plan_group(plan, "nobody special any more");
	plan_user(plan, exec->user, exec->groups);
	if (exec->seccomp && !exec->no_new_privs)
		plan_seccomp(plan, exec->seccomp, exec->seccomp_name);
	plan_identity(plan, exec->capabilities);
	if (exec->no_new_privs)
		plan_no_new_privs(plan);
	plan_workdir(plan, exec->cwd);
	runtime_add_limits(plan, config, true);
	if (exec->seccomp && exec->no_new_privs)
		plan_seccomp(plan, exec->seccomp, exec->seccomp_name);
	plan_exec(plan, exec->args, info);
}
