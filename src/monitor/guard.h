/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_GUARD_H
#define MONITOR_GUARD_H
/*
 * The monitor's guard: a child of its own (tare-guard) that sleeps until the monitor is gone
 * without having dismissed it, and then executes a command that settles the container. Each watches
 * the other: a guard that dies is replaced. Containers without a restart policy have none.
 */
#include "event/loop.h"

struct guard {
	/* Borrowed: the guard's program, a place for the monitor's pid, and the command. NULL: none
	 * is ever started. */
	char *const *argv;
	struct loop *loop;
	struct loop_source source;
	int fd; /* owned: its pidfd, -1 without one */
};

#define GUARD_INIT                                    \
	{                                             \
		.source = LOOP_SOURCE_INIT, .fd = -1, \
	}

/* Starts the guard unless there is one, and watches it in LOOP. Without the program, or without
 * room for a process, there is none. */
void guard_ensure(struct guard *guard, struct loop *loop, char *const *argv);
/* Goes on with a guard that this process started before it executed itself anew: FD is its pidfd,
 * taken over; one that is not a child's is closed and forgotten. */
void guard_adopt(struct guard *guard, int fd);
/* Ends it; also where there is none. */
void guard_dismiss(struct guard *guard);

#endif
