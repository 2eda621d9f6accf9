/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CP_APPLY_H
#define ENGINE_CP_APPLY_H
/*
 * Unpacks an archive into a tree that exists, and that others may be changing: a running
 * container's, or a directory of this host.
 */
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tar_reader;

struct cp_apply_options {
	const char *base;  /* directory to unpack into, resolved inside the root; "" for the root */
	const char *shown; /* what to call it in messages */
	/* Everything becomes this owner's (-1: keeps the archive's), and loses the rights that
	 * files had only as another's: set-user-ID and capabilities. */
	uid_t uid;
	gid_t gid;
	bool sets_root; /* the archive's own "./" gives the root its owner, mode and attributes;
			   only with an empty base */
};

/* Applies all entries of READER. As docker has it, a directory merges with one that is there, a
 * file takes the place of another, and neither takes the other's. No name leads out of ROOT_FD
 * (open for reading), whatever anybody does to the tree meanwhile. RET_BYTES gets the size of the
 * archive as docker counts it. ERR_INVALID "cannot overwrite directory "/a" with non-directory
 * "/"", or what is wrong with the archive. */
int cp_apply(int root_fd, struct tar_reader *reader, const struct cp_apply_options *options,
	     uint64_t *ret_bytes, struct err *err);

#endif
