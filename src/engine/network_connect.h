/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_CONNECT_H
#define ENGINE_NETWORK_CONNECT_H
/*
 * The verbs network connect and disconnect. A container that runs has its link made or removed at
 * once; one that does not only asks for something else at its next start.
 *
 * Order: connecting, the run directory tells of the endpoint before its link is made, and the index
 * last; disconnecting, the index first. So whoever finds an operation that was cut short only has
 * to take away what the index does not ask for (engine_reconcile_networks).
 */
#include "engine/engine.h"

struct endpoint_request;
struct plan;

/* Connects container REF to request->network, with docker's checks and words. The steps are added
 * to PLAN (initialised by the caller) and executed; the calling process may be in the container's
 * network namespace afterwards. 0 or -code: nothing of it is left then. */
int engine_connect(struct engine *engine, const char *ref, const struct endpoint_request *request,
		   struct plan *plan, struct err *err);
/* Disconnects it from NETWORK. FORCE takes away what is left of a container that is gone. */
int engine_disconnect(struct engine *engine, const char *network, const char *ref, bool force,
		      struct plan *plan, struct err *err);
/* Takes endpoints of the running container ID away that its row does not ask for, and addresses
 * that it took without having an endpoint: for who holds its entry. Failures are only logged. */
void engine_reconcile_networks(struct engine *engine, const char *id);
/* What others see of a running container that has a new name; for who has renamed it. */
void engine_rename_endpoints(struct engine *engine, const char *id, const char *name);

#endif
