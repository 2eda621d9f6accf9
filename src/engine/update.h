/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_UPDATE_H
#define ENGINE_UPDATE_H
/*
 * The verb update: other limits, another restart policy, other published ports for a container that
 * exists.
 *
 * Three places say what a container may use: the files of its control group while it runs, its
 * config.json, which the next start reads, and HostConfig in the index, which people are shown.
 * They change in that order, under the container's pending entry. The first can be refused by the
 * kernel and is then as it was; the second is the one that counts; the third is a copy of it, made
 * again by the next writer when this one died in between.
 */
#include "engine/engine.h"
#include "engine/ports.h"
#include "engine/spec.h"

struct container_record;
struct plan;
struct strv;

/* What docker refuses before it looks for a container: limits that make no sense on this host, and
 * an unknown restart policy. Only limits and the restart policy of SPEC count. */
int engine_update_check(const struct container_spec *spec, struct err *err);
/* Gives container REF what SPEC says of limits and restart policy; what is not said there stays. In
 * effect at once where it runs, paused or not. WARNINGS gets lines for the user. All of it or, with
 * an error, nothing.
 *
 * The ports UNPUBLISH are withdrawn and those of SPEC published, by steps added to PLAN
 * (initialised by the caller, who may explain it) and executed (engine/publish_live.h). When one
 * that comes is taken, those that were to go are gone. */
int engine_update(struct engine *engine, const char *ref, const struct container_spec *spec,
		  const struct port_list *unpublish, struct plan *plan, struct strv *warnings,
		  struct err *err);
/* Finishes an update that was cut short, for who holds the entry of the container of RECORD: what
 * config.json says goes to the index and, where it runs, to its control group. */
void engine_update_finish(struct engine *engine, const struct container_record *record);

#endif
