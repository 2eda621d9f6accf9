/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_LIMIT_STEPS_H
#define RUNTIME_LIMIT_STEPS_H
/* Resource limits of a process as plan steps. */
#include "oci/runtime_config.h"
#include "plan/plan.h"

/* INSIDE: CONFIG's limits. A lower limit on open files goes LATE, behind everything of ours that
 * opens one; all others early, while there is the privilege to raise them. */
void runtime_add_limits(struct plan *plan, const struct oci_runtime_config *config, bool late);

#endif
