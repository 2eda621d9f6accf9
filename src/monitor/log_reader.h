/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_READER_H
#define MONITOR_LOG_READER_H
/*
 * Reads a container's log back: through all rotated parts in order, from a line or a time on, and
 * on as it grows. Bytes come out as they went in (invalid UTF-8 apart), pieces of a long line
 * rejoined, stdout and stderr told apart.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/log_entry.h"

struct err;

struct log_read {
	int64_t since_ns; /* entries of this time or later; 0: all */
	int64_t until_ns; /* entries before or at it; 0: all */
	int64_t tail;	  /* that many last lines; negative: all */
	bool timestamps;  /* "2006-01-02T15:04:05.000000000Z " before each line */
	bool follow;	  /* go on as the log grows, until is_over or until_ns */
	/* Whether the container has ended (its exit is recorded). Asked when something changed and
	 * once a second; all that is in the log by then is still handed out. NULL: never. */
	bool (*is_over)(void *ctx);
	/* Gets output in order. A negative value ends log_read_run with it. */
	int (*emit)(void *ctx, enum log_stream stream, const void *data, size_t len);
	void *ctx;
};

/* Reads the log of the container whose directory is CONTAINER_DIR_FD; none yet is an empty one.
 * Blocks while following. 0, EMIT's negative value, or -code. */
int log_read_run(const struct log_read *read, int container_dir_fd, struct err *err);

#endif
