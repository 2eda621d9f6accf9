/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_DIFF_H
#define ENGINE_DIFF_H
/* What a container changed in its file system: the verb diff. */
#include "base/err.h"
#include "base/str.h"

#include <sys/stat.h>

struct engine;

/* Appends docker's lines to RET, "A /path", "C /path", "D /path": a directory before what is in it,
 * names in the order of their bytes, in each directory what is gone after what is there (one of the
 * orders that docker gives, whose own changes from run to run). A name may hold newlines. */
int engine_diff(struct engine *engine, const char *ref, struct strv *ret, struct err *err);

/* The same of the upper directory UPPER_FD of an overlay and of LOWER_FD, a view of what is below
 * it (-1: nothing). Both were just opened for reading. */
int diff_trees(int upper_fd, int lower_fd, struct strv *ret, struct err *err);

/* Whether docker calls a file changed that looked like A before and looks like B now: mode, owner
 * or device, and of all but directories size or time. */
bool diff_is_different(const struct stat *a, const struct stat *b);

#endif
