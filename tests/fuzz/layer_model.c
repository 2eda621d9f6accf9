/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system of nodes and names. Nodes live until the model ends, so that none that was removed
 * is ever a dangling pointer; one whose last name went has no links.
 */
#include "layer_model.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>

enum { MAX_SYMLINKS = 64 }; /* more than the kernel follows */

/* A directory's time waits for the end, as in the real one. */
struct model_time {
	char *path;
	struct model_node *node;
	struct timespec mtime;
	unsigned depth;
};

#define GROW(array, n) ((array) = mem_realloc_array((array), (n) + 1, sizeof((array)[0])))

static struct model_node *make_node(struct model *m, mode_t mode)
{
	struct model_node *n = mem_zalloc(sizeof(*n));

	n->mode = mode;
	n->next_made = m->made;
	m->made = n;
	return n;
}

void model_init(struct model *m, bool literal)
{
	*m = (struct model){.literal = literal};
	m->root = make_node(m, S_IFDIR | 0755);
	m->root->parent = m->root;
	m->root->n_links = 1;
}

static void free_node(struct model_node *n)
{
	for (size_t i = 0; i < n->n_children; i++)
		free(n->children[i].name);
	for (size_t i = 0; i < n->n_xattrs; i++) {
		free(n->xattrs[i].name);
		free(n->xattrs[i].value);
	}
	free(n->children);
	free(n->xattrs);
	free(n->pieces);
	free(n->target);
	str_done(&n->bytes);
	free(n);
}

void model_done(struct model *m)
{
	struct model_node *next = NULL;

	for (struct model_node *n = m->made; n; n = next) {
		next = n->next_made;
		free_node(n);
	}
	for (size_t i = 0; i < m->n_times; i++)
		free(m->times[i].path);
	free(m->times);
}

bool model_is_whiteout(const struct model_node *n)
{
	return n && S_ISCHR(n->mode) && !n->dev_major && !n->dev_minor;
}

static bool hides(const struct model *m, const struct model_node *n)
{
	return !m->literal && model_is_whiteout(n);
}

/* ---- names in one directory ---- */

static struct model_child *find_child(const struct model_node *dir, const char *name)
{
	for (size_t i = 0; i < dir->n_children; i++)
		if (strcmp(dir->children[i].name, name) == 0)
			return &dir->children[i];
	return NULL;
}

static struct model_node *lookup(const struct model_node *dir, const char *name)
{
	const struct model_child *c = find_child(dir, name);

	return c ? c->node : NULL;
}

static void add_child(struct model_node *dir, const char *name, struct model_node *node)
{
	GROW(dir->children, dir->n_children);
	dir->children[dir->n_children++] = (struct model_child){str_dup(name), node};
	node->n_links++;
	if (S_ISDIR(node->mode))
		node->parent = dir;
}

static void unlink_all(struct model_node *dir);

static void remove_child(struct model_node *dir, const char *name)
{
	struct model_child *c = find_child(dir, name);

	if (!c)
		return;
	c->node->n_links--;
	if (S_ISDIR(c->node->mode))
		unlink_all(c->node);
	free(c->name);
	*c = dir->children[--dir->n_children];
}

static void unlink_all(struct model_node *dir)
{
	while (dir->n_children)
		remove_child(dir, dir->children[0].name);
}

/* ---- walking ---- */

static unsigned count_components(const char *path)
{
	unsigned n = *path != '\0';

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static int walk(struct model *m, struct model_node *from, const char *path, int *symlinks,
		struct model_node **ret);

static int step(struct model *m, struct model_node *at, const char *name, int *symlinks,
		struct model_node **ret)
{
	struct model_node *n = NULL;

	if (!S_ISDIR(at->mode))
		return -ENOTDIR;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		*ret = name[1] ? at->parent : at;
		return 0;
	}
	n = lookup(at, name);
	if (!n)
		return -ENOENT;
	if (S_ISLNK(n->mode))
		return ++*symlinks > MAX_SYMLINKS ? -ELOOP : walk(m, at, n->target, symlinks, ret);
	*ret = n;
	return 0;
}

/* Resolves PATH inside the root, following every symlink. */
static int walk(struct model *m, struct model_node *from, const char *path, int *symlinks,
		struct model_node **ret)
{
	struct model_node *at = *path == '/' ? m->root : from;

	while (*path) {
		size_t len = strcspn(path, "/");
		cleanup_free char *name = str_ndup(path, len);
		int rc = len ? step(m, at, name, symlinks, &at) : 0;

		if (rc < 0)
			return rc;
		path += len;
		if (*path == '/' && !S_ISDIR(at->mode))
			return -ENOTDIR;
		path += strspn(path, "/");
	}
	*ret = at;
	return 0;
}

/* The directory PATH: the count of symlinks on the way, -errno. */
static int find_dir(struct model *m, const char *path, struct model_node **ret)
{
	int symlinks = 0;
	int rc = walk(m, m->root, path, &symlinks, ret);

	if (rc < 0)
		return rc;
	return S_ISDIR((*ret)->mode) ? symlinks : -ENOTDIR;
}

