/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The person's side. Signals arrive by signalfd, so nothing here runs in a handler and the terminal
 * is restored on the one way out.
 */
#include "monitor/session.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Between the changed size and the right one: long enough for a program to see both. */
#define REDRAW_NS 20000000ULL

/* docker's CLI gives up at the third (cmd/docker/docker.go). */
#define TERMINATIONS_MAX 3

/* Never passed on: those that tell us about ourselves, and those that cannot be caught. */
static const int kept_signals[] = {SIGCHLD, SIGPIPE, SIGURG, SIGKILL, SIGSTOP, SIGSEGV,
				   SIGBUS,  SIGFPE,  SIGILL, SIGTRAP, SIGSYS};
/* Without the proxy these still must not leave the terminal raw. */
static const int ending_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};

void session_get_signals(const struct session_config *config, sigset_t *ret)
{
	if (!config->sig_proxy) {
		sigemptyset(ret);
		for (size_t i = 0; i < ARRAY_LEN(ending_signals); i++)
			sigaddset(ret, ending_signals[i]);
		return;
	}
	sigfillset(ret);
	for (size_t i = 0; i < ARRAY_LEN(kept_signals); i++)
		sigdelset(ret, kept_signals[i]);
}

void session_finish(struct session *session, enum session_outcome outcome)
{
	session->result.outcome = outcome;
	loop_stop(&session->loop, 0);
}

static void send_size(struct session *s, uint16_t grow)
{
	uint16_t rows = 0;
	uint16_t columns = 0;

	if (!s->config->tty)
		return;
	if ((s->config->out_fd < 0 || pty_get_size(s->config->out_fd, &rows, &columns) < 0) &&
	    (s->config->in_fd < 0 || pty_get_size(s->config->in_fd, &rows, &columns) < 0))
		return;
	if (rows > 0 && columns > 0)
		s->ops->resize(s->ctx, (uint16_t)(rows + grow), (uint16_t)(columns + grow));
}

static int on_redraw(void *data, uint32_t events)
{
	send_size(data, 0);
	return 0;
}

/* A program redraws when its terminal's size has changed: so it changes, and then is right. */
static int force_redraw(struct session *s)
{
	int rc = loop_timer_add(&s->loop, &s->redraw, on_redraw, s);

	if (rc < 0)
		return rc;
	send_size(s, 1);
	return loop_timer_set(&s->redraw, REDRAW_NS);
}

static void handle_signal(struct session *s, int number)
{
	if (number == SIGWINCH && (s->config->tty || !s->config->sig_proxy)) {
		send_size(s, 0);
		return;
	}
	bool is_termination = number == SIGINT || number == SIGTERM;

	/* Who kills a command in front of a terminal wants it to go, and the terminal back. */
	bool dies = !s->config->sig_proxy && (s->config->tty || !is_termination);

	if (!dies && is_termination && ++s->n_terminations >= TERMINATIONS_MAX) {
		session_finish(s, SESSION_FORCED);
	} else if (dies) {
		s->result.signal = number;
		session_finish(s, SESSION_SIGNALLED);
	} else if (s->config->sig_proxy) {
		s->ops->signal(s->ctx, number);
	}
}

static int on_signal(void *data, uint32_t events)
{
	struct session *s = data;

	for (;;) {
		int number = loop_signals_next(&s->signals);

		if (number <= 0)
			return number;
		handle_signal(s, number);
	}
}

static void on_input_end(void *ctx, struct pump *pump, enum pump_end how)
{
	struct session *s = ctx;

	if (how == PUMP_KEYS)
		session_finish(s, SESSION_DETACHED);
	else
		s->ops->input_end(s->ctx, how);
}

static int set_raw(struct session *s, struct err *err)
{
	int rc = 0;

	if (!s->config->tty || s->config->in_fd < 0 || !isatty(s->config->in_fd))
		return 0;
	rc = tty_set_raw(&s->mode, s->config->in_fd);
	return rc < 0 ? err_sys(err, -rc, "set terminal to raw mode") : 0;
}

int session_open(struct session *session, const struct session_config *config,
		 const struct session_ops *ops, void *ctx, struct err *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	int rc = 0;

	session->config = config;
	session->ops = ops;
	session->ctx = ctx;
	if (detach_keys_parse(config->detach_keys, &session->keys, err) < 0)
		return -err->code;
	session->is_sigpipe_set = sigaction(SIGPIPE, &ignore, &session->old_sigpipe) == 0;
	rc = loop_init(&session->loop);
	session_get_signals(config, &set);
	if (rc == 0)
		rc = loop_signals_add(&session->loop, &session->signals, &set, on_signal, session);
	if (rc < 0)
		return err_sys(err, -rc, "create event loop");
	rc = set_raw(session, err);
	if (rc < 0)
		return rc;
	if (!config->force_redraw)
		send_size(session, 0);
	else
		rc = force_redraw(session);
	return rc < 0 ? err_sys(err, -rc, "set a timer") : 0;
}

int session_start_input(struct session *session, int target_fd)
{
	struct output out;

	output_take(&out, target_fd);
	return pump_start(&session->input, &session->loop, session->config->in_fd, &out,
			  session->config->tty && !session->config->no_detach ? &session->keys
									      : NULL,
			  on_input_end, session);
}

int session_run(struct session *session, struct err *err)
{
	int rc = loop_run(&session->loop);

	return rc < 0 ? err_sys(err, -rc, "relay streams") : 0;
}

void session_close(struct session *session)
{
	tty_restore(&session->mode);
	pump_stop(&session->input);
	if (loop_has(&session->redraw.source))
		loop_timer_remove(&session->loop, &session->redraw);
	detach_keys_done(&session->keys);
	loop_signals_remove(&session->loop, &session->signals);
	loop_done(&session->loop);
	if (session->is_sigpipe_set)
		sigaction(SIGPIPE, &session->old_sigpipe, NULL);
	session->is_sigpipe_set = false;
}
