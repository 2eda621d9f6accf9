/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PENDING_H
#define ENGINE_PENDING_H
/*
 * What is being made or removed right now. Each such operation holds a locked file
 * RUNROOT/pending/ID; the kernel lets go of the lock when the process dies, however it dies. A file
 * without a holder is therefore an operation that was cut short, and the next writer finishes it:
 * a container whose row is in the index stays (or goes, if it was to be removed at its end), one
 * without a row is garbage.
 *
 * Entries do not survive a reboot, directories of containers do: the first writer of each boot
 * compares all of them with the index (RUNROOT/swept.BOOT says that it has been done).
 */
#include "engine/engine.h"
#include "engine/state.h"

/* Opens the entry of container ID; a descriptor that holds the lock, or -code: ERR_CONFLICT when
 * somebody else works on it. For ids that nobody else knows yet. */
int pending_open(struct engine *engine, const char *id, struct err *err);
/* The same, but waits for who works on it, at most half a minute (then ERR_CONFLICT), and finishes
 * what a dead one left. The container may be another, or gone, afterwards: read its state again. */
int pending_wait(struct engine *engine, const char *id, struct err *err);
/* The same without waiting: ERR_CONFLICT while somebody works on it. */
int pending_try(struct engine *engine, const char *id, struct err *err);
/* Ends the operation: nothing of it needs attention any more. */
void pending_close(struct engine *engine, const char *id, int fd);
/* Finishes what others left: operations cut short, unpacking included. Costs a few system calls
 * when there is nothing. Failures are only logged. */
void pending_sweep(struct engine *engine);
/* Whether somebody holds the entry of ID. */
bool pending_is_held(const struct engine *engine, const char *id);
/* Whether container ID runs, or a start of it is on its way; DATA is the struct engine. */
bool pending_is_running(const char *id, void *data);
/* Removes layers that a repair exchanged under running containers and that none has mounted now:
 * for commands that remove things. */
void engine_remove_replaced(struct engine *engine);

/* Takes a container's traces away when its monitor died: kills what is left of it, writes down that
 * nobody knows how it ended, removes its control groups and its run directory; and the container
 * itself if it was to be removed at its end. Waits for the container's entry. One that its policy
 * starts again has a monitor afterwards, though its guard may have been killed, too. 1 when the
 * container is gone now, 0 (also when it runs), or -code. */
int engine_settle(struct engine *engine, const char *id, bool auto_remove, struct err *err);
/* The same for who holds the entry. */
int engine_settle_held(struct engine *engine, const char *id, bool auto_remove, struct err *err);
/* Removes ID from the index, and with it what goes with it (storage/container.h), and tells so: 1,
 * 0 when it was not there, or -code. The caller holds its entry. */
int engine_delete(struct engine *engine, const char *id, bool with_volumes, struct err *err);
/* Ends the run of a container whose monitor was killed and puts that on record, if its policy has
 * it start again: true then. What is left in its run directory tells others meanwhile that it will
 * not stay down; a new monitor takes that over. The caller holds its entry. */
bool engine_settle_resumable(struct engine *engine, const char *id);
/* Removes everything of ID but its row: processes, control groups, run directory, container
 * directory. The caller holds its entry. */
int engine_remove_traces(struct engine *engine, const char *id, struct err *err);
/* Ends what is left of a run of ID that nobody watches: processes, control groups, run directory.
 * The caller holds its entry and knows that no monitor is there. */
void engine_remove_run(struct engine *engine, const char *id);
/* Removes what a monitor that was killed in its last act has left of its run directory. */
void engine_remove_run_aside(const struct engine *engine, const char *id);
/* Whether engine_settle has work to do on a container of this state: its end has to be written
 * down, or it had to go at its end and nobody was left to remove it. */
bool container_is_overdue(const struct container_state *state, bool auto_remove);

#endif
