/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children of the live view. Signals that its loop reads are blocked in it, so every child begins
 * with none blocked. Only a shell shares the view's process group, and with it the terminal.
 */
#include "cli/view_child.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/command.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_MESSAGE 4096
#define MAX_INSPECT ((size_t)16 << 20)
#define EXEC_FAILED 127

struct spawn {
	const struct cli *cli;
	const char *words[6]; /* of the command line, ended by NULL */
	int out_fd, error_fd; /* -1: ours, with standard input */
	bool dies_with_us;
};

/* Never returns. In a group of its own, what is typed at the terminal does not reach it. */
static void exec_child(const struct spawn *s, char *const *argv, pid_t parent)
{
	bool is_foreground = s->out_fd < 0;
	sigset_t none;
	int null = -1;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->dies_with_us) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXEC_FAILED);
	}
	if (!is_foreground) {
		setpgid(0, 0);
		/* lint: the null device */
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, STDIN_FILENO);
		dup2(s->out_fd, STDOUT_FILENO);
		dup2(s->error_fd, STDERR_FILENO);
	}
	execv(argv[0], argv);
	_exit(EXEC_FAILED);
}

static pid_t spawn(const struct spawn *s, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	pid_t parent = getpid();
	pid_t pid = 0;

	strv_add(&argv, process_exe());
	strv_addf(&argv, "--root=%s", s->cli->root);
	strv_addf(&argv, "--runroot=%s", s->cli->runroot);
	for (size_t i = 0; s->words[i]; i++)
		strv_add(&argv, s->words[i]);
	pid = fork();
	if (pid == 0)
		exec_child(s, argv.items, parent);
	return pid < 0 ? err_sys(err, errno, "start %s", argv.items[0]) : pid;
}

/* ---- jobs ---- */

int view_jobs_start(struct view_jobs *jobs, const struct cli *cli, const char *verb,
		    const char *option, const char *id, const char *name, struct err *err)
{
	cleanup_close int fd = memfd_create("errors", MFD_CLOEXEC);
	/* lint: the null device */
	cleanup_close int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct spawn s = {.cli = cli, .words = {verb, option ? option : id}, .out_fd = null};
	pid_t pid = 0;

	if (jobs->n == VIEW_JOBS_MAX)
		return err_set(err, ERR_UNAVAILABLE, "%d things are being done already",
			       VIEW_JOBS_MAX);
	if (fd < 0 || null < 0)
		return err_sys(err, errno, "%s %s", verb, name);
	if (option)
		s.words[2] = id;
	s.error_fd = fd;
	pid = spawn(&s, err);
	if (pid < 0)
		return pid;
	jobs->items[jobs->n++] = (struct view_job){
		.pid = pid, .error_fd = take_fd(fd), .what = str_printf("%s %s", verb, name)};
	return 0;
}

/* The first line that JOB wrote, without the program's name. */
static void read_message(const struct view_job *job, struct str *ret)
{
	cleanup_str struct str text = STR_INIT;
	const char *line = NULL;

	if (lseek(job->error_fd, 0, SEEK_SET) < 0 ||
	    fd_read_all(job->error_fd, MAX_MESSAGE, &text) < 0 || !text.len)
		return;
	line = str_get(&text);
	if (str_has_prefix(line, "tare: "))
		line += strlen("tare: ");
	str_addf(ret, "%.*s", (int)strcspn(line, "\n"), line);
}

bool view_jobs_reap(struct view_jobs *jobs, struct str *ret, bool *ret_failed)
{
	for (size_t i = 0; i < jobs->n; i++) {
		struct view_job *job = &jobs->items[i];
		int status = 0;

		if (waitpid(job->pid, &status, WNOHANG) != job->pid)
			continue;
		*ret_failed = status != 0;
		str_addf(ret, "%s: ", job->what);
		if (status == 0)
			str_add(ret, "done");
		else
			read_message(job, ret);
		fd_cleanup_close(&job->error_fd);
		free(job->what);
		*job = jobs->items[--jobs->n];
		return true;
	}
	return false;
}

void view_jobs_done(struct view_jobs *jobs)
{
	for (size_t i = 0; i < jobs->n; i++) {
		fd_cleanup_close(&jobs->items[i].error_fd);
		free(jobs->items[i].what);
	}
	jobs->n = 0;
}

/* ---- logs, inspect, a shell ---- */

int view_follow_start(struct view_follow *f, const struct cli *cli, const char *id, unsigned tail,
		      struct err *err)
{
	cleanup_free char *lines = str_printf("--tail=%u", tail);
	struct spawn s = {.cli = cli, .words = {"logs", "-f", lines, id}, .dies_with_us = true};
	int fds[2];
	pid_t pid = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "follow a log");
	s.out_fd = s.error_fd = fds[1];
	pid = spawn(&s, err);
	close(fds[1]);
	if (pid < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
		close(fds[0]);
		return pid < 0 ? pid : err_sys(err, errno, "follow a log");
	}
	*f = (struct view_follow){.pid = pid, .fd = fds[0]};
	return 0;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void view_follow_stop(struct view_follow *f)
{
	if (f->pid > 0) {
		/* our own child, not yet waited for: the number is still its */
		kill(f->pid, SIGKILL);
		wait_for(f->pid);
	}
	fd_cleanup_close(&f->fd);
	f->pid = 0;
}

int view_read_inspect(const struct cli *cli, const char *id, struct str *ret, struct err *err)
{
	cleanup_close int fd = memfd_create("inspect", MFD_CLOEXEC);
	struct spawn s = {.cli = cli, .words = {"container", "inspect", id}};
	pid_t pid = 0;

	if (fd < 0)
		return err_sys(err, errno, "inspect");
	s.out_fd = s.error_fd = fd;
	pid = spawn(&s, err);
	if (pid < 0)
		return pid;
	wait_for(pid);
	if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, MAX_INSPECT, ret) < 0)
		return err_set(err, ERR_SYSTEM, "what inspect printed cannot be read");
	return 0;
}

int view_run_shell(const struct cli *cli, const char *id)
{
	struct spawn s = {
		.cli = cli, .words = {"exec", "-it", id, "sh"}, .out_fd = -1, .error_fd = -1};
	struct err err = ERR_INIT;
	pid_t pid = spawn(&s, &err);

	if (pid < 0) {
		cli_print_error(&err);
		return EXEC_FAILED;
	}
	return wait_for(pid);
}
