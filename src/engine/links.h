/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LINKS_H
#define ENGINE_LINKS_H
/*
 * Links on the default bridge, which has no names: a line in /etc/hosts for each, and variables
 * that say what the other is and where. On user networks a link is an alias that the name server
 * knows.
 */
#include "engine/engine.h"

struct container_spec;
struct oci_runtime_config;
struct strv;

/* Notes SPEC's link_targets in CONFIG, if its links are of this kind. */
void links_annotate(const struct container_spec *spec, struct oci_runtime_config *config);
/* For a start of the container NAME: appends "ADDRESS\tNAMES" to LINES and "KEY=VALUE" to ENV for
 * each of CONFIG's links. ERR_CONFLICT with docker's words when the other does not run, or is not
 * on the default bridge. */
int links_resolve(struct engine *engine, const char *name, const struct oci_runtime_config *config,
		  struct strv *lines, struct strv *env, struct err *err);

/* Removes the link "/NAME/ALIAS" of container NAME: it will not have it after its next start.
 * ERR_NOT_FOUND. */
int engine_remove_link(struct engine *engine, const char *ref, struct err *err);

#endif
