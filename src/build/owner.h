/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_OWNER_H
#define BUILD_OWNER_H
/* The owner that --chown or USER names: by the step's own /etc/passwd and /etc/group. */
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct owner {
	bool is_set; /* else: what is copied keeps its owner, what is made is root's */
	uid_t uid;
	gid_t gid;
};

/* SPEC is "user", "user:group", ":group", each a name or a number; NULL gives an owner that is not
 * set. A user that is a number is its own group unless one is given. The files are read in ROOT_FD;
 * -1: there are none. ERR_INVALID for a name that is not there. */
int owner_resolve(int root_fd, const char *spec, struct owner *ret, struct err *err);

#endif
