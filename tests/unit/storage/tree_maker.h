/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TREE_MAKER_H
#define TREE_MAKER_H
/* Trees for tests: random ones from a seed, and a text that says all of a tree. */
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Fills the empty directory DIR_FD with what SEED says: all kinds of files, names of any bytes,
 * owners, modes, times, holes, links and attributes; IN_UPPER: with overlayfs' marks too. Needs
 * root. */
void tree_make_random(int dir_fd, uint64_t seed, bool in_upper);

/* Appends one line for each file below DIR_FD and for itself: kind, mode, owner, size, time to the
 * nanosecond, device, target, first name of the same file, digest of the content, attributes. */
void tree_describe(int dir_fd, struct str *ret);

#endif
