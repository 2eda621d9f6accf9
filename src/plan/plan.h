/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H
/*
 * The plan: everything tare does to the kernel for a container, as data. Modules add steps; one
 * executor runs them and takes the time of each; one renderer prints them as shell. There is no
 * second description of the work: what is executed can be explained, and what is explained is what
 * was executed.
 *
 * A plan has four parts. HOST steps run in the process that starts the container, INSIDE steps in
 * the cloned child, TEARDOWN steps after the end, and LATE steps when nobody waits for that any
 * more. Times are kept in memory shared by all processes forked after plan_init, so that the
 * command line can print what its monitor and the child did.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum step_where { STEP_HOST, STEP_INSIDE, STEP_TEARDOWN, STEP_LATE };

/* How a step is printed: as what happened, or as a line of a script that does it. */
enum step_text { TEXT_TRACE, TEXT_SCRIPT };

struct step;
struct plan;
struct plan_run;

/* One kind of step: a verb that can be executed and that can be explained. */
struct step_op {
	const char *name; /* the key of `--explain=json` */
	/* Does it; 0 or -code. Runs on the host or after clone, as the step says. */
	int (*run)(struct plan_run *run, const struct step *step, struct err *err);
	/* Appends one or more lines of shell (no final newline); what a shell cannot do is appended
	 * as a comment. */
	void (*explain)(const struct step *step, enum step_text mode, struct str *out);
};

/* What the fields mean is said where the step is added (plan/step_*.h). Strings are owned. */
struct step {
	const struct step_op *op;
	enum step_where where;
	const char *comment; /* static: opens a group of steps; NULL inside a group */
	char *path;
	char *text;
	char *type;
	char *flag; /* the user's option that asked for it, NULL when none did */
	struct strv words;
	uint64_t number[4];
	int *slot;	  /* where a descriptor is left or taken from, in struct plan_run */
	const void *data; /* borrowed; lives as long as the plan */
	bool is_optional; /* failing is noted, not an error: nobody asked for it */
};

/* What one step cost, shared between processes. */
struct step_result {
	uint64_t ns;
	int state; /* 0 not run, 1 done, 2 optional and refused by the kernel */
};

struct plan {
	struct step **steps; /* owned; pointers stay valid while the plan lives */
	size_t n;
	size_t cap;
	const char *comment;	     /* the group that the next step opens */
	struct step_result *results; /* shared memory, PLAN_MAX_STEPS of them */
	uint64_t *marks;	     /* shared memory: PLAN_N_MARKS points in time */
	struct plan_owned *owned;    /* what steps borrow; freed with the plan */
	size_t n_owned;
};

#define PLAN_MAX_STEPS 4096

/* Points in time (CLOCK_MONOTONIC ns) that belong to no single step. */
enum plan_mark { PLAN_STARTED, PLAN_CLONED, PLAN_EXEC, PLAN_RUNNING, PLAN_ENDED, PLAN_N_MARKS };

/* Empty plan with its shared memory; 0 or -code. */
int plan_init(struct plan *plan, struct err *err);
void plan_done(struct plan *plan);

/* What steps borrow and nobody else keeps: DATA is freed by DONE with the plan. */
void plan_own(struct plan *plan, void *data, void (*done)(void *data));

/* The next step added opens a group with this one-line comment (a string constant). */
void plan_group(struct plan *plan, const char *comment);
/* Adds an empty step; the caller fills it. Never NULL. Aborts beyond PLAN_MAX_STEPS (named limits
 * on mounts, devices and rules keep every plan far below). */
struct step *plan_add(struct plan *plan, const struct step_op *op, enum step_where where);
void plan_mark(struct plan *plan, enum plan_mark mark);
/* Adds what was done beside the plan, for the record: TEXT in words of a comment, and its price. It
 * is printed in traces and never in scripts. Returns its index in plan->results. */
size_t plan_note(struct plan *plan, enum step_where where, const char *text, uint64_t ns);

/* Runs all steps of one part in order, measuring each; stops at the first error of one that is not
 * optional. A control that the user typed and that cannot be applied fails (ERR names the flag).
 * TEARDOWN and LATE go on after errors and return the first. */
int plan_execute(struct plan *plan, enum step_where where, struct plan_run *run, struct err *err);

/* The same for the steps from index FIRST on: for plans that grow while they run. */
int plan_execute_from(struct plan *plan, size_t first, enum step_where where, struct plan_run *run,
		      struct err *err);

/* The steps of PARTS (bit 1 << where) that were run, as shell with microseconds. */
void plan_explain(const struct plan *plan, unsigned parts, struct str *out);
/* The same as JSON: one array of {group, step, shell, us, where}. */
void plan_explain_json(const struct plan *plan, unsigned parts, struct str *out);
/* Total of the steps that were run in PARTS, and their number. */
uint64_t plan_total_ns(const struct plan *plan, unsigned parts, size_t *ret_steps);
/* The whole plan as a script for sh that does the same and leaves nothing; nothing was executed. */
void plan_script(const struct plan *plan, struct str *out);

#endif
