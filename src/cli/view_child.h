/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_CHILD_H
#define CLI_VIEW_CHILD_H
/*
 * This program as a child of the live view: verbs in the background, a log that is followed, and
 * what needs the terminal for itself. What a verb does is thus the same everywhere.
 */
#include "base/rand.h"
#include "base/str.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cli;
struct err;

#define VIEW_JOBS_MAX 32

struct view_job {
	pid_t pid;
	int error_fd; /* owned: what it writes on standard error */
	char *what;   /* owned: "stop web" */
};

struct view_jobs {
	struct view_job items[VIEW_JOBS_MAX];
	size_t n;
};

/* Starts "VERB [OPTION] ID" in the background; NAME is for people. ERR_UNAVAILABLE when there are
 * too many already. OPTION may be NULL. */
int view_jobs_start(struct view_jobs *jobs, const struct cli *cli, const char *verb,
		    const char *option, const char *id, const char *name, struct err *err);
/* Takes one that has ended: true, and its outcome as a line in RET ("stop web: done"). */
bool view_jobs_reap(struct view_jobs *jobs, struct str *ret, bool *ret_failed);
/* Leaves them to themselves: a stop that was asked for is not taken back. */
void view_jobs_done(struct view_jobs *jobs);

/* The log of one container. */
struct view_follow {
	pid_t pid; /* 0 when there is none */
	int fd;	   /* owned, non-blocking; -1 */
};

/* Follows the log of container ID from its last TAIL lines on. */
int view_follow_start(struct view_follow *f, const struct cli *cli, const char *id, unsigned tail,
		      struct err *err);
/* Ends it; fine when there is none. The descriptor must be out of the loop. */
void view_follow_stop(struct view_follow *f);

/* What "inspect ID" prints, or its error. */
int view_read_inspect(const struct cli *cli, const char *id, struct str *ret, struct err *err);
/* A shell in container ID on this terminal, which must have been left; its exit status. */
int view_run_shell(const struct cli *cli, const char *id);

#endif
