/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_VOLUME_OPTIONS_H
#define ENGINE_VOLUME_OPTIONS_H
/*
 * What the local driver's options, and a mapping of ids, mean for a mount. Nothing is mounted when
 * a volume is made: each container mounts it in its own mount namespace, where it ends with it, so
 * the host's mount table stays as it was and a crash leaves no mounts.
 */
#include "engine/spec.h"
#include "oci/runtime_config.h"

/* Sets type, source and options of MOUNT, of the volume NAME whose OPTIONS are a JSON object of
 * texts, or "null": without options it is its directory DATA. ERR_INVALID for what no container
 * could mount. */
int volume_set_mount(const char *name, const char *options, const char *data,
		     struct oci_mount *mount, struct err *err);

/* Adds the mapping that M asks for to MOUNT, whose source is SOURCE; nothing when it asks for none.
 * The container's user is SPEC's, which must be a number then. */
int volume_add_idmap(const struct container_spec *spec, const struct mount_spec *m,
		     const char *source, struct oci_mount *mount, struct err *err);

#endif
