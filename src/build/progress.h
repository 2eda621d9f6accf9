/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_PROGRESS_H
#define BUILD_PROGRESS_H
/* What a build tells while it goes on. Whoever shows it (plain, a terminal, JSON) gets these. */
#include "dockerfile/check.h"

#include <stdint.h>

enum build_event_type {
	BUILD_EVENT_STEP_BEGAN,
	BUILD_EVENT_STEP_CACHED,
	BUILD_EVENT_STEP_LOG,	 /* `text`: bytes of output, any number of lines or parts */
	BUILD_EVENT_STEP_STATUS, /* `text`: "transferring context: 1.2MB" and `current`, `total` */
	BUILD_EVENT_STEP_DONE,
	BUILD_EVENT_STEP_FAILED, /* `text`: the error */
	BUILD_EVENT_STEP_CANCELED,
	BUILD_EVENT_TOTAL,   /* `total`: so many steps are known now */
	BUILD_EVENT_WARNING, /* `finding` */
	BUILD_EVENT_TICK,    /* time has passed; no vertex */
};

struct build_event {
	enum build_event_type type;
	size_t vertex;	  /* number of the step as shown, from 1; the same for all its events */
	const char *name; /* "[2/3] RUN make", "[internal] load build definition from Dockerfile" */
	uint64_t ns;	  /* CLOCK_MONOTONIC */
	const char *text;
	size_t len;
	bool is_stderr;
	uint64_t current, total; /* bytes; 0 unknown */
	const struct check_finding *finding;
};

struct build_progress {
	/* Borrowed for the call. */
	void (*event)(void *ctx, const struct build_event *event);
	void *ctx;
	/* How often it wants a BUILD_EVENT_TICK while something runs; 0: never. */
	int tick_ms;
};

#endif
