/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state is the kernel's: the thread's mask and what is pending. A signalfd(2) of the blocked
 * ones tells that one came and is not read, so that whoever blocked them finds it pending.
 */
#include "build/interrupt.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

void interrupt_fill(sigset_t *ret)
{
	struct sigaction action;

	sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_LEN(ending_signals); i++)
		if (sigaction(ending_signals[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(ret, ending_signals[i]);
}

void interrupt_block(sigset_t *ret_saved)
{
	sigset_t set;

	interrupt_fill(&set);
	sigprocmask(SIG_BLOCK, &set, ret_saved);
}

int interrupt_get_pending(void)
{
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < ARRAY_LEN(ending_signals); i++)
		if (sigismember(&pending, ending_signals[i]))
			return ending_signals[i];
	return 0;
}

void interrupt_ignore(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ending_signals); i++)
		signal(ending_signals[i], SIG_IGN);
}

/* Readable as long as one of them is pending. */
static int open_blocked(void)
{
	sigset_t mask;
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	interrupt_fill(&set);
	sigandset(&set, &set, &mask);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int interrupt_wait(int fd)
{
	cleanup_close int signal_fd = open_blocked();
	struct pollfd polls[] = {{.fd = fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};

	if (signal_fd < 0)
		return -errno;
	while (poll(polls, ARRAY_LEN(polls), -1) < 0)
		if (errno != EINTR)
			return -errno;
	return polls[1].revents ? -EINTR : 0;
}

int interrupt_wait_child(pid_t pid, int *ret_status)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int rc = pidfd < 0 ? -errno : interrupt_wait(pidfd);

	/* It must not live on, whatever kept us from waiting. */
	if (rc < 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return rc;
}
