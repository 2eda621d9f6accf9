/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one run of a container to the next.
 *
 * A run that is to be followed by another ends as any does (torn down, on record, clients told),
 * but state.json then says "restarting", and the process executes the program anew: the attach
 * socket stays open, so that whoever connects in between only waits a little, and the guard stays.
 * What it executes waits for its time in monitor_resume, where a stop, a removal or another policy
 * reach it, and starts the container as the first start did.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/monitor_private.h"
#include "monitor/report.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Somebody else works on the container: ask again. */
#define BUSY_NS 5000000ULL
/* On record until somebody knows better. */
#define EXIT_UNKNOWN 255

/* How loop_run ends in monitor_resume. */
enum { WAIT_READY = 1, WAIT_FAILED, WAIT_GONE };

int monitor_write_started(struct monitor *m)
{
	const struct monitor_exit started = {.code = EXIT_UNKNOWN,
					     .started_ns = m->started_ns,
					     .history = m->history,
					     .marks = m->marks};

	return monitor_exit_write(m->config->container_dir_fd, &started);
}

void monitor_set_guard(struct monitor *m)
{
	if (m->restart.policy == RESTART_NO)
		guard_dismiss(&m->guard);
	else
		guard_ensure(&m->guard, &m->loop, m->config->guard_argv);
}

/* The run that has ended, on record. What cannot be written is said where somebody may look. */
static void write_last(struct monitor *m)
{
	int rc = monitor_exit_write(m->config->container_dir_fd, &m->last);

	if (rc < 0)
		log_failure(LOG_LEVEL_WARN, strerrordesc_np(-rc), "write down exit code %d",
			    m->last.code);
}

/* The last word on this container: no run follows. */
static void record_end(struct monitor *m)
{
	m->is_waiting = false;
	m->restarts = false;
	write_last(m);
	monitor_remove_state(m);
	/* Last: whoever is killed in between leaves something to do for the other. */
	guard_dismiss(&m->guard);
	monitor_tell_exit(m, &m->last);
}

static void record_restart(struct monitor *m, uint64_t ran_ns)
{
	m->restarts = true;
	m->is_waiting = true;
	restart_history_add(&m->history, ran_ns);
	m->last.history = m->history;
	write_last(m);
	m->process.pid = 0;
	m->process.start_time = 0;
	monitor_write_state(m, "restarting");
	monitor_tell_exit(m, &m->last);
}

void monitor_record_exit(struct monitor *m, const struct monitor_exit *exit)
{
	m->last = *exit;
	m->last.history = m->history;
	m->last.marks = m->marks & ~(unsigned)RESTART_MARK_KEPT;
	monitor_report_exit(m, exit);
	if (m->config->resume_argv &&
	    restart_rule_wants(&m->restart, &m->history, exit->code, m->marks))
		record_restart(m, clock_mono_ns() - m->began_ns);
	else
		record_end(m);
}

bool monitor_stop_waiting(struct monitor *m)
{
	m->last.marks |= m->marks;
	if (!(m->marks & RESTART_MARK_CANCELED))
		return false;
	loop_timer_remove(&m->loop, &m->restart_timer);
	record_end(m);
	return true;
}

/* ---- to the next run ---- */

/* Leaves a process behind for the clients that have not read everything. */
static void linger(struct monitor *m)
{
	pid_t pid = fanout_is_idle(&m->fanout) ? -1 : fork();

	if (pid > 0)
		waitid(P_PID, (id_t)pid, &(siginfo_t){}, WEXITED);
	if (pid != 0)
		return;
	/* Not our child any more: nobody is there to reap it. */
	if (fork() == 0) {
		loop_remove(&m->loop, &m->guard.source);
		loop_remove(&m->loop, &m->fanout.listen);
		fd_cleanup_close(&m->fanout.listen_fd);
		loop_run(&m->loop);
	}
	_exit(0);
}

/* FD, if there is one, stays open over exec as number PLACE. */
static void hand_over(int fd, int place)
{
	if (fd == place)
		fcntl(place, F_SETFD, 0);
	else if (fd >= 0)
		dup2(fd, place);
}

