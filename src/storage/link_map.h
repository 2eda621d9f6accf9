/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LINK_MAP_H
#define STORAGE_LINK_MAP_H
/* The first names of files that have several, while a tree is walked. */
#include <sys/stat.h>

struct link;

struct link_map {
	void *tree; /* of tsearch(3), by device and inode number */
	struct link *finished;
};

/* The name under which the file ST (more than one link) was seen first, borrowed until the next
 * call; NULL when this is the first time: PATH is kept then. A file all of whose names were seen is
 * forgotten. */
const char *link_map_visit(struct link_map *m, const struct stat *st, const char *path);
void link_map_done(struct link_map *m);

#endif
