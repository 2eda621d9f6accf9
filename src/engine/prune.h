/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PRUNE_H
#define ENGINE_PRUNE_H
/* Removing all that has ended. */
#include "engine/engine.h"

#include <stdint.h>

struct strv;

/* Removes every container that does not run and that all FILTERS ("until=24h", "label=k[=v]",
 * "label!=k[=v]") let through. Appends their ids to REMOVED and adds the bytes of their layers to
 * FREED. ERR_INVALID "invalid filter 'x'". */
int engine_prune_containers(struct engine *engine, const struct strv *filters, struct strv *removed,
			    int64_t *freed, struct err *err);
/* One at a time of each kind (WHAT: "containers", "images", "volumes"): a descriptor that holds the
 * lock until it is closed, or ERR_CONFLICT "a prune operation is already running". */
int engine_lock_prune(const struct engine *engine, const char *what, struct err *err);
/* Removes images as image_prune does, with its events. */
struct image_filter;
int engine_prune_images(struct engine *engine, bool all, const struct image_filter *filter,
			struct strv *lines, int64_t *freed, struct err *err);
/* Bytes that the tree at PATH takes; what cannot be read counts 0. */
int64_t engine_tree_size(const char *path);

#endif