void monitor_go_on(struct monitor *m)
{
	linger(m);
	/* Without them the next run makes its own. */
	hand_over(m->fanout.listen_fd, MONITOR_RESUME_SOCKET);
	hand_over(m->guard.fd, MONITOR_RESUME_GUARD);
	execv(m->config->resume_argv[0], m->config->resume_argv);
	/* The program was removed, or exchanged just now: this one still runs. */
	process_seal(m->config->resume_argv);
	record_end(m);
}

/* ---- between two runs ---- */

static int on_restart_timer(void *data, uint32_t events)
{
	struct monitor *m = data;
	const struct monitor_resume *resume = m->resume;
	int rc = resume->prepare(resume->ctx, m->start_err);

	if (rc == 0)
		return loop_timer_set(&m->restart_timer, BUSY_NS);
	loop_timer_remove(&m->loop, &m->restart_timer);
	loop_stop(&m->loop, rc > 0 ? WAIT_READY : rc == -ERR_NOT_FOUND ? WAIT_GONE : WAIT_FAILED);
	return 0;
}

/* What came through the exec: the socket in its place, the guard still our child. */
static void inherit(struct monitor *m)
{
	if (fcntl(MONITOR_RESUME_SOCKET, F_SETFD, FD_CLOEXEC) == 0)
		m->fanout.listen_fd = MONITOR_RESUME_SOCKET;
	if (fcntl(MONITOR_RESUME_GUARD, F_SETFD, FD_CLOEXEC) == 0)
		guard_adopt(&m->guard, MONITOR_RESUME_GUARD);
}

static int begin_waiting(struct monitor *m)
{
	int rc = loop_init(&m->loop);

	if (rc == 0)
		rc = monitor_init_fanout(m);
	if (rc == 0 && m->resume->is_inherited)
		inherit(m);
	if (rc == 0 && m->fanout.listen_fd < 0)
		rc = fanout_listen(&m->fanout, m->config->state_dir_fd);
	if (rc == 0)
		rc = monitor_write_state(m, "restarting");
	if (rc == 0)
		rc = fanout_begin(&m->fanout, 0, -1);
	if (rc == 0)
		rc = loop_timer_add(&m->loop, &m->restart_timer, on_restart_timer, m);
	/* 0 would disarm it. */
	if (rc == 0)
		rc = loop_timer_set(&m->restart_timer, m->history.delay_ns + 1);
	if (rc == 0)
		monitor_set_guard(m);
	/* Who settled the container first held it up to here: its state tells the rest. */
	m->resume->release(m->resume->ctx);
	return rc;
}

/* A start that failed is a run that failed: another may follow, later. */
__attribute__((noreturn)) static void end_failed(struct monitor *m)
{
	int code = monitor_start_exit_code(m->start_err);

	m->last.error = m->start_err->msg;
	if (restart_rule_wants(&m->restart, &m->history, code, m->marks))
		record_restart(m, 0);
	else
		record_end(m);
	if (m->restarts)
		monitor_go_on(m);
	if (!fanout_is_idle(&m->fanout))
		loop_run(&m->loop);
	_exit(0);
}

__attribute__((noreturn)) static void end_waiting(struct monitor *m, int how)
{
	guard_dismiss(&m->guard);
	if (how == WAIT_GONE)
		monitor_remove_state(m);
	_exit(0);
}

void monitor_resume(const struct monitor_resume *resume)
{
	struct monitor *m = monitor_new(resume->config, -1);
	struct err err = ERR_INIT;
	int how = 0;
	int rc = 0;

	monitor_leave_caller();
	m->resume = resume;
	m->start_err = &err;
	m->last = *resume->last;
	m->history = resume->last->history;
	m->marks = resume->last->marks;
	m->started_ns = resume->last->started_ns;
	m->is_waiting = true;
	rc = begin_waiting(m);
	if (rc < 0)
		err_sys(&err, -rc, "wait to start again");
	how = rc < 0 ? WAIT_FAILED : loop_run(&m->loop);
	m->restart = m->config->restart;
	if (how == WAIT_FAILED)
		end_failed(m);
	if (how != WAIT_READY)
		end_waiting(m, how);
	m->started_ns = 0;
	m->is_waiting = false;
	rc = monitor_bring_up(m, &err);
	resume->release(resume->ctx);
	if (rc < 0) {
		monitor_abandon(m, m->last.code, &(bool){false});
		log_driver_close(&m->log, clock_real_ns());
		m->started_ns = m->last.started_ns;
		end_failed(m);
	}
	monitor_stay(m);
}