static void note_time(struct model *m, const char *path, struct model_node *dir,
		      const struct timespec *mtime)
{
	GROW(m->times, m->n_times);
	m->times[m->n_times++] = (struct model_time){str_dup(path), dir, *mtime,
						     count_components(path)};
}

/* A directory NAME in DIR that the archive left out, where nothing stands or a whiteout. */
static void ensure_component(struct model *m, struct model_node *dir, const char *path,
			     const char *name, const struct timespec *mtime)
{
	struct model_node *old = lookup(dir, name), *made = NULL;

	if (old && !hides(m, old))
		return;
	remove_child(dir, name);
	made = make_node(m, S_IFDIR | 0755);
	made->is_opaque = old;
	add_child(dir, name, made);
	note_time(m, path, made, mtime);
}

static int make_dirs(struct model *m, const char *path, const struct timespec *mtime,
		     struct model_node **ret)
{
	cleanup_free char *part = str_dup(path);

	*ret = m->root;
	for (char *name = part; *name;) {
		size_t len = strcspn(name, "/");
		char after = name[len];

		name[len] = '\0';
		ensure_component(m, *ret, part, name, mtime);
		if (find_dir(m, part, ret) < 0)
			return -1;
		name[len] = after;
		name += len + (after == '/');
	}
	return 0;
}

/* The directory that PATH (clean) goes into, made where it is missing, and the last component. */
static int find_place(struct model *m, const char *path, const struct timespec *mtime,
		      struct model_node **ret_dir, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = slash ? str_ndup(path, (size_t)(slash - path)) : str_dup("");
	int rc = find_dir(m, parent, ret_dir);

	*ret_name = slash ? slash + 1 : path;
	return rc == -ENOENT || rc == -ENOTDIR ? make_dirs(m, parent, mtime, ret_dir) : rc;
}

/* Components joined by "/", without "" and "."; -1 for an empty name and for "..". */
static int clean_name(const char *name, struct str *ret)
{
	if (!*name)
		return -1;
	str_add(ret, "");
	for (const char *p = name; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return -1;
		if (len && !(len == 1 && *p == '.')) {
			if (ret->len)
				str_add_char(ret, '/');
			str_add_bytes(ret, p, len);
		}
		p += len + (p[len] == '/');
	}
	return 0;
}

/* ---- entries ---- */

static void set_xattr(struct model_node *n, const struct tar_xattr *x)
{
	struct model_xattr *to = NULL;

	for (size_t i = 0; i < n->n_xattrs; i++)
		if (strcmp(n->xattrs[i].name, x->name) == 0)
			to = &n->xattrs[i];
	if (!to) {
		GROW(n->xattrs, n->n_xattrs);
		to = &n->xattrs[n->n_xattrs++];
		*to = (struct model_xattr){.name = str_dup(x->name)};
	}
	free(to->value);
	to->value = mem_dup(x->value, x->len);
	to->len = x->len;
}

static void set_meta(struct model_node *n, const struct tar_entry *e)
{
	n->uid = e->uid;
	n->gid = e->gid;
	if (!S_ISLNK(n->mode))
		n->mode = (n->mode & S_IFMT) | e->mode;
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const char *name = e->xattrs[i].name;
		bool user = str_has_prefix(name, "user.") && !str_has_prefix(name, "user.overlay.");

		if ((user && (S_ISREG(n->mode) || S_ISDIR(n->mode))) ||
		    (S_ISREG(n->mode) && strcmp(name, "security.capability") == 0))
			set_xattr(n, &e->xattrs[i]);
	}
	if (S_ISDIR(n->mode))
		return;
	n->mtime = e->mtime;
	n->has_time = true;
}

static int take_content(struct model_node *n, struct tar_reader *r, const struct tar_entry *e)
{
	struct err err = ERR_INIT;
	const uint8_t *bytes = NULL;
	uint64_t offset = 0;
	ssize_t len = 0;

	n->size = e->size;
	while ((len = tar_reader_data(r, &bytes, &offset, &err)) > 0) {
		GROW(n->pieces, n->n_pieces);
		n->pieces[n->n_pieces++] = (struct model_piece){offset, n->bytes.len, (size_t)len};
		str_add_bytes(&n->bytes, bytes, (size_t)len);
	}
	return len < 0 ? -1 : 0;
}

static int make_dir(struct model *m, struct model_node *dir, const char *name,
		    const struct tar_entry *e, const char *path)
{
	struct model_node *n = *name ? lookup(dir, name) : dir;

	if (!n || !S_ISDIR(n->mode)) {
		bool was_hidden = n && hides(m, n);

		remove_child(dir, name);
		n = make_node(m, S_IFDIR);
		n->is_opaque = was_hidden;
		add_child(dir, name, n);
	}
	set_meta(n, e);
	note_time(m, path, n, &e->mtime);
	return 0;
}

