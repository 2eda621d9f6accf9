/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_STATE_H
#define MONITOR_STATE_H
/*
 * The two small files a monitor keeps, each replaced by rename so that a reader sees all of it or
 * none: state.json in the directory under --runroot (what is alive) and exit.json in the
 * container's own directory (how it last ended). Keys as the OCI runtime specification names them,
 * plus ours.
 */
#include "monitor/health_state.h"
#include "monitor/restart_policy.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MONITOR_STATE_NAME "state.json"
#define MONITOR_EXIT_NAME  "exit.json"
/* What the state directory is called for the moment of its removal, after the container's id. */
#define MONITOR_ENDED_SUFFIX ".ended"

/* How a container ended, or that it was started and nobody knows yet how it will. */
struct monitor_exit {
	int code;
	bool oom_killed;
	int64_t started_ns;  /* 0: it never ran, CLOCK_NEVER is written */
	int64_t finished_ns; /* 0: it has not ended */
	const char *error;   /* why it did not start; "" or NULL else */
	struct restart_history history;
	unsigned marks; /* RESTART_MARK_STOPPED and CANCELED */
};

/* {"exitCode":…,"oomKilled":…,"startedAt":…,"finishedAt":…,"error":…} under DIR_FD, and where they
 * are not zero "restartCount", "restartDelay" (ns), "stopped", "canceled"; 0 or -errno. */
int monitor_exit_write(int dir_fd, const struct monitor_exit *exit);

struct monitor_state {
	const char *id;
	const char *bundle; /* NULL: left out */
	const char *status; /* created, running, paused, restarting or stopped */
	pid_t pid;
	uint64_t start_time; /* clock ticks since boot, /proc/PID/stat field 22 */
	pid_t monitor_pid;
	uint64_t monitor_start_time;
	int64_t started_ns; /* since 1970 */
	uint32_t restart_count;
	enum health_status health;
	/* The run before, while the container waits to be started again; NULL else. */
	const struct monitor_exit *last;
};

/* {"ociVersion":…,"id":…,"status":…,"pid":…,"bundle":…,"starttime":…,"bootId":…,
 * "monitor":{"pid":…,"starttime":…},"startedAt":…} under DIR_FD, "restartCount" unless it is 0,
 * "health" unless there are no checks, and of the run before "exitCode", "oomKilled", "finishedAt",
 * "error"; 0 or -errno. */
int monitor_state_write(int dir_fd, const struct monitor_state *state);

#endif
