/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CONFIGURE_H
#define ENGINE_CONFIGURE_H
/*
 * From what a caller wants (container_spec) and what an image offers (image_run) to what will run
 * (oci_runtime_config). Nothing is changed on the host here.
 */
#include "engine/mount_point.h"
#include "engine/spec.h"
#include "oci/image_config.h"
#include "oci/runtime_config.h"

struct engine;

/* docker's "Config" of the container: the image's values with the spec's over them. RET must be
 * empty. ERR_INVALID "no command specified" when neither says what to run. */
int configure_run(const struct container_spec *spec, const struct image_run *image,
		  struct image_run *ret, struct err *err);

/* The runtime configuration of container ID. RUN is what configure_run made; DIR the container's
 * directory, which holds hosts, hostname and resolv.conf; the runtime parts of POINTS move to RET.
 * WARNINGS gets what could not be raised. ERR_* for what this host cannot do (R9). */
int configure_oci(const struct container_spec *spec, const struct image_run *run,
		  struct mount_points *points, const char *id, const char *dir,
		  struct oci_runtime_config *ret, struct strv *warnings, struct err *err);

/* The mounts part (engine/configure_mounts.c): the defaults, the engine's files from DIR, and
 * POINTS, whose runtime parts are moved to RET. */
void configure_mounts(const struct container_spec *spec, struct mount_points *points,
		      const char *dir, struct oci_runtime_config *ret);

/* The limits part (engine/limits.c). */
int configure_limits(const struct container_spec *spec, struct oci_runtime_config *ret,
		     struct err *err);
/* Devices of --device and --privileged, and their rules. */
int configure_devices(const struct container_spec *spec, struct oci_runtime_config *ret,
		      struct err *err);

#endif
