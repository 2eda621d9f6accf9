/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_STEP_H
#define BUILD_RUN_STEP_H
/*
 * RUN: the sandbox of `tare run` without a container of record. The builder itself is the parent of
 * the command and dies with it or before it: then the kernel kills the command.
 */
#include "build/graph.h"
#include "build/place.h"
#include "build/tree.h"
#include "plan/plan.h"

struct build_run; /* one that runs */

/* What REQUEST, OP, PLACE, TREES and MOUNT_LOWERS point to must stay until build_run_finish. */
struct build_run_input {
	const struct build_request *request; /* secrets, ssh, hosts, limits */
	const struct build_run_op *op;
	struct build_place place;
	/* For each mount of OP its tree (a context) or its layers, uppermost first (a stage or an
	 * image); both NULL for the other types. */
	struct build_tree *const *trees;
	const struct strv *const *mount_lowers;
	const char *no_cache_namespace; /* unused until cache mounts are namespaced; NULL */
};

/* Starts it; 0 when the command runs. Its output comes out of *RET_LOG_FD (one pipe for both
 * streams, in order, non-blocking; the caller's to close). 1, with nothing started or made, when a
 * cache that must be had alone ("sharing=locked") is in use: by another step of this build or by
 * another build. Try again when a step has ended, or in a moment (50 ms). */
int build_run_start(struct engine *engine, const struct build_run_input *input,
		    struct build_run **ret, int *ret_log_fd, struct err *err);
/* Readable when it has ended; borrowed. */
int build_run_pidfd(const struct build_run *run);
/* After that: takes everything down, removes what was made to mount on, and says how it ended:
 * 0 to 255, 128+N for signal N. RET_OOM: it was killed for want of memory. Frees RUN. */
int build_run_finish(struct build_run *run, int *ret_code, bool *ret_oom, struct err *err);
/* Ends it now; build_run_finish is due all the same. */
void build_run_kill(struct build_run *run);
/* When it has ended, before build_run_finish: a shell on this terminal in the same root, mounts,
 * user and environment. Returns when that has ended. What the command left in its files is there
 * (but for tmpfs); what the shell changes comes to nothing, as the step has failed. */
int build_run_shell(struct build_run *run, struct err *err);
/* The whole plan as a script, without running it. */
int build_run_explain(struct engine *engine, const struct build_run_input *input, struct str *ret,
		      struct err *err);

#endif
