/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_VOLUME_SHARED_H
#define ENGINE_VOLUME_SHARED_H
/*
 * Volumes that are a tmpfs: containers that run at the same time share one, and it is gone with the
 * last of them. It is taken from a container that has it, so nothing has to be mounted for it on
 * the host, and nothing is left there.
 */
#include "base/err.h"
#include "oci/runtime_config.h"
#include "runtime/container_plan.h"

struct engine;

struct shared_volumes {
	struct runtime_shared *items; /* owned */
	size_t n;
	int *locks; /* owned: who starts meanwhile waits */
	size_t n_locks;
};

/* Finds the volumes of CONFIG that a running container other than ID has mounted. Until the locks
 * are let go nobody else starts with one of them: a container that is on its way is running then.
 */
int shared_volumes_open(struct engine *engine, const struct oci_runtime_config *config,
			const char *id, struct shared_volumes *ret, struct err *err);
/* In a forked process, which must not keep others waiting. */
void shared_volumes_unlock(struct shared_volumes *shared);
void shared_volumes_done(struct shared_volumes *shared);

/* A detached mount of the volume NAME as a running container has it: its descriptor, -1 when none
 * runs, or -code. */
int volume_take_shared(struct engine *engine, const char *name, struct err *err);

#endif
