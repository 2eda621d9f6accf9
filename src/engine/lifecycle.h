/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LIFECYCLE_H
#define ENGINE_LIFECYCLE_H
/* The verbs on containers that exist: stop, kill, pause, unpause, wait, remove, rename. */
#include "engine/engine.h"
#include "engine/state.h"
#include "plan/plan.h"
#include "storage/container.h"

/* Finds container REF and reads its state; a dead monitor's leftovers are settled on the way.
 * Absent is ERR_NOT_FOUND "No such container: x". */
int container_find(struct engine *engine, const char *ref, struct container_record *ret,
		   struct container_state *ret_state, struct err *err);

/* Number of a signal by name or number ("KILL", "SIGKILL", "9"); -1 for an unknown one. */
int signal_parse(const char *name);
/* "KILL"; NULL for a number without a name. */
const char *signal_name(int number);

struct stop_request {
	const char *signal; /* NULL: the container's own, then SIGTERM */
	bool has_timeout;
	int64_t timeout_s; /* -1 waits for ever; used with has_timeout, else the container's, then
			      10 s */
};

/* Stops container REF: signal, wait, SIGKILL, until its exit is on record. One that does not run is
 * fine. PLAN, where not NULL, gets the steps as they were done (plan_init is the caller's). */
int engine_stop(struct engine *engine, const char *ref, const struct stop_request *request,
		struct plan *plan, struct err *err);
/* The same for a container that was found; MARKS of enum restart_mark are told to its monitor. With
 * RESTART_MARK_KEPT the caller holds its entry. */
int engine_stop_found(struct engine *engine, const struct container_record *record,
		      const struct stop_request *request, unsigned marks, struct plan *plan,
		      struct err *err);
/* Sends SIGNAL (NULL: KILL), and with KILL waits for the exit. ERR_CONFLICT when it does not run.
 */
int engine_kill(struct engine *engine, const char *ref, const char *signal, struct err *err);
int engine_pause(struct engine *engine, const char *ref, bool pause, struct err *err);
/* Waits until REF's run has ended, whether another follows or not, and returns its exit code in
 * RET_CODE. Of one that waits to be started again it is the next run. */
int engine_wait(struct engine *engine, const char *ref, int *ret_code, struct err *err);
enum {
	REMOVE_FORCE = 1,   /* it is killed first */
	REMOVE_VOLUMES = 2, /* its anonymous volumes go too, if nobody else has them */
};
/* Removes container REF; HOW are REMOVE_*. */
int engine_remove(struct engine *engine, const char *ref, unsigned how, struct plan *plan,
		  struct err *err);
int engine_rename(struct engine *engine, const char *ref, const char *name, struct err *err);
/* Removes a container that has ended and whose --rm has become due (also run by its monitor). */
int engine_settle_ended(struct engine *engine, const char *id, struct err *err);
/* The same while its monitor removes the files: CLIENT_FD is the connection to it, whose end is
 * waited for, so that nothing is left when this returns. */
int engine_settle_beside(struct engine *engine, const char *id, int client_fd, struct err *err);

/* Waits until the exit of a container that runs is on record, at most TIMEOUT_MS (-1: for ever);
 * -ETIMEDOUT.
 */
int container_wait_exit(struct engine *engine, const char *id, int timeout_ms);

#endif
