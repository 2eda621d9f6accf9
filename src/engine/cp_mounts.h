/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CP_MOUNTS_H
#define ENGINE_CP_MOUNTS_H
/* What a container that does not run has mounted, for who looks into it. */
#include "oci/runtime_config.h"

#include <stdbool.h>

struct engine;

/* Whether M is content of a user's: a bind, a volume, an image. */
bool cp_mount_is_content(const struct oci_mount *m);

/* Mounts M below ROOT_FD as a start of the container would do it: 0 or -errno. A volume that is a
 * tmpfs is an empty one of its own, like the one that the next start finds. */
int cp_mount_add(struct engine *engine, int root_fd, const struct oci_mount *m);

#endif
