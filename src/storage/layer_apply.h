/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_APPLY_H
#define STORAGE_LAYER_APPLY_H
/*
 * Unpacks one layer, or a whole root filesystem, from a tar archive into a fresh directory: exact
 * owners, modes, nanosecond times, extended attributes, hard links, devices, sparse files.
 * Whiteouts of the image format become overlayfs' own (image-spec layer.md#whiteouts).
 */
#include <stdbool.h>
#include <stdint.h>

struct err;
struct layer_maker;
struct str;
struct tar_reader;

/* Takes the listing (storage/tree_list.h) in pieces of some 64 KiB. */
struct layer_listing {
	/* Uses up LINES, whole ones; 0 or -code. */
	int (*write)(struct layer_listing *listing, const struct str *lines, struct err *err);
};

struct layer_options {
	uint64_t max_bytes;	       /* of file data; 0: limited by free space only */
	bool literal_whiteouts;	       /* .wh.NAME is an ordinary name */
	struct layer_listing *listing; /* borrowed; NULL: nobody wants one */
	struct layer_maker *maker;     /* borrowed (storage/layer_tree.h) */
};

struct layer_result {
	uint64_t n_entries; /* of the archive */
	uint64_t n_bytes;   /* of file data stored in it */
};

/* Applies all entries of READER to the empty directory ROOT_FD (open for reading), which nobody
 * else may touch meanwhile. Needs root's capabilities for files in its user namespace. On an error,
 * whose text begins with "entry NAME: ", the tree is half made and for the caller to remove.
 * Nothing is synced. */
int layer_apply(int root_fd, struct tar_reader *reader, const struct layer_options *options,
		struct layer_result *ret, struct err *err);

#endif
