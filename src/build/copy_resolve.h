/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_COPY_RESOLVE_H
#define BUILD_COPY_RESOLVE_H
/*
 * Paths inside a tree that no kernel walks for us: a context with names left out, or layers with
 * what a step has written above them. Each component is looked up by itself and symlinks are
 * followed inside the tree, so that what comes out has no link in it but possibly the last name.
 */
#include "base/err.h"

#include <stdbool.h>
#include <sys/stat.h>

/* What PATH is ("a/b", no link among its directories): 1 with RET and, for a symlink, *RET_LINK
 * (owned); 0 when there is nothing; -code. */
typedef int (*copy_lookup_fn)(void *ctx, const char *path, struct stat *ret, char **ret_link,
			      struct err *err);

struct copy_resolved {
	char *path;	/* owned: "" is the root */
	bool exists;	/* `st` holds */
	struct stat st; /* of a directory for the root, which is not looked up: st_mode alone */
};
/* Frees the path. */
void copy_resolved_done(struct copy_resolved *r);
#define cleanup_resolved __attribute__((cleanup(copy_resolved_done)))

/* Resolves PATH. ".." at the root stays there; behind what does not exist names are taken as they
 * are. FOLLOWS_LAST: the last component, too. ERR_INVALID for too many links. */
int copy_resolve(copy_lookup_fn lookup, void *ctx, const char *path, bool follows_last,
		 struct copy_resolved *ret, struct err *err);

/* "a" and "b": "a/b"; "b" when DIR is "". Owned. */
char *copy_join(const char *dir, const char *name);
/* The last component of PATH; "" of the root. Borrowed. */
const char *copy_base(const char *path);
/* PATH without its last component; "" when there is no other. Owned. */
char *copy_dir_of(const char *path);

#endif
