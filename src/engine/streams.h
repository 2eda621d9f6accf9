/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_STREAMS_H
#define ENGINE_STREAMS_H
/*
 * The streams between this command and a process that it starts in a container itself: pipes, or
 * the socket that its terminal's master comes over. The caller's own descriptors never enter:
 * through /proc a process inside could open them again, for more than they were opened for.
 */
#include "monitor/relay.h"
#include "plan/steps.h"
#include "runtime/start.h"

struct err;

/* Both ends of up to three pipes, or of the socket; all -1 where there is none. */
struct streams {
	int child[3], parent[3];
	int report[2];
};

#define STREAMS_INIT                                                                \
	{                                                                           \
		.child = {-1, -1, -1}, .parent = {-1, -1, -1}, .report = { -1, -1 } \
	}

struct streams_wish {
	bool tty, interactive;
	bool detach; /* nobody reads: the null device for all three */
};

/* S must be STREAMS_INIT and needs streams_done in any case. */
int streams_open(const struct streams_wish *wish, struct streams *s, struct err *err);
void streams_done(struct streams *s);
/* Runs PLAN with S as the process's streams, and hands our ends of them and the process over in
 * RET. RUN (plan_run_init is the caller's, with its environment) is done afterwards. The process
 * dies with this one unless it OUTLIVES it. */
int streams_start(struct streams *s, struct plan *plan, struct plan_run *run, bool outlives,
		  struct relay_process *ret, pid_t *ret_pid, struct err *err);

#endif
