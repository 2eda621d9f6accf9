/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CGROUP_LIVE_H
#define SYS_CGROUP_LIVE_H
/*
 * Groups that exist: who is in them, and freezing, killing and removing them. All by the group's
 * name ("tare/<id>") and the host's layout. What they use: sys/cgroup_stats.h. Leaf calls: >= 0 or
 * -errno.
 */
#include "sys/cgroup.h"

#include <sys/types.h>

/* How many processes of the group the kernel killed for lack of memory; -ENOENT without the group
 * or without a memory controller. */
int cgroup_read_oom_kills(const struct cgroup_layout *layout, const char *name, uint64_t *ret);
/* Owned path of the one directory whose processes the functions below mean by the group's: on v1
 * the freezer's, where there is one. NULL without any hierarchy. */
char *cgroup_process_dir(const struct cgroup_layout *layout, const char *name);
/* Process ids of the group and of the groups below it, owned array (NULL for none). Only numbers:
 * see cgroup_kill for how to signal safely. */
int cgroup_list_pids(const struct cgroup_layout *layout, const char *name, pid_t **ret,
		     size_t *ret_n);
/* Stops or continues all processes of the group and waits until they are; -ETIMEDOUT (and the group
 * is thawed again) when they cannot be stopped within TIMEOUT_NS, -EOPNOTSUPP without a freezer. */
int cgroup_freeze(const struct cgroup_layout *layout, const char *name, bool frozen,
		  uint64_t timeout_ns);
/* Gives the running group the limits of cgroup_plan_update, all of them or, on an error, none: what
 * was written already gets its former value back. Lines for the user are appended to WARNINGS. 0,
 * or -code naming the option. */
int cgroup_update(const struct cgroup_layout *layout, const char *name,
		  const struct cgroup_limits *limits, struct strv *warnings, struct err *err);
/* 1 frozen, 0 not, -errno. */
int cgroup_is_frozen(const struct cgroup_layout *layout, const char *name);
/* SIGKILL to every process of the group, frozen or not, however fast it forks; waits until they are
 * gone or TIMEOUT_NS is over (-ETIMEDOUT). A missing group is fine. */
int cgroup_kill(const struct cgroup_layout *layout, const char *name, uint64_t timeout_ns);
/* Removes the group and what its processes made below it in every hierarchy. While processes are
 * still leaving it is tried again for TIMEOUT_NS (then -EBUSY). A missing group is fine. */
int cgroup_remove(const struct cgroup_layout *layout, const char *name, uint64_t timeout_ns);

#endif
