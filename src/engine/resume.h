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

#endif
