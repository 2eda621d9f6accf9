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

/* Closes and frees what it owns; one that is all zero but for root_fd -1 is fine. */
void build_tree_done(struct build_tree *t);
#define cleanup_build_tree __attribute__((cleanup(build_tree_done)))

/* Opens what the state directory has; what is damaged counts as nothing. Owned. */
int file_digests_open(struct engine *engine, struct file_digests **ret, struct err *err);
/* Writes what is new, in the process that opened it; a failure is logged: it costs time, nothing
 * else. NULL is fine. */
void file_digests_close(struct file_digests *d);
/* The digest of the file that ST describes, if it is known: RET gets 32 bytes. Opens and reads
 * nothing. D may be NULL. */
bool file_digests_lookup(const struct file_digests *d, const struct stat *st,
			 unsigned char ret[32]);
/* Digest of the content of the regular file FD whose state is ST (taken from it): known or read
 * now, all of it, by pread(2). RET gets 32 bytes. D may be NULL. This and file_digests_lookup may
 * be called in several threads, and in processes forked after it was opened: what they add is there
 * for all of them at once. A file with extended attributes of its own is never remembered, so one
 * that is known has none. ERR_CONFLICT when the file changes while it is read. */
int file_digests_get(struct file_digests *d, int fd, const struct stat *st, unsigned char ret[32],
		     struct err *err);

/* ---- walking ---- */

/* What a walk found. All of it is borrowed for the call. */
struct build_tree_entry {
	const char *path;      /* below the root of the tree, clean: "a/b" */
	const char *name;      /* its last component */
	int dir_fd;	       /* the directory that has it */
	const struct stat *st; /* of a link itself */
	/* A directory that the ignore file excludes, but not something that is in it. */
	bool is_way;
};

/* 0 goes on, BUILD_TREE_PASS does so without going into this directory, < 0 ends the walk. */
typedef int (*build_tree_fn)(const struct build_tree_entry *entry, void *data, struct err *err);
#define BUILD_TREE_PASS 1

/* Calls FN for everything below the directory DIR of T ("" is the root) that T's ignore file leaves
 * in: a directory before what it holds, names in the order of their bytes. An excluded directory
 * comes only when something in it is left in. Links are not followed, but those of DIR's own path
 * are, in the root. What disappears meanwhile is passed over. ERR_INVALID for more than
 * BUILD_TREE_MAX_DEPTH levels. About 1.5 us for each file: one fstatat(2), no open. */
int build_tree_walk(const struct build_tree *t, const char *dir, build_tree_fn fn, void *data,
		    struct err *err);
#define BUILD_TREE_MAX_DEPTH 256

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
