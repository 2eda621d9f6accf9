/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_MASK_H
#define BUILD_RUN_MASK_H
/* What an ignore file leaves out of a context that is mounted. */
#include "base/err.h"

#include <stdbool.h>

struct build_tree;

/* Fills the empty directory MASK_FD with a whiteout for everything that TREE leaves out: as a layer
 * above the tree it hides that. 0 or -code. */
int run_mask_make(int mask_fd, const struct build_tree *tree, struct err *err);

/* Gives directory TO the owner (root with IS_ROOT), mode and times of FROM; 0 or -errno. */
int run_mask_copy_state(int from, int to, bool is_root);

#endif
