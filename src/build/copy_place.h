/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_COPY_PLACE_H
#define BUILD_COPY_PLACE_H
/*
 * The root that a step writes to: an upper directory above a read-only view of the layers below.
 * Nothing is mounted to write: what COPY does to a file system, adding names, replacing files and
 * merging directories, comes out the same in an upper directory that is filled directly, without a
 * second copy of the data on its way through overlayfs. What is looked up is looked up in both.
 *
 * Directories that exist below get a twin in the upper one, with the same owner, mode and
 * attributes, when something is put into them (the kernel's copy-up).
 */
#include "build/copy_resolve.h"
#include "build/owner.h"
#include "build/place.h"

struct copy_touched;

struct copy_place {
	int upper_fd; /* owned */
	int lower_fd; /* owned; -1: nothing is below */
	int64_t epoch_s;
	int64_t settled_s;	      /* see struct build_place */
	struct owner owner;	      /* of directories that are made */
	struct copy_touched *touched; /* owned array: directories whose times are due */
	size_t n_touched, cap_touched;
};

#define COPY_PLACE_INIT                         \
	{                                       \
		.upper_fd = -1, .lower_fd = -1, \
	}

/* Opens PLACE. Without WITH_LOWERS what is below does not count (--link). The process gets a mount
 * namespace of its own where a view is mounted. */
int copy_place_open(const struct build_place *place, bool with_lowers, int64_t epoch_s,
		    struct copy_place *ret, struct err *err);
void copy_place_done(struct copy_place *p);
#define cleanup_place __attribute__((cleanup(copy_place_done)))

/* copy_lookup_fn of a struct copy_place. RET_LINK may be NULL. */
int copy_place_lookup(void *place, const char *path, struct stat *ret, char **ret_link,
		      struct err *err);
/* Resolves PATH as seen inside, the last component too. */
int copy_place_resolve(struct copy_place *p, const char *path, struct copy_resolved *ret,
		       struct err *err);

/* Ensures that the resolved PATH is a directory in the upper directory: a twin of what is below, or
 * made with mode 0755 for p->owner, and so are those above it. RET_IS_NEW (may be NULL): nothing
 * was there before, below or above. ERR_INVALID when something else stands there. */
int copy_place_ensure_dir(struct copy_place *p, const char *path, bool *ret_is_new,
			  struct err *err);
/* The time that the resolved directory PATH shall have at the end; NULL: now, or the epoch. */
void copy_place_touch(struct copy_place *p, const char *path, const struct timespec *mtime);
/* Sets the times that are due. Nothing is written after that. */
int copy_place_finish(struct copy_place *p, struct err *err);

/* The time T, or the epoch when that is earlier. */
struct timespec copy_place_clamp(const struct copy_place *p, struct timespec t);
/* Opens PATH of the upper directory, which has no links in it. -errno. */
int copy_place_open_upper(const struct copy_place *p, const char *path, int flags, mode_t mode);

#endif
