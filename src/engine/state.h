/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H
/*
 * What a container is doing, from the files that its monitor keeps and the processes that they
 * name. A container whose state names another boot, or a process with another start time, is not
 * running; nothing here is guessed from the index.
 */
#include "base/err.h"
#include "monitor/health_state.h"
#include "monitor/restart_policy.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;

enum container_status {
	STATUS_CREATED,
	STATUS_RUNNING,
	STATUS_PAUSED,
	STATUS_RESTARTING, /* its run has ended, its monitor waits to start it again */
	STATUS_EXITED,
	STATUS_DEAD, /* its monitor was killed and it is being cleaned up */
};

struct container_state {
	enum container_status status;
	pid_t pid; /* host pid of the first process, 0 when not running */
	uint64_t start_time;
	pid_t monitor_pid;
	uint64_t monitor_start_time;
	bool monitor_lost;	   /* its monitor was killed: engine_settle has work to do */
	bool is_unknown;	   /* nobody has written down how it ended */
	bool was_started;	   /* its files tell of a start, though no end is on record */
	enum health_status health; /* while it has a process; HEALTH_NONE without checks */
	int exit_code;
	bool oom_killed;
	int64_t started_ns, finished_ns; /* 0: never */
	struct restart_history history;
	unsigned marks; /* RESTART_MARK_* of the last run; not known while it runs */
	char error[512];
};

/* Reads the state of container ID, which exists. Never fails: unreadable files read as what they
 * leave: Created, or Exited (255) when it is known to have started. */
void container_state_read(const struct engine *engine, const char *id, struct container_state *ret);

/* The same for who holds the container's entry (engine/pending.h): a start that is on record
 * without an end is not on its way then, but was cut short. */
void container_state_read_held(const struct engine *engine, const char *id,
			       struct container_state *ret);

/* Only what is on record of the last run that ended or was started, whatever lives now. */
void container_record_read(const struct engine *engine, const char *id,
			   struct container_state *ret);

/* Whether a container that is not running has ever been started: overlayfs leaves a directory in
 * its work directory, and only one that has ended loses its own. One of --rm has no exit on record.
 */
bool container_was_started(const struct engine *engine, const char *id);

/* "created", "running", "paused", "restarting", "exited", "dead": State.Status of inspect. */
const char *container_status_name(enum container_status status);
/* STATUS of ps: "Up 3 minutes (Paused)", "Up 3 minutes (healthy)", "Restarting (1) 5 seconds ago",
 * "Exited (0) 2 hours ago", "Created". NOW_NS as clock_real_ns. */
#define STATUS_TEXT_LEN 96
void container_status_format(const struct container_state *state, int64_t now_ns,
			     char buf[static STATUS_TEXT_LEN]);
/* As docker counts it: running, paused, or about to be started again. */
bool container_is_running(const struct container_state *state);
/* Running or paused: there is a process, and files are mounted. */
bool container_has_process(const struct container_state *state);

#endif
