/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CP_ROOT_H
#define ENGINE_CP_ROOT_H
/*
 * The files of a container as cp means them: its root with what the user has mounted in it, without
 * the kernel's own file systems. Mounted for this process alone.
 */
#include "base/err.h"
#include "storage/container.h"

#include <stdbool.h>

struct engine;

struct cp_root {
	struct engine *engine;
	struct container_record record;
	int fd;		/* open for reading */
	int pending_fd; /* a container that does not run is held still meanwhile; -1 */
};

#define CP_ROOT_INIT                        \
	{                                   \
		.fd = -1, .pending_fd = -1, \
	}

/* Opens the files of container REF. PATH (clean) is where in it the copy goes to or comes from:
 * /dev is there only for who names what is mounted in it (/dev/shm). ERR_NOT_FOUND. Moves the
 * process to a private mount namespace. */
int cp_root_open(struct engine *engine, const char *ref, const char *path, struct cp_root *ret,
		 struct err *err);
void cp_root_done(struct cp_root *root);
#define cleanup_cp_root __attribute__((cleanup(cp_root_done)))

#endif
