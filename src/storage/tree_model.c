/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names are nodes, found by a hash of parent and name, and what they name are inodes, which hard
 * links share. A node that a later line replaces stays in the table and is used again for the next
 * thing of that name.
 *
 * The rules are those of unpacking (storage/layer_apply.c): a later line replaces an earlier one
 * but for a directory over a directory; symlinks on the way to a name are followed inside the root;
 * parents that no line gave are 0755, root's, with the time of the entry that needed them; what
 * comes in the place of a whiteout hides the lower layers' one.
 *
 * Some things no listing can tell: the attributes of a directory that two lines gave different
 * ones, the time of one that was named in two ways, the time of a root without a line. They are
 * marked as unknown instead of guessed.
 */
#include "storage/tree_model.h"

#include "base/err.h"
#include "base/mem.h"
#include "storage/tree_line.h"

#include <string.h>

#define MAX_LINKS  40 /* symlinks on the way to one name, as the kernel has it */
#define CHUNK_SIZE (256 * 1024)
#define MIN_SLOTS  1024

/* ---- storage ---- */

void tree_model_done(struct tree_model *m)
{
	for (size_t i = 0; i < m->n_chunks; i++)
		free(m->chunks[i]);
	free(m->chunks);
	free(m->nodes);
	free(m->inodes);
	free(m->slots);
	*m = (struct tree_model){};
}

const char *tree_model_keep(struct tree_model *m, const char *text, size_t len)
{
	char *to = NULL;

	if (len + 1 > m->chunk_size - m->chunk_used) {
		m->chunk_size = len + 1 > CHUNK_SIZE ? len + 1 : CHUNK_SIZE;
		m->chunk_used = 0;
		m->chunks = mem_realloc_array(m->chunks, m->n_chunks + 1, sizeof(*m->chunks));
		m->chunks[m->n_chunks++] = mem_alloc(m->chunk_size);
	}
	to = m->chunks[m->n_chunks - 1] + m->chunk_used;
	memcpy(to, text, len);
	to[len] = '\0';
	m->chunk_used += len + 1;
	return to;
}

static uint32_t new_inode(struct tree_model *m)
{
	if (m->n_inodes == m->cap_inodes) {
		m->cap_inodes = m->cap_inodes ? m->cap_inodes * 2 : 1024;
		m->inodes = mem_realloc_array(m->inodes, m->cap_inodes, sizeof(*m->inodes));
	}
	m->inodes[m->n_inodes] = (struct tree_inode){};
	return m->n_inodes++;
}

/* FNV-1a over the name, begun with the parent. */
static uint32_t hash_of(uint32_t parent, const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u ^ parent;

	h *= 0x100000001b3u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

/* The slot of a name: its node's, or the empty one where it would be. */
static uint32_t *slot_of(const struct tree_model *m, uint32_t parent, const char *name, size_t len)
{
	uint32_t i = hash_of(parent, name, len);

	for (;; i++) {
		uint32_t *slot = &m->slots[i & (m->n_slots - 1)];
		const struct tree_node *node = *slot == TREE_NONE ? NULL : &m->nodes[*slot];

		if (!node || (node->parent == parent && strncmp(node->name, name, len) == 0 &&
			      node->name[len] == '\0'))
			return slot;
	}
}

static void grow_slots(struct tree_model *m)
{
	m->n_slots = m->n_slots ? m->n_slots * 2 : MIN_SLOTS;
	m->slots = mem_realloc_array(m->slots, m->n_slots, sizeof(*m->slots));
	memset(m->slots, 0xff, m->n_slots * sizeof(*m->slots));
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		const struct tree_node *node = &m->nodes[i];

		*slot_of(m, node->parent, node->name, strlen(node->name)) = i;
	}
}

