/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers are laid over each other in memory, base first, as overlayfs does it with what is on
 * the disk: a whiteout (a character device 0/0) takes a name away with all below it, an opaque
 * directory what lower layers have below it, anything but a directory on a directory replaces
 * whatever was there. Each file that goes this way is wasted.
 */
#include "storage/image_waste.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "base/str.h"
#include "storage/image.h"
#include "storage/store_private.h"
#include "storage/tree_walk.h"

/* A file of one layer, which may have several names. */
struct content {
	int64_t bytes;
	size_t layer;
	size_t n_names;
	ino_t ino; /* 0: it has only one */
};

struct node {
	char *name; /* owned */
	struct node *parent;
	struct node **children; /* owned; sorted by name */
	size_t n, cap;
	struct content *content; /* of a file with content; NULL */
	bool is_dir;
};

struct overlay {
	struct node root;
	bool is_over;	 /* nothing is wasted any more, only freed */
	struct node *at; /* where the walk of the current layer is; NULL before its top */
	size_t layer;
	struct content **linked; /* owned array; files with several names of the current layer */
	size_t n_linked;
	struct image_waste waste;
};

/* ---- the tree ---- */

/* Where NAME is among the children of DIR, or would be. */
static size_t find_place(const struct node *dir, const char *name, bool *ret_found)
{
	size_t low = 0;
	size_t high = dir->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(dir->children[middle]->name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

static struct node *lookup_child(const struct node *dir, const char *name)
{
	bool is_there = false;
	size_t i = find_place(dir, name, &is_there);

	return is_there ? dir->children[i] : NULL;
}

static struct node *add_child(struct node *dir, const char *name)
{
	struct node *node = mem_zalloc(sizeof(*node));
	bool is_there = false;
	size_t i = find_place(dir, name, &is_there);

	*node = (struct node){.name = str_dup(name), .parent = dir};
	if (dir->n == dir->cap) {
		dir->cap = dir->cap ? dir->cap * 2 : 8;
		dir->children = mem_realloc_array(dir->children, dir->cap, sizeof(struct node *));
	}
	memmove(dir->children + i + 1, dir->children + i, (dir->n - i) * sizeof(struct node *));
	dir->children[i] = node;
	dir->n++;
	return node;
}

static char *path_of(const struct node *node)
{
	cleanup_free char *parent = NULL;

	if (!node->parent || !node->parent->parent)
		return str_dup(node->name);
	parent = path_of(node->parent);
	return str_printf("%s/%s", parent, node->name);
}

static void report(struct overlay *o, const struct node *node, bool is_deleted)
{
	struct image_waste *w = &o->waste;

	/* Twice as many each time: powers of two need no second counter. */
	if ((w->n_files & (w->n_files - 1)) == 0)
		w->files = mem_realloc_array(w->files, w->n_files ? w->n_files * 2 : 1,
					     sizeof(*w->files));
	w->files[w->n_files++] = (struct wasted_file){
		.path = path_of(node),
		.bytes = node->content->bytes,
		.layer = node->content->layer,
		.by = o->layer,
		.is_deleted = is_deleted,
	};
	w->bytes += node->content->bytes;
}

/* Takes the content of a name away: wasted when it was the last one. */
static void drop_content(struct overlay *o, struct node *node, bool is_deleted)
{
	struct content *content = node->content;

	if (!content || --content->n_names > 0)
		return;
	/* A layer of ours does not hide its own files. */
	if (content->bytes > 0 && content->layer != o->layer && !o->is_over)
		report(o, node, is_deleted);
	free(content);
	node->content = NULL;
}

static void drop_children(struct overlay *o, struct node *dir, bool is_deleted);

static void free_node(struct overlay *o, struct node *node, bool is_deleted)
{
	drop_content(o, node, is_deleted);
	drop_children(o, node, is_deleted);
	free(node->children);
	free(node->name);
	free(node);
}

static void drop_children(struct overlay *o, struct node *dir, bool is_deleted)
{
	for (size_t i = 0; i < dir->n; i++)
		free_node(o, dir->children[i], is_deleted);
	dir->n = 0;
}

static void drop_child(struct overlay *o, struct node *dir, const char *name)
{
	bool is_there = false;
	size_t i = find_place(dir, name, &is_there);

	if (!is_there)
		return;
	free_node(o, dir->children[i], true);
	memmove(dir->children + i, dir->children + i + 1, (--dir->n - i) * sizeof(struct node *));
}

/* ---- a layer over those before it ---- */

static struct content *new_content(struct overlay *o, const struct stat *st)
{
	struct content *content = NULL;

	for (size_t i = 0; st->st_nlink > 1 && i < o->n_linked; i++) {
		if (o->linked[i]->ino != st->st_ino)
			continue;
		o->linked[i]->n_names++;
		return o->linked[i];
	}
	content = mem_zalloc(sizeof(*content));
	*content = (struct content){.bytes = st->st_size, .layer = o->layer, .n_names = 1};
	if (st->st_nlink > 1) {
		content->ino = st->st_ino;
		o->linked = mem_realloc_array(o->linked, o->n_linked + 1, sizeof(struct content *));
		o->linked[o->n_linked++] = content;
	}
	return content;
}

static void on_entry(int dir_fd, const char *name, const struct stat *st, void *data)
{
	struct overlay *o = data;
	struct node *node = NULL;

	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0)) {
		drop_child(o, o->at, name);
		return;
	}
	node = lookup_child(o->at, name);
	if (node && node->is_dir && S_ISDIR(st->st_mode))
		return;
	if (node) {
		drop_content(o, node, false);
		drop_children(o, node, true);
	} else {
		node = add_child(o->at, name);
	}
	node->is_dir = S_ISDIR(st->st_mode);
	node->content = S_ISREG(st->st_mode) ? new_content(o, st) : NULL;
}

