/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PROCESSES_H
#define ENGINE_PROCESSES_H
/*
 * The processes of a container, as `top` lists them: what the host's ps says of them, in the
 * columns that its options ask for. A host without ps gets the default columns from us.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;

struct process_row {
	struct strv fields; /* as many as there are titles, as far as ps printed them */
};

struct process_table {
	struct strv titles;
	struct process_row *rows; /* owned */
	size_t n;
};

/* Frees everything inside and leaves it all zero. */
void process_table_done(struct process_table *table);
#define cleanup_process_table __attribute__((cleanup(process_table_done)))

/* Fills RET, which is all zero, with the processes of running container REF; PS_ARGS as for ps,
 * none are "-ef". Pids are those of the host. docker's words: ERR_NOT_FOUND, ERR_CONFLICT when it
 * does not run, ERR_INVALID for options that ps refuses or without a column PID. */
int engine_processes(struct engine *engine, const char *ref, const struct strv *ps_args,
		     struct process_table *ret, struct err *err);

/* ---- parts, for tests ---- */

/* Whether docker takes these words: no column but pid may be named PID. */
int processes_check_args(const struct strv *words, struct err *err);
/* The lines of TEXT, which ps printed, that belong to one of the N PIDS. */
int processes_parse(const char *text, const pid_t *pids, size_t n, struct process_table *ret,
		    struct err *err);
/* What ps -ef prints of PIDS, made without it. Processes that are gone are left out. */
void processes_print_own(const pid_t *pids, size_t n, struct str *ret);
/* One line of that from the texts of /proc/PID: STAT, CMDLINE (with its NULs) and the owner's name;
 * false when STAT makes no sense. */
struct process_clock {
	int64_t now_s;	   /* since 1970 */
	uint64_t uptime_s; /* of the host */
	long ticks_per_s;
};
bool processes_format_own(const struct process_clock *clock, const char *stat,
			  const struct str *cmdline, const char *user, struct str *ret);

#endif
