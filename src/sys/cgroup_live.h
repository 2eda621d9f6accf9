/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CGROUP_LIVE_H
#define SYS_CGROUP_LIVE_H
/*
 * Groups that exist: what they use, and freezing, killing and removing them. All by the group's
 * name
 * ("tare/<id>") and the host's layout. Leaf calls: >= 0 or -errno.
 */
#include "sys/cgroup.h"

#include <sys/types.h>

/* Figures of one group; 0 where the host does not have one, UINT64_MAX for no limit. */
struct cgroup_stats {
	uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
	uint64_t cpu_throttled_ns, cpu_periods, cpu_throttled_periods;
	uint64_t memory, memory_limit, memory_peak;
	uint64_t memory_inactive_file; /* page cache that docker leaves out of its figure */
	uint64_t pids, pids_limit;
	uint64_t oom_kills;
	uint64_t read_bytes, write_bytes;
};

/* 0 or -ENOENT. */
int cgroup_read_stats(const struct cgroup_layout *layout, const char *name,
		      struct cgroup_stats *ret);
/* How many processes of the group the kernel killed for lack of memory; -ENOENT without the group
 * or without a memory controller. */
int cgroup_read_oom_kills(const struct cgroup_layout *layout, const char *name, uint64_t *ret);
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
