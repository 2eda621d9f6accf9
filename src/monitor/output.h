/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_OUTPUT_H
#define MONITOR_OUTPUT_H
/*
 * Writing to a descriptor that is not ours without ever blocking on it, and without setting
 * O_NONBLOCK on it: the open file is shared with the shell and whoever else holds it, and they
 * would be the ones surprised.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum output_kind {
	OUTPUT_NONBLOCKING, /* the descriptor itself does not block */
	OUTPUT_SOCKET,	    /* MSG_DONTWAIT */
	OUTPUT_FILE,	    /* never blocks for long */
	OUTPUT_LIMITED,	    /* asked by poll(2) first, and PIPE_BUF at a time */
};

struct output {
	int fd;
	bool is_owned;
	enum output_kind kind;
};

#define OUTPUT_INIT      \
	{                \
		.fd = -1 \
	}

/* Prepares writing to FD (borrowed, blocking or not). A pipe or a terminal is opened a second time
 * through /proc/self/fd as a description of our own where that is allowed. Cannot fail. */
void output_open(struct output *out, int fd);
/* Takes FD, which is non-blocking and ours, over. */
void output_take(struct output *out, int fd);
void output_close(struct output *out);
static inline bool output_is_open(const struct output *out)
{
	return out->fd >= 0;
}

/* Bytes written; 0 when it would block (wait for EPOLLOUT on out->fd); -errno, -EPIPE when nobody
 * reads. Raises SIGPIPE unless that is ignored. */
ssize_t output_write(struct output *out, const void *data, size_t len);

#endif
