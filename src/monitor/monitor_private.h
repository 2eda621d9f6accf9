/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_MONITOR_PRIVATE_H
#define MONITOR_MONITOR_PRIVATE_H
/*
 * The monitor's one object, shared by how it comes up (monitor.c), what it does then
 * (monitor_loop.c) and how it goes on to the next run (monitor_restart.c). For these files only.
 */
#include "event/loop.h"
#include "monitor/companion.h"
#include "monitor/fanout.h"
#include "monitor/guard.h"
#include "monitor/log_driver.h"
#include "monitor/monitor.h"
#include "monitor/state.h"

struct health;

/* One output of the container. */
struct monitor_stream {
	struct loop_source source;
	struct monitor *monitor;
	int fd;	      /* owned; -1 at its end */
	bool is_busy; /* a pipe that was enlarged */
	enum log_stream log;
	enum frame_type frame;
};

struct monitor {
	const struct monitor_config *config;
	struct loop loop;
	struct fanout fanout;
	struct log_driver log;
	struct monitor_process process;
	struct monitor_stream streams[N_LOG_STREAMS]; /* with a terminal only the first */
	int stdin_fd;	 /* owned: write end, or another descriptor of the master */
	int tty_peer_fd; /* owned: keeps the terminal from hanging up while the container lives */
	int client_fd;	 /* owned until the fan-out takes it */
	struct companions companions;
	struct loop_source exit;
	struct loop_timer idle_timer;
	bool is_timer_set;
	bool has_exited;
	bool is_paused;
	uint64_t monitor_start_time;
	int64_t started_ns;
	uint64_t began_ns; /* the same on CLOCK_MONOTONIC */

	struct health *health; /* owned; NULL without checks, and when the run has ended */
	struct restart_rule restart;
	struct restart_history history;
	unsigned marks; /* RESTART_MARK_* */
	struct guard guard;
	struct monitor_exit last;	     /* the run before, or the one that has ended */
	bool is_waiting;		     /* for the next run */
	bool restarts;			     /* the run has ended and another follows */
	const struct monitor_resume *resume; /* NULL for the first run */
	struct loop_timer restart_timer;
	struct err *start_err; /* borrowed: why that start failed */
};

/* An owned monitor that has not begun; CLIENT_FD is handed over, -1 without one. */
struct monitor *monitor_new(const struct monitor_config *config, int client_fd);
/* Cuts the ties to whoever started this process. */
void monitor_leave_caller(void);
/* Everything up to a running container; 0 or -code. */
int monitor_bring_up(struct monitor *m, struct err *err);
/* Drops every descriptor that is not needed to wait. */
void monitor_drop_caller(struct monitor *m);
/* Ends what a start that failed has left of the container. */
void monitor_abandon(struct monitor *m, int exit_code, bool *ret_oom);
/* From the running container to the end of this process. */
__attribute__((noreturn)) void monitor_stay(struct monitor *m);

/* Writes state.json with STATUS; 0 or -errno. */
int monitor_write_state(struct monitor *m, const char *status);
/* Removes what the monitor keeps in the state directory, and the directory. */
void monitor_remove_state(struct monitor *m);
/* Writes exit.json: started, and nobody knows yet how it ends. 0 or -errno. */
int monitor_write_started(struct monitor *m);
/* Puts EXIT on record, on which clients are told it: final, or with another run to follow. */
void monitor_record_exit(struct monitor *m, const struct monitor_exit *exit);
/* Starts or ends the guard, as the policy wants it. */
void monitor_set_guard(struct monitor *m);
/* Heeds MARKS while it waits for the next run; true when that will not come. */
bool monitor_stop_waiting(struct monitor *m);
/* Executes the program anew for the next run. Clients that have not read all yet are served by a
 * process left behind. Returns when it cannot be executed. */
void monitor_go_on(struct monitor *m);
/* Tells clients of EXIT; has monitor_loop end once they have it. */
void monitor_tell_exit(struct monitor *m, const struct monitor_exit *exit);
/* Prepares the clients' side; 0 or -errno. */
int monitor_init_fanout(struct monitor *m);
/* Watches everything and runs until every client has been told of the exit. */
int monitor_loop(struct monitor *m);

#endif
