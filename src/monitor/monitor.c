/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a monitor comes up: fork, a session of its own, standard streams for the container, the start
 * callback, then everything dropped that is not needed to wait.
 */
#include "monitor/monitor.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "monitor/health.h"
#include "monitor/monitor_private.h"
#include "monitor/names.h"
#include "monitor/report.h"
#include "monitor/state.h"
#include "network/rules.h"
#include "sys/process.h"
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MONITOR_COMM "tare-monitor"
/* The kernel never chooses such a process when memory runs out, proc_pid_oom_score_adj(5). */
#define OOM_SCORE_ADJ_NEVER "-1000"

int monitor_start_exit_code(const struct err *err)
{
	static const int codes[N_ERR_CODES] = {[ERR_NO_EXEC] = 126, [ERR_NO_COMMAND] = 127};

	if (codes[err->code])
		return codes[err->code];
	/* docker: a file mounted on a directory counts as a command that is not there. */
	return err->errnum == EACCES ? 126 : err->errnum == ENOTDIR ? 127 : 128;
}

static void ignore_signal(int signal)
{
}

/* A caught signal, unlike an ignored one, is back at its default after the container's exec. */
static void catch_signals(void)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	struct sigaction action = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};
	struct sigaction reset = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &action, NULL);
	sigaction(SIGCHLD, &reset, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void monitor_leave_caller(void)
{
	setsid();
	catch_signals();
	umask(077);
	prctl(PR_SET_NAME, MONITOR_COMM);
	/* lint: the host's root: the monitor never changes its own */
	if (chdir("/") < 0)
		return; /* whatever it is, it stays */
}

/* One pipe; RET_NEAR is ours and non-blocking, RET_FAR the container's. */
static int make_pipe(bool far_reads, int *ret_near, int *ret_far)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_near = fds[far_reads ? 1 : 0];
	*ret_far = fds[far_reads ? 0 : 1];
	return fcntl(*ret_near, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_stdio(struct monitor *m, struct monitor_stdio *stdio, struct err *err)
{
	int rc = 0;

	if (m->config->tty)
		return 0;
	if (m->config->open_stdin)
		rc = make_pipe(true, &m->stdin_fd, &stdio->in_fd);
	else
		/* lint: the host's null device */
		stdio->in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (rc == 0)
		rc = make_pipe(false, &m->streams[LOG_STDOUT].fd, &stdio->out_fd);
	if (rc == 0)
		rc = make_pipe(false, &m->streams[LOG_STDERR].fd, &stdio->err_fd);
	return rc < 0 ? err_sys(err, -rc, "create standard streams") : 0;
}

/* Takes the terminal over from the start callback. */
static int take_console(struct monitor *m, struct err *err)
{
	int fd = m->process.console_fd;

	if (!m->config->tty)
		return 0;
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, "the container has no terminal");
	m->tty_peer_fd = pty_open_peer(fd);
	m->streams[LOG_STDOUT].fd = take_fd(m->process.console_fd);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, errno, "prepare terminal");
	if (m->config->open_stdin)
		m->stdin_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return 0;
}

int monitor_write_state(struct monitor *m, const char *status)
{
	if (m->monitor_start_time == 0)
		process_get_starttime(getpid(), &m->monitor_start_time, NULL);

	const struct monitor_state state = {.id = m->config->id,
					    .bundle = m->config->bundle,
					    .status = status,
					    .pid = m->process.pid,
					    .start_time = m->process.start_time,
					    .monitor_pid = getpid(),
					    .monitor_start_time = m->monitor_start_time,
					    .started_ns = m->started_ns,
					    .restart_count = m->history.count,
					    .health = m->is_waiting ? HEALTH_NONE
								    : health_get_status(m),
					    .last = m->is_waiting ? &m->last : NULL};

	return monitor_state_write(m->config->state_dir_fd, &state);
}

int monitor_publish(struct monitor *monitor, const struct monitor_process *process, struct err *err)
{
	struct monitor *m = monitor;
	int rc = 0;

	m->process.pid = process->pid;
	m->process.start_time = process->start_time;
	if (m->process.start_time == 0)
		process_get_starttime(process->pid, &m->process.start_time, NULL);
	if (m->started_ns == 0) {
		m->started_ns = clock_real_ns();
		m->began_ns = clock_mono_ns();
	}
	rc = monitor_write_state(m, "running");
	return rc < 0 ? err_sys(err, -rc, "write " MONITOR_STATE_NAME) : 0;
}

int monitor_keep(struct monitor *monitor, enum companion_kind kind, const void *payload, size_t len,
		 const int *fds, size_t n)
{
	return companions_add(&monitor->companions, kind, payload, len, fds, n);
}