static uint32_t new_node(struct tree_model *m, uint32_t parent, const char *name, size_t len)
{
	uint32_t i = m->n_nodes;

	if (m->n_nodes == m->cap_nodes) {
		m->cap_nodes = m->cap_nodes ? m->cap_nodes * 2 : 1024;
		m->nodes = mem_realloc_array(m->nodes, m->cap_nodes, sizeof(*m->nodes));
	}
	m->nodes[i] = (struct tree_node){.name = tree_model_keep(m, name, len),
					 .parent = parent,
					 .inode = TREE_NONE,
					 .first_child = TREE_NONE,
					 .next_sibling = TREE_NONE};
	if (parent != TREE_NONE) {
		m->nodes[i].next_sibling = m->nodes[parent].first_child;
		m->nodes[parent].first_child = i;
	}
	m->n_nodes++;
	if (m->n_nodes > m->n_slots / 2)
		grow_slots(m);
	else
		*slot_of(m, parent, name, len) = i;
	return i;
}

/* The node of a name, made when it was never used; it need not be there. */
static uint32_t node_of(struct tree_model *m, uint32_t parent, const char *name, size_t len)
{
	uint32_t i = *slot_of(m, parent, name, len);

	return i == TREE_NONE ? new_node(m, parent, name, len) : i;
}

struct tree_inode *tree_model_inode(const struct tree_model *m, uint32_t node)
{
	return &m->inodes[m->nodes[node].inode];
}

uint32_t tree_model_lookup(const struct tree_model *m, uint32_t dir, const char *name)
{
	uint32_t i = *slot_of(m, dir, name, strlen(name));

	return i != TREE_NONE && m->nodes[i].is_there ? i : TREE_NONE;
}

uint64_t tree_model_count(const struct tree_model *m, uint32_t node)
{
	uint64_t n = m->nodes[node].is_there;

	for (uint32_t c = m->nodes[node].first_child; c != TREE_NONE; c = m->nodes[c].next_sibling)
		n += m->nodes[c].is_there ? tree_model_count(m, c) : 0;
	return n;
}

/* ---- applying ---- */

static char type_of(const struct tree_model *m, uint32_t node)
{
	return m->nodes[node].is_there ? tree_model_inode(m, node)->type : '\0';
}

static bool is_whiteout(const struct tree_model *m, uint32_t node)
{
	return type_of(m, node) == 'w';
}

/* A device 0:0 is a whiteout, unless the layer was unpacked literally, which no listing says. */
static bool is_perhaps_whiteout(const struct tree_model *m, uint32_t node)
{
	return type_of(m, node) == 'c' && !tree_model_inode(m, node)->dev_major &&
	       !tree_model_inode(m, node)->dev_minor;
}

static void remove_node(struct tree_model *m, uint32_t node)
{
	m->nodes[node].is_there = false;
	for (uint32_t c = m->nodes[node].first_child; c != TREE_NONE; c = m->nodes[c].next_sibling)
		if (m->nodes[c].is_there)
			remove_node(m, c);
}

/* Puts a new, empty inode of TYPE at NODE, in the place of whatever is there. */
static struct tree_inode *put(struct tree_model *m, uint32_t node, char type)
{
	bool hides = is_whiteout(m, node), may_hide = is_perhaps_whiteout(m, node);
	uint32_t i = new_inode(m);

	if (m->nodes[node].is_there)
		remove_node(m, node);
	m->nodes[node].inode = i;
	m->nodes[node].is_there = true;
	m->inodes[i].type = type;
	m->inodes[i].is_opaque = type == 'd' && hides;
	m->inodes[i].is_opaque_unknown = type == 'd' && may_hide;
	return &m->inodes[i];
}

static int bad_path(const struct tree_line *l, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "the way to %s leads through something else than a "
		       "directory",
		       l->path);
}

struct walk {
	struct tree_model *m;
	const struct tree_line *line;
	bool create; /* missing directories, as unpacking does */
	unsigned n_links;
};

/* Walks PATH (LEN bytes) from DIR to a directory; TREE_NONE when it leads to none. */
static uint32_t walk_dirs(struct walk *w, uint32_t dir, const char *path, size_t len);

