/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of what a walk found: one system call for each name, on all processors. A file whose
 * content is known by its state needs no other, for files with attributes are never remembered.
 */
/* lint file: single components of directories that are open */
#include "build/select.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "build/copy_parallel.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define CHUNK 64 /* nodes of one piece of work */

struct slot {
	size_t node; /* + 1; 0 is free */
};

/* Files with several names: a hash table with open addressing, at most half full. */
struct links {
	struct select_source *source;
	struct slot *slots; /* owned */
	size_t n, cap;
};

static void links_done(struct links *l)
{
	free(l->slots);
}

/* ---- several names of one file ---- */

static struct slot *find_slot(const struct links *l, struct slot *slots, size_t cap,
			      const struct stat *st)
{
	size_t i = ((size_t)st->st_ino * 0x9e3779b97f4a7c15ull ^ (size_t)st->st_dev) & (cap - 1);

	for (; slots[i].node; i = (i + 1) & (cap - 1)) {
		const struct stat *other = &l->source->nodes[slots[i].node - 1].st;

		if (other->st_ino == st->st_ino && other->st_dev == st->st_dev)
			break;
	}
	return &slots[i];
}

static void grow_links(struct links *l)
{
	size_t cap = l->cap ? 2 * l->cap : 64;
	struct slot *slots = mem_zalloc(cap * sizeof(*slots));

	for (size_t i = 0; i < l->cap; i++)
		if (l->slots[i].node)
			*find_slot(l, slots, cap,
				   &l->source->nodes[l->slots[i].node - 1].st) = l->slots[i];
	free(l->slots);
	l->slots = slots;
	l->cap = cap;
}

/* The node that is the same file as node I, which is remembered if it is the first. */
static size_t find_same(struct links *l, size_t i)
{
	struct slot *slot = NULL;

	if (2 * l->n >= l->cap)
		grow_links(l);
	slot = find_slot(l, l->slots, l->cap, &l->source->nodes[i].st);
	if (slot->node)
		return slot->node - 1;
	slot->node = i + 1;
	l->n++;
	return SELECT_NONE;
}

/* ---- one after the other ---- */

static int open_dir(const struct select_source *source, size_t node, struct err *err)
{
	cleanup_str struct str path = STR_INIT;
	int fd = -1;

	str_add(&path, source->path);
	if (node != 0 && path.len)
		str_add_char(&path, '/');
	select_add_path(source, node, &path);
	fd = path_open_no_links(source->tree->root_fd, path.len ? str_get(&path) : "/",
				O_PATH | O_DIRECTORY);
	return fd < 0 ? err_sys(err, -fd, "open /%s", str_get(&path)) : fd;
}

static int read_link(struct select_node *node, int dir_fd, struct err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, node->name, text, sizeof(text));

	if (n < 0)
		return err_sys(err, errno, "readlink %s", node->name);
	node->link = str_ndup(text, (size_t)n);
	return 0;
}

static int stat_node(const struct select_source *source, struct select_node *node, int dir_fd,
		     struct err *err)
{
	bool was_dir = S_ISDIR(node->st.st_mode);

	if (fstatat(dir_fd, node->name, &node->st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "stat %s", node->name);
	if (was_dir != S_ISDIR(node->st.st_mode))
		return err_set(err, ERR_UNAVAILABLE, "%s was changed while it was read",
			       node->name);
	if (S_ISLNK(node->st.st_mode))
		return read_link(node, dir_fd, err);
	node->is_known = file_digests_lookup(source->tree->digests, &node->st, node->digest);
	return 0;
}

/* Nodes CHUNK * PIECE and so on; but not the source itself. */
static int stat_piece(void *ctx, size_t piece, struct err *err)
{
	struct select_source *source = ctx;
	size_t end = (piece + 1) * CHUNK < source->n_nodes ? (piece + 1) * CHUNK : source->n_nodes;
	cleanup_close int dir_fd = -1;
	size_t dir = SELECT_NONE;

	for (size_t i = piece * CHUNK; i < end; i++) {
		struct select_node *node = &source->nodes[i];

		if (i == 0)
			continue;
		if (node->parent != dir) {
			fd_cleanup_close(&dir_fd);
			dir = node->parent;
			dir_fd = open_dir(source, dir, err);
		}
		if (dir_fd < 0 || stat_node(source, node, dir_fd, err) < 0)
			return -err->code;
	}
	return 0;
}

int select_stat(struct select_source *source, struct err *err)
{
	cleanup_with(links_done) struct links links = {.source = source};

	if (copy_parallel((source->n_nodes + CHUNK - 1) / CHUNK, stat_piece, source, err) < 0)
		return -err->code;
	for (size_t i = 1; i < source->n_nodes; i++)
		if (S_ISREG(source->nodes[i].st.st_mode) && source->nodes[i].st.st_nlink > 1)
			source->nodes[i].same = find_same(&links, i);
	return 0;
}
