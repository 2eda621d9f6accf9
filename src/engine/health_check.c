/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check is an exec like any other, but in a control group of its own below the container's:
 * that is how whatever it has started is found again. Its output is read to the end, however much
 * it is, and all but the beginning forgotten.
 */
#include "engine/health_check.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "engine/create.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/exec.h"
#include "engine/health.h"
#include "monitor/health.h"
#include "plan/plan.h"
#include "sys/cgroup_live.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_NS (500 * 1000000ULL)
#define CHUNK	16384
#define NOT_RUN (-1)

enum { SLOT_PROCESS, SLOT_OUT, SLOT_ERR, SLOT_REPORT, N_SLOTS };

struct check {
	struct engine *engine;
	const char *id;
	struct container_made made;
	struct health_rule rule;
	struct exec_request request;
	struct exec_started started;
	int report_fd; /* borrowed */
	char output[HEALTH_OUTPUT_MAX + sizeof(HEALTH_CUT_MARK)];
	size_t len;
	bool is_cut;
};

/* ---- the report ---- */

static int send_report(const struct check *c, int code, const char *text, size_t len,
		       struct err *err)
{
	char report[HEALTH_REPORT_MAX];
	int n = snprintf(report, sizeof(report), "%d\n", code);
	int rc = 0;

	if (len > sizeof(report) - (size_t)n)
		len = sizeof(report) - (size_t)n;
	memcpy(report + n, text, len);
	rc = fd_write_full(c->report_fd, report, (size_t)n + len);
	return rc < 0 && rc != -EPIPE ? err_sys(err, -rc, "report a health check") : 0;
}

static int report_exit(struct check *c, int code, struct err *err)
{
	if (c->is_cut) {
		memcpy(c->output + c->len, HEALTH_CUT_MARK, strlen(HEALTH_CUT_MARK));
		c->len += strlen(HEALTH_CUT_MARK);
	}
	return send_report(c, code, c->output, c->len, err);
}

static int report_timeout(struct check *c, struct err *err)
{
	char duration[NUM_DURATION_LEN];
	char text[HEALTH_REPORT_MAX];
	int n = 0;

	num_format_duration((int64_t)c->rule.timeout_ns, duration);
	n = snprintf(text, sizeof(text), "Health check exceeded timeout (%s)%s", duration,
		     c->len ? ": " : "");
	if (c->len > HEALTH_OUTPUT_MAX - (size_t)n)
		c->len = HEALTH_OUTPUT_MAX - (size_t)n;
	memcpy(text + n, c->output, c->len);
	return send_report(c, NOT_RUN, text, (size_t)n + c->len, err);
}

/* ---- while it runs ---- */

/* Reads what is there of *FD; closes it at the end. */
static void take_output(struct check *c, int *fd)
{
	char chunk[CHUNK];
	ssize_t n = *fd < 0 ? 0 : read(*fd, chunk, sizeof(chunk));
	size_t room = HEALTH_OUTPUT_MAX - c->len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fd_cleanup_close(fd);
		return;
	}
	c->is_cut |= (size_t)n > room;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(c->output + c->len, chunk, room);
	c->len += room;
}

/* What the pipes hold at the end: what came before it is there by now. */
static void drain(struct check *c)
{
	struct relay_process *p = &c->started.process;
	int *fds[] = {&p->stdout_fd, &p->stderr_fd};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		struct pollfd poll_fd = {.fd = *fds[i], .events = POLLIN};

		/* A process that it left behind may write for ever. */
		while (*fds[i] >= 0 && !c->is_cut && poll(&poll_fd, 1, 0) > 0)
			take_output(c, fds[i]);
	}
}

enum outcome { EXITED, TIMED_OUT, CALLED_OFF };

static enum outcome wait_end(struct check *c)
{
	struct relay_process *p = &c->started.process;
	uint64_t deadline = clock_mono_ns() + c->rule.timeout_ns;

