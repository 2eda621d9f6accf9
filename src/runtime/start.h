/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_START_H
#define RUNTIME_START_H
/*
 * Running the plan of a container or of a command in one: the host's part, the clone, the child's
 * part, until the child has become its command.
 */
#include "plan/plan.h"
#include "plan/steps.h"

#include <stdint.h>
#include <sys/types.h>

struct runtime_process {
	pid_t pid;
	int pidfd;	    /* the caller's */
	uint64_t starttime; /* clock ticks since boot */
};

#define RUNTIME_PROCESS_INIT \
	{                    \
		.pidfd = -1  \
	}

/* Runs the HOST part of PLAN, which holds the clone, and with it the INSIDE part in the child.
 * Returns when the child has become its command, or with the error that stopped it: then no process
 * is left, and what the HOST part made is undone by the caller's TEARDOWN. Single-threaded callers
 * only; the caller is suspended meanwhile. RUN->clone and RUN->plan are set here. */
int runtime_start(struct plan *plan, struct plan_run *run, struct runtime_process *ret,
		  struct err *err);

#endif
