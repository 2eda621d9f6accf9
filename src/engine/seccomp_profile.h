/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SECCOMP_PROFILE_H
#define ENGINE_SECCOMP_PROFILE_H
/* The system call filter of a container: the default one, or a user's profile. */
#include "engine/engine.h"
#include "engine/spec.h"
#include "oci/runtime_config.h"

#include <linux/filter.h>

/* Compiles the profile of `--security-opt seccomp=...`, if SPEC has one, to DIR/seccomp.bpf; a
 * profile that was compiled before is taken from the cache. */
int seccomp_profile_store(struct engine *engine, const struct container_spec *spec, const char *dir,
			  uint64_t caps, struct err *err);

/* The filter for CONFIG with capabilities CAPS. RET->len 0 means unconfined. RET_NAME is static. */
int seccomp_profile_load(struct engine *engine, const struct oci_runtime_config *config,
			 const char *id, uint64_t caps, struct sock_fprog *ret,
			 const char **ret_name, struct err *err);

#endif
