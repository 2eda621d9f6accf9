/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output without blocking, by the kind of file. A pipe that polls writable takes PIPE_BUF bytes at
 * once (pipe(7)), which is what the last resort relies on.
 */
#include "monitor/output.h"

#include "base/fd.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A description of our own for the same pipe or terminal, or -1. */
static int reopen(int fd)
{
	char path[PATH_FD_LEN];

	/* lint: a descriptor of our own, by its name in procfs */
	return open(path_of_fd(fd, path), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void output_open(struct output *out, int fd)
{
	struct stat st = {};
	int flags = fcntl(fd, F_GETFL);

	*out = (struct output){.fd = fd, .kind = OUTPUT_LIMITED};
	if (flags >= 0 && flags & O_NONBLOCK)
		out->kind = OUTPUT_NONBLOCKING;
	else if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
		out->kind = OUTPUT_SOCKET;
	else if (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(fd)))
		out->kind = OUTPUT_FILE;
	if (out->kind != OUTPUT_LIMITED || !(S_ISFIFO(st.st_mode) || isatty(fd)))
		return;
	fd = reopen(fd);
	if (fd >= 0)
		*out = (struct output){.fd = fd, .is_owned = true, .kind = OUTPUT_NONBLOCKING};
}

void output_take(struct output *out, int fd)
{
	*out = (struct output){.fd = fd, .is_owned = true, .kind = OUTPUT_NONBLOCKING};
}

void output_close(struct output *out)
{
	if (out->is_owned)
		fd_cleanup_close(&out->fd);
	*out = (struct output)OUTPUT_INIT;
}

static bool is_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) > 0;
}

ssize_t output_write(struct output *out, const void *data, size_t len)
{
	ssize_t n = 0;

	if (out->kind == OUTPUT_LIMITED && !is_writable(out->fd))
		return 0;
	if (out->kind == OUTPUT_LIMITED && len > PIPE_BUF)
		len = PIPE_BUF;
	if (out->kind == OUTPUT_SOCKET)
		n = send(out->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(out->fd, data, len);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
}
