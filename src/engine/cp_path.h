/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CP_PATH_H
#define ENGINE_CP_PATH_H
/*
 * docker cp's rules about paths, without a look at any file: how an argument names a container,
 * what a trailing "/" or "/." means, and where the source goes.
 */
#include "base/err.h"

#include <stdbool.h>

/* Where CONTAINER:PATH divides. A container's name is owned in *RET_CONTAINER and *RET_PATH points
 * into ARG; NULL for a path of this host: "/a:b", "./a:b", "a". */
void cp_split_argument(const char *arg, char **ret_container, const char **ret_path);

/* PATH without ".", ".." and double slashes, as names only: Go's filepath.Clean. Owned. */
char *cp_clean(const char *path);

/* A path as it was meant. */
struct cp_path {
	char *path;	  /* owned: clean; "/." or "/" at the end where PATH had it */
	char *dir;	  /* owned: what holds the last component; the path itself for "/." */
	char *base;	  /* owned: the last component; "." for "/.", "/" for the root */
	bool is_dot;	  /* ends in "/.": the content of a directory is meant, not itself */
	bool asserts_dir; /* ends in "/" or "/." */
};

#define CP_PATH_INIT \
	{            \
	}

/* Divides PATH, made absolute by "/" in front (ROOTED: a container's) or left as it is. */
void cp_path_parse(const char *path, bool rooted, struct cp_path *ret);
void cp_path_done(struct cp_path *p);
#define cleanup_cp_path __attribute__((cleanup(cp_path_done)))

/* Where a source goes. */
struct cp_plan {
	char *dir;  /* owned: the directory to make it in */
	char *name; /* owned: what it is called there; "" for the content of the directory itself */
};

#define CP_PLAN_INIT \
	{            \
	}
/* Frees what it owns; an empty one is fine. */
void cp_plan_done(struct cp_plan *plan);
#define cleanup_cp_plan __attribute__((cleanup(cp_plan_done)))

/* docker's table. SRC_NAME is what the source is called ("." for the content of a directory); DST
 * was looked at: EXISTS, IS_DIR. ERR_INVALID "cannot copy directory" onto a file, "no such
 * directory" for a file to a name that must be a directory. */
int cp_plan(const char *src_name, bool src_is_dir, const struct cp_path *dst, bool exists,
	    bool is_dir, struct cp_plan *ret, struct err *err);

#endif
