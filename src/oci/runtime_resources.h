/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_RUNTIME_RESOURCES_H
#define OCI_RUNTIME_RESOURCES_H
/* The limits of a container as linux.resources of the runtime configuration. */
#include "base/err.h"
#include "sys/cgroup.h"

#include <jansson.h>

struct str;

/* Appends a JSON object. Limits that are only implied are marked by an "implied" list beside the
 * members of the specification, so that reading it back keeps who wanted them (R9). */
void oci_resources_format(const struct cgroup_limits *limits, struct str *out);
/* RET must be empty; RESOURCES may be NULL. 0 or -ERR_INVALID. */
int oci_resources_parse(const json_t *resources, struct cgroup_limits *ret, struct err *err);

#endif
