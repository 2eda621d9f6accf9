/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk through one source, for names and what they are: a directory or not is all that patterns
 * ask for, and that comes with the name. Three sets of patterns have a say: the tree's ignore file,
 * with paths of the tree, and what the instruction excludes and includes, with paths below the
 * source. Each level of directories is matched once by each of them; states are handed down.
 *
 * A directory that is left out, but in which something may be that is not, is looked through and
 * comes along as the way to what is found.
 */
/* lint file: single components of directories that are open */
#include "build/select.h"

#include "base/fd.h"
#include "base/mem.h"
#include "storage/dir_names.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define MAX_DEPTH 1000

struct walker {
	struct select_source *source;
	const struct ignore *includes, *excludes; /* NULL */
	struct str path;			  /* of the tree; the source's is its beginning */
	size_t below; /* where in `path` what is below the source begins */
};

/* What the three sets know of a directory. */
struct level {
	struct ignore_state tree, include, exclude;
	bool has_tree, has_include, has_exclude; /* the states hold: not at the top */
	unsigned depth;
};

static void level_done(struct level *l)
{
	ignore_state_done(&l->tree);
	ignore_state_done(&l->include);
	ignore_state_done(&l->exclude);
}

static void walker_done(struct walker *w)
{
	str_done(&w->path);
}

/* ---- nodes ---- */

/* Of a name whose type is TYPE; the rest of its state comes later (select_stat). */
static size_t add_node(struct walker *w, const char *name, size_t parent, mode_t type)
{
	struct select_source *s = w->source;

	if (s->n_nodes == s->cap_nodes) {
		s->cap_nodes = s->cap_nodes ? 2 * s->cap_nodes : 16;
		s->nodes = mem_realloc_array(s->nodes, s->cap_nodes, sizeof(*s->nodes));
	}
	s->nodes[s->n_nodes] = (struct select_node){
		.name = str_dup(name),
		.parent = parent,
		.st = {.st_mode = type},
		.same = SELECT_NONE,
	};
	return s->n_nodes++;
}

static void drop_last_node(struct select_source *s)
{
	free(s->nodes[--s->n_nodes].name);
}

/* ---- the walk ---- */

enum verdict { TAKE, LOOK_INTO, LEAVE_OUT };

/* What becomes of the name that w->path ends with. RET gets its states if it is a directory. */
static enum verdict judge(struct walker *w, bool is_dir, const struct level *parent,
			  struct level *ret)
{
	const char *path = str_get(&w->path);
	const char *below = path + w->below;
	const struct ignore *tree = w->source->tree->ignore;
	enum verdict verdict = TAKE;

	ret->depth = parent->depth + 1;
	if (!ignore_is_empty(tree)) {
		ret->has_tree = true;
		if (ignore_match(tree, path, parent->has_tree ? &parent->tree : NULL,
				 is_dir ? &ret->tree : NULL))
			verdict = is_dir && ignore_may_take_back(tree, path) ? LOOK_INTO
									     : LEAVE_OUT;
	}
	if (verdict == TAKE && w->includes) {
		ret->has_include = true;
		if (!ignore_match(w->includes, below, parent->has_include ? &parent->include : NULL,
				  is_dir ? &ret->include : NULL))
			verdict = is_dir ? LOOK_INTO : LEAVE_OUT;
	}
	if (verdict != LEAVE_OUT && w->excludes) {
		ret->has_exclude = true;
		if (ignore_match(w->excludes, below, parent->has_exclude ? &parent->exclude : NULL,
				 is_dir ? &ret->exclude : NULL))
			verdict = is_dir && ignore_may_take_back(w->excludes, below) ? LOOK_INTO
										     : LEAVE_OUT;
	}
	return verdict;
}

static int walk_dir(struct walker *w, int fd, size_t node, const struct level *level,
		    struct err *err);

