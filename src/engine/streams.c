/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and terminals of what this command starts itself.
 */
#include "engine/streams.h"

#include "base/err.h"
#include "base/fd.h"
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void streams_done(struct streams *s)
{
	for (int i = 0; i < 3; i++) {
		fd_cleanup_close(&s->child[i]);
		fd_cleanup_close(&s->parent[i]);
	}
	fd_cleanup_close(&s->report[0]);
	fd_cleanup_close(&s->report[1]);
}

static int open_pipe(struct streams *s, int i)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	s->child[i] = pair[i == 0 ? 0 : 1];
	s->parent[i] = pair[i == 0 ? 1 : 0];
	return 0;
}

int streams_open(const struct streams_wish *wish, struct streams *s, struct err *err)
{
	int rc = 0;

	if (wish->tty) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->report) < 0)
			return err_sys(err, errno, "make a socket pair");
		return 0;
	}
	for (int i = 0; rc == 0 && i < 3; i++) {
		bool wanted = !wish->detach && (i != 0 || wish->interactive);

		if (wanted) {
			rc = open_pipe(s, i);
		} else {
			/* lint: the host's null device, before any namespace is entered */
			s->child[i] = open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
			rc = s->child[i] < 0 ? -errno : 0;
		}
	}
	return rc < 0 ? err_sys(err, -rc, "make pipes") : 0;
}

static int receive_console(struct streams *s, int *ret, struct err *err)
{
	int fds[PTY_FDS_MAX];
	char byte = 0;
	ssize_t n = pty_recv_fds(s->report[0], &byte, 1, fds, MSG_DONTWAIT);

	if (n <= 0)
		return err_sys(err, n < 0 ? (int)-n : EPIPE, "receive the terminal");
	*ret = fds[0];
	return 0;
}

int streams_start(struct streams *s, struct plan *plan, struct plan_run *run, bool outlives,
		  struct relay_process *ret, pid_t *ret_pid, struct err *err)
{
	struct runtime_process process = RUNTIME_PROCESS_INIT;
	int rc = 0;

	memcpy(run->stdio, s->child, sizeof(run->stdio));
	run->report_fd = s->report[1];
	run->pdeath_signal = outlives ? 0 : SIGKILL;
	rc = runtime_start(plan, run, &process, err);
	run->stdio[0] = run->stdio[1] = run->stdio[2] = run->report_fd = -1;
	plan_run_done(run);
	if (rc < 0)
		return rc;
	*ret_pid = process.pid;
	ret->pid_fd = process.pidfd;
	ret->stdin_fd = take_fd(s->parent[0]);
	ret->stdout_fd = take_fd(s->parent[1]);
	ret->stderr_fd = take_fd(s->parent[2]);
	ret->console_fd = -1;
	return s->report[0] < 0 ? 0 : receive_console(s, &ret->console_fd, err);
}
