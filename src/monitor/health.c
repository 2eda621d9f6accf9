/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One timer, one child at a time. The timer is for the next check while none runs, and for the
 * child's life while one does. Two wake-ups for each check.
 */
#include "monitor/health.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "monitor/monitor_private.h"
#include "monitor/report.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* How much longer than its timeout a child may take: it keeps the time itself. */
#define GRACE_NS 10000000000ULL
/* How long the end of a container waits for a child that was called off. */
#define END_WAIT_MS 100
/* A child that was called off and is not gone yet: look again. */
#define BUSY_NS 20000000ULL

struct health {
	struct monitor *monitor;
	struct health_state state;
	struct health_log log;
	struct loop_timer timer;
	struct loop_source check, action;
	int check_fd, action_fd; /* owned: pidfds of our children; -1 */
	int report_fd;		 /* owned: read end; -1: called off, or none */
	int64_t check_start_ns;	 /* since 1970 */
	uint64_t check_ran_ns;	 /* the container had, when it began */
};

static const struct health_rule *rule_of(const struct health *h)
{
	return &h->monitor->config->health->rule;
}

enum health_status health_get_status(const struct monitor *m)
{
	if (!m->config->health)
		return HEALTH_NONE;
	return m->health ? m->health->state.status : HEALTH_STARTING;
}

static uint64_t ran_ns(const struct health *h)
{
	return clock_mono_ns() - h->monitor->began_ns;
}

/* ---- on disk ---- */

static void load_log(struct health *h)
{
	cleanup_str struct str text = STR_INIT;

	if (fd_read_file_at(h->monitor->config->container_dir_fd, HEALTH_FILE_NAME, HEALTH_FILE_MAX,
			    &text) == 0)
		health_log_parse(&h->log, str_get(&text));
}

static void save(struct health *h)
{
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	health_log_format(&h->log, &h->state, &text);
	rc = fd_replace_file_at(h->monitor->config->container_dir_fd, HEALTH_FILE_NAME, text.buf,
				text.len, 0600, false);
	/* A full disk takes the history, not the container. */
	if (rc < 0)
		log_failure(LOG_LEVEL_WARN, strerrordesc_np(-rc), "write " HEALTH_FILE_NAME);
}

static void save_status(struct health *h)
{
	struct monitor *m = h->monitor;
	int rc = monitor_write_state(m, m->is_paused ? "paused" : "running");

	if (rc < 0)
		log_failure(LOG_LEVEL_WARN, strerrordesc_np(-rc), "write down the health");
}

/* ---- children ---- */

/* Starts ARGV with OUT_FD (-1: nothing) as standard output and returns a pidfd, or -errno. Not by
 * posix_spawn(3): glibc's leaves two signals ignored, which the container would inherit. */
static int spawn(char *const *argv, int out_fd)
{
	pid_t pid = fork();
	int fd = -1;
	int rc = 0;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (out_fd < 0 || dup2(out_fd, STDOUT_FILENO) >= 0)
			execv(argv[0], argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0)
		return fd;
	/* Nobody would see its end. */
	rc = -errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return rc;
}

