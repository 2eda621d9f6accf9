/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_TREE_H
#define BUILD_TREE_H
/*
 * Trees of files that a step copies from or mounts: a context, a stage, an image. A tree is a
 * pinned directory (everything in it is opened with RESOLVE_IN_ROOT), what its ignore file leaves
 * out, and digests of contents that are known already.
 */
#include "base/err.h"
#include "build/request.h"
#include "oci/digest.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct engine;
struct ignore;
struct build_source;

/* Digests of file contents by device, inode, size, mtime and ctime: what was read once is not read
 * again while these stay as they are. One file in the state directory. */
struct file_digests;

struct build_tree {
	int root_fd;		      /* owned; open for reading */
	struct ignore *ignore;	      /* owned; NULL: nothing is left out */
	struct file_digests *digests; /* borrowed; NULL */
	bool is_context;	      /* owners count as 0:0 */
	bool is_download;	      /* one file, of a URL: copied as a file, with mode 0600 */
	char *dockerfile;	      /* path of the Dockerfile within; NULL */
};

void build_tree_done(struct build_tree *t);
#define cleanup_build_tree __attribute__((cleanup(build_tree_done)))

int file_digests_open(struct engine *engine, struct file_digests **ret, struct err *err);
/* Writes what is new; a failure is logged: it costs time, nothing else. */
void file_digests_close(struct file_digests *d);
/* Digest of the content of the regular file FD whose state is ST (taken from it): known or read
 * now. RET gets 32 bytes. Safe to call in several threads or forked processes; what processes add
 * is lost with them. */
int file_digests_get(struct file_digests *d, int fd, const struct stat *st, unsigned char ret[32],
		     struct err *err);

/* ---- contexts ---- */

/* The Dockerfile and the main context of a request. */
struct build_input {
	char *file_name; /* as messages call it */
	char *file_text;
	size_t file_len;
	struct build_tree context; /* root_fd -1: there is none (Dockerfile from stdin) */
	struct build_source *main; /* owned; what kind it is */
	bool has_context;
};

/* Opens it: finds the Dockerfile by -f, reads it and the ignore file, unpacks an archive from
 * stdin, fetches a git repository or URL into STAGING_FD (a directory of the build's own). ERR_* in
 * docker's words: "unable to prepare context: path \"x\" not found", "failed to read dockerfile:
 * open Dockerfile: no such file or directory". */
int build_input_open(struct engine *engine, const struct build_request *request, int staging_fd,
		     struct build_input *ret, struct err *err);
void build_input_done(struct build_input *in);

/* Opens another source: a named context (its own .dockerignore counts), a git repository, a URL (a
 * tree with one file, named as the URL's last part). REVISION (owned, NULL) gets what makes it what
 * it is: the commit of git, ETag or Last-Modified of a URL. */
int build_source_open(struct engine *engine, const struct build_source *source, int staging_fd,
		      struct build_tree *ret, char **ret_revision, struct err *err);

#endif
