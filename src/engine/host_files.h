/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_HOST_FILES_H
#define ENGINE_HOST_FILES_H
/* The three files with names that the engine mounts into every container. */
#include "engine/spec.h"
#include "oci/runtime_config.h"
#include "plan/steps.h"

/* Writes hosts, hostname and resolv.conf in the container's directory DIR_FD. */
int host_files_write(int dir_fd, const struct oci_runtime_config *config,
		     const struct container_spec *spec, struct err *err);

/* The same as steps of a plan, in directory DIR: for scripts. */
void host_files_plan(struct plan *plan, const char *dir, const struct oci_runtime_config *config,
		     const struct container_spec *spec);

#endif
