/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_TREE_H
#define STORAGE_LAYER_TREE_H
/*
 * The directory tree that a layer is unpacked into: resolving the names of an archive inside it,
 * making the directories that the archive leaves out, and setting directories' times at the end.
 *
 * No name of an archive is ever given to the kernel as a whole path but to openat2(2) under the
 * pinned root; everything else is one component in an open directory. The tree must be private to
 * the caller: nobody else may write to it meanwhile.
 */
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct err;
struct stat;

#define LAYER_MAX_DEPTH	    255		       /* directories above an entry */
#define LAYER_MAX_DIR_BYTES (64 * 1024 * 1024) /* memory for directories' names and times */

/* What needs the host's own privileges, and may be done by somebody else for us. */
struct layer_maker {
	/* A device node (MODE with its type); an overlayfs mark that lower layers' content is
	 * hidden (a descriptor that may be O_PATH). 0 or -errno. */
	int (*make_device)(struct layer_maker *maker, int parent_fd, const char *name, mode_t mode,
			   dev_t dev);
	int (*set_opaque)(struct layer_maker *maker, int dir_fd);
};
/* Makes them itself. */
extern struct layer_maker layer_maker_direct;

/* One directory whose time waits for the end. */
struct dir_time {
	size_t path_at; /* in `dir_paths` */
	unsigned depth;
	ino_t ino;
	struct timespec mtime;
};

struct layer_tree {
	int root_fd;		   /* borrowed; open for reading */
	struct layer_maker *maker; /* borrowed */
	/* The parent directory of the last entry, kept open. */
	int parent_fd;
	unsigned parent_depth;
	struct str parent_path;
	bool has_parent;
	struct str dir_paths; /* NUL-terminated, one after another */
	struct dir_time *dirs;
	size_t n_dirs, cap_dirs;
	bool literal; /* device 0:0 is a device, not a whiteout */
};

/* Where an entry goes: a component NAME in PARENT_FD, which the tree owns and keeps open until the
 * next call; NAME is "" for the root itself. */
struct layer_place {
	int parent_fd;
	unsigned depth; /* of the entry; the root has 0 */
	const char *name;
};

/* Fills T for the directory ROOT_FD (borrowed like MAKER until layer_tree_done, which closes and
 * frees the rest). LITERAL is the member of the same name. */
void layer_tree_init(struct layer_tree *t, int root_fd, struct layer_maker *maker, bool literal);
void layer_tree_done(struct layer_tree *t);
#define cleanup_layer_tree __attribute__((cleanup(layer_tree_done)))

/* NAME of an archive as components joined by "/": leading and trailing slashes, empty and "."
 * components removed; "" is the root. Refuses an empty name and "..". */
int layer_name_clean(const char *name, struct str *ret, struct err *err);

/* Opens the place of PATH (clean). Symlinks in its parents are followed inside the root. Missing
 * parents are made, mode 0755, root's, with MTIME. */
int layer_tree_find(struct layer_tree *t, const char *path, const struct timespec *mtime,
		    struct layer_place *ret, struct err *err);
/* The same for something that must exist already: a missing parent is an error, and *RET has a
 * descriptor of its own, which the caller closes. */
int layer_tree_find_existing(struct layer_tree *t, const char *path, struct layer_place *ret,
			     struct err *err);

/* Must be called before anything is removed and when a symlink was made: what the names of parents
 * mean may have changed. An open layer_place stays usable. */
void layer_tree_forget(struct layer_tree *t);

/* Remembers that the directory PATH (clean), open as FD, gets MTIME at the end. */
int layer_tree_add_dir(struct layer_tree *t, const char *path, int fd, const struct timespec *mtime,
		       struct err *err);
/* Sets all remembered times, deepest directory first. */
int layer_tree_set_times(struct layer_tree *t, struct err *err);

/* A whiteout of overlayfs: character device 0:0, which needs no privilege (since Linux 5.8). */
int layer_make_whiteout(int parent_fd, const char *name);
bool layer_is_whiteout(const struct stat *st);
/* Whether NAME, which must exist, is one: 1, 0 or -errno. */
int layer_find_whiteout(int parent_fd, const char *name);

#endif
