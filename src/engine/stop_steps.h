/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_STOP_STEPS_H
#define ENGINE_STOP_STEPS_H
/* What stop, kill, rm -f and restart do to a container that runs. */
#include "engine/engine.h"
#include "engine/state.h"
#include "plan/plan.h"

/* After SIGKILL a container ends when the kernel gets to it; a device that hangs may hold it. */
#define KILL_TIMEOUT_MS 30000

/* Sends signal NUMBER to the container of STATE and waits until its end is on record, at most
 * TIMEOUT_MS (-1: for ever); both become steps of PLAN. 0, -ETIMEDOUT, or -code. */
int container_signal_and_wait(struct engine *engine, const char *id,
			      const struct container_state *state, int number, int timeout_ms,
			      struct plan *plan, struct err *err);
/* Waits until the end of a container that was sent SIGKILL is on record, whoever freezes it
 * meanwhile. 0 or -ETIMEDOUT after KILL_TIMEOUT_MS. */
int container_wait_killed(struct engine *engine, const char *id);
/* Has a paused container go on; fine for one that has just ended. */
int container_thaw(struct engine *engine, const char *id, struct err *err);

#endif