	for (;;) {
		struct pollfd fds[N_SLOTS] = {
			[SLOT_PROCESS] = {.fd = p->pid_fd, .events = POLLIN},
			[SLOT_OUT] = {.fd = p->stdout_fd, .events = POLLIN},
			[SLOT_ERR] = {.fd = p->stderr_fd, .events = POLLIN},
			[SLOT_REPORT] = {.fd = c->report_fd},
		};
		uint64_t now = clock_mono_ns();
		uint64_t left = deadline > now ? deadline - now : 0;
		const struct timespec wait = {.tv_sec = (time_t)(left / CLOCK_NS_PER_S),
					      .tv_nsec = (long)(left % CLOCK_NS_PER_S)};

		if (left == 0)
			return TIMED_OUT;
		if (ppoll(fds, N_SLOTS, &wait, NULL) < 0)
			continue;
		if (fds[SLOT_REPORT].revents)
			return CALLED_OFF;
		if (fds[SLOT_PROCESS].revents)
			return EXITED;
		if (fds[SLOT_OUT].revents)
			take_output(c, &p->stdout_fd);
		if (fds[SLOT_ERR].revents)
			take_output(c, &p->stderr_fd);
	}
}

/* Frozen processes die when they are thawed: nobody waits for them. */
static void kill_all(struct check *c)
{
	cleanup_free char *group = str_printf("%s/" EXEC_HEALTH_GROUP, c->made.config.cgroup);

	process_signal(c->started.process.pid_fd, SIGKILL);
	cgroup_kill(engine_get_cgroups(c->engine), group, KILL_NS);
}

static int reap(const struct check *c)
{
	siginfo_t info = {.si_status = SIGKILL};

	/* WNOHANG: a frozen one is its new parent's to reap. */
	waitid(P_PIDFD, (id_t)c->started.process.pid_fd, &info, WEXITED | WNOHANG);
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static int watch(struct check *c, struct err *err)
{
	enum outcome outcome = EXITED;
	struct session_result result = {.outcome = SESSION_EXITED};
	int rc = 0;

	if (fcntl(c->started.process.stdout_fd, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(c->started.process.stderr_fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, errno, "prepare the check's output");
	outcome = wait_end(c);
	if (outcome != EXITED)
		kill_all(c);
	result.exit_code = reap(c);
	drain(c);
	if (outcome == EXITED)
		rc = report_exit(c, result.exit_code, err);
	else if (outcome == TIMED_OUT)
		rc = report_timeout(c, err);
	event_exec_end(c->engine, c->started.container_id, c->started.exec_id, &result);
	return rc;
}

/* ---- all of it ---- */

/* What kept the check from running is its result, unless the container has just ended. */
static int report_failure(struct check *c, const struct err *why, struct err *err)
{
	struct session_result result = {.outcome = SESSION_EXITED,
					.exit_code = why->code == ERR_NO_COMMAND ? 127 : 126};

	if (!c->started.is_entered)
		return why->code == ERR_CONFLICT || why->code == ERR_NOT_FOUND
			       ? 0
			       : send_report(c, NOT_RUN, why->msg, strlen(why->msg), err);
	if (c->started.container_id[0])
		event_exec_end(c->engine, c->started.container_id, c->started.exec_id, &result);
	return send_report(c, result.exit_code, why->msg, strlen(why->msg), err);
}

static int start(struct check *c, struct plan *plan, struct err *err)
{
	int rc = engine_load(c->engine, c->id, &c->made, err);

	if (rc == 0)
		rc = health_load(&c->made.config, &c->rule, &c->request.args, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "container %.12s has no health check", c->id);
	if (rc > 0)
		rc = plan_init(plan, err);
	return rc < 0 ? rc : engine_exec(c->engine, &c->request, plan, &c->started, err);
}

static void check_done(struct check *c)
{
	struct relay_process *p = &c->started.process;

	fd_cleanup_close(&p->pid_fd);
	fd_cleanup_close(&p->stdout_fd);
	fd_cleanup_close(&p->stderr_fd);
	container_made_done(&c->made);
	strv_done(&c->request.args);
}

static void on_broken_pipe(int number)
{
}

int engine_check_health(struct engine *engine, const char *id, int report_fd, struct err *err)
{
	cleanup_with(check_done) struct check c = {
		.engine = engine,
		.id = id,
		.made.pending_fd = -1,
		.request = {.ref = id, .group = EXEC_HEALTH_GROUP},
		.started.process = {-1, -1, -1, -1, -1},
		.report_fd = report_fd,
	};
	struct err why = ERR_INIT;
	struct plan plan = {};
	int rc = 0;

	/* The monitor closes its end to call a check off. Caught, not ignored: exec resets that. */
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = on_broken_pipe}, NULL);
	rc = start(&c, &plan, &why);
	rc = rc < 0 ? report_failure(&c, &why, err) : watch(&c, err);
	plan_done(&plan);
	return rc;
}
