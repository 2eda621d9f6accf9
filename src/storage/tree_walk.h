/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_TREE_WALK_H
#define STORAGE_TREE_WALK_H
/*
 * A walk through a tree that may belong to a container and change meanwhile: by descriptor, without
 * following links or crossing mounts, and with one directory open at a time, so that its depth does
 * not matter.
 */
#include <sys/stat.h>
#include <sys/types.h>

struct tree_walk {
	/* An entry of the current directory, DIR_FD. A directory is entered later. */
	void (*entry)(int dir_fd, const char *name, const struct stat *st, void *data);
	/* The directory NAME of the current one becomes the current one; the top of the walk comes
	 * first, with the name it was given. May be NULL, as the next. */
	void (*enter)(int dir_fd, const char *name, void *data);
	void (*leave)(void *data);
	/* Something could not be read, for another reason than that it disappeared. NULL: it is
	 * passed over. */
	void (*failed)(int errnum, void *data);
	void *data;
};

/* Walks the directory NAME in DIR_FD. 0; -errno when it cannot be opened; -ESTALE when it was
 * changed so that the way back is lost. What disappears or cannot be read meanwhile is passed
 * over. */
int tree_walk(int dir_fd, const char *name, const struct tree_walk *walk);

#endif