static uint32_t follow_link(struct walk *w, uint32_t dir, const char *target)
{
	if (++w->n_links > MAX_LINKS)
		return TREE_NONE;
	return walk_dirs(w, *target == '/' ? TREE_ROOT : dir, target, strlen(target));
}

/* Parents that no line gave. */
static void put_parent(struct walk *w, uint32_t node)
{
	struct tree_inode *i = put(w->m, node, 'd');

	i->mode = 0755;
	i->mtime = w->line->mtime;
	i->is_time_unknown = w->n_links > 0;
}

static uint32_t walk_one(struct walk *w, uint32_t dir, const char *name, size_t len)
{
	uint32_t node = TREE_NONE;

	if (len == 0 || (len == 1 && *name == '.'))
		return dir;
	if (len == 2 && memcmp(name, "..", 2) == 0)
		return dir == TREE_ROOT ? TREE_ROOT : w->m->nodes[dir].parent;
	node = node_of(w->m, dir, name, len);
	if (w->create && (!w->m->nodes[node].is_there || is_whiteout(w->m, node) ||
			  is_perhaps_whiteout(w->m, node)))
		put_parent(w, node);
	switch (type_of(w->m, node)) {
	case 'd':
		return node;
	case 'l':
		return follow_link(w, dir, tree_model_inode(w->m, node)->target);
	default:
		return TREE_NONE;
	}
}

static uint32_t walk_dirs(struct walk *w, uint32_t dir, const char *path, size_t len)
{
	while (len > 0 && dir != TREE_NONE) {
		const char *slash = memchr(path, '/', len);
		size_t n = slash ? (size_t)(slash - path) : len;

		dir = walk_one(w, dir, path, n);
		path += n + (slash != NULL);
		len -= n + (slash != NULL);
	}
	return dir;
}

/* The node of PATH, its parents' symlinks followed; TREE_NONE. */
static uint32_t find_node(struct tree_model *m, const struct tree_line *line, const char *path,
			  bool create)
{
	struct walk w = {.m = m, .line = line, .create = create};
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	uint32_t dir = walk_dirs(&w, TREE_ROOT, path, slash ? (size_t)(slash - path) : 0);

	if (dir == TREE_NONE || !*name)
		return dir;
	return node_of(m, dir, name, strlen(name));
}

static void set_meta(struct tree_inode *i, const struct tree_line *l)
{
	i->mode = l->mode;
	i->uid = l->uid;
	i->gid = l->gid;
	i->mtime = l->mtime;
	i->size = l->size;
	i->crc = l->crc;
	i->dev_major = l->dev_major;
	i->dev_minor = l->dev_minor;
}

/* A second line adds its attributes to those of the first. */
static void add_xattrs(struct tree_inode *i, const struct tree_line *l)
{
	if (!l->has_xattrs)
		return;
	if (i->has_xattrs && i->xattrs != l->xattrs)
		i->is_xattrs_unknown = true;
	i->has_xattrs = true;
	i->xattrs = l->xattrs;
}

/* Whether PATH is the plain way to NODE. */
static bool is_own_path(const struct tree_model *m, uint32_t node, const char *path)
{
	const char *end = path + strlen(path);

	for (; node != TREE_ROOT; node = m->nodes[node].parent) {
		size_t len = strlen(m->nodes[node].name);

		if ((size_t)(end - path) < len || memcmp(end - len, m->nodes[node].name, len) != 0)
			return false;
		end -= len;
		if (end > path && *--end != '/')
			return false;
	}
	return end == path;
}

static void apply_dir(struct tree_model *m, uint32_t node, const struct tree_line *l)
{
	bool was_dir = type_of(m, node) == 'd';
	struct tree_inode *i = was_dir ? tree_model_inode(m, node) : put(m, node, 'd');
	bool is_own = is_own_path(m, node, l->path);

	set_meta(i, l);
	add_xattrs(i, l);
	/* Times are set at the end, by path: which of two paths comes last is no business of a
	 * listing's. */
	if (was_dir && (is_own ? i->named != NULL : !i->named || strcmp(i->named, l->path) != 0))
		i->is_time_unknown = true;
	else if (node == TREE_ROOT)
		i->is_time_unknown = false;
	if (!is_own)
		i->named = tree_model_keep(m, l->path, strlen(l->path));
}