static void on_enter(int dir_fd, const char *name, void *data)
{
	struct overlay *o = data;
	struct node *node = o->at ? lookup_child(o->at, name) : &o->root;
	char value[2] = "";

	o->at = node ? node : add_child(o->at, name);
	/* Opaque before its own entries are seen, so that only those of lower layers go. */
	if (fgetxattr(dir_fd, "trusted.overlay.opaque", value, sizeof(value)) == 1 &&
	    value[0] == 'y')
		drop_children(o, o->at, true);
}

static void on_leave(void *data)
{
	struct overlay *o = data;

	o->at = o->at->parent;
}

static int add_layer(struct overlay *o, const struct store *store, const char *chain_id,
		     struct err *err)
{
	cleanup_free char *path = str_printf(STORE_LAYERS "/%s/diff", chain_id);
	const struct tree_walk walk = {
		.entry = on_entry, .enter = on_enter, .leave = on_leave, .data = o};
	int rc = 0;

	o->at = NULL;
	rc = tree_walk(store->root_fd, path, &walk);
	free(o->linked);
	o->linked = NULL;
	o->n_linked = 0;
	return rc < 0 ? err_sys(err, -rc, "read %s", path) : 0;
}

/* ---- the result ---- */

static int compare_files(const void *a, const void *b)
{
	const struct wasted_file *x = a;
	const struct wasted_file *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcmp(x->path, y->path);
}

void image_waste_done(struct image_waste *waste)
{
	for (size_t i = 0; i < waste->n_files; i++)
		free(waste->files[i].path);
	free(waste->files);
	*waste = (struct image_waste)IMAGE_WASTE_INIT;
}

static void overlay_done(struct overlay *o)
{
	o->is_over = true;
	drop_children(o, &o->root, false);
	free(o->root.children);
	image_waste_done(&o->waste);
}

int image_waste_load(struct store *store, const struct image *image, struct image_waste *ret,
		     struct err *err)
{
	cleanup_with(overlay_done) struct overlay o = {.root = {.is_dir = true}};

	strv_foreach (i, &image->chain_ids) {
		o.layer = i;
		if (add_layer(&o, store, image->chain_ids.items[i], err) < 0)
			return -err->code;
	}
	if (o.waste.n_files > 1)
		qsort(o.waste.files, o.waste.n_files, sizeof(*o.waste.files), compare_files);
	*ret = o.waste;
	o.waste = (struct image_waste)IMAGE_WASTE_INIT;
	return 0;
}
