/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_VOLUME_POPULATE_H
#define ENGINE_VOLUME_POPULATE_H
/* What a container that is only created, and not started, does to its volumes. */
#include "engine/create.h"

/* Puts what the image of MADE has into its empty volumes, as its first start would do it; nothing
 * when none of them wants it. Moves the process to a private mount namespace. The caller holds the
 * container's entry. */
int container_populate(struct engine *engine, const struct container_made *made, struct err *err);

#endif
