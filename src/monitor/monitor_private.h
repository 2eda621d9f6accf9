/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_MONITOR_PRIVATE_H
#define MONITOR_MONITOR_PRIVATE_H
/*
 * The monitor's one object, shared by how it comes up (monitor.c) and what it does then
 * (monitor_loop.c). For these two files only.
 */
#include "event/loop.h"
#include "monitor/fanout.h"
#include "monitor/log_driver.h"
#include "monitor/monitor.h"

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
	struct loop_source exit;
	struct loop_timer idle_timer;
	bool is_timer_set;
	bool has_exited;
	bool is_paused;
	uint64_t monitor_start_time;
	int64_t started_ns;
};

/* Writes state.json with STATUS; 0 or -errno. */
int monitor_write_state(struct monitor *m, const char *status);
/* Removes what the monitor keeps in the state directory, and the directory. */
void monitor_remove_state(struct monitor *m);
/* Prepares the clients' side; 0 or -errno. */
int monitor_init_fanout(struct monitor *m);
/* Watches everything and runs until every client has been told of the exit. */
int monitor_loop(struct monitor *m);

#endif
