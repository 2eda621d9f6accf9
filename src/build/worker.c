/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words cross a socket that keeps their boundaries, so one read is one word, and a word that was
 * cut short by a death cannot be taken for one.
 */
#include "build/worker.h"

#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(int fd, const struct worker_word *word)
{
	while (send(fd, word, sizeof(*word), MSG_NOSIGNAL) < 0 && errno == EINTR)
		continue;
}

/* The child is the leader of a group of its own: what it starts ends with it, and a terminal's
 * Ctrl-C is left to the build. */
static void __attribute__((noreturn)) run_child(pid_t parent, int fd, worker_fn fn, void *data)
{
	struct worker_word word = {.kind = WORKER_DONE};
	sigset_t none;

	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fn(fd, data, &word.err) < 0)
		word.kind = WORKER_FAILED;
	say(fd, &word);
	_exit(0);
}

int worker_start(struct worker *w, worker_fn fn, void *data, struct err *err)
{
	int ends[2] = {-1, -1};
	pid_t parent = getpid();
	pid_t pid = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, errno, "make a socket");
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_child(parent, ends[1], fn, data);
	}
	close(ends[1]);
	if (pid < 0) {
		err_sys(err, errno, "start a process");
		close(ends[0]);
		return -err->code;
	}
	/* Both sides do it: whoever comes first, the group is there when it is needed. */
	setpgid(pid, pid);
	*w = (struct worker){.pid = pid, .fd = ends[0]};
	return 0;
}

int worker_report(int fd, const char *digest)
{
	struct worker_word word = {.kind = WORKER_DIGEST};
	char byte = 0;
	ssize_t n = 0;

	memcpy(word.digest, digest, sizeof(word.digest));
	say(fd, &word);
	do
		n = recv(fd, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

void worker_go(struct worker *w)
{
	while (send(w->fd, "g", 1, MSG_NOSIGNAL) < 0 && errno == EINTR)
		continue;
}

void worker_read(struct worker *w, struct worker_word *ret)
{
	ssize_t n = 0;

	*ret = (struct worker_word){};
	do
		n = recv(w->fd, ret, sizeof(*ret), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*ret))
		*ret = (struct worker_word){.kind = WORKER_LOST};
}

void worker_finish(struct worker *w)
{
	if (w->pid <= 0)
		return;
	fd_cleanup_close(&w->fd);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	w->pid = 0;
}

void worker_kill(struct worker *w)
{
	if (w->pid <= 0)
		return;
	kill(-w->pid, SIGKILL);
	kill(w->pid, SIGKILL);
	worker_finish(w);
}
