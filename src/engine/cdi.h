/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CDI_H
#define ENGINE_CDI_H
/*
 * The Container Device Interface (cncf-tags/container-device-interface, SPEC.md): files in which
 * a driver's installer says what a container needs for one of its devices, as
 * "vendor.com/class=name".
 *
 * Only JSON is read. What a file can ask for is device nodes, bind mounts, variables and groups;
 * hooks, programs to be run on the host for each container, are refused by name. A file that is
 * no regular one, too large, or not in order, is none.
 */
#include "engine/spec.h"
#include "oci/runtime_config.h"

struct err;

/* Whether TEXT is "vendor/class=name" by the rules of the specification. */
bool cdi_name_is_valid(const char *text);

/* Puts what SPEC's requests name into CONFIG. DIRS are the directories to look in, the last one
 * counts most; NULL for /etc/cdi and /var/run/cdi. ERR with docker's words where a device or a
 * driver is not there. */
int cdi_apply(const struct container_spec *spec, const struct strv *dirs,
	      struct oci_runtime_config *config, struct err *err);

#endif
