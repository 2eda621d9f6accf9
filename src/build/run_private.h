/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_PRIVATE_H
#define BUILD_RUN_PRIVATE_H
/*
 * A step RUN in the making; for the files run_*.c only.
 */
#include "build/run_step.h"
#include "engine/oneshot.h"
#include "runtime/container_plan.h"

/* What is below the directory of a step beside `upper` and `work`, for what is not its result: all
 * of it goes when the step has ended. */
#define RUN_SIDE "side"

struct build_run {
	struct engine *engine;
	struct build_run_input input;
	struct container_spec spec;
	struct image_run image; /* command, user, working directory */
	struct strv env;
	struct strv lowers;
	struct oneshot_request request;
	struct oneshot oneshot;
	struct runtime_process process;
	bool has_ended;
	int code;
};

/* Fills RUN->spec, RUN->image and RUN->env from the request and the operation. ERR_INVALID,
 * ERR_UNSUPPORTED. */
int run_spec_fill(struct build_run *run, struct err *err);

#endif
