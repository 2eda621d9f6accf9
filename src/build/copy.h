/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_COPY_H
#define BUILD_COPY_H
/*
 * COPY, ADD and WORKDIR. First a selection: what exactly is copied, under which names, and a digest
 * of it for the cache. Then the copy, into the upper directory of an overlay of the step below.
 */
#include "build/graph.h"
#include "build/place.h"
#include "build/tree.h"

struct build_selection; /* what one step copies */

/* TREES[i] is the tree of item i (NULL for INLINE). ERR_INVALID ("failed to calculate checksum of
 * ref ...: \"/nosuch\": not found"). */
int build_select(const struct build_copy_op *op, struct build_tree *const *trees,
		 struct build_selection **ret, struct err *err);
void build_selection_free(struct build_selection *s);
/* Digest of paths, types, modes, owners (but of a context), attributes and contents; times do not
 * count. Reads what is not known on all processors. */
int build_selection_digest(struct build_selection *s, char ret[static DIGEST_HEX_LEN + 1],
			   struct err *err);

/* Does it. PLACE says above which layers and into which upper directory; times later than EPOCH_S
 * are set to it. Runs in a process of its own, which may mount. */
int build_copy(const struct build_copy_op *op, const struct build_selection *s,
	       const struct build_place *place, int64_t epoch_s, struct err *err);
int build_workdir(const struct build_workdir_op *op, const struct build_place *place,
		  int64_t epoch_s, struct err *err);

#endif
