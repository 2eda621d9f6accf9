/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys from files. What to do with a key is for OpenSSH to know: its agent holds them, its ssh-add
 * reads them, and neither a step nor this program ever sees one.
 *
 * ssh-agent is installed with another group's rights, and a program that gains rights is not killed
 * with its parent any more (prctl(2), PR_SET_PDEATHSIG). It needs them for nothing that matters
 * here: no_new_privs takes them away.
 */
#include "build/run_keys.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_TRIES    500
#define WAIT_PAUSE_US 10000
#define NOT_FOUND     127
#define SAID_MAX      400

/* Starts ARGV in directory DIR_FD, without a terminal to ask on; what it says goes to ERR_FD (-1:
 * nowhere). Its pid or -errno. */
static pid_t start(int dir_fd, char *const *argv, int err_fd)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	int null_fd = -1;

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	/* lint: the host's null device */
	null_fd = open("/dev/null", O_RDWR);
	if (null_fd < 0 || fchdir(dir_fd) < 0 || setsid() < 0)
		_exit(1);
	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	dup2(err_fd < 0 ? null_fd : err_fd, STDERR_FILENO);
	syscall(SYS_close_range, 3, ~0U, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(1);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? NOT_FOUND : 1);
}

/* ---- the agent ---- */

static int fail_agent(int status, struct err *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND) {
		err_set(err, ERR_UNSUPPORTED,
			"keys from files take ssh-agent, which this host does not have");
		return err_hint(err, "apt install openssh-client, or start an agent elsewhere and "
				     "name its socket");
	}
	return err_set(err, ERR_SYSTEM, "ssh-agent did not start");
}

/* Until its socket is there. */
static int await_agent(pid_t pid, int dir_fd, const char *name, struct err *err)
{
	for (int i = 0; i < WAIT_TRIES; i++) {
		struct stat st;
		int status = 0;

		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
			return 0;
		if (waitpid(pid, &status, WNOHANG) == pid)
			return fail_agent(status, err);
		usleep(WAIT_PAUSE_US);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err_set(err, ERR_SYSTEM, "ssh-agent did not start");
}

/* ---- the keys ---- */

/* ssh-add runs elsewhere. */
static char *absolute(const char *path)
{
	cleanup_free char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);

	return cwd ? str_printf("%s/%s", cwd, path) : str_dup(path);
}

static int add_key(int dir_fd, const char *name, const char *key, struct err *err)
{
	cleanup_free char *path = absolute(key);
	cleanup_free char *agent = str_printf("SSH_AUTH_SOCK=%s", name);
	char *argv[] = {(char[]){"env"},
			agent,
			(char[]){"SSH_ASKPASS_REQUIRE=never"},
			(char[]){"ssh-add"},
			(char[]){"-q"},
			(char[]){"--"},
			path,
			NULL};
	cleanup_close int read_fd = -1;
	cleanup_close int write_fd = -1;
	char said[SAID_MAX] = "";
	int pair[2];
	int status = 0;
	pid_t pid = 0;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	read_fd = pair[0];
	write_fd = pair[1];
	pid = start(dir_fd, argv, write_fd);
	if (pid < 0)
		return err_sys(err, -(int)pid, "run ssh-add");
	fd_cleanup_close(&write_fd);
	fd_read_full(read_fd, said, sizeof(said) - 1);
	waitpid(pid, &status, 0);
	said[strcspn(said, "\r\n")] = '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	err_set(err, ERR_INVALID, "ssh-add does not take the key %s%s%s", key, *said ? ": " : "",
		said);
	return err_hint(err, "a key with a passphrase: eval \"$(ssh-agent)\"; ssh-add %s", key);
}

pid_t run_keys_start(int dir_fd, const char *name, const struct strv *keys, struct err *err)
{
	cleanup_free char *socket_name = str_dup(name);
	char *argv[] = {(char[]){"ssh-agent"}, (char[]){"-D"}, (char[]){"-a"}, socket_name, NULL};
	pid_t pid = start(dir_fd, argv, -1);
	int rc = 0;

	if (pid < 0)
		return err_sys(err, -(int)pid, "run ssh-agent");
	rc = await_agent(pid, dir_fd, name, err);
	if (rc < 0)
		return rc;
	strv_foreach (i, keys) {
		rc = add_key(dir_fd, name, keys->items[i], err);
		if (rc == 0)
			continue;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return rc;
	}
	return pid;
}
