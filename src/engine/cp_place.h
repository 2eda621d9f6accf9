/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CP_PLACE_H
#define ENGINE_CP_PLACE_H
/* A path of cp found under a root: the root of a container, or of this host. */
#include "engine/cp_path.h"

#include <stdbool.h>
#include <sys/stat.h>

struct cp_place {
	struct cp_path path; /* after symlinks that were followed */
	int dir_fd;	     /* owned, O_PATH: what holds it; itself when `name` is "." */
	char *name;	     /* owned */
	struct stat st;	     /* the object itself, a symlink included */
};

#define CP_PLACE_INIT        \
	{                    \
		.dir_fd = -1 \
	}

/* Finds PATH (ROOTED: relative to the root) under ROOT_FD; its last component is followed where it
 * is a symlink and FOLLOW, or where a "/" comes behind it. 0, or -errno; RET->path is set in any
 * case, for -ENOENT to the name that is missing. Needs cp_place_done always. */
int cp_place_find(int root_fd, const char *path, bool rooted, bool follow, struct cp_place *ret);
void cp_place_done(struct cp_place *place);
#define cleanup_cp_place __attribute__((cleanup(cp_place_done)))

/* Writes the object as an archive to OUT_FD: NAME becomes its name in it, "" for the content of a
 * directory alone (which begins with "./"). 0 or -code. */
int cp_place_write(const struct cp_place *place, const char *name, int out_fd, struct err *err);

#endif
