/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_REMOTE_H
#define MONITOR_LOG_REMOTE_H
/*
 * Sends entries to syslog (local, UDP, TCP, Unix sockets) or to the journal.
 *
 * Messages wait in a buffer of bounded size while the receiver does not take them. Is it full, a
 * blocking driver waits for room, at most LOG_REMOTE_WAIT_MS in a row; then, as in a non-blocking
 * one, messages are dropped whole and counted, and a message says how many as soon as there is room
 * again. A stream that broke is connected again, once a second at most.
 */
#include <stddef.h>

#include "monitor/log_driver.h"

struct err;
struct log_remote;

#define LOG_REMOTE_WAIT_MS 1000
/* docker's default of max-buffer-size. */
#define LOG_REMOTE_BUFFER (1024 * 1024)

/* Connects as CONFIG (borrowed) says. LOOP is for what cannot be sent at once. Owned; NULL with ERR
 * filled with docker's words. */
struct log_remote *log_remote_open(const struct log_driver_config *config, struct loop *loop,
				   struct err *err);
/* Sends LINE, now or later. */
void log_remote_send(struct log_remote *remote, const struct log_line *line);
/* Sends what waits, for LOG_REMOTE_WAIT_MS at most, and closes. NULL is fine. */
void log_remote_close(struct log_remote *remote);
int log_remote_fd(const struct log_remote *remote);

/* Checks syslog-address ("" is fine): docker's words. Connects to nobody. */
int log_remote_check_address(const char *address, struct err *err);

/* One message, for tests and for what stands in files of its own. */
struct str;
void log_syslog_format(const struct log_driver_config *config, const struct log_line *line,
		       const char *host, struct str *out);
struct log_journal_partial {
	char id[33]; /* "" while no long line is being sent */
	unsigned ordinal;
};
void log_journald_format(const struct log_driver_config *config, const struct log_line *line,
			 struct log_journal_partial *partial, struct str *out);

#endif
