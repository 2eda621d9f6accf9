/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHELL_H
#define SHELL_H
/* A few lines of shell, for files that a test needs and for what other programs say of them. */
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs SCRIPT by sh in the directory DIR and returns its exit status, -1 when it could not run. The
 * first LEN - 1 bytes of its output become the string RET (may be NULL). */
static inline int shell_run(const char *dir, const char *script, char *ret, size_t len)
{
	int out[2] = {-1, -1};
	int status = -1;
	size_t n = 0;
	pid_t pid = pipe(out) < 0 ? -1 : fork();

	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		if (chdir(dir) == 0)
			execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	for (ssize_t got = 1; pid > 0 && got > 0;) {
		char byte;

		got = read(out[0], &byte, 1);
		if (got > 0 && ret && n + 1 < len)
			ret[n++] = byte;
	}
	if (ret && len)
		ret[n] = '\0';
	close(out[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
