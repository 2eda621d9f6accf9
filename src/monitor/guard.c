/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting, watching and ending the guard.
 */
#include "monitor/guard.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/process.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGV_MAX 16

static int on_guard_end(void *data, uint32_t events);

static void watch(struct guard *guard)
{
	if (guard->fd >= 0 && !loop_has(&guard->source))
		loop_add(guard->loop, &guard->source, guard->fd, EPOLLIN, on_guard_end, guard);
}

/* The guard's command with our pid in its place. */
static int spawn(char *const *argv)
{
	char *with_pid[ARGV_MAX] = {};
	char pid[16];
	pid_t child = -1;

	for (size_t i = 0; argv[i] && i + 1 < ARGV_MAX; i++)
		with_pid[i] = argv[i];
	snprintf(pid, sizeof(pid), "%d", getpid());
	with_pid[1] = pid;
	if (!with_pid[0] || posix_spawn(&child, with_pid[0], NULL, NULL, with_pid, environ) != 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, child, 0);
}

void guard_ensure(struct guard *guard, struct loop *loop, char *const *argv)
{
	guard->loop = loop;
	guard->argv = argv;
	if (guard->fd < 0 && argv)
		guard->fd = spawn(argv);
	watch(guard);
}

/* A guard that ended by itself has no program or no rights: another would not either. */
static int on_guard_end(void *data, uint32_t events)
{
	struct guard *guard = data;
	siginfo_t info = {};
	int rc = waitid(P_PIDFD, (id_t)guard->fd, &info, WEXITED | WNOHANG);

	loop_remove(guard->loop, &guard->source);
	fd_cleanup_close(&guard->fd);
	if (rc == 0 && info.si_code != CLD_EXITED)
		guard_ensure(guard, guard->loop, guard->argv);
	return 0;
}

void guard_adopt(struct guard *guard, int fd)
{
	siginfo_t info = {};

	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		guard->fd = fd;
	else if (errno != EBADF)
		close(fd);
}

void guard_dismiss(struct guard *guard)
{
	if (guard->fd < 0)
		return;
	if (guard->loop)
		loop_remove(guard->loop, &guard->source);
	process_signal(guard->fd, SIGKILL);
	waitid(P_PIDFD, (id_t)guard->fd, &(siginfo_t){}, WEXITED);
	fd_cleanup_close(&guard->fd);
}
