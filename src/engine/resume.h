/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_RESUME_H
#define ENGINE_RESUME_H
/* The start of a container by its own restart policy, in the process that watches it. */
#include "engine/engine.h"

/* Becomes the monitor of container ID, which waits to be started again. Without IS_LOST this
 * process was its monitor (monitor/monitor.h says what it has inherited); with it this was the
 * guard of one that was killed: the container is settled first, and it may have nothing to wait
 * for. Does not return where there is something to wait for; else 0, or -code. */
int engine_resume(struct engine *engine, const char *id, bool is_lost, struct err *err);

/* Whether the policy has container ID, which was settled after its monitor was killed, start again.
 * For who holds its entry. */
bool engine_is_resumable(struct engine *engine, const char *id);
/* Starts what does the guard's work, should the guard be gone too (no matter if it is not): a
 * process of its own that waits for the container's entry. A failure is logged. */
void engine_resume_lost(struct engine *engine, const char *id);
/* Waits until container ID has a monitor again, for two seconds at most. */
void engine_await_resumed(struct engine *engine, const char *id);

#endif
