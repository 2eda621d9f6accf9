/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_DRIVER_H
#define MONITOR_LOG_DRIVER_H
/*
 * Where a container's output goes besides its clients: to files that can be read back, to syslog or
 * the journal, or nowhere. One writer cuts the output into entries; who sends them elsewhere gets
 * the same entries that the files get.
 *
 * The files are also what `logs` reads of a driver that cannot be read ("dual logging").
 */
#include <stdbool.h>
#include <stdint.h>

#include "event/loop.h"
#include "monitor/log_writer.h"

struct err;
struct log_remote;

enum log_driver_kind { LOG_TO_FILES, LOG_TO_NONE, LOG_TO_SYSLOG, LOG_TO_JOURNALD };

enum log_syslog_format { LOG_FORMAT_UNIX, LOG_FORMAT_3164, LOG_FORMAT_5424, LOG_FORMAT_5424_MICRO };

/* How a container's output is kept. Everything is borrowed for as long as the driver is open. */
struct log_driver_config {
	enum log_driver_kind kind;
	bool has_no_files; /* of a driver that sends: nothing for `logs` to read */
	uint64_t max_size; /* bytes of one file */
	unsigned max_files;
	bool compress;	      /* complete parts become .gz */
	const char *unpacker; /* the program that compresses (tare-logz) */
	const char *attrs;    /* as struct log_writer_config has it */

	/* What follows is for syslog and the journal. */
	bool non_blocking; /* full: what is new is dropped at once; else it is waited for a while */
	uint64_t max_buffer; /* bytes that may wait to be sent */
	const char *address; /* "" (/dev/log), or as syslog-address has it */
	int facility;	     /* times 8, as in <syslog.h> */
	enum log_syslog_format format;
	const char *tag;
	const void *fields; /* journal: the fields that all entries have, in its own format */
	size_t fields_len;
};

struct log_driver {
	struct log_driver_config config;
	struct log_writer writer;
	struct log_remote *remote; /* owned; NULL: none */
	struct loop *loop;	   /* borrowed */
	struct loop_source helper; /* the program that compresses, while it runs */
	int helper_fd;		   /* owned: its pidfd */
	bool is_due;		   /* parts became complete since it was started */
};

#define LOG_DRIVER_INIT                                                                \
	{                                                                              \
		.writer = LOG_WRITER_INIT, .helper = LOOP_SOURCE_INIT, .helper_fd = -1 \
	}

/* Opens the log of the container whose directory is CONTAINER_DIR_FD (borrowed); DRIVER is
 * LOG_DRIVER_INIT, or one that was closed. LOOP (borrowed)
 * need not be set up before something is written. Blocks while a connection is made, for some
 * seconds at most. 0, or -code: "failed to initialize logging driver: ...". */
int log_driver_open(struct log_driver *driver, const struct log_driver_config *config,
		    int container_dir_fd, struct loop *loop, struct err *err);
/* Takes what came from STREAM just now; it is in the files after log_driver_flush at the latest.
 * Never fails, and waits for nobody, but for the receiver of a driver that sends. Nothing for a
 * driver that was not opened. */
void log_driver_add(struct log_driver *driver, enum log_stream stream, const void *data, size_t len,
		    int64_t now_ns);
void log_driver_flush(struct log_driver *driver);
/* Writes unfinished lines too, sends what is left, and closes. What compresses goes on by itself
 * unless log_driver_stop_helper follows. */
void log_driver_close(struct log_driver *driver, int64_t now_ns);
/* Waits until nobody follows who may be behind, LOG_LINGER_MS at most: for who is about to go. */
#define LOG_LINGER_MS 3000
void log_driver_linger(struct log_driver *driver);
/* Ends what compresses, for a container whose files are about to go. */
void log_driver_stop_helper(struct log_driver *driver);
/* Gives the memory of idle buffers back to the kernel. */
void log_driver_trim(struct log_driver *driver);

/* The descriptor that it holds from the start on, -1 for none: not to be closed by somebody who
 * closes what he does not know. */
int log_driver_fd(const struct log_driver *driver);

#endif