static int apply_link(struct tree_model *m, uint32_t node, const struct tree_line *l,
		      struct err *err)
{
	uint32_t target = find_node(m, l, l->target, false);

	if (target == TREE_NONE || !m->nodes[target].is_there || type_of(m, target) == 'd')
		return err_set(err, ERR_INVALID, "%s is a link to nothing", l->path);
	if (m->nodes[node].is_there && m->nodes[node].inode == m->nodes[target].inode)
		return 0;
	if (m->nodes[node].is_there)
		remove_node(m, node);
	m->nodes[node].inode = m->nodes[target].inode;
	m->nodes[node].is_there = true;
	tree_model_inode(m, node)->is_linked = true;
	return 0;
}

/* Covers a name of the lower layers; what this layer itself has of that name stays. */
static void apply_whiteout(struct tree_model *m, uint32_t node)
{
	if (!m->nodes[node].is_there)
		put(m, node, 'w');
	else if (type_of(m, node) == 'd')
		tree_model_inode(m, node)->is_opaque = true;
}

static int apply_opaque(struct tree_model *m, const struct tree_line *l, struct err *err)
{
	struct walk w = {.m = m, .line = l, .create = true};
	uint32_t dir = walk_dirs(&w, TREE_ROOT, l->path, strlen(l->path));

	if (dir == TREE_NONE)
		return bad_path(l, err);
	tree_model_inode(m, dir)->is_opaque = true;
	return 0;
}

static int apply(struct tree_model *m, const struct tree_line *l, struct err *err)
{
	struct tree_inode *i = NULL;
	uint32_t node = TREE_NONE;

	if (l->type == 'o')
		return apply_opaque(m, l, err);
	node = find_node(m, l, l->path, true);
	if (node == TREE_NONE)
		return bad_path(l, err);
	if (node == TREE_ROOT && l->type != 'd')
		return err_set(err, ERR_INVALID, "the root is not a directory");
	switch (l->type) {
	case 'd':
		apply_dir(m, node, l);
		return 0;
	case 'h':
		return apply_link(m, node, l, err);
	case 'w':
		apply_whiteout(m, node);
		return 0;
	default:
		i = put(m, node, l->type);
		set_meta(i, l);
		add_xattrs(i, l);
		i->target = l->type == 'l' ? tree_model_keep(m, l->target, strlen(l->target))
					   : NULL;
		return 0;
	}
}

static void init(struct tree_model *m)
{
	struct tree_inode *root = NULL;

	grow_slots(m);
	root = put(m, new_node(m, TREE_NONE, "", 0), 'd');
	root->mode = 0755;
	root->is_time_unknown = true;
}

/* A directory got its time by a path with a symlink in it, which must still lead to it. */
static void settle_times(struct tree_model *m)
{
	for (uint32_t n = 0; n < m->n_nodes; n++) {
		struct walk w = {.m = m};
		struct tree_inode *i = m->nodes[n].is_there ? tree_model_inode(m, n) : NULL;

		if (i && i->type == 'd' && i->named &&
		    walk_dirs(&w, TREE_ROOT, i->named, strlen(i->named)) != n)
			i->is_time_unknown = true;
	}
}

int tree_model_read(const char *list, size_t len, struct tree_model *ret, struct err *err)
{
	struct tree_line_reader reader = {.text = list, .len = len};
	struct tree_line line = {};
	int rc = 0;

	init(ret);
	while ((rc = tree_line_next(&reader, &line, err)) > 0) {
		rc = apply(ret, &line, err);
		if (rc < 0) {
			err_wrap(err, "line %zu", reader.number);
			break;
		}
	}
	tree_line_reader_done(&reader);
	if (rc == 0)
		settle_times(ret);
	return rc;
}
