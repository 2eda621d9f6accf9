/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_COMMIT_CONFIG_H
#define ENGINE_COMMIT_CONFIG_H
/* The configuration of an image that is made of a container. */
#include "base/err.h"
#include "base/str.h"
#include "oci/image_config.h"

/* Applies the Dockerfile instructions CHANGES (each item one or several lines) to RUN, which is the
 * container's own. What ends up empty (CMD [], ENTRYPOINT []) is the container's again, as docker
 * merges the two. ERR_INVALID with the builder's words. */
int commit_apply_changes(const struct strv *changes, struct image_run *run, struct err *err);

/* What `history` says made the layer: the container's command, without its entrypoint. Owned. */
char *commit_created_by(const struct image_run *container);

#endif
