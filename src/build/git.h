/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_GIT_H
#define BUILD_GIT_H
/* Git repositories as trees. */
#include "build/tree.h"

/* Fetches the repository SOURCE (build/git_url.h) into a new directory of STAGING_FD, with its
 * submodules, and opens the directory of it that is meant; without .git unless that is wanted.
 * RET_REVISION (owned; may be NULL) gets the commit. ERR_UNSUPPORTED without a git program,
 * ERR_UNAVAILABLE with its own words. */
int git_open(const struct build_source *source, int staging_fd, struct build_tree *ret,
	     char **ret_revision, struct err *err);

#endif
