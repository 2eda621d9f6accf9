/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_HEALTH_H
#define MONITOR_HEALTH_H
/*
 * Health checks of a running container, by its monitor.
 *
 * A check is a child of the monitor: this very program, which runs the command in the container
 * and bounds its output and its time. The monitor sleeps meanwhile; it reads the report
 * once the child has ended, and a child that does not end in time and a grace is killed. Closing
 * our end of the report's pipe calls a check off: the child sees that, kills what it has started
 * and goes, also when this process is killed.
 *
 * The report is the exit code in digits, a newline, and the output, at most HEALTH_REPORT_MAX in
 * all, so that it fits into a pipe that nobody reads. A child that ends well without one has not
 * found the container running: no result.
 */
#include "monitor/health_log.h"
#include "monitor/health_state.h"

struct monitor;

#define HEALTH_REPORT_MAX (HEALTH_OUTPUT_MAX + 128)

struct health_config {
	struct health_rule rule; /* complete */
	/* Absolute programs first: the check, and what a person would do to an unhealthy one. */
	char *const *check_argv, *const *stop_argv, *const *restart_argv;
};

/* Begins to check M's container, which has just started; nothing where it has no checks. 0 or
 * -errno. */
int health_begin(struct monitor *m);
/* Calls a running check off while the container is paused; as docker's, it counts as unhealthy from
 * then until a check after the pause says otherwise. */
void health_set_paused(struct monitor *m, bool is_paused);
/* The container has ended: no child is left afterwards. Waits for one a moment at most. Fine
 * without checks and when called again. */
void health_end(struct monitor *m);
/* The status now; HEALTH_NONE without checks. */
enum health_status health_get_status(const struct monitor *m);

#endif
