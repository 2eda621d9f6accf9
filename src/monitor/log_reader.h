/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_READER_H
#define MONITOR_LOG_READER_H
/*
 * Reads a container's log back: through all rotated parts in order, compressed ones too, from a
 * line or a time on, and on as it grows. Bytes come out as they went in (invalid UTF-8 apart),
 * pieces of a long line rejoined, stdout and stderr told apart.
 *
 * Every part that there is when reading begins is opened then; who follows opens each further one
 * as soon as it appears. So a reader that is slow still reads all of it, whatever the writer
 * removes in the meantime.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/log_entry.h"

struct err;
struct log_reader;

struct log_read {
	int64_t since_ns;     /* entries of this time or later; 0: all */
	int64_t until_ns;     /* entries before or at it; 0: all */
	int64_t tail;	      /* that many last lines; negative: all */
	bool timestamps;      /* "2006-01-02T15:04:05.000000000Z " before each line */
	bool details;	      /* "k=v,k=v " before each line */
	bool follow;	      /* go on as the log grows, until is_over or until_ns */
	const char *unpacker; /* the program that decompresses (tare-logz); NULL: none */
	/* Whether the container has ended (its exit is recorded). Asked when something changed in
	 * its directory and once a second; all that is in the log by then is still handed out.
	 * NULL: never. */
	bool (*is_over)(void *ctx);
	/* The process that writes the log, 0 while there is none. NULL: not known. */
	pid_t (*writer)(void *ctx);
	/* Gets output in order. A negative value ends log_read_run with it. When it has to wait it
	 * waits for log_reader_watch_fd too, and then calls log_reader_hold. */
	int (*emit)(void *ctx, struct log_reader *reader, enum log_stream stream, const void *data,
		    size_t len);
	/* All that there is now was handed out. NULL: not told. */
	int (*caught_up)(void *ctx, struct log_reader *reader);
	/* Parts were removed before they could be opened: what follows is not what came next.
	 * NULL: not told. */
	void (*lost)(void *ctx);
	void *ctx;
};

/* Reads the log of the container whose directory is CONTAINER_DIR_FD; none yet is an empty one.
 * Blocks while following. 0, EMIT's negative value, or -code. */
int log_read_run(const struct log_read *read, int container_dir_fd, struct err *err);

/* Readable when the log has changed; -1 when it is not followed. */
int log_reader_watch_fd(const struct log_reader *reader);
/* Opens what has been added to the log. */
void log_reader_hold(struct log_reader *reader);

#endif
