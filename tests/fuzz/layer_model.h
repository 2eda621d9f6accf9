/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYER_MODEL_H
#define LAYER_MODEL_H
/*
 * What a layer makes of an empty directory, worked out in memory: a second, simple opinion for the
 * fuzz target of the layer applier. It knows no limits (of names, depth, numbers): where the real
 * one succeeds the model must, and be the same; not the other way round.
 */
#include "archive/tar_read.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;
struct model_node;

struct model_child {
	char *name;
	struct model_node *node;
};

struct model_piece {
	uint64_t offset;
	size_t at, len; /* in `bytes` */
};

struct model_xattr {
	char *name;
	void *value;
	size_t len;
};

struct model_node {
	mode_t mode; /* with the type */
	uid_t uid;
	gid_t gid;
	unsigned dev_major, dev_minor;
	struct timespec mtime;
	bool has_time; /* else it is the time at which it was made */
	bool is_opaque;
	unsigned n_links; /* names; 0 once it is gone */
	char *target;
	uint64_t size;
	struct str bytes;
	struct model_piece *pieces;
	size_t n_pieces;
	struct model_xattr *xattrs;
	size_t n_xattrs;
	struct model_node *parent; /* of a directory; of the root itself */
	struct model_child *children;
	size_t n_children;
	ino_t ino; /* for who compares: 0 at first */
	struct model_node *next_made;
};

struct model {
	bool literal; /* .wh.NAME is an ordinary name */
	struct model_node *root;
	struct model_node *made; /* all nodes, also those that are gone */
	struct model_time *times;
	size_t n_times;
};

void model_init(struct model *m, bool literal);
void model_done(struct model *m);
/* Applies all entries; 0, or -1 where an applier must have refused. */
int model_apply(struct model *m, struct tar_reader *r);
/* Character device 0:0. */
bool model_is_whiteout(const struct model_node *n);

#endif
