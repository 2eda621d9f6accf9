/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of a layer, resolved in its tree.
 *
 * Archives list a directory's files one after another, so the last parent stays open and most
 * entries cost no walk. A parent is first opened without following any symlink; only when there is
 * one in it is it followed, inside the root, and then the true depth is asked of the kernel,
 * because names with symlinks in them can build a tree deeper than any name in the archive.
 *
 * Times of directories change with each file made in them, so they wait until the end. Each is kept
 * with the directory's inode number: when the name means another directory by then (it was
 * replaced) its time is not that one's.
 */
#include "storage/layer_tree.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static int make_device(struct layer_maker *maker, int parent_fd, const char *name, mode_t mode,
		       dev_t dev)
{
	return mknodat(parent_fd, name, mode, dev) < 0 ? -errno : 0;
}

static int set_opaque(struct layer_maker *maker, int dir_fd)
{
	/* The descriptor may be O_PATH, which fsetxattr(2) refuses. */
	cleanup_close int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return -errno;
	return 0;
}

struct layer_maker layer_maker_direct = {make_device, set_opaque};

void layer_tree_init(struct layer_tree *t, int root_fd, struct layer_maker *maker, bool literal)
{
	*t = (struct layer_tree){
		.root_fd = root_fd, .maker = maker, .parent_fd = -1, .literal = literal};
}

void layer_tree_done(struct layer_tree *t)
{
	fd_cleanup_close(&t->parent_fd);
	str_done(&t->parent_path);
	str_done(&t->dir_paths);
	free(t->dirs);
	t->dirs = NULL;
}

int layer_name_clean(const char *name, struct str *ret, struct err *err)
{
	str_truncate(ret, 0);
	str_add(ret, "");
	if (!*name)
		return err_set(err, ERR_INVALID, "empty name");
	for (const char *p = name; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && memcmp(p, "..", 2) == 0)
			return err_set(err, ERR_INVALID, "name contains \"..\"");
		if (len && !(len == 1 && *p == '.')) {
			if (ret->len)
				str_add_char(ret, '/');
			str_add_bytes(ret, p, len);
		}
		p += len + (p[len] == '/');
	}
	return 0;
}

