/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers are laid over each other in memory, base first, as overlayfs does it with what is on
 * the disk: a whiteout (a character device 0/0) takes a name away with all below it, an opaque
 * directory what lower layers have below it, anything but a directory on a directory replaces
 * whatever was there. Each file that goes this way is wasted.
 *
 * A directory's names come in any order, as many as an archive may have entries. Those of a layer
 * are put behind those of the layers before it, which are the only ones that they can meet, and
 * sorted together with them when the directory is next entered: once for each layer.
 */
#include "storage/image_waste.h"

#include <errno.h>
#include <search.h>
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
	ino_t ino;
};

struct node {
	char *name; /* owned */
	struct node *parent;
	struct node **children;	 /* owned */
	size_t n, n_sorted, cap; /* sorted by name as far as n_sorted */
	struct content *content; /* of a file with content; NULL */
	bool is_dir;
	/* Neither: a link, a device, or what is left of a name that was taken away. */
};

struct overlay {
	struct node root;
	bool is_over;	 /* nothing is wasted any more, only freed */
	struct node *at; /* where the walk of the current layer is; NULL before its top */
	size_t layer;
	void *linked; /* of tsearch(3) by inode; files with several names of the current layer */
	struct image_waste waste;
};

/* ---- the tree ---- */

static int compare_nodes(const void *a, const void *b)
{
	const struct node *const *x = a;
	const struct node *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void sort_children(struct node *dir)
{
	if (dir->n_sorted < dir->n)
		qsort(dir->children, dir->n, sizeof(struct node *), compare_nodes);
	dir->n_sorted = dir->n;
}

static int compare_name(const void *name, const void *node)
{
	return strcmp(name, (*(const struct node *const *)node)->name);
}

/* Among the sorted ones. */
static struct node *lookup_child(const struct node *dir, const char *name)
{
	struct node **found = NULL;

	if (dir->n_sorted)
		found = bsearch(name, dir->children, dir->n_sorted, sizeof(struct node *),
				compare_name);
	return found ? *found : NULL;
}

static struct node *add_child(struct node *dir, const char *name)
{
	struct node *node = mem_zalloc(sizeof(*node));

	*node = (struct node){.name = str_dup(name), .parent = dir};
	if (dir->n == dir->cap) {
		dir->cap = dir->cap ? dir->cap * 2 : 8;
		dir->children = mem_realloc_array(dir->children, dir->cap, sizeof(struct node *));
	}
	dir->children[dir->n++] = node;
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

	if (!content)
		return;
	if (--content->n_names == 0) {
		/* A layer of ours does not hide its own files. */
		if (content->bytes > 0 && content->layer != o->layer && !o->is_over)
			report(o, node, is_deleted);
		free(content);
	}
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
	dir->n_sorted = 0;
}

/* The name stays behind as that of nothing: taking it out would move all that follow. */
static void drop_child(struct overlay *o, const struct node *dir, const char *name)
{
	struct node *node = lookup_child(dir, name);

	if (!node)
		return;
	drop_content(o, node, true);
	drop_children(o, node, true);
	node->is_dir = false;
}

/* ---- a layer over those before it ---- */

static int compare_contents(const void *a, const void *b)
{
	const struct content *x = a;
	const struct content *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void keep_content(void *content)
{
	/* Its names own it. */
}

static struct content *new_content(struct overlay *o, const struct stat *st)
{
	struct content *content = mem_zalloc(sizeof(*content));
	struct content **known = NULL;

	*content = (struct content){
		.bytes = st->st_size, .layer = o->layer, .n_names = 1, .ino = st->st_ino};
	if (st->st_nlink < 2)
		return content;
	/* The node of tsearch(3) begins with the pointer to its item. */
	known = (struct content **)tsearch(content, &o->linked, compare_contents);
	if (!known)
		abort(); /* no memory, as in base/mem */
	if (*known == content)
		return content;
	free(content);
	(*known)->n_names++;
	return *known;
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
	struct node *node = &o->root;
	char value[2] = "";

	if (o->at) {
		sort_children(o->at);
		node = lookup_child(o->at, name);
	}
	o->at = node ? node : add_child(o->at, name);
	sort_children(o->at);
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
	tdestroy(o->linked, keep_content);
	o->linked = NULL;
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
