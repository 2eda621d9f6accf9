/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay: up to three pumps and a pidfd in one loop. After the child's end the output pumps run
 * until end of file; a timer looks whether there is anything left to wait for.
 *
 * A terminal hangs up when its master is closed, and its writers wait when nobody reads it. So when
 * a person detaches, a process of ours stays behind with it, for as long as the child lives.
 */
#include "monitor/relay.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAIN_NS  100000000ULL
#define N_OUTPUTS 2

struct relay {
	struct relay_process process; /* owned */
	int tty_peer_fd;	      /* owned: no hang-up while the child lives */
	struct session session;
	struct pump outputs[N_OUTPUTS];
	struct loop_source exit;
	struct loop_timer drain;
	bool has_exited;
};

static void signal_child(void *ctx, int number)
{
	struct relay *r = ctx;

	if (!r->has_exited)
		process_signal(r->process.pid_fd, number);
}

static void resize_child(void *ctx, uint16_t rows, uint16_t columns)
{
	struct relay *r = ctx;

	if (r->process.console_fd >= 0)
		pty_set_size(r->process.console_fd, rows, columns);
}

static void end_input(void *ctx, enum pump_end how)
{
	/* The pump has closed the pipe, which is all there is to say. */
}

static const struct session_ops ops = {
	.signal = signal_child,
	.resize = resize_child,
	.input_end = end_input,
};

static bool is_drained(const struct relay *r)
{
	return r->outputs[0].is_ended && r->outputs[1].is_ended;
}

static void on_output_end(void *ctx, struct pump *pump, enum pump_end how)
{
	struct relay *r = ctx;

	if (how == PUMP_BROKEN)
		session_finish(&r->session, SESSION_BROKEN_PIPE);
	else if (r->has_exited && is_drained(r))
		session_finish(&r->session, SESSION_EXITED);
}

/* Whether there is output that can still be moved, or is being moved. */
static bool is_busy(const struct relay *r)
{
	for (int i = 0; i < N_OUTPUTS; i++) {
		const struct pump *p = &r->outputs[i];
		struct pollfd in = {.fd = p->in_fd, .events = POLLIN};

		if (p->is_ended)
			continue;
		if (pump_is_blocked(p) || poll(&in, 1, 0) > 0)
			return true;
	}
	return false;
}

static int on_drain(void *data, uint32_t events)
{
	struct relay *r = data;

	if (is_busy(r))
		return loop_timer_set(&r->drain, DRAIN_NS);
	session_finish(&r->session, SESSION_EXITED);
	return 0;
}

static int on_exit_event(void *data, uint32_t events)
{
	struct relay *r = data;
	siginfo_t info = {};

	loop_remove(&r->session.loop, &r->exit);
	r->session.result.exit_code = 255;
	if (waitid(P_PIDFD, (id_t)r->process.pid_fd, &info, WEXITED) == 0)
		r->session.result.exit_code = info.si_code == CLD_EXITED ? info.si_status
									 : 128 + info.si_status;
	r->has_exited = true;
	pump_stop(&r->session.input);
	fd_cleanup_close(&r->tty_peer_fd);
	if (is_drained(r)) {
		session_finish(&r->session, SESSION_EXITED);
		return 0;
	}
	return loop_timer_set(&r->drain, DRAIN_NS);
}

