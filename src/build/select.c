/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the words of COPY and ADD to sources: patterns become names, links on the way are followed
 * inside the tree, what is there is walked through.
 */
#include "build/select.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "dockerfile/glob.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static void source_done(struct select_source *s)
{
	for (size_t i = 0; i < s->n_nodes; i++) {
		free(s->nodes[i].name);
		free(s->nodes[i].link);
		free(s->nodes[i].xattrs);
	}
	free(s->nodes);
	free(s->path);
	free(s->base);
}

void build_selection_free(struct build_selection *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_sources; i++)
		source_done(&s->sources[i]);
	free(s->sources);
	free(s);
}

static void selection_cleanup(struct build_selection **s)
{
	build_selection_free(*s);
}

struct select_source *select_add_source(struct build_selection *s, enum select_kind kind,
					const struct build_copy_item *item, struct build_tree *tree)
{
	if (s->n_sources == s->cap_sources) {
		s->cap_sources = s->cap_sources ? 2 * s->cap_sources : 4;
		s->sources = mem_realloc_array(s->sources, s->cap_sources, sizeof(*s->sources));
	}
	s->sources[s->n_sources] = (struct select_source){.kind = kind, .item = item, .tree = tree};
	return &s->sources[s->n_sources++];
}

void select_drop_source(struct build_selection *s)
{
	source_done(&s->sources[--s->n_sources]);
}

void select_add_path(const struct select_source *source, size_t i, struct str *ret)
{
	const struct select_node *node = &source->nodes[i];

	if (i == 0)
		return;
	if (node->parent != 0) {
		select_add_path(source, node->parent, ret);
		str_add_char(ret, '/');
	}
	str_add(ret, node->name);
}

bool select_is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int select_open(const struct select_source *source, size_t i, struct stat *ret_st, struct err *err)
{
	const struct select_node *node = &source->nodes[i];
	cleanup_str struct str path = STR_INIT;
	cleanup_close int fd = -1;
	struct stat st;

	str_add(&path, source->path);
	if (i != 0 && path.len)
		str_add_char(&path, '/');
	select_add_path(source, i, &path);
	fd = path_open_no_links(source->tree->root_fd, path.len ? str_get(&path) : "/",
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, -fd, "open /%s", str_get(&path));
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat /%s", str_get(&path));
	if (S_ISREG(node->st.st_mode) ? !select_is_unchanged(&node->st, &st)
				      : (st.st_mode & S_IFMT) != (node->st.st_mode & S_IFMT))
		return err_set(err, ERR_UNAVAILABLE, "/%s was changed while it was read",
			       str_get(&path));
	if (ret_st)
		*ret_st = st;
	return take_fd(fd);
}

/* ---- items ---- */

/* One build_select. */
struct choice {
	struct build_selection *selection;
	const struct build_copy_op *op;
	struct ignore *excludes; /* owned; NULL */
};

static int not_found(const struct build_tree *tree, const char *path, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "failed to compute cache key: failed to calculate checksum of ref %s: "
		       "\"/%s\": not found",
		       tree->is_context ? "context" : "stage", path + strspn(path, "/"));
}

/* Whether the instruction's own excludes hit NAME, which was named by itself or by a pattern. */
static bool is_excluded(const struct choice *c, const char *path, bool is_dir, bool is_matched)
{
	if (ignore_is_empty(c->excludes) || (is_dir && !is_matched))
		return false;
	return ignore_match(c->excludes, copy_base(path), NULL, NULL) ||
	       ignore_match(c->excludes, path, NULL, NULL);
}

/* PATH of the tree, without wildcards or what one matched, becomes a source. INCLUDES only with
 * --parents. */
static int add_path(struct choice *c, const struct build_copy_item *item, struct build_tree *tree,
		    const char *path, bool is_matched, const struct ignore *includes,
		    struct err *err)
{
	cleanup_resolved struct copy_resolved r = {};
	struct select_source *source = NULL;

	if (copy_resolve(select_lookup, tree, path, true, &r, err) < 0)
		return -err->code;
	if (!r.exists)
		return not_found(tree, path, err);
	if (!*r.path && fstat(tree->root_fd, &r.st) < 0)
		return err_sys(err, errno, "stat /");
	if (is_excluded(c, path, S_ISDIR(r.st.st_mode), is_matched))
		return 0;
	source = select_add_source(c->selection, includes ? SELECT_PARENTS : SELECT_PATH, item,
				   tree);
	source->base = str_dup(copy_base(path));
	source->path = take_ptr(r.path);
	if (select_walk(source, &r.st, includes, c->excludes, err) < 0)
		return -err->code;
	if (source->n_nodes > 0)
		return 0;
	select_drop_source(c->selection);
	return is_matched ? 0 : not_found(tree, path, err);
}

/* Cuts PATTERN, which has no slash at its ends, before its first component with a wildcard. */
static void split_pattern(const char *pattern, char **ret_base, char **ret_rest)
{
	const char *at = pattern;

	while (*at) {
		size_t len = strcspn(at, "/");
		cleanup_free char *part = str_ndup(at, len);

		if (glob_is_pattern(part))
			break;
		at += len + (at[len] == '/');
	}
	*ret_base = str_ndup(pattern, (size_t)(at - pattern) - (at > pattern && *at ? 1 : 0));
	*ret_rest = *at ? str_dup(at) : NULL;
}

