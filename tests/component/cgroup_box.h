/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CGROUP_BOX_H
#define CGROUP_BOX_H
/*
 * A control group of a test: "tare-test-<pid>/<name>" in every hierarchy, made from limits, with
 * processes born in it, removed with all of them at the end.
 */
#include "sys/cgroup_live.h"
#include "sys/cgroup_stats.h"

#include <sys/types.h>

struct box {
	struct cgroup_layout layout;
	char name[64];
	struct cgroup_limits limits;
	struct cgroup_actions actions;
};

/* Detects the layout and names the group; nothing is made yet. */
void box_init(struct box *box, const char *name);
/* Plans and runs all actions: 0 or -code. */
int box_make(struct box *box, struct err *err);
/* A child process that runs FN(ARG) inside the group and exits with its result. */
pid_t box_spawn(struct box *box, int (*fn)(void *arg), void *arg);
/* The wait status of PID. */
int box_wait(pid_t pid);
/* First line of FILE of controller C in the group; "?" when it is not there. Static buffer. */
const char *box_read(const struct box *box, enum cgroup_controller c, const char *file);
/* Kills, removes, frees; asserts that nothing is left. */
void box_done(struct box *box);

#endif