static unsigned count_components(const char *path)
{
	unsigned n = *path != '\0';

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Directories between root and DIR_FD, counted on the way up. */
static int find_true_depth(int root_fd, int dir_fd, unsigned *ret)
{
	cleanup_close int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	struct stat root, st;
	unsigned depth = 0;

	if (fd < 0 || fstat(root_fd, &root) < 0 || fstat(fd, &st) < 0)
		return -errno;
	for (; !is_same_file(&st, &root); depth++) {
		int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (up < 0)
			return -errno;
		close(fd);
		fd = up;
		if (fstat(fd, &st) < 0)
			return -errno;
	}
	*ret = depth;
	return 0;
}

static int check_depth(unsigned depth, struct err *err)
{
	if (depth > LAYER_MAX_DEPTH)
		return err_set(err, ERR_INVALID, "deeper than %d directories", LAYER_MAX_DEPTH);
	return 0;
}

/* Opens the directory PATH: a descriptor, -errno. */
static int open_dir(struct layer_tree *t, const char *path, unsigned *ret_depth)
{
	int fd = path_open_strict(t->root_fd, *path ? path : ".", O_PATH | O_DIRECTORY);
	int rc = 0;

	*ret_depth = count_components(path);
	/* O_PATH of a final symlink with O_DIRECTORY is ENOTDIR, one on the way ELOOP. */
	if (fd != -ELOOP && fd != -ENOTDIR)
		return fd;
	fd = path_open_in_root(t->root_fd, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	rc = find_true_depth(t->root_fd, fd, ret_depth);
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

int layer_make_whiteout(int parent_fd, const char *name)
{
	return mknodat(parent_fd, name, S_IFCHR | 0000, makedev(0, 0)) < 0 ? -errno : 0;
}

bool layer_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int layer_find_whiteout(int parent_fd, const char *name)
{
	struct stat st;

	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return layer_is_whiteout(&st);
}

/* Makes NAME in the open PARENT_FD a directory unless it leads to one. PATH is its whole name. */
static int ensure_component(struct layer_tree *t, int parent_fd, const char *path, const char *name,
			    const struct timespec *mtime, struct err *err)
{
	cleanup_close int fd = -1;
	int replaces = 0, rc = 0;

	if (mkdirat(parent_fd, name, 0755) < 0) {
		if (errno != EEXIST)
			replaces = -errno;
		else if (!t->literal)
			replaces = layer_find_whiteout(parent_fd, name);
		if (replaces < 0)
			return err_sys(err, -replaces, "make parent directory %s", path);
		if (!replaces)
			return 0;
		/* The lower layers' one is deleted, and this layer has its own. */
		if (unlinkat(parent_fd, name, 0) < 0 || mkdirat(parent_fd, name, 0755) < 0)
			return err_sys(err, errno, "make parent directory %s", path);
	}
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "make parent directory %s", path);
	/* Owner and mode whatever the parent's set-group-ID bit and the umask made of it. */
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)
		return err_sys(err, errno, "make parent directory %s", path);
	rc = replaces ? t->maker->set_opaque(t->maker, fd) : 0;
	if (rc < 0)
		return err_sys(err, -rc, "make parent directory %s opaque", path);
	return layer_tree_add_dir(t, path, fd, mtime, err);
}

/* Makes what is missing of the directory PATH and opens it. */
static int make_dirs(struct layer_tree *t, const char *path, const struct timespec *mtime,
		     unsigned *ret_depth, struct err *err)
{
	cleanup_free char *part = str_dup(path);
	cleanup_close int fd = open_dir(t, "", ret_depth);
	char *name = part;

	while (*name) {
		size_t len = strcspn(name, "/");
		char after = name[len];
		int next = 0, rc = 0;

		name[len] = '\0';
		if (fd < 0)
			return err_sys(err, -fd, "open parent directory");
		rc = ensure_component(t, fd, part, name, mtime, err);
		if (rc < 0)
			return rc;
		next = open_dir(t, part, ret_depth);
		if (next < 0)
			return err_sys(err, -next, "open parent directory %s", part);
		close(fd);
		fd = next;
		if (check_depth(*ret_depth + 1, err) < 0)
			return -err->code;
		name[len] = after;
		name += len + (after == '/');
	}
	return take_fd(fd);
}

/* Splits PATH behind the last slash; the parent goes to RET without it. */
static const char *split_path(const char *path, struct str *ret_parent)
{
	const char *slash = strrchr(path, '/');

	str_truncate(ret_parent, 0);
	str_add_bytes(ret_parent, path, slash ? (size_t)(slash - path) : 0);
	return slash ? slash + 1 : path;
}

static bool is_cached(const struct layer_tree *t, const char *path, const char *name)
{
	size_t len = name > path ? (size_t)(name - path) - 1 : 0;

	return t->has_parent && t->parent_path.len == len &&
	       memcmp(str_get(&t->parent_path), path, len) == 0;
}

int layer_tree_find(struct layer_tree *t, const char *path, const struct timespec *mtime,
		    struct layer_place *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (check_depth(count_components(path), err) < 0)
		return -err->code;
	if (!is_cached(t, path, name)) {
		fd_cleanup_close(&t->parent_fd);
		t->has_parent = false;
		split_path(path, &t->parent_path);
		t->parent_fd = open_dir(t, str_get(&t->parent_path), &t->parent_depth);
		if (t->parent_fd == -ENOENT || t->parent_fd == -ENOTDIR)
			t->parent_fd = make_dirs(t, str_get(&t->parent_path), mtime,
						 &t->parent_depth, err);
		else if (t->parent_fd < 0)
			err_sys(err, -t->parent_fd, "open parent directory");
		if (t->parent_fd < 0)
			return -err->code;
		t->has_parent = true;
	}
	*ret = (struct layer_place){t->parent_fd, t->parent_depth + (*name != '\0'), name};
	return check_depth(ret->depth, err);
}

int layer_tree_find_existing(struct layer_tree *t, const char *path, struct layer_place *ret,
			     struct err *err)
{
	cleanup_str struct str parent = STR_INIT;
	const char *name = split_path(path, &parent);
	unsigned depth = 0;
	int fd = -1;

	if (is_cached(t, path, name)) {
		fd = fcntl(t->parent_fd, F_DUPFD_CLOEXEC, 3);
		fd = fd < 0 ? -errno : fd;
		depth = t->parent_depth;
	} else {
		fd = open_dir(t, str_get(&parent), &depth);
	}
	if (fd < 0)
		return err_sys(err, -fd, "%s", path);
	*ret = (struct layer_place){fd, depth + 1, name};
	return 0;
}

void layer_tree_forget(struct layer_tree *t)
{
	t->has_parent = false;
}

int layer_tree_add_dir(struct layer_tree *t, const char *path, int fd, const struct timespec *mtime,
		       struct err *err)
{
	size_t bytes = t->dir_paths.len + t->n_dirs * sizeof(t->dirs[0]);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at directory");
	if (bytes + strlen(path) + sizeof(t->dirs[0]) > LAYER_MAX_DIR_BYTES)
		return err_set(err, ERR_INVALID, "more than %d MiB of directories' names",
			       LAYER_MAX_DIR_BYTES >> 20);
	if (t->n_dirs == t->cap_dirs) {
		t->cap_dirs = t->cap_dirs ? t->cap_dirs * 2 : 256;
		t->dirs = mem_realloc_array(t->dirs, t->cap_dirs, sizeof(t->dirs[0]));
	}
	t->dirs[t->n_dirs++] = (struct dir_time){
		.path_at = t->dir_paths.len,
		.depth = count_components(path),
		.ino = st.st_ino,
		.mtime = *mtime,
	};
	str_add_bytes(&t->dir_paths, path, strlen(path) + 1);
	return 0;
}

/* Deepest first; of equals the earlier first, so that the last entry of a name decides. */
static int compare_dirs(const void *pa, const void *pb)
{
	const struct dir_time *a = pa, *b = pb;

	if (a->depth != b->depth)
		return a->depth > b->depth ? -1 : 1;
	return a->path_at < b->path_at ? -1 : a->path_at > b->path_at;
}

static int set_dir_time(struct layer_tree *t, const struct dir_time *d, struct err *err)
{
	const char *path = t->dir_paths.buf + d->path_at;
	const struct timespec times[2] = {d->mtime, d->mtime};
	unsigned depth = 0;
	cleanup_close int fd = open_dir(t, path, &depth);
	struct stat st;

	/* Removed or replaced by a later entry. */
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, fd < 0 ? -fd : errno, "look at directory %s", path);
	if (st.st_ino != d->ino)
		return 0;
	/* AT_EMPTY_PATH for an O_PATH descriptor: utimensat(2), since Linux 5.8. */
	if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
		return err_sys(err, errno, "set time of directory %s", path);
	return 0;
}

int layer_tree_set_times(struct layer_tree *t, struct err *err)
{
	if (t->n_dirs)
		qsort(t->dirs, t->n_dirs, sizeof(t->dirs[0]), compare_dirs);
	for (size_t i = 0; i < t->n_dirs; i++) {
		int rc = set_dir_time(t, &t->dirs[i], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}
