/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_HEALTH_CHECK_H
#define ENGINE_HEALTH_CHECK_H
/* One health check of a container, in a process that its monitor has started for it. */
#include "base/err.h"

struct engine;

/* Runs the check of container ID and writes the report of monitor/health.h to REPORT_FD. Ends the
 * check, with all that it has started, when its time is over or nobody reads the report any more.
 * The caller is sealed, as for engine_exec. 0, also when the check failed or there was nothing to
 * check; -code when not even a report could be made. */
int engine_check_health(struct engine *engine, const char *id, int report_fd, struct err *err);

#endif
