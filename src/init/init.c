/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-init: the first process of a container that was started with --init. It starts the command
 * as its child, hands every signal on, reaps what is orphaned, and ends as the command ended. It is
 * static, because it is bound into the container from the host, and does nothing else.
 *
 *     tare-init -- COMMAND [ARGUMENT...]
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The command's status as a shell would give it. */
static int status_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void become_command(char **argv, const sigset_t *unblocked)
{
	/* In a process group of its own, in front on the terminal if there is one: a signal from
	 * the keyboard must reach the command once, not through us again. */
	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	if (isatty(STDIN_FILENO))
		tcsetpgrp(STDIN_FILENO, getpgrp());
	signal(SIGTTOU, SIG_DFL);
	sigprocmask(SIG_SETMASK, unblocked, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "exec: \"%s\": %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Reaps everything that has ended; returns the command's status, or -1 while it lives. */
static int reap(pid_t command)
{
	int result = -1;

	for (;;) {
		int status = 0;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0)
			return result;
		if (pid == command)
			result = status_of(status);
	}
}

int main(int argc, char **argv)
{
	sigset_t all;
	sigset_t before;
	pid_t command = 0;

	argv += argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	if (!*argv)
		return 127;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	command = fork();
	if (command < 0)
		return 126;
	if (command == 0)
		become_command(argv, &before);
	for (;;) {
		int signal_number = sigwaitinfo(&all, NULL);

		if (signal_number == SIGCHLD) {
			int status = reap(command);

			if (status >= 0)
				return status;
		} else if (signal_number > 0 && signal_number != SIGTTIN &&
			   signal_number != SIGTTOU) {
			kill(command, signal_number);
		}
	}
}