static int start_output(struct relay *r, int index, int in_fd, int out_fd)
{
	struct output out;

	if (in_fd < 0 || out_fd < 0)
		return 0;
	if (fcntl(in_fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	output_open(&out, out_fd);
	return pump_start(&r->outputs[index], &r->session.loop, in_fd, &out, NULL, on_output_end,
			  r);
}

static int start_input(struct relay *r)
{
	int fd = -1;

	if (r->session.config->in_fd < 0)
		return 0;
	if (r->process.console_fd >= 0)
		fd = fcntl(r->process.console_fd, F_DUPFD_CLOEXEC, 3);
	else
		fd = take_fd(r->process.stdin_fd);
	if (fd < 0)
		return 0;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		close(fd);
		return -errno;
	}
	return session_start_input(&r->session, fd);
}

static int start_streams(struct relay *r, struct err *err)
{
	const struct session_config *config = r->session.config;
	struct relay_process *p = &r->process;
	int rc = 0;

	if (p->console_fd >= 0) {
		r->tty_peer_fd = pty_open_peer(p->console_fd);
		rc = start_output(r, 0, p->console_fd, config->out_fd);
	} else {
		rc = start_output(r, 0, p->stdout_fd, config->out_fd);
		if (rc == 0)
			rc = start_output(r, 1, p->stderr_fd, config->err_fd);
	}
	if (rc == 0)
		rc = start_input(r);
	if (rc == 0)
		rc = loop_timer_add(&r->session.loop, &r->drain, on_drain, r);
	if (rc == 0)
		rc = loop_add(&r->session.loop, &r->exit, p->pid_fd, EPOLLIN, on_exit_event, r);
	return rc < 0 ? err_sys(err, -rc, "relay streams") : 0;
}

/* ---- after detaching ---- */

enum { KEPT_NULL, KEPT_CONSOLE = 3, KEPT_PEER, KEPT_PROCESS, N_KEPT, KEPT_SPARE = 10 };

/* Nothing of the command but the terminal and the process stays open, at numbers of their own. */
static bool keep_only(const struct relay *r)
{
	const int fds[N_KEPT] = {[KEPT_CONSOLE] = r->process.console_fd,
				 [KEPT_PEER] = r->tty_peer_fd,
				 [KEPT_PROCESS] = r->process.pid_fd};
	/* lint: the host's null device */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int spare[N_KEPT] = {};

	for (int i = KEPT_NULL; i < N_KEPT; i++) {
		spare[i] = fcntl(i < KEPT_CONSOLE ? null : fds[i], F_DUPFD_CLOEXEC, KEPT_SPARE);
		if (spare[i] < 0)
			return false;
	}
	for (int i = KEPT_NULL; i < N_KEPT; i++)
		if (dup2(spare[i], i) < 0)
			return false;
	return close_range(N_KEPT, ~0U, 0) == 0;
}

static void keep_terminal(const struct relay *r)
{
	struct pollfd polls[] = {{.fd = KEPT_CONSOLE, .events = POLLIN},
				 {.fd = KEPT_PROCESS, .events = POLLIN}};
	char discarded[4096];
	sigset_t none;

	/* The end of a shell that was replaced by the command hangs up its terminal: not for us. */
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() < 0 || !keep_only(r))
		return;
	while (!polls[1].revents) {
		if (poll(polls, ARRAY_LEN(polls), -1) < 0 && errno != EINTR)
			return;
		if (polls[0].revents && read(KEPT_CONSOLE, discarded, sizeof(discarded)) <= 0 &&
		    errno != EAGAIN && errno != EINTR)
			return;
	}
}

/* If there can be no such process, the child's terminal hangs up: it was detached all the same. */
static void leave_keeper(const struct relay *r)
{
	if (r->process.console_fd < 0 || fork() != 0)
		return;
	keep_terminal(r);
	_exit(0);
}

static void relay_done(struct relay *r)
{
	for (int i = 0; i < N_OUTPUTS; i++)
		pump_stop(&r->outputs[i]);
	if (loop_has(&r->drain.source))
		loop_timer_remove(&r->session.loop, &r->drain);
	session_close(&r->session);
	fd_cleanup_close(&r->tty_peer_fd);
	fd_cleanup_close(&r->process.pid_fd);
	fd_cleanup_close(&r->process.stdin_fd);
	fd_cleanup_close(&r->process.stdout_fd);
	fd_cleanup_close(&r->process.stderr_fd);
	fd_cleanup_close(&r->process.console_fd);
}

int relay_run(const struct relay_process *process, const struct session_config *config,
	      struct session_result *ret, struct err *err)
{
	struct relay r __attribute__((cleanup(relay_done))) = {
		.process = *process,
		.tty_peer_fd = -1,
		.session = SESSION_INIT,
		.outputs = {PUMP_INIT, PUMP_INIT},
		.exit = LOOP_SOURCE_INIT,
		.drain = {.source = LOOP_SOURCE_INIT},
	};
	int rc = session_open(&r.session, config, &ops, &r, err);

	if (rc == 0)
		rc = start_streams(&r, err);
	if (rc == 0)
		rc = session_run(&r.session, err);
	if (rc == 0)
		*ret = r.session.result;
	if (rc == 0 && ret->outcome == SESSION_DETACHED)
		leave_keeper(&r);
	return rc;
}
