/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_FEEDER_H
#define SYS_FEEDER_H
/*
 * A child process that writes a stream into a pipe while this process, or a helper of it, reads the
 * other end. What the child found wrong is known here at the end: a stream that only looks complete
 * is never taken for one.
 */
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct feeder {
	pid_t pid;
	int data_fd; /* owned: where the stream comes out */
	int err_fd;  /* owned */
};

#define FEEDER_INIT                                     \
	{                                               \
		.pid = -1, .data_fd = -1, .err_fd = -1, \
	}

/* Writes the stream to OUT_FD; runs in the child, which has a copy of everything but must not touch
 * the index. 0 or -code. */
typedef int (*feeder_fn)(int out_fd, void *data, struct err *err);

/* Starts the child. Single-threaded callers only. */
int feeder_start(struct feeder *f, feeder_fn fn, void *data, struct err *err);
/* Closes the stream and waits for the child: 0, or -code with its error. With READER_FAILED the
 * child's error counts only where it is not just that nobody reads any more; returns 0 then, and
 * ERR stays as it is. Nothing happens the second time. */
int feeder_finish(struct feeder *f, bool reader_failed, struct err *err);
/* The same, for who is not interested. */
void feeder_cleanup(struct feeder *f);
#define cleanup_feeder __attribute__((cleanup(feeder_cleanup)))

#endif
