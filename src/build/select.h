/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_SELECT_H
#define BUILD_SELECT_H
/*
 * What a selection is made of, for those who digest it and copy it. A source is one file or
 * directory of a tree, as one item of the instruction names it (a pattern may name many); its nodes
 * are what is in it, a directory before what it holds, names in the order of their bytes.
 */
#include "build/copy.h"
#include "build/copy_resolve.h"
#include "dockerfile/ignore.h"

#define SELECT_NONE SIZE_MAX

struct select_node {
	char *name;    /* owned; "" for the source itself */
	size_t parent; /* index; its own for the source itself */
	struct stat st;
	char *link;    /* owned: where a symlink points; NULL */
	size_t same;   /* index of the node that is another name of the same file; SELECT_NONE */
	bool is_way;   /* a directory that was not asked for, only something in it */
	bool is_known; /* `digest` and `xattrs` hold */
	char *xattrs;  /* owned: as copy_xattr_describe has them; NULL for none */
	size_t xattrs_len;
	unsigned char digest[32];
};

enum select_kind {
	SELECT_PATH,	/* of a tree, as COPY has it */
	SELECT_PARENTS, /* the same, and the way to it is copied, too */
	SELECT_FILE,	/* a download */
	SELECT_INLINE,	/* CONTENT of the item */
};

struct select_source {
	enum select_kind kind;
	const struct build_copy_item *item; /* borrowed */
	struct build_tree *tree;	    /* borrowed; NULL for INLINE */
	char *path;		   /* owned: resolved in the tree, without links; "" is its root */
	char *base;		   /* owned: what it is called where it gets into a directory */
	struct select_node *nodes; /* owned array; [0] is the source itself */
	size_t n_nodes, cap_nodes;
};

struct build_selection {
	const struct build_copy_op *op; /* borrowed */
	struct select_source *sources;	/* owned array */
	size_t n_sources, cap_sources;
};

/* Adds an empty source; valid until the next one is added. */
struct select_source *select_add_source(struct build_selection *s, enum select_kind kind,
					const struct build_copy_item *item,
					struct build_tree *tree);
/* Takes the last one away again. */
void select_drop_source(struct build_selection *s);

/* Appends the path of node I below its source: nothing for the source itself. */
void select_add_path(const struct select_source *source, size_t i, struct str *ret);
/* Opens node I, a regular file or directory, for reading and makes sure that it is what was seen
 * when it was selected. RET_ST may be NULL. A descriptor, or -code. */
int select_open(const struct select_source *source, size_t i, struct stat *ret_st, struct err *err);
/* Whether a file that looked like A looks like B now. */
bool select_is_unchanged(const struct stat *a, const struct stat *b);

/* ---- trees (select_tree.c) ---- */

/* Whether PATH of TREE, resolved, is left out with all that may be in it. */
bool select_is_left_out(const struct build_tree *tree, const char *path);
/* copy_lookup_fn of a struct build_tree. */
int select_lookup(void *tree, const char *path, struct stat *ret, char **ret_link, struct err *err);
/* Appends to RET, sorted, the resolved paths below BASE that PATTERN matches, one component of it
 * at a time. */
int select_match(const struct build_tree *tree, const char *base, const char *pattern,
		 struct strv *ret, struct err *err);

/* Fills SOURCE with what is at its path, which looks like ST, but for what the tree leaves out,
 * EXCLUDES matches or, unless that is NULL, INCLUDES does not. All relative to the source. Without
 * nodes when nothing is left. */
int select_walk(struct select_source *source, const struct stat *st, const struct ignore *includes,
		const struct ignore *excludes, struct err *err);
/* The rest of select_walk: what its nodes look like. */
int select_stat(struct select_source *source, struct err *err);

#endif
