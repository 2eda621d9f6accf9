/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running helpers. Input, output and error text are memory files, not pipes: nothing can block, and
 * there is nothing to poll.
 */
#include "engine/helper.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_TEXT 4096

static int wait_status(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int helper_run(char *const *argv, const void *input, size_t len, size_t limit, struct str *ret,
	       struct err *err)
{
	cleanup_close int in = memfd_create("input", MFD_CLOEXEC);
	cleanup_close int out = memfd_create("output", MFD_CLOEXEC);
	cleanup_close int text = memfd_create("error", MFD_CLOEXEC);
	cleanup_str struct str message = STR_INIT;
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int rc = 0;

	if (in < 0 || out < 0 || text < 0)
		return err_sys(err, errno, "create a memory file");
	rc = fd_write_full(in, input, len);
	if (rc < 0 || lseek(in, 0, SEEK_SET) < 0)
		return err_sys(err, rc < 0 ? -rc : errno, "fill a memory file");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, text, STDERR_FILENO);
	rc = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0) {
		err_sys(err, rc, "start %s", argv[0]);
		return err_hint(err, "is tare installed completely?");
	}
	if (wait_status(pid) == 0) {
		rc = fd_read_back(out, limit, ret);
		return rc < 0 ? err_sys(err, -rc, "read what %s printed", argv[0]) : 0;
	}
	if (fd_read_back(text, MAX_TEXT, &message) < 0 || !message.len)
		return err_set(err, ERR_SYSTEM, "%s failed", argv[0]);
	return err_set(err, ERR_INVALID, "%.*s", (int)strcspn(message.buf, "\n"), message.buf);
}