static int walk_subdir(struct walker *w, int dir_fd, const char *name, size_t parent,
		       const struct level *level, bool is_way, struct err *err)
{
	cleanup_close int fd = openat(dir_fd, name,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t node = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open /%s", str_get(&w->path));
	node = add_node(w, name, parent, S_IFDIR);
	w->source->nodes[node].is_way = is_way;
	if (walk_dir(w, fd, node, level, err) < 0)
		return -err->code;
	if (is_way && w->source->n_nodes == node + 1)
		drop_last_node(w->source);
	return 0;
}

/* S_IFDIR, or 0 for everything else. */
static mode_t type_of(int dir_fd, const char *name, unsigned char d_type)
{
	struct stat st;

	if (d_type != DT_UNKNOWN)
		return d_type == DT_DIR ? S_IFDIR : 0;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) ? S_IFDIR
											   : 0;
}

static int walk_name(struct walker *w, int dir_fd, const char *name, unsigned char d_type,
		     size_t parent, const struct level *level, struct err *err)
{
	cleanup_with(level_done) struct level own = {};
	bool is_dir = type_of(dir_fd, name, d_type) != 0;
	enum verdict verdict = judge(w, is_dir, level, &own);

	if (verdict == LEAVE_OUT)
		return 0;
	if (is_dir)
		return walk_subdir(w, dir_fd, name, parent, &own, verdict == LOOK_INTO, err);
	add_node(w, name, parent, 0);
	return 0;
}

static int walk_dir(struct walker *w, int fd, size_t node, const struct level *level,
		    struct err *err)
{
	cleanup_with(dir_names_done) struct dir_names names = {};
	size_t len = w->path.len;
	int rc = level->depth > MAX_DEPTH ? -ELOOP : dir_names_read(&names, fd);

	if (rc < 0)
		return err_sys(err, -rc, "read /%s", str_get(&w->path));
	dir_names_sort(&names);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		const char *name = dir_names_get(&names, i);

		str_addf(&w->path, "%s%s", len ? "/" : "", name);
		rc = walk_name(w, fd, name, names.items[i].type, node, level, err);
		str_truncate(&w->path, len);
	}
	return rc;
}

/* States of the tree's patterns for the source's own directory. */
static void enter_tree(const struct select_source *source, struct level *ret)
{
	const struct ignore *tree = source->tree->ignore;

	if (ignore_is_empty(tree) || !*source->path)
		return;
	for (const char *end = source->path; *end; end += *end == '/') {
		cleanup_free char *prefix = NULL;
		struct ignore_state next = {};

		end += strcspn(end, "/");
		prefix = str_ndup(source->path, (size_t)(end - source->path));
		ignore_match(tree, prefix, ret->has_tree ? &ret->tree : NULL, &next);
		ignore_state_done(&ret->tree);
		ret->tree = next;
		ret->has_tree = true;
	}
}

int select_walk(struct select_source *source, const struct stat *st, const struct ignore *includes,
		const struct ignore *excludes, struct err *err)
{
	cleanup_with(walker_done) struct walker w = {.source = source, .includes = includes};
	cleanup_with(level_done) struct level level = {};
	cleanup_close int fd = -1;

	w.excludes = ignore_is_empty(excludes) ? NULL : excludes;
	str_add(&w.path, source->path);
	w.below = w.path.len + (*source->path ? 1 : 0);
	add_node(&w, "", 0, 0);
	source->nodes[0].st = *st;
	if (!S_ISDIR(st->st_mode))
		return 0;
	fd = path_open_no_links(source->tree->root_fd, *source->path ? source->path : "/",
				O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_sys(err, -fd, "open /%s", source->path);
	enter_tree(source, &level);
	if (walk_dir(&w, fd, 0, &level, err) < 0)
		return -err->code;
	/* Excluded, and nothing in it was taken back. */
	if (level.has_tree && level.tree.excluded && source->n_nodes == 1)
		drop_last_node(source);
	return select_stat(source, err);
}
