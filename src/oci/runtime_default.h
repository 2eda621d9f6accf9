/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_RUNTIME_DEFAULT_H
#define OCI_RUNTIME_DEFAULT_H
/*
 * What every container gets unless its user says otherwise: mounts, devices, hidden and read-only
 * paths. The tables are the default security profile; a stricter one would be other tables.
 */
#include "oci/runtime_config.h"

/* Device nodes of every /dev; ended by a NULL path. */
struct default_device {
	const char *path;
	unsigned major, minor;
};
extern const struct default_device oci_default_devices[];
/* Links of every /dev: pairs of target and path, ended by NULL. */
extern const char *const oci_default_links[][2];

/* Fills CONFIG with the default mounts (proc, dev, devpts, sysfs, cgroup, mqueue, shm of SHM_SIZE
 * bytes), devices and, unless PRIVILEGED, masked and read-only paths. */
void oci_config_set_defaults(struct oci_runtime_config *config, int64_t shm_size, bool privileged);

#endif
