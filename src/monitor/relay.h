/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_RELAY_H
#define MONITOR_RELAY_H
/*
 * The session of a command whose process is its own child, without a monitor: exec.
 */
#include "monitor/session.h"

struct err;

/* The child and our ends of its streams; all handed over. Without a terminal up to three pipes (-1:
 * not there); with one only the master. */
struct relay_process {
	int pid_fd;
	int stdin_fd;
	int stdout_fd;
	int stderr_fd;
	int console_fd;
};

/* Relays until the child has ended and its output is written out, or the session ends otherwise. A
 * process that the child left behind may keep the output open a tenth of a second longer, no more.
 * Reaps the child on EXITED. After DETACHED the child still runs, and a process forked off here
 * keeps its terminal. 0 or -code. */
int relay_run(const struct relay_process *process, const struct session_config *config,
	      struct session_result *ret, struct err *err);

#endif
