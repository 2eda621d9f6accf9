/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_TREE_MODEL_H
#define STORAGE_TREE_MODEL_H
/*
 * The tree that a listing (storage/tree_list.h) stands for, in memory: each line is applied as the
 * unpacking applied the archive's entry, so that afterwards one look at a name says what must be
 * there. No file is touched.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;

#define TREE_NONE UINT32_MAX
#define TREE_ROOT 0u /* the node of the layer's root directory, always there */

/* What several names may share. */
struct tree_inode {
	char type; /* f l c b d p w as in a listing */
	bool is_opaque;
	bool is_linked; /* has, or had, a second name */
	/* Nobody can say: the listing gives no time, attributes or mark that would be certain. */
	bool is_time_unknown, is_xattrs_unknown, is_opaque_unknown;
	bool has_xattrs;
	uint32_t mode, uid, gid;
	struct timespec mtime;
	uint64_t size, crc, xattrs;
	unsigned dev_major, dev_minor;
	const char *target; /* of a symlink */
	const char *named;  /* the path that gave a directory its time; NULL when it is its own */
	uint64_t seen_ino;  /* for who compares: 0 until a name of it was seen */
	const char *seen_path;
};

struct tree_node {
	const char *name;
	uint32_t parent, inode;
	uint32_t first_child, next_sibling; /* also of nodes that are gone again */
	bool is_there;
	bool is_seen; /* for who compares */
};

struct tree_model {
	struct tree_node *nodes;
	uint32_t n_nodes, cap_nodes;
	struct tree_inode *inodes;
	uint32_t n_inodes, cap_inodes;
	uint32_t *slots; /* hash of (parent, name) */
	uint32_t n_slots;
	char **chunks; /* where names and targets are */
	size_t n_chunks, chunk_used, chunk_size;
};

#define TREE_MODEL_INIT \
	{               \
	}

/* Reads a listing of LEN bytes. RET must be empty. ERR_INVALID when it is none, with the line. */
int tree_model_read(const char *list, size_t len, struct tree_model *ret, struct err *err);
void tree_model_done(struct tree_model *m);
#define cleanup_tree_model __attribute__((cleanup(tree_model_done)))

/* The node called NAME in the directory DIR, if it is there; TREE_NONE. */
uint32_t tree_model_lookup(const struct tree_model *m, uint32_t dir, const char *name);
struct tree_inode *tree_model_inode(const struct tree_model *m, uint32_t node);
/* A copy of LEN bytes at TEXT with a NUL, which lives as long as the model. */
const char *tree_model_keep(struct tree_model *m, const char *text, size_t len);
/* Nodes that are there below and including NODE. */
uint64_t tree_model_count(const struct tree_model *m, uint32_t node);

#endif