/* The paths that PATTERN stands for; RET_MATCHED: it has wildcards. */
static int find_paths(struct build_tree *tree, const char *pattern, struct strv *ret,
		      bool *ret_matched, struct err *err)
{
	cleanup_resolved struct copy_resolved r = {};
	cleanup_free char *base = NULL;
	cleanup_free char *rest = NULL;

	split_pattern(pattern, &base, &rest);
	*ret_matched = rest != NULL;
	if (!rest) {
		strv_add(ret, pattern);
		return 0;
	}
	if (copy_resolve(select_lookup, tree, base, true, &r, err) < 0)
		return -err->code;
	if (!r.exists || !S_ISDIR(r.st.st_mode))
		return err_set(err, ERR_NOT_FOUND, "lstat /%s: no such file or directory", base);
	return select_match(tree, r.path, rest, ret, err);
}

static int add_matches(struct choice *c, const struct build_copy_item *item,
		       struct build_tree *tree, const char *pattern, const struct ignore *includes,
		       struct err *err)
{
	cleanup_strv struct strv paths = STRV_INIT;
	bool matched = false;

	if (find_paths(tree, pattern, &paths, &matched, err) < 0)
		return -err->code;
	strv_foreach (i, &paths)
		if (add_path(c, item, tree, paths.items[i], matched, includes, err) < 0)
			return -err->code;
	return 0;
}

/* TEXT as an absolute path, without the slashes at its ends and what "." and ".." say. Owned. */
static char *clean(const char *text)
{
	cleanup_free char *rooted = str_printf("/%s", text);
	cleanup_free char *path = glob_clean(rooted);

	return str_dup(path + strspn(path, "/"));
}

/* --parents: what stands before "/./" is where paths begin, what stands behind it is a pattern for
 * all that is below. */
static int add_parents(struct choice *c, const struct build_copy_item *item,
		       struct build_tree *tree, struct err *err)
{
	const char *pivot = strstr(item->path, "/./");
	cleanup_free char *before = pivot ? str_ndup(item->path, (size_t)(pivot - item->path))
					  : str_dup("");
	cleanup_free char *base = clean(before);
	cleanup_free char *pattern = clean(pivot ? pivot + 3 : item->path);
	cleanup_strv struct strv patterns = STRV_INIT;
	cleanup_ignore struct ignore *includes = NULL;
	size_t first = c->selection->n_sources;

	strv_add(&patterns, *pattern ? pattern : "**");
	if (ignore_compile(&patterns, &includes, err) < 0 ||
	    add_matches(c, item, tree, base, includes, err) < 0)
		return -err->code;
	if (glob_is_pattern(pattern) || !*pattern || glob_is_pattern(base))
		return 0;
	for (size_t i = first; i < c->selection->n_sources; i++)
		if (c->selection->sources[i].n_nodes > 1)
			return 0;
	return not_found(tree, pattern, err);
}

/* The only name in the root of a download. */
static int add_download(struct choice *c, const struct build_copy_item *item,
			struct build_tree *tree, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	struct select_source *source = NULL;
	struct stat st;

	if (select_match(tree, "", "*", &names, err) < 0)
		return -err->code;
	if (names.n != 1 || fstatat(tree->root_fd, names.items[0], &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, ERR_SYSTEM, "a download is not there any more");
	st.st_uid = st.st_gid = 0;
	source = select_add_source(c->selection, SELECT_FILE, item, tree);
	source->path = str_dup(names.items[0]);
	source->base = str_dup(names.items[0]);
	return select_walk(source, &st, NULL, NULL, err);
}

static void add_inline(struct choice *c, const struct build_copy_item *item)
{
	struct select_source *source = select_add_source(c->selection, SELECT_INLINE, item, NULL);

	source->path = str_dup("");
	source->base = str_dup(copy_base(item->name));
	source->nodes = mem_zalloc(sizeof(*source->nodes));
	source->nodes[0] = (struct select_node){
		.name = str_dup(""),
		.st = {.st_mode = S_IFREG | 0644,
		       .st_mtim = {.tv_sec = time(NULL)},
		       .st_nlink = 1,
		       .st_size = (off_t)strlen(item->content)},
		.same = SELECT_NONE,
	};
	source->n_nodes = source->cap_nodes = 1;
}

static int add_item(struct choice *c, const struct build_copy_item *item, struct build_tree *tree,
		    struct err *err)
{
	cleanup_free char *path = NULL;

	if (item->kind == BUILD_ITEM_INLINE) {
		add_inline(c, item);
		return 0;
	}
	if (item->kind == BUILD_ITEM_REMOTE)
		return tree->is_download ? add_download(c, item, tree, err)
					 : add_path(c, item, tree, "", false, NULL, err);
	if (c->op->parents)
		return add_parents(c, item, tree, err);
	path = clean(item->path);
	return add_matches(c, item, tree, path, NULL, err);
}

/* Several files need a directory to go to. */
static int check_target(const struct build_copy_op *op, struct err *err)
{
	if (op->n_items < 2 || str_has_suffix(op->target, "/") || str_has_suffix(op->target, "/."))
		return 0;
	return err_set(err, ERR_INVALID,
		       "When using %s with more than one source file, the destination must be a "
		       "directory and end with a /",
		       op->is_add ? "ADD" : "COPY");
}

int build_select(const struct build_copy_op *op, struct build_tree *const *trees,
		 struct build_selection **ret, struct err *err)
{
	cleanup_with(selection_cleanup) struct build_selection *s = mem_zalloc(sizeof(*s));
	cleanup_ignore struct ignore *excludes = NULL;
	struct choice c = {.selection = s, .op = op};

	s->op = op;
	if (check_target(op, err) < 0 ||
	    (op->excludes.n > 0 && ignore_compile(&op->excludes, &excludes, err) < 0))
		return -err->code;
	c.excludes = excludes;
	for (size_t i = 0; i < op->n_items; i++)
		if (add_item(&c, &op->items[i], trees[i], err) < 0)
			return -err->code;
	*ret = take_ptr(s);
	return 0;
}