/* Takes the child of *FD, which has ended, away; its exit code as a shell shows it. */
static int reap(int *fd)
{
	siginfo_t info = {};
	int rc = 0;

	do
		rc = waitid(P_PIDFD, (id_t)*fd, &info, WEXITED);
	while (rc < 0 && errno == EINTR);
	fd_cleanup_close(fd);
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* ---- what an unhealthy container gets ---- */

static int on_action_end(void *data, uint32_t events)
{
	struct health *h = data;
	int code = 0;

	loop_remove(&h->monitor->loop, &h->action);
	code = reap(&h->action_fd);
	if (code != 0)
		log_warn("%s of an unhealthy container: exit code %d",
			 health_action_name(rule_of(h)->action), code);
	return 0;
}

/* The verb outlives this process, which ends with the container. */
static void start_action(struct health *h, char *const *argv)
{
	int rc = 0;

	/* The one before is still at it. */
	if (h->action_fd >= 0)
		return;
	rc = spawn(argv, -1);
	if (rc >= 0) {
		h->action_fd = rc;
		rc = loop_add(&h->monitor->loop, &h->action, h->action_fd, EPOLLIN, on_action_end,
			      h);
	}
	if (rc < 0)
		log_failure(LOG_LEVEL_WARN, strerrordesc_np(-rc), "%s an unhealthy container",
			    health_action_name(rule_of(h)->action));
}

static void act(struct health *h)
{
	struct monitor *m = h->monitor;

	/* Somebody is about to end it, or has said that this run is the last. */
	if (m->marks & RESTART_MARK_CANCELED)
		return;
	switch (rule_of(h)->action) {
	case HEALTH_ACTION_KILL:
		monitor_report_signal(m, SIGKILL);
		process_signal(m->process.pid_fd, SIGKILL);
		break;
	case HEALTH_ACTION_STOP:
		start_action(h, m->config->health->stop_argv);
		break;
	case HEALTH_ACTION_RESTART:
		start_action(h, m->config->health->restart_argv);
		break;
	default:
		break;
	}
}

/* ---- results ---- */

static void add_result(struct health *h, const struct health_entry *entry)
{
	bool is_other = health_add_result(rule_of(h), &h->state, h->check_ran_ns,
					  entry->exit_code == 0);
	cleanup_free char *action = NULL;

	health_log_add(&h->log, entry);
	save(h);
	if (is_other) {
		save_status(h);
		action = str_printf("health_status: %s", health_status_name(h->state.status));
		monitor_report(h->monitor, action, NULL, 0);
	}
	/* Not only when the status changes: after a pause it may have been unhealthy before any
	 * check failed, and what was done the last time may not have helped. */
	if (h->state.streak && h->state.streak % rule_of(h)->retries == 0)
		act(h);
}

/* Fills ENTRY from the report of a child that has ended with CODE; false when there is no result.
 */
static bool read_report(struct health *h, int code, char buf[static HEALTH_REPORT_MAX + 1],
			struct health_entry *entry)
{
	ssize_t n = fd_read_full(h->report_fd, buf, HEALTH_REPORT_MAX);
	char *end = NULL;

	buf[n > 0 ? n : 0] = '\0';
	end = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;
	if (!end && code == 0)
		return false;
	if (!end) {
		entry->exit_code = -1;
		entry->output = buf;
		entry->len = (size_t)snprintf(buf, HEALTH_REPORT_MAX,
					      "the check ended early, with exit code %d", code);
		return true;
	}
	*end = '\0';
	if (num_parse_int(buf, &entry->exit_code) < 0)
		return false;
	entry->output = end + 1;
	entry->len = (size_t)(buf + n - entry->output);
	return true;
}

static int set_timer(struct health *h)
{
	return loop_timer_set(&h->timer, health_next_ns(rule_of(h), &h->state, ran_ns(h)));
}

static int on_check_end(void *data, uint32_t events)
{
	struct health *h = data;
	struct health_entry entry = {.start_ns = h->check_start_ns, .end_ns = clock_real_ns()};
	char report[HEALTH_REPORT_MAX + 1];
	bool has_result = false;
	int code = 0;

	loop_remove(&h->monitor->loop, &h->check);
	code = reap(&h->check_fd);
	if (h->report_fd >= 0)
		has_result = read_report(h, code, report, &entry);
	fd_cleanup_close(&h->report_fd);
	if (h->monitor->is_paused)
		return 0;
	if (has_result)
		add_result(h, &entry);
	return set_timer(h);
}

/* ---- checks ---- */

static int begin_check(struct health *h)
{
	struct monitor *m = h->monitor;
	cleanup_close int write_fd = -1;
	int fds[2];
	int rc = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	h->report_fd = fds[0];
	write_fd = fds[1];
	/* Whoever may still hold the other end does not hold us up. */
	if (fcntl(h->report_fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	h->check_start_ns = clock_real_ns();
	h->check_ran_ns = ran_ns(h);
	rc = spawn(m->config->health->check_argv, write_fd);
	if (rc < 0)
		return rc;
	h->check_fd = rc;
	return loop_add(&m->loop, &h->check, h->check_fd, EPOLLIN, on_check_end, h);
}

/* A check that cannot even be begun is one that failed, for a reason of its own. */
static int begin_or_fail(struct health *h)
{
	int rc = begin_check(h);
	char text[128];
	struct health_entry entry = {.exit_code = -1, .output = text};

	if (rc == 0)
		return loop_timer_set(&h->timer, rule_of(h)->timeout_ns + GRACE_NS);
	fd_cleanup_close(&h->report_fd);
	if (h->check_fd >= 0) {
		process_signal(h->check_fd, SIGKILL);
		reap(&h->check_fd);
	}
	entry.start_ns = h->check_start_ns ? h->check_start_ns : clock_real_ns();
	entry.end_ns = clock_real_ns();
	entry.len = (size_t)snprintf(text, sizeof(text), "run the check: %s", strerrordesc_np(-rc));
	add_result(h, &entry);
	return set_timer(h);
}

static int on_timer(void *data, uint32_t events)
{
	struct health *h = data;

	if (h->check_fd < 0)
		return h->monitor->is_paused ? 0 : begin_or_fail(h);
	/* Called off by a pause that is over already. */
	if (h->report_fd < 0)
		return loop_timer_set(&h->timer, BUSY_NS);
	process_signal(h->check_fd, SIGKILL);
	return 0;
}

void health_set_paused(struct monitor *m, bool is_paused)
{
	struct health *h = m->health;

	if (!h)
		return;
	if (!is_paused) {
		/* One that runs has a deadline in the timer. */
		if (h->report_fd < 0)
			set_timer(h);
		return;
	}
	loop_timer_set(&h->timer, 0);
	fd_cleanup_close(&h->report_fd);
	h->state.status = HEALTH_UNHEALTHY;
	save(h);
}

/* ---- begin and end ---- */

int health_begin(struct monitor *m)
{
	struct health *h = NULL;
	int rc = 0;

	if (!m->config->health)
		return 0;
	h = mem_zalloc(sizeof(*h));
	*h = (struct health){.monitor = m,
			     .state.status = HEALTH_STARTING,
			     .timer.source = LOOP_SOURCE_INIT,
			     .check = LOOP_SOURCE_INIT,
			     .action = LOOP_SOURCE_INIT,
			     .check_fd = -1,
			     .action_fd = -1,
			     .report_fd = -1};
	m->health = h;
	load_log(h);
	save(h);
	rc = loop_timer_add(&m->loop, &h->timer, on_timer, h);
	return rc < 0 ? rc : set_timer(h);
}

static void end_check(struct health *h)
{
	if (h->check_fd < 0)
		return;
	loop_remove(&h->monitor->loop, &h->check);
	fd_cleanup_close(&h->report_fd);
	if (process_wait_gone(h->check_fd, END_WAIT_MS) < 0)
		process_signal(h->check_fd, SIGKILL);
	reap(&h->check_fd);
}

void health_end(struct monitor *m)
{
	struct health *h = m->health;

	if (!h)
		return;
	m->health = NULL;
	loop_timer_remove(&m->loop, &h->timer);
	end_check(h);
	loop_remove(&m->loop, &h->action);
	fd_cleanup_close(&h->action_fd);
	health_log_done(&h->log);
	free(h);
}
