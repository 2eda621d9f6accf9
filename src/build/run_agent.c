/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay between a step and the user's SSH agent. It is not the agent's own socket that the step
 * gets: an agent asks the kernel who connects, and lets nobody in but its user and root; and with
 * the socket mounted itself a step would decide who may have it.
 *
 * A step may open any number of connections and say anything: there are MAX_PAIRS at a time, each
 * message is passed on as it comes, and who does not read for some seconds is cut off.
 */
#include "build/run_agent.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_PAIRS     32
#define WRITE_LIMIT_S 5
#define CHUNK	      16384

struct pair {
	int ends[2]; /* the step's, the agent's */
};

struct relay {
	int listener;
	struct sockaddr_un agent;
	struct pair pairs[MAX_PAIRS];
	size_t n;
};

static int connect_agent(const struct relay *r)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const void *)&r->agent, sizeof(r->agent)) < 0)
		return -errno;
	return take_fd(fd);
}

static void take_connection(struct relay *r)
{
	const struct timeval limit = {.tv_sec = WRITE_LIMIT_S};
	cleanup_close int step = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
	cleanup_close int agent = step < 0 ? -1 : connect_agent(r);

	if (step < 0 || agent < 0)
		return;
	setsockopt(step, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(agent, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	r->pairs[r->n++] = (struct pair){{take_fd(step), take_fd(agent)}};
}

static void drop(struct relay *r, size_t i)
{
	close(r->pairs[i].ends[0]);
	close(r->pairs[i].ends[1]);
	r->pairs[i] = r->pairs[--r->n];
}

/* Hands on what end FROM of PAIR has said; false at its end. */
static bool pass_on(const struct pair *pair, int from)
{
	char buf[CHUNK];
	ssize_t n = recv(pair->ends[from], buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return n > 0 && fd_write_full(pair->ends[!from], buf, (size_t)n) == 0;
}

static void serve_pairs(struct relay *r, const struct pollfd *fds)
{
	/* From the end: dropping one moves the last, which was served already, into its place. */
	for (size_t i = r->n; i-- > 0;)
		for (int end = 0; end < 2; end++)
			if (fds[2 * i + (size_t)end].revents && !pass_on(&r->pairs[i], end)) {
				drop(r, i);
				break;
			}
}

static void serve(struct relay *r)
{
	for (;;) {
		struct pollfd fds[2 * MAX_PAIRS + 1];
		size_t n = 0;

		for (size_t i = 0; i < r->n; i++)
			for (int end = 0; end < 2; end++)
				fds[n++] = (struct pollfd){.fd = r->pairs[i].ends[end],
							   .events = POLLIN};
		/* Whoever comes when all places are taken waits in the queue. */
		fds[n] = (struct pollfd){.fd = r->n < MAX_PAIRS ? r->listener : -1,
					 .events = POLLIN};
		if (poll(fds, n + 1, -1) < 0 && errno != EINTR)
			return;
		serve_pairs(r, fds);
		if (fds[n].revents & POLLIN)
			take_connection(r);
	}
}

/* What the process has of ours: its memory, which nobody looks into, and these. */
enum { LISTENER = 3, DIRECTORY, FIRST_OTHER };

static bool set_address(struct sockaddr_un *addr, int dir_fd, const char *path)
{
	int len = 0;

	/* By descriptor: a path of the runroot may be longer than an address may be. */
	if (dir_fd >= 0)
		len = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s",
			       DIRECTORY, path);
	else
		len = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", path);
	return len >= 0 && (size_t)len < sizeof(addr->sun_path);
}

pid_t run_agent_start(int listener, int dir_fd, const char *path)
{
	struct relay r = {.listener = LISTENER, .agent = {.sun_family = AF_UNIX}};
	pid_t parent = getpid();
	pid_t pid = 0;

	if (!set_address(&r.agent, dir_fd, path))
		return -ENAMETOOLONG;
	pid = fork();
	if (pid != 0)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	/* Neither takes the place of the other. */
	listener = fcntl(listener, F_DUPFD, FIRST_OTHER);
	dir_fd = dir_fd < 0 ? -1 : fcntl(dir_fd, F_DUPFD, FIRST_OTHER);
	if (getppid() != parent || dup2(listener, LISTENER) < 0 ||
	    (dir_fd >= 0 && dup2(dir_fd, DIRECTORY) < 0))
		_exit(1);
	syscall(SYS_close_range, dir_fd < 0 ? DIRECTORY : FIRST_OTHER, ~0U, 0);
	serve(&r);
	_exit(1);
}
