/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_HEALTH_LOG_H
#define MONITOR_HEALTH_LOG_H
/*
 * The last few checks of a container and the file that keeps them: docker's State.Health as JSON,
 * each check on a line of its own, so that a monitor without a JSON library finds the checks of the
 * run before again.
 */
#include "base/str.h"
#include "monitor/health_state.h"

#include <stdint.h>

/* In the container's directory, replaced by rename. */
#define HEALTH_FILE_NAME "health.json"
/* What such a file may be long. */
#define HEALTH_FILE_MAX ((size_t)256 << 10)

#define HEALTH_LOG_MAX 5
/* Bytes of output that are kept of one check; "..." stands for the rest. */
#define HEALTH_OUTPUT_MAX 4096
#define HEALTH_CUT_MARK	  "..."

struct health_log {
	char *entries[HEALTH_LOG_MAX]; /* owned, JSON, oldest first */
	size_t n;
};

struct health_entry {
	int64_t start_ns, end_ns; /* since 1970 */
	int exit_code;		  /* -1: it did not come to one */
	const char *output;
	size_t len;
};

/* Appends ENTRY; beyond HEALTH_LOG_MAX the oldest goes. */
void health_log_add(struct health_log *log, const struct health_entry *entry);
/* Appends the file's text to RET. */
void health_log_format(const struct health_log *log, const struct health_state *state,
		       struct str *ret);
/* Takes the entries out of a file's TEXT into LOG, which is empty. What is not such a text has
 * none. */
void health_log_parse(struct health_log *log, const char *text);
void health_log_done(struct health_log *log);

#endif
