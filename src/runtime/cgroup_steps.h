/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CGROUP_STEPS_H
#define RUNTIME_CGROUP_STEPS_H
/* Control groups as plan steps. */
#include "plan/steps.h"
#include "sys/cgroup.h"

/* HOST: makes group NAME with LIMITS. ACTIONS (empty) keeps the directories to join. */
int runtime_add_cgroup_steps(struct plan *plan, const struct cgroup_layout *layout,
			     const char *name, const struct cgroup_limits *limits,
			     struct cgroup_actions *actions, struct strv *warnings,
			     struct err *err);
/* INSIDE: joins them. */
void runtime_add_cgroup_joins(struct plan *plan, const struct cgroup_layout *layout,
			      const struct cgroup_actions *actions);
/* INSIDE: the container's view of its control groups at TARGET. */
void runtime_add_cgroup_mounts(struct plan *plan, const struct cgroup_layout *layout,
			       const char *target, uint64_t attrs);

#endif
