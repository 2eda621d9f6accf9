/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_REPORT_H
#define MONITOR_REPORT_H
/*
 * The events that a monitor is the one to know of: start, die, oom, and what its clients asked for.
 * A container may be renamed while it runs: whoever does that leaves the new name in the file
 * MONITOR_NAME_NAME of the state directory, and each event looks there first.
 */
#include "base/str.h"
#include "journal/record.h"

#include <stdbool.h>

struct monitor;
struct monitor_exit;

#define MONITOR_NAME_NAME "name"

/* One event now. Failures are nobody's business but the journal's. */
void monitor_report(struct monitor *m, const char *action, const struct journal_pair *pairs,
		    size_t n);
/* A start that went well (IS_STARTED) or not, as docker tells it: the attaching of the starting
 * command, the start, the size of its terminal. */
void monitor_report_start(struct monitor *m, bool is_started);
/* The end: out of memory, if it was that, and the exit code. */
void monitor_report_exit(struct monitor *m, const struct monitor_exit *exit);
/* "kill" and "resize", before they are done. */
void monitor_report_signal(struct monitor *m, int number);
void monitor_report_size(struct monitor *m, unsigned rows, unsigned columns);

/* Gives the container of the state directory DIR_FD the name NAME in further events; 0 or -errno.
 */
int monitor_set_name(int dir_fd, const char *name);

#endif
