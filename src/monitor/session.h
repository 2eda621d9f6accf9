/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_SESSION_H
#define MONITOR_SESSION_H
/*
 * What a command does while a person, or a pipe, is connected to a process in a container: typed
 * bytes to it, its terminal's size, signals, detach keys, the caller's terminal raw and given back.
 * The two kinds of connection are built on it: client.h (through a monitor: run, start -a, attach)
 * and relay.h (our own child: exec).
 */
#include <stdbool.h>
#include <stdint.h>

#include "event/loop.h"
#include "monitor/detach_keys.h"
#include "monitor/pump.h"
#include "sys/pty.h"

struct err;

struct session_config {
	int in_fd; /* borrowed; -1: not attached, likewise for the two below */
	int out_fd;
	int err_fd;
	bool tty; /* the process has a terminal */
	/* Pass signals on to the process. Without it the command dies of them; but without a
	 * terminal, as with docker, of INT and TERM only at the third. */
	bool sig_proxy;
	bool force_redraw; /* attach: a changed size first, so that a full-screen program redraws */
	bool no_detach;	   /* no keys leave it */
	const char *detach_keys; /* NULL: docker's; they count only with tty */
};

enum session_outcome {
	SESSION_EXITED,	     /* the process ended: exit_code, oom_killed */
	SESSION_DETACHED,    /* detach keys */
	SESSION_LOST,	     /* the monitor is gone without having told an exit */
	SESSION_FORCED,	     /* third SIGINT or SIGTERM */
	SESSION_SIGNALLED,   /* another signal, without sig_proxy: the caller should die of it */
	SESSION_BROKEN_PIPE, /* nobody reads our output: the caller should die of SIGPIPE */
};

struct session_result {
	enum session_outcome outcome;
	int exit_code;
	bool oom_killed;
	int signal;
};

struct session_ops {
	void (*signal)(void *ctx, int number);
	void (*resize)(void *ctx, uint16_t rows, uint16_t columns);
	/* Input ended (how: PUMP_EOF) or the process does not read any more (PUMP_BROKEN). */
	void (*input_end)(void *ctx, enum pump_end how);
};

struct session {
	const struct session_config *config;
	const struct session_ops *ops;
	void *ctx;
	struct loop loop;
	struct loop_signals signals;
	struct pump input;
	struct detach_keys keys;
	struct loop_timer redraw;
	struct tty_mode mode;
	struct sigaction old_sigpipe;
	bool is_sigpipe_set;
	int n_terminations;
	struct session_result result;
};

#define SESSION_INIT                                                               \
	{                                                                          \
		.loop = {.epoll_fd = -1}, .signals = {.source = LOOP_SOURCE_INIT}, \
		.input = PUMP_INIT, .mode = TTY_MODE_INIT, .redraw = {             \
			.source = LOOP_SOURCE_INIT                                 \
		}                                                                  \
	}

/* The signals a command must block before the process exists (sigprocmask), so that none is lost
 * between its start and session_open. */
void session_get_signals(const struct session_config *config, sigset_t *ret);

/* Blocks signals, makes the terminal raw, tells the size. Ends with session_close on every path. */
int session_open(struct session *session, const struct session_config *config,
		 const struct session_ops *ops, void *ctx, struct err *err);
/* Sends standard input to TARGET_FD (handed over; non-blocking). 0 or -errno. */
int session_start_input(struct session *session, int target_fd);
/* Ends session_run with OUTCOME. */
void session_finish(struct session *session, enum session_outcome outcome);
/* 0 or -code. */
int session_run(struct session *session, struct err *err);
/* Gives terminal and signals back; fine after SESSION_INIT. */
void session_close(struct session *session);
#define cleanup_session __attribute__((cleanup(session_close)))

#endif
