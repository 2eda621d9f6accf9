/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_EXEC_PLAN_H
#define RUNTIME_EXEC_PLAN_H
/* The plan of a further command in a running container. */
#include "oci/runtime_config.h"
#include "plan/steps.h"

struct runtime_exec {
	const struct strv *args;
	const char *cwd;
	const char *user;	   /* as typed, "" for root */
	const struct strv *groups; /* further groups, may be NULL */
	uint64_t capabilities;
	bool no_new_privs, terminal;
	unsigned short rows, columns;
	const struct sock_fprog *seccomp; /* NULL: unconfined */
	const char *seccomp_name;
	const struct strv *cgroups; /* directories to join */
	bool cgroups_are_v1;
	pid_t pid; /* first process of the container, and its pidfd (borrowed) */
	int pidfd;
	const char *tools_path; /* NULL, or where TOOLS_FD is mounted for this process alone */
	int tools_fd;
};

/* Adds the steps; EXEC and CONFIG (the container's own: its limits) are borrowed until the plan
 * ran.
 */
void runtime_plan_exec(const struct oci_runtime_config *config, const struct runtime_exec *exec,
		       struct plan_exec_info *info, struct plan *plan);

#endif