static int make_link(struct model *m, struct model_node *dir, const char *name,
		     const struct tar_entry *e)
{
	cleanup_str struct str link = STR_INIT;
	struct model_node *target_dir = NULL, *target = NULL;
	const char *slash = NULL;

	if (clean_name(e->link, &link) < 0 || !link.len)
		return -1;
	slash = strrchr(link.buf, '/');
	cleanup_free char *parent = slash ? str_ndup(link.buf, (size_t)(slash - link.buf))
					  : str_dup("");

	if (find_dir(m, parent, &target_dir) < 0)
		return -1;
	target = lookup(target_dir, slash ? slash + 1 : link.buf);
	if (!target || S_ISDIR(target->mode) || hides(m, target))
		return -1;
	if (lookup(dir, name) == target)
		return 0;
	remove_child(dir, name);
	/* It may have been below what was just removed. */
	if (lookup(target_dir, slash ? slash + 1 : link.buf) != target)
		return -1;
	add_child(dir, name, target);
	return 0;
}

static int make_entry(struct model *m, struct tar_reader *r, const struct tar_entry *e,
		      const char *path)
{
	static const mode_t kinds[] = {
		[TAR_FILE] = S_IFREG,	      [TAR_SYMLINK] = S_IFLNK, [TAR_CHAR] = S_IFCHR,
		[TAR_BLOCK_DEVICE] = S_IFBLK, [TAR_FIFO] = S_IFIFO,    [TAR_DIR] = S_IFDIR,
	};
	struct model_node *dir = NULL, *n = NULL;
	const char *name = NULL;

	if (find_place(m, path, &e->mtime, &dir, &name) < 0 || (!*name && e->type != TAR_DIR))
		return -1;
	if (e->type == TAR_DIR)
		return make_dir(m, dir, name, e, path);
	if (e->type == TAR_HARD_LINK)
		return make_link(m, dir, name, e);
	if (e->type == TAR_SYMLINK && !*e->link)
		return -1;
	remove_child(dir, name);
	n = make_node(m, kinds[e->type]);
	n->target = str_dup(e->link);
	n->dev_major = e->dev_major;
	n->dev_minor = e->dev_minor;
	add_child(dir, name, n);
	set_meta(n, e);
	return e->type == TAR_FILE ? take_content(n, r, e) : 0;
}

static int make_whiteout(struct model *m, const struct tar_entry *e, const char *path,
			 const char *marker)
{
	const char *hidden = marker + strlen(".wh."), *name = NULL;
	cleanup_str struct str other = STR_INIT;
	struct model_node *dir = NULL, *old = NULL;
	bool opaque = strcmp(marker, ".wh..wh..opq") == 0;

	if (e->type != TAR_FILE && e->type != TAR_HARD_LINK)
		return -1;
	if (!opaque && (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0 ||
			str_has_prefix(hidden, ".wh.")))
		return -1;
	str_add_bytes(&other, path, (size_t)(marker - path));
	str_add(&other, hidden);
	if (find_place(m, opaque ? path : other.buf, &e->mtime, &dir, &name) < 0)
		return -1;
	if (opaque) {
		dir->is_opaque = true;
		return 0;
	}
	old = lookup(dir, name);
	if (!old)
		add_child(dir, name, make_node(m, S_IFCHR));
	else if (S_ISDIR(old->mode))
		old->is_opaque = true;
	return 0;
}

static int apply_entry(struct model *m, struct tar_reader *r, const struct tar_entry *e)
{
	cleanup_str struct str path = STR_INIT;
	const char *slash = NULL, *name = NULL;

	if (clean_name(e->path, &path) < 0)
		return -1;
	slash = strrchr(path.buf, '/');
	name = slash ? slash + 1 : path.buf;
	if (!m->literal && str_has_prefix(name, ".wh."))
		return make_whiteout(m, e, path.buf, name);
	return make_entry(m, r, e, path.buf);
}

/* Deepest name first; of equals the later decides. */
static void set_times(struct model *m)
{
	for (unsigned depth = UINT_MAX; depth != 0; depth--) {
		unsigned next = 0;

		for (size_t i = 0; i < m->n_times; i++)
			if (m->times[i].depth + 1 <= depth && m->times[i].depth + 1 > next)
				next = m->times[i].depth + 1;
		depth = next;
		for (size_t i = 0; next && i < m->n_times; i++) {
			struct model_node *now = NULL;
			int symlinks = 0;

			if (m->times[i].depth + 1 != depth)
				continue;
			symlinks = find_dir(m, m->times[i].path, &now);
			if (symlinks < 0 || now != m->times[i].node)
				continue;
			now->mtime = m->times[i].mtime;
			/* A symlink in a sticky directory may be one that the kernel does not
			 * follow (fs.protected_symlinks): then the time is not set. */
			now->has_time = !symlinks;
		}
		if (!next)
			return;
	}
}

int model_apply(struct model *m, struct tar_reader *r)
{
	struct tar_entry e = {};
	struct err err = ERR_INIT;
	int rc = 0;

	while ((rc = tar_reader_next(r, &e, &err)) > 0)
		if (apply_entry(m, r, &e) < 0)
			return -1;
	set_times(m);
	return rc;
}
