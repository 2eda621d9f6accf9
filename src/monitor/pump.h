/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_PUMP_H
#define MONITOR_PUMP_H
/*
 * Bytes from one descriptor to another through one buffer: it reads only when everything read
 * before has been written, so a slow reader slows the writer and nothing grows.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/loop.h"
#include "monitor/detach_keys.h"
#include "monitor/output.h"

#define PUMP_BUF_LEN 65536

enum pump_end {
	PUMP_EOF,    /* the input ended and all of it was written */
	PUMP_BROKEN, /* nobody reads the output any more */
	PUMP_KEYS,   /* the detach keys were typed */
};

struct pump {
	struct loop *loop;
	struct loop_source in;
	struct loop_source out_source;
	int in_fd; /* borrowed */
	bool is_ended;
	struct output out;
	struct detach_keys *keys; /* borrowed; NULL: bytes pass as they are */
	uint8_t *buf;		  /* owned */
	size_t start;		  /* not yet written: [start, end) */
	size_t end;
	void (*on_end)(void *ctx, struct pump *pump, enum pump_end how);
	void *ctx;
};

#define PUMP_INIT                                                                    \
	{                                                                            \
		.in = LOOP_SOURCE_INIT, .out_source = LOOP_SOURCE_INIT, .in_fd = -1, \
		.is_ended = true, .out = OUTPUT_INIT                                 \
	}

/* Starts copying from IN_FD to OUT (taken over). ON_END is called once, from within the loop. 0 or
 * -errno. */
int pump_start(struct pump *pump, struct loop *loop, int in_fd, const struct output *out,
	       struct detach_keys *keys,
	       void (*on_end)(void *ctx, struct pump *pump, enum pump_end how), void *ctx);
/* Stops without a word and releases what it holds, also after its end. */
void pump_stop(struct pump *pump);
/* Whether it waits for its output: then the input may have more. */
bool pump_is_blocked(const struct pump *pump);

#endif
