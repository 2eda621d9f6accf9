/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_CLIENT_H
#define MONITOR_CLIENT_H
/*
 * The command's side of a monitor: connect, wait for the start, then either the whole session in
 * the foreground or one small request.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/companion.h"
#include "monitor/protocol.h"
#include "monitor/restart_policy.h"
#include "monitor/session.h"

struct err;

/* The answer to a connection. */
struct monitor_started {
	pid_t pid;
	int stdin_fd;	 /* owned by the caller; -1 when none was asked for or there is none */
	bool has_exited; /* it ended before it could answer: exit_code and oom_killed count */
	int exit_code;
	bool oom_killed;
};

/* Connects to the monitor of the container whose state directory is STATE_DIR_FD and says HELLO
 * with CLIENT_* FLAGS. The socket, or -code: ERR_NOT_FOUND when no monitor is there,
 * ERR_UNAVAILABLE when it does not take us (FANOUT_CLIENTS_MAX). */
int monitor_client_connect(int state_dir_fd, uint32_t flags, struct err *err);
/* Waits (blocking) for STARTED, after connect or monitor_spawn. 0; -code with the monitor's own
 * error when the container did not start; ERR_UNAVAILABLE when the monitor is gone. */
int monitor_client_wait_started(int socket_fd, struct monitor_started *ret, struct err *err);

/* The session, until it ends in one of the ways of session_outcome. STDIN_FD (handed over, may be
 * -1) is the one from monitor_started. All output that precedes the exit has been written when it
 * returns. 0 or -code. */
int monitor_client_run(int socket_fd, int stdin_fd, const struct session_config *config,
		       struct session_result *ret, struct err *err);
/* Waits (blocking) for the exit alone; connect with no flags. EXITED or LOST; 0 or -code. */
int monitor_client_wait_exit(int socket_fd, struct session_result *ret, struct err *err);

/* Requests on a connection: 0 or -errno. */
int monitor_client_signal(int socket_fd, int number);
int monitor_client_resize(int socket_fd, uint16_t rows, uint16_t columns);
/* Has the monitor write "paused" or "running" to state.json, and waits until it stands there. 0 or
 * -code. */
int monitor_client_set_paused(int state_dir_fd, bool is_paused, struct err *err);
/* Tells the monitor of what a person does to the container (RESTART_MARK_*), before it is done, so
 * that nothing is started again behind its back; waits until it is on disk. One that waits for its
 * next start ends instead when MARKS cancel it: its end is on record when this returns. 0, or
 * -ERR_CONFLICT when the run ended meanwhile, or as connect and wait_started: look at the state
 * again. */
int monitor_client_set_stopping(int state_dir_fd, unsigned marks, struct err *err);
/* A connection for the two below, to a container that runs: the socket, or -code as
 * monitor_client_set_stopping. */
int monitor_client_open(int state_dir_fd, struct err *err);
/* Has the monitor keep the N <= COMPANION_FDS_MAX descriptors FDS (borrowed) until the container
 * ends, as a companion of KIND with LEN bytes of PAYLOAD (monitor/companion.h); waits until it
 * does. With N = 0 one that is there gets another payload. 0; -ERR_NOT_FOUND for that where none is
 * there, -ERR_CONFLICT when the container has ended, -ERR_SYSTEM when it could not. */
int monitor_client_adopt(int socket_fd, enum companion_kind kind, const void *payload, size_t len,
			 const int *fds, size_t n, struct err *err);
/* Has it close the one whose key is KEY. As above. */
int monitor_client_release(int socket_fd, enum companion_kind kind, const void *key, size_t len,
			   struct err *err);
/* Gives the container another restart policy from now on (MAX: on-failure's, 0 without limit). What
 * is on disk is the caller's: write the container's HostConfig first. 0, or -code as
 * monitor_client_set_stopping. */
int monitor_client_set_restart(int state_dir_fd, enum restart_policy policy, uint32_t max,
			       struct err *err);

#endif
