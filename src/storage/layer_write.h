/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_WRITE_H
#define STORAGE_LAYER_WRITE_H
/*
 * Trees become archives. The upper directory of an overlay becomes a layer of an image without a
 * look at the layers below it: overlayfs' marks become whiteouts (image-spec layer.md#whiteouts).
 * Entries are sorted by the bytes of their names; times have nanoseconds; the same tree gives the
 * same bytes on every machine.
 */
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct layer_write_options {
	/* The tree is the upper directory of an overlay: device 0:0 is a whiteout, the opaque mark
	 * a marker file; marks of redirect_dir and metacopy are refused. Else an ordinary tree. */
	bool is_upper;
	const char *prefix; /* before every path, "" or "dir/"; NULL is "" */
	/* What is mounted inside the tree belongs to it. */
	bool across_mounts;
	int64_t epoch_s; /* later times are written as this; 0: as they are */
};

/* Writes the archive of the directory ROOT_FD (open for reading) to OUT_FD, the directory itself
 * first
 * ("./" without a prefix; left out of an upper one that nothing was written to, whose archive is
 * empty). Sockets are left out; of extended attributes user.* and security.capability are kept, but
 * nothing of overlayfs' own. The tree may be in use meanwhile. Needs no /proc. ERR_SYSTEM when
 * something cannot be read or written, UNSUPPORTED or INVALID for what a layer cannot say; each
 * message begins with the entry's name. */
int layer_write(int root_fd, int out_fd, const struct layer_write_options *options,
		struct err *err);

/* The same of NAME in the directory DIR_FD alone, whatever it is: the archive calls it PREFIX of
 * the options, which is not empty and has no slash at its end. A symlink is not followed. */
int layer_write_name(int dir_fd, const char *name, int out_fd,
		     const struct layer_write_options *options, struct err *err);

#endif
