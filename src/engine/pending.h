/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PENDING_H
#define ENGINE_PENDING_H
/*
 * What is being made or removed right now. Each such operation holds a locked file
 * RUNROOT/pending/ID; the kernel lets go of the lock when the process dies, however it dies. A file
 * without a holder is therefore an operation that was cut short, and the next writer finishes it:
 * a container whose row is in the index stays (or goes, if it was to be removed at its end), one
 * without a row is garbage.
 */
#include "engine/engine.h"

/* Opens the entry of container ID; a descriptor that holds the lock, or -code. */
int pending_open(struct engine *engine, const char *id, struct err *err);
/* Ends the operation: nothing of it needs attention any more. */
void pending_close(struct engine *engine, const char *id, int fd);
/* Finishes what others left. Costs two system calls when there is nothing. */
void pending_sweep(struct engine *engine);
/* Whether somebody holds the entry of ID. */
bool pending_is_held(const struct engine *engine, const char *id);

/* Takes a container's traces away when its monitor died: kills what is left of it, writes down that
 * nobody knows how it ended, removes its control groups and its run directory; and the container
 * itself if it was to be removed at its end. 1 when the container is gone now, 0, or -code. */
int engine_settle(struct engine *engine, const char *id, bool auto_remove, struct err *err);
/* Removes everything of ID but its row: control groups, run directory, container directory. */
int engine_remove_traces(struct engine *engine, const char *id, struct err *err);

#endif
