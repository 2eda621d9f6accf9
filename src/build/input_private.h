/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_INPUT_PRIVATE_H
#define BUILD_INPUT_PRIVATE_H
/* Internal to build: the parts of opening a context. */
#include "build/tree.h"

struct str;

/* Bytes of a Dockerfile, and of an ignore file; more is an error. */
#define INPUT_MAX_DOCKERFILE (16u << 20)
#define INPUT_MAX_IGNORE     (1u << 20)

/* Reads the regular file PATH of the directory ROOT_FD, links followed inside it: 0, -ENOENT,
 * -EISDIR, -EFBIG for more than LIMIT bytes, -EINVAL for what is no regular file, -errno. */
int input_read_file(int root_fd, const char *path, size_t limit, struct str *ret);
/* Opens a directory of the host's for reading; -errno. */
int input_open_dir(const char *path);

/* Reads an ignore file of DIR_FD into RET: 1, or 0 when there is none. PATH is what messages say,
 * too. */
int input_read_ignore(int dir_fd, const char *path, struct ignore **ret, struct err *err);
/* The ignore file of a context without a Dockerfile: 1 or 0. */
int input_find_ignore(int context_fd, struct ignore **ret, struct err *err);

/* Makes a new directory in STAGING_FD whose name begins with WHAT; a descriptor for reading, or
 * -code. */
int input_make_dir(int staging_fd, const char *what, struct err *err);

/* ---- archives (build/archive.c) ---- */

#define INPUT_HEAD_LEN 512 /* bytes that tell an archive */

/* Whether what begins with these bytes is a tar archive or compressed, as docker sees it. */
bool input_is_archive(const unsigned char *head, size_t len);
/* The first bytes of FD, which stay there to be read: how many, at most INPUT_HEAD_LEN; -errno.
 * Waits for them. 0 for what cannot be looked into beforehand. */
ssize_t input_peek(int fd, unsigned char head[static INPUT_HEAD_LEN]);
/* Unpacks the archive in FD, compressed or not, read from where it stands, into the empty directory
 * DIR_FD. */
int input_unpack(struct engine *engine, int fd, int dir_fd, struct err *err);
/* If the file NAME of TREE is an archive, TREE becomes what is in it, in a new directory. */
int input_unpack_in_place(struct engine *engine, const char *name, int staging_fd,
			  struct build_tree *tree, struct err *err);

#endif