/* Whether the directory DIR still is NAME under PARENT: another start may have made its own. */
static bool has_name(int dir, int parent, const char *name)
{
	struct stat mine, named;

	return fstat(dir, &mine) == 0 && fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

void monitor_remove_state(struct monitor *m)
{
	int dir = m->config->state_dir_fd;
	cleanup_close int parent = openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *ended = str_printf("%s" MONITOR_ENDED_SUFFIX, m->config->id);
	/* In one step: whoever finds the container ended may start it at once, in a directory of
	 * that name that nobody takes away. */
	bool is_aside = parent >= 0 && has_name(dir, parent, m->config->id) &&
			renameat(parent, m->config->id, parent, ended) == 0;

	unlinkat(dir, ATTACH_SOCKET_NAME, 0);
	unlinkat(dir, NAMES_FILE, 0);
	unlinkat(dir, MONITOR_NAME_NAME, 0);
	unlinkat(dir, MONITOR_STATE_NAME, 0);
	if (parent >= 0)
		unlinkat(parent, is_aside ? ended : m->config->id, AT_REMOVEDIR);
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes every descriptor that is not in FDS. */
static void close_others(int *fds, size_t n)
{
	int next = 3;

	qsort(fds, n, sizeof(*fds), compare_fds);
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < next)
			continue;
		if (fds[i] > next)
			close_range((unsigned)next, (unsigned)fds[i] - 1, 0);
		next = fds[i] + 1;
	}
	close_range((unsigned)next, ~0U, 0);
}

/* From here on nothing of the caller's is held: neither its terminal, nor a pipe that somebody
 * waits on, nor a lock. */
void monitor_drop_caller(struct monitor *m)
{
	const struct monitor_config *c = m->config;
	const int own[] = {c->state_dir_fd,
			   c->container_dir_fd,
			   m->loop.epoll_fd,
			   m->fanout.listen_fd,
			   log_driver_fd(&m->log),
			   m->process.pid_fd,
			   m->streams[LOG_STDOUT].fd,
			   m->streams[LOG_STDERR].fd,
			   m->stdin_fd,
			   m->tty_peer_fd,
			   m->client_fd,
			   m->guard.fd};
	size_t n = ARRAY_LEN(own);
	size_t cap = n + c->n_keep_fds + FANOUT_CLIENTS_MAX +
		     companions_get_fds(&m->companions, NULL) + 2;
	cleanup_free int *fds = mem_realloc_array(NULL, cap, sizeof(*fds));
	/* lint: the host's null device */
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	memcpy(fds, own, sizeof(own));
	for (size_t i = 0; i < c->n_keep_fds; i++)
		fds[n++] = c->keep_fds[i];
	n += fanout_get_fds(&m->fanout, fds + n);
	n += companions_get_fds(&m->companions, fds + n);
	n += rules_get_fds(fds + n);
	for (int fd = 0; fd <= 2 && null_fd >= 0; fd++)
		dup2(null_fd, fd);
	log_set_file(c->container_dir_fd, MONITOR_DIAGNOSTICS_NAME);
	log_set_context("monitor", c->id);
	close_others(fds, n);
	/* After start, so that the container did not inherit it; refused without CAP_SYS_RESOURCE.
	 */
	fd_write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", OOM_SCORE_ADJ_NEVER,
			 sizeof(OOM_SCORE_ADJ_NEVER) - 1, 0);
}

static int open_log(struct monitor *m, struct err *err)
{
	const struct monitor_config *c = m->config;

	return log_driver_open(&m->log, &c->log, c->container_dir_fd, &m->loop, err);
}

static int open_endpoints(struct monitor *m, struct err *err)
{
	int rc = loop_init(&m->loop);

	if (rc < 0)
		return err_sys(err, -rc, "create event loop");
	rc = monitor_init_fanout(m);
	if (rc < 0)
		return err_sys(err, -rc, "map buffers");
	rc = fanout_listen(&m->fanout, m->config->state_dir_fd);
	return rc < 0 ? err_sys(err, -rc, "create " ATTACH_SOCKET_NAME) : 0;
}

int monitor_bring_up(struct monitor *m, struct err *err)
{
	struct monitor_stdio stdio = {.in_fd = -1, .out_fd = -1, .err_fd = -1, .monitor = m};
	int rc = open_log(m, err);

	if (rc < 0)
		return rc;
	rc = m->resume ? 0 : open_endpoints(m, err);
	if (rc < 0)
		return rc;
	rc = make_stdio(m, &stdio, err);
	if (rc < 0)
		return rc;
	rc = m->config->start(m->config->ctx, &stdio, &m->process, err);
	fd_cleanup_close(&stdio.in_fd);
	fd_cleanup_close(&stdio.out_fd);
	fd_cleanup_close(&stdio.err_fd);
	if (rc < 0)
		return rc;
	rc = take_console(m, err);
	return rc < 0 ? rc : monitor_publish(m, &m->process, err);
}

