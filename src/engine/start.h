/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_START_H
#define ENGINE_START_H
/* Starting containers: the plan, and the monitor that runs it. */
#include "engine/create.h"
#include "plan/plan.h"
#include "plan/steps.h"

#include <linux/filter.h>

/* A started container as its starter sees it. The plan stays readable for explanations: its times
 * are filled in by the monitor, the TEARDOWN ones at the container's end. */
struct container_start {
	struct plan plan;
	struct plan_exec_info info;
	struct sock_fprog seccomp;
	struct strv warnings;
	uint64_t before_plan_ns;
	size_t fork_note; /* index of what the fork of the monitor cost, with began_ns */
	int client_fd;	  /* connection to the monitor; -1 */
	int stdin_fd;	  /* see monitor_started; -1 */
	bool has_exited;  /* it ended before the connection was answered */
	int exit_code;
	bool oom_killed;
};

#define CONTAINER_START_INIT                    \
	{                                       \
		.client_fd = -1, .stdin_fd = -1 \
	}

struct start_request {
	unsigned client_flags; /* CLIENT_* of monitor/protocol.h; 0 for a detached start */
	unsigned short rows, columns;
	uint64_t began_ns; /* when the command began; not 0: the plan also notes what was not a step
			    */
};

/* Whether starting CONFIG takes a program that the container cannot reach (R4): something else than
 * its own image could change what is executed. */
bool container_needs_seal(const struct oci_runtime_config *config);

/* Starts MADE, which must not be running; returns when its command runs. What it could not start is
 * on record as docker does it (Created, with the code). RET needs container_start_done in any case.
 */
int container_start(struct engine *engine, const struct container_made *made,
		    const struct start_request *request, struct container_start *ret,
		    struct err *err);
void container_start_done(struct container_start *start);
#define cleanup_start __attribute__((cleanup(container_start_done)))

/* Adds the whole plan of a start to RET->plan (initialised by the caller) without running it, for
 * scripts; the container's directory is DIR. */
int container_plan(struct engine *engine, const struct container_made *made,
		   const struct start_request *request, const char *dir,
		   struct container_start *ret, struct err *err);

#endif
