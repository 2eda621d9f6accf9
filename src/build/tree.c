/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk: one directory open for each level, read at once and sorted; files are looked at by name
 * below its descriptor. A directory that is excluded but may hold something that is not waits: it
 * is told of just before the first such thing.
 */
/* lint file: single components of directories that are open */
#include "build/tree.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "dockerfile/ignore.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_SIZE (64 * 1024)

/* ---- the names of a directory ---- */

struct name {
	uint32_t at; /* in `text` */
	unsigned char type;
};

struct names {
	struct str text; /* each ends with a NUL */
	struct name *items;
	size_t n, cap;
};

/* As getdents64(2) has it; the C library's own differs in nothing but its name. */
struct directory_entry {
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static void names_done(struct names *names)
{
	str_done(&names->text);
	free(names->items);
}

static void add_name(struct names *names, const struct directory_entry *e)
{
	if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
		return;
	if (names->n == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 64;
		names->items = mem_realloc_array(names->items, names->cap, sizeof(*names->items));
	}
	names->items[names->n++] = (struct name){(uint32_t)names->text.len, e->type};
	str_add_bytes(&names->text, e->name, strlen(e->name) + 1);
}

static int compare_names(const void *a, const void *b, void *text)
{
	return strcmp((const char *)text + ((const struct name *)a)->at,
		      (const char *)text + ((const struct name *)b)->at);
}

static int names_read(struct names *names, int fd)
{
	cleanup_free char *buf = mem_alloc(READ_SIZE);
	long n = 0;

	while ((n = syscall(SYS_getdents64, fd, buf, READ_SIZE)) > 0)
		for (long at = 0; at < n;) {
			const struct directory_entry *e = (const void *)(buf + at);

			add_name(names, e);
			at += e->len;
		}
	if (n < 0)
		return -errno;
	if (names->n)
		qsort_r(names->items, names->n, sizeof(*names->items), compare_names,
			names->text.buf);
	return 0;
}

/* ---- the walk ---- */

struct walk {
	const struct build_tree *tree;
	build_tree_fn fn;
	void *data;
	struct str path;
};

/* A directory on the way down. */
struct level {
	struct level *up; /* NULL at the top */
	int fd;		  /* owned */
	int in_fd;	  /* the directory that it is in */
	struct stat st;
	struct ignore_state state;
	size_t path_len, name_at; /* its own path in `path` */
	bool is_told;
	bool is_passed; /* FN wants nothing of it */
	unsigned depth;
};

static void level_done(struct level *level)
{
	fd_cleanup_close(&level->fd);
	ignore_state_done(&level->state);
}

static int walk_level(struct walk *w, struct level *level, struct err *err);

/* Tells of an excluded directory, and of those above it, before what it holds is told of. The path
 * is that of what it holds. Returns 1 when nothing in it is wanted. */
static int tell_way(struct walk *w, struct level *level, struct err *err)
{
	struct build_tree_entry entry = {.dir_fd = level->in_fd, .st = &level->st, .is_way = true};
	cleanup_free char *path = NULL;
	int rc = 0;

	if (level->is_told)
		return level->is_passed;
	rc = level->up ? tell_way(w, level->up, err) : 0;
	if (rc < 0)
		return rc;
	level->is_told = true;
	if (rc == 0) {
		path = str_ndup(w->path.buf, level->path_len);
		entry.path = path;
		entry.name = path + level->name_at;
		rc = w->fn(&entry, w->data, err);
	}
	level->is_passed = rc > 0;
	return rc;
}

static int tell(struct walk *w, struct level *in, size_t name_at, const struct stat *st,
		struct err *err)
{
	struct build_tree_entry entry = {
		.path = w->path.buf, .name = w->path.buf + name_at, .dir_fd = in->fd, .st = st};
	int rc = tell_way(w, in, err);

	return rc != 0 ? rc : w->fn(&entry, w->data, err);
}

/* Goes into the directory that `path` names. */
static int enter(struct walk *w, struct level *in, size_t name_at, const struct stat *st,
		 struct ignore_state *state, bool is_told, struct err *err)
{
	cleanup_with(level_done) struct level next = {
		.up = in,
		.in_fd = in->fd,
		.st = *st,
		.state = *state,
		.path_len = w->path.len,
		.name_at = name_at,
		.is_told = is_told,
		.depth = in->depth + 1,
	};

	*state = (struct ignore_state){};
	next.fd = openat(in->fd, w->path.buf + name_at,
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next.fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (next.fd < 0)
		return err_sys(err, errno, "open %s", w->path.buf);
	if (next.depth > BUILD_TREE_MAX_DEPTH)
		return err_set(err, ERR_INVALID, "%.200s...: more than %d levels of directories",
			       w->path.buf, BUILD_TREE_MAX_DEPTH);
	return walk_level(w, &next, err);
}

/* The entry that `path` names. */
static int visit(struct walk *w, struct level *in, size_t name_at, unsigned char type,
		 struct err *err)
{
	const struct ignore *ig = w->tree->ignore;
	const char *path = w->path.buf;
	cleanup_with(ignore_state_done) struct ignore_state state = {};
	bool may_be_dir = type == DT_DIR || type == DT_UNKNOWN;
	bool excluded = false;
	struct stat st;
	int rc = 0;

	if (ig)
		excluded = ignore_match(ig, path, &in->state, may_be_dir ? &state : NULL);
	if (excluded && (!may_be_dir || !ignore_may_take_back(ig, path)))
		return 0;
	if (fstatat(in->fd, path + name_at, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "lstat %s", path);
	if (excluded && !S_ISDIR(st.st_mode))
		return 0;
	if (!excluded)
		rc = tell(w, in, name_at, &st, err);
	/* What is in a directory that was told of as a way may still be unwanted as a whole. */
	if (rc != 0 || !S_ISDIR(st.st_mode))
		return rc < 0 ? rc : 0;
	return enter(w, in, name_at, &st, &state, !excluded, err);
}

static int walk_level(struct walk *w, struct level *level, struct err *err)
{
	cleanup_with(names_done) struct names names = {};
	int rc = names_read(&names, level->fd);
	size_t len = w->path.len;

	if (rc < 0)
		return err_sys(err, -rc, "read %s", len ? w->path.buf : ".");
	for (size_t i = 0; i < names.n && !level->is_passed; i++) {
		if (len)
			str_add_char(&w->path, '/');
		str_add(&w->path, names.text.buf + names.items[i].at);
		rc = visit(w, level, len ? len + 1 : 0, names.items[i].type, err);
		str_truncate(&w->path, len);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int build_tree_walk(const struct build_tree *t, const char *dir, build_tree_fn fn, void *data,
		    struct err *err)
{
	cleanup_with(level_done) struct level top = {.in_fd = -1, .is_told = true};
	struct walk w = {.tree = t, .fn = fn, .data = data};
	int rc = 0;

	top.fd = path_open_in_root(t->root_fd, dir, O_RDONLY | O_DIRECTORY, 0);
	if (top.fd < 0)
		return err_sys(err, -top.fd, "open /%s", dir);
	if (t->ignore)
		ignore_match_way(t->ignore, dir, &top.state);
	str_add(&w.path, dir);
	top.path_len = w.path.len;
	rc = walk_level(&w, &top, err);
	str_done(&w.path);
	return rc;
}

void build_tree_done(struct build_tree *t)
{
	fd_cleanup_close(&t->root_fd);
	ignore_free(t->ignore);
	free(t->dockerfile);
	*t = (struct build_tree){.root_fd = -1};
}
