/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource limits as plan steps, in two places: `--ulimit nofile=10` must not stop the engine
 * itself from finishing its work, and raising a limit takes a capability that is gone at the end.
 */
#include "runtime/limit_steps.h"

#include "plan/steps.h"

#include <sys/resource.h>

static bool goes_late(const struct oci_rlimit *limit)
{
	struct rlimit now;

	return limit->resource == RLIMIT_NOFILE && getrlimit(RLIMIT_NOFILE, &now) == 0 &&
	       limit->hard <= now.rlim_max;
}

void runtime_add_limits(struct plan *plan, const struct oci_runtime_config *config, bool late)
{
	for (size_t i = 0; i < config->n_rlimits; i++) {
		const struct oci_rlimit *limit = &config->rlimits[i];
		const char *name = oci_rlimit_name(limit->resource);

		if (name && goes_late(limit) == late)
			plan_rlimit(plan, limit->resource, name, limit->soft, limit->hard, NULL);
	}
}
