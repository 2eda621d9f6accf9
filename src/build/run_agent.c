/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay between a step and the user's SSH agent. It is not the agent's own socket that the step
 * gets: an agent asks the kernel who connects, and lets nobody in but its user and root; and with
 * the socket mounted itself a step would decide who may have it.
 *
 * A step may open any number of connections and say anything: there are MAX_PAIRS at a time, each
 * message is passed on as it comes, and who does not read for some seconds is cut off. What a step
 * may ask for is what keys there are, and a signature. To add and remove keys, to lock the agent or
 * to have it load a library (CVE-2023-38408) is for the user alone.
 */
#include "build/run_agent.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_PAIRS     32
#define WRITE_LIMIT_S 5
#define CHUNK	      16384
#define HEADER	      5 /* a length, big-endian, and the kind, which it counts */
#define MAX_MESSAGE   (256u << 10)

/* draft-miller-ssh-agent */
enum { AGENT_FAILURE = 5, REQUEST_IDENTITIES = 11, SIGN_REQUEST = 13 };

/* Where in a message of the step we are. */
struct reader {
	unsigned char header[HEADER];
	size_t n_header;
	uint32_t left; /* of what follows the header */
	bool is_refused;
};

struct pair {
	int ends[2]; /* the step's, the agent's */
	struct reader reader;
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
	r->pairs[r->n++] = (struct pair){.ends = {take_fd(step), take_fd(agent)}};
}

static void drop(struct relay *r, size_t i)
{
	close(r->pairs[i].ends[0]);
	close(r->pairs[i].ends[1]);
	r->pairs[i] = r->pairs[--r->n];
}

/* Takes bytes of a header; how many, -1 when what it says is no message. */
static ssize_t read_header(struct reader *m, const unsigned char *bytes, size_t n)
{
	uint32_t len = 0;

	n = MIN(n, HEADER - m->n_header);
	memcpy(m->header + m->n_header, bytes, n);
	m->n_header += n;
	if (m->n_header < HEADER)
		return (ssize_t)n;
	for (int i = 0; i < 4; i++)
		len = len << 8 | m->header[i];
	if (len == 0 || len > MAX_MESSAGE)
		return -1;
	m->left = len - 1;
	m->is_refused = m->header[4] != REQUEST_IDENTITIES && m->header[4] != SIGN_REQUEST;
	return (ssize_t)n;
}

/* The header is whole: it goes on. At the message's end the next header comes. */
static bool pass_body(struct pair *pair, const unsigned char *bytes, size_t n)
{
	static const unsigned char failure[] = {0, 0, 0, 1, AGENT_FAILURE};
	struct reader *m = &pair->reader;

	if (!m->is_refused && fd_write_full(pair->ends[1], bytes, n) < 0)
		return false;
	m->left -= (uint32_t)n;
	if (m->left > 0)
		return true;
	m->n_header = 0;
	return !m->is_refused || fd_write_full(pair->ends[0], failure, sizeof(failure)) == 0;
}

/* What the step has said; false when it is cut off. */
static bool filter(struct pair *pair, const unsigned char *bytes, size_t n)
{
	struct reader *m = &pair->reader;

	while (n > 0) {
		size_t n_body = 0;

		if (m->n_header < HEADER) {
			ssize_t taken = read_header(m, bytes, n);

			if (taken < 0)
				return false;
			bytes += taken;
			n -= (size_t)taken;
			if (m->n_header < HEADER)
				return true;
			if (!m->is_refused && fd_write_full(pair->ends[1], m->header, HEADER) < 0)
				return false;
		}
		n_body = MIN(n, m->left);
		if (!pass_body(pair, bytes, n_body))
			return false;
		bytes += n_body;
		n -= n_body;
	}
	return true;
}

/* Hands on what end FROM of PAIR has said; false at its end. */
static bool pass_on(struct pair *pair, int from)
{
	unsigned char buf[CHUNK];
	ssize_t n = recv(pair->ends[from], buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	return from == 0 ? filter(pair, buf, (size_t)n)
			 : fd_write_full(pair->ends[0], buf, (size_t)n) == 0;
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
