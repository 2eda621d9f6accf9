/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_MOUNT_H
#define DOCKERFILE_MOUNT_H
/* RUN --mount: the value after expansion, as data. */
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum run_mount_type {
	RUN_MOUNT_BIND,
	RUN_MOUNT_CACHE,
	RUN_MOUNT_TMPFS,
	RUN_MOUNT_SECRET,
	RUN_MOUNT_SSH
};
enum run_mount_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };

struct run_mount {
	enum run_mount_type type;
	char *from;   /* stage, image or context; NULL: the build context (bind), nothing (cache) */
	char *source; /* path in it; NULL for the root */
	char *target; /* as typed; NULL: none */
	char *id;     /* cache, secret, ssh; NULL: by the rules of the type */
	char *env;    /* secret: name of the variable; NULL */
	bool read_only, required;
	enum run_mount_sharing sharing;
	int64_t size; /* tmpfs: bytes; 0 when not given */
	bool has_mode, has_uid, has_gid;
	uint32_t mode, uid, gid;
};

/* Parses "type=cache,target=/x,...". ERR_INVALID with BuildKit's words, a suggestion for a misspelt
 * key among them. */
int run_mount_parse(const char *text, struct run_mount *ret, struct err *err);
void run_mount_done(struct run_mount *mount);

#endif
