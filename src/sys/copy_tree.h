/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_COPY_TREE_H
#define SYS_COPY_TREE_H
/*
 * Copying a directory's content by descriptor: owners, modes, times, extended attributes, links
 * with several names, holes; blocks are shared where the file system can. Somebody may change both
 * sides meanwhile: no name is resolved but single components, without following links, so nothing
 * outside of the two directories is read or written.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Makes TO_FD's content, owner, mode and attributes those of FROM_FD (both directories, open for
 * reading). A file gets its name when it is whole. Names that TO_FD has already are kept as they
 * are, so that a copy that was cut short is completed by another. RET_N counts entries (may be
 * NULL). 0 or -errno. Of any size; as deep as descriptors go (1,000 directories at most:
 * -ELOOP beyond). */
int copy_tree(int from_fd, int to_fd, size_t *ret_n);

struct copy_tree_options {
	/* What TO_FD has already makes way: a file or directory for what is no directory, a file
	 * for a directory. Directories are joined. */
	bool replaces;
	/* FROM_FD is the upper directory of an overlay or a layer: its whiteouts and opaque
	 * directories remove what stands there. */
	bool is_layer;
	/* Then: and these marks are copied, for what is below TO_FD. */
	bool keeps_marks;
	bool is_mine; /* everything belongs to who copies */
	/* An attribute that is copied of links and special files, too; NULL. */
	const char *mark;
	bool leaves_root; /* attributes of TO_FD itself stay */
};
/* The same in other ways. */
int copy_tree_with(int from_fd, int to_fd, const struct copy_tree_options *options);
/* Makes the content of the empty file TO (open for writing) that of FROM, SIZE bytes: blocks are
 * shared where the file system can, holes stay holes. 0 or -errno. */
int copy_file_content(int from, int to, off_t size);

/* Whether directory FD has no entry: 1 or 0, or -errno. */
int copy_tree_is_empty(int fd);

#endif
