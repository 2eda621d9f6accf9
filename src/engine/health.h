/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_HEALTH_H
#define ENGINE_HEALTH_H
/*
 * Health checks as the engine sees them: from an image's HEALTHCHECK and the caller's options to
 * what the monitor is told, and from what that has written down to what is shown. What the checks
 * do is the monitor's (monitor/health.h); the process that makes one is health_check.h.
 */
#include "base/err.h"
#include "base/str.h"
#include "engine/spec.h"
#include "engine/state.h"
#include "monitor/health_state.h"
#include "oci/image_config.h"
#include "oci/runtime_config.h"

#include <jansson.h>

struct engine;

/* What docker's command line, and what its engine, refuses of SPEC's options; 0 or -ERR_INVALID. */
int health_validate_usage(const struct container_spec *spec, struct err *err);
int health_validate(const struct container_spec *spec, struct err *err);

/* Puts IMAGE's check into RET (empty) with SPEC's options over it. ERR_INVALID for an action
 * without a check. */
int health_merge(const struct container_spec *spec, const struct image_healthcheck *image,
		 struct image_healthcheck *ret, struct err *err);

/* Whether CHECK is one: there may be none, "NONE", or one of a kind that nobody knows. */
bool health_is_on(const struct image_healthcheck *check);

/* Tells CONFIG of RUN's check; nothing where it has none. */
void health_annotate(const struct container_spec *spec, const struct image_run *run,
		     struct oci_runtime_config *config);
/* Reads that again: the complete rule, and the command of the check into RET_ARGS (empty; NULL:
 * not wanted). 1; 0 without checks; -code. */
int health_load(const struct oci_runtime_config *config, struct health_rule *ret,
		struct strv *ret_args, struct err *err);

/* docker's State.Health of container ID, new reference: NULL when it has no checks or was never
 * started. One that does not run counts as unhealthy, as with docker. */
json_t *health_to_json(const struct engine *engine, const char *id,
		       const struct container_state *state);
/* The status alone. */
enum health_status health_read(const struct engine *engine, const char *id,
			       const struct container_state *state);

#endif
