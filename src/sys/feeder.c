/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child sends a struct err over a second pipe, in one write, when it fails; an end of that pipe
 * without one and an exit status of 0 together mean that all is well.
 */
#include "sys/feeder.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Fewer switches between the two; more than the user may have is no error. */
#define PIPE_BYTES (1024 * 1024)

static void run_child(int out_fd, int err_fd, feeder_fn fn, void *data)
{
	struct err err = ERR_INIT;
	int rc = 0;

	/* What nobody reads is an error of write(2) like others. */
	signal(SIGPIPE, SIG_IGN);
	rc = fn(out_fd, data, &err);
	if (rc < 0)
		fd_write_full(err_fd, &err, sizeof(err));
	_exit(rc < 0 ? 1 : 0);
}

int feeder_start(struct feeder *f, feeder_fn fn, void *data, struct err *err)
{
	int stream[2] = {-1, -1};
	int report[2] = {-1, -1};
	pid_t pid = -1;

	if (pipe2(stream, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	if (pipe2(report, O_CLOEXEC) == 0)
		pid = fork();
	if (pid < 0)
		err_sys(err, errno, "start a process");
	if (pid == 0) {
		close(stream[0]);
		close(report[0]);
		run_child(stream[1], report[1], fn, data);
	}
	fd_cleanup_close(&stream[1]);
	fd_cleanup_close(&report[1]);
	if (pid < 0) {
		fd_cleanup_close(&stream[0]);
		fd_cleanup_close(&report[0]);
		return -err->code;
	}
	fcntl(stream[0], F_SETPIPE_SZ, PIPE_BYTES);
	*f = (struct feeder){.pid = pid, .data_fd = stream[0], .err_fd = report[0]};
	return 0;
}

static int wait_child(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

int feeder_finish(struct feeder *f, bool reader_failed, struct err *err)
{
	struct err theirs = ERR_INIT;
	ssize_t n = 0;
	int status = 0;

	if (f->pid < 0)
		return 0;
	fd_cleanup_close(&f->data_fd);
	n = fd_read_full(f->err_fd, &theirs, sizeof(theirs));
	fd_cleanup_close(&f->err_fd);
	status = wait_child(f->pid);
	f->pid = -1;
	if (n == (ssize_t)sizeof(theirs)) {
		if (reader_failed && theirs.errnum == EPIPE)
			return 0;
		*err = theirs;
		return -err->code;
	}
	if (status == 0 || reader_failed)
		return 0;
	return err_set(err, ERR_SYSTEM, "the process that read the files ended early (status %#x)",
		       (unsigned)status);
}

void feeder_cleanup(struct feeder *f)
{
	struct err ignored = ERR_INIT;

	feeder_finish(f, true, &ignored);
}