void monitor_abandon(struct monitor *m, int exit_code, bool *ret_oom)
{
	if (m->process.pid_fd < 0)
		return;
	process_signal(m->process.pid_fd, SIGKILL);
	waitid(P_PIDFD, (id_t)m->process.pid_fd, &(siginfo_t){}, WEXITED);
	if (m->config->finish)
		m->config->finish(m->config->ctx, exit_code, ret_oom);
}

/* The container is not wanted, or not there: write that down and tell who asked. */
static void report_failure(struct monitor *m, const struct err *err)
{
	struct monitor_exit exit = {.code = monitor_start_exit_code(err),
				    .finished_ns = clock_real_ns(),
				    .error = err->msg};
	uint8_t frame[FRAME_HEADER_LEN + sizeof(*err)];

	monitor_abandon(m, exit.code, &exit.oom_killed);
	log_driver_close(&m->log, exit.finished_ns);
	monitor_exit_write(m->config->container_dir_fd, &exit);
	monitor_report_start(m, false);
	monitor_remove_state(m);
	frame_put_header(frame, FRAME_ERROR, sizeof(*err));
	memcpy(frame + FRAME_HEADER_LEN, err, sizeof(*err));
	pty_send_fds(m->client_fd, frame, sizeof(frame), NULL, 0, 0);
}

struct monitor *monitor_new(const struct monitor_config *config, int client_fd)
{
	struct monitor *m = mem_zalloc(sizeof(*m));

	m->config = config;
	m->client_fd = client_fd;
	m->restart = config->restart;
	m->history = config->history;
	m->guard = (struct guard)GUARD_INIT;
	m->loop.epoll_fd = -1;
	m->companions = (struct companions){.loop = &m->loop, .config = config};
	m->log = (struct log_driver)LOG_DRIVER_INIT;
	m->process = (struct monitor_process){.pid_fd = -1, .console_fd = -1};
	m->streams[LOG_STDOUT] = (struct monitor_stream){
		.source.fd = -1, .fd = -1, .monitor = m, .log = LOG_STDOUT, .frame = FRAME_STDOUT};
	m->streams[LOG_STDERR] = (struct monitor_stream){
		.source.fd = -1, .fd = -1, .monitor = m, .log = LOG_STDERR, .frame = FRAME_STDERR};
	m->stdin_fd = -1;
	m->tty_peer_fd = -1;
	m->exit.fd = -1;
	m->idle_timer.source.fd = -1;
	m->restart_timer.source.fd = -1;
	return m;
}

void monitor_stay(struct monitor *m)
{
	const struct monitor_config *config = m->config;
	bool is_settled = false;
	bool leaves = config->auto_remove;

	monitor_report_start(m, true);
	monitor_drop_caller(m);
	monitor_loop(m);
	if (m->restarts) {
		/* The program is executed again, and would not know whose child this is. */
		log_driver_stop_helper(&m->log);
		if (config->late)
			config->late(config->ctx);
		monitor_go_on(m);
	}
	leaves = leaves && !(m->marks & RESTART_MARK_KEPT);
	is_settled = fanout_is_settled(&m->fanout);
	if (leaves)
		log_driver_stop_helper(&m->log);
	if (leaves && is_settled && config->leave)
		config->leave(config->ctx);
	fanout_done(&m->fanout);
	if (config->late)
		config->late(config->ctx);
	log_driver_linger(&m->log);
	if (leaves && !is_settled && config->settle_argv)
		execv(config->settle_argv[0], config->settle_argv);
	rules_linger();
	_exit(0);
}

__attribute__((noreturn)) static void monitor_main(const struct monitor_config *config,
						   int client_fd)
{
	struct monitor *m = monitor_new(config, client_fd);
	struct err err = ERR_INIT;

	monitor_leave_caller();
	if (monitor_bring_up(m, &err) < 0) {
		report_failure(m, &err);
		_exit(0);
	}
	monitor_stay(m);
}

int monitor_spawn(const struct monitor_config *config, int *ret_client_fd, pid_t *ret_pid,
		  struct err *err)
{
	cleanup_close int ours = -1;
	cleanup_close int theirs = -1;
	int fds[2];
	pid_t pid = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(err, errno, "create socket pair");
	ours = fds[0];
	theirs = fds[1];
	pid = fork();
	if (pid < 0)
		return err_sys(err, errno, "fork monitor");
	if (pid == 0) {
		close(take_fd(ours));
		monitor_main(config, take_fd(theirs));
	}
	*ret_client_fd = take_fd(ours);
	if (ret_pid)
		*ret_pid = pid;
	return 0;
}
