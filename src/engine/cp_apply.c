/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry after another, each in two steps: its directory is resolved by openat2(2) under the
 * root, where symlinks and ".." end, and the entry is one component in that descriptor. Nothing is
 * ever opened, linked or given an owner through its last component's link: what is made is made
 * exclusively, and changed by the descriptor that made it. So an enemy in the tree who exchanges
 * directories and links all the time can spoil the copy, inside his own root, and nothing else
 * (CVE-2018-15664, CVE-2019-10152).
 *
 * Symlinks, devices and FIFOs have no such descriptor; their owner and time are set by name without
 * following, their mode when they are made.
 */
#include "engine/cp_apply.h"

#include "archive/tar_read.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/layer_meta.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BLOCK	  512
#define MAX_TRIES 16	       /* somebody makes what we have just removed */
#define MAX_DIRS  (512 * 1024) /* whose times are remembered */

/* A directory whose time waits for the end. */
struct made_dir {
	char *path; /* owned, below the root */
	struct timespec mtime;
};

struct apply {
	int root_fd;
	struct tar_reader *reader;
	const struct cp_apply_options *options;
	struct str name;   /* of the entry, clean */
	struct str path;   /* of the entry, below the root */
	struct str parent; /* whose descriptor is parent_fd */
	int parent_fd;
	struct made_dir *dirs;
	size_t n_dirs, cap_dirs;
	uint64_t bytes;
	struct tar_xattr xattrs[TAR_MAX_XATTRS]; /* of the entry */
};

/* Where an entry goes. */
struct place {
	int dir_fd; /* borrowed */
	const char *name;
};

static void apply_done(struct apply *a)
{
	str_done(&a->name);
	str_done(&a->path);
	str_done(&a->parent);
	fd_cleanup_close(&a->parent_fd);
	for (size_t i = 0; i < a->n_dirs; i++)
		free(a->dirs[i].path);
	free(a->dirs);
}

/* ---- places ---- */

/* NAME of the archive as components joined by "/"; "" for the directory itself. ".." is refused. */
static int clean_name(const char *name, struct str *ret, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;

	str_truncate(ret, 0);
	strv_split(&parts, name, '/');
	strv_foreach (i, &parts) {
		const char *part = parts.items[i];

		if (strcmp(part, "..") == 0)
			return err_set(err, ERR_INVALID, "%s: name contains \"..\"", name);
		if (*part && strcmp(part, ".") != 0)
			str_addf(ret, "%s%s", ret->len ? "/" : "", part);
	}
	return 0;
}

static void join(const struct apply *a, const char *name, struct str *ret)
{
	const char *base = a->options->base;

	str_truncate(ret, 0);
	str_addf(ret, "%s%s%s", base, *base && *name && !str_has_suffix(base, "/") ? "/" : "",
		 name);
}

/* Opens the directory PATH below the root, made where the archive left it out. */
static int open_parent(struct apply *a, const char *path)
{
	int fd = path_open_in_root(a->root_fd, path, O_PATH | O_DIRECTORY, 0);

	if (fd != -ENOENT)
		return fd;
	return path_ensure_dir(a->root_fd, path, 0755, 0, 0);
}

static int find_place(struct apply *a, struct place *ret)
{
	const char *path = str_get(&a->path);
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (a->parent_fd < 0 || a->parent.len != len ||
	    memcmp(str_get(&a->parent), path, len) != 0) {
		fd_cleanup_close(&a->parent_fd);
		str_truncate(&a->parent, 0);
		str_add_bytes(&a->parent, path, len);
		a->parent_fd = open_parent(a, str_get(&a->parent));
		if (a->parent_fd < 0)
			return a->parent_fd;
	}
	*ret = (struct place){.dir_fd = a->parent_fd, .name = slash ? slash + 1 : path};
	return 0;
}

/* What an entry may not replace; anything else that stands there goes. */
static int clear_place(struct apply *a, const struct place *p, bool is_dir, struct err *err)
{
	const char *shown = a->options->shown;
	struct stat st;

	if (fstatat(p->dir_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "lstat /%s", str_get(&a->path));
	if (S_ISDIR(st.st_mode) && is_dir)
		return 0;
	if (S_ISDIR(st.st_mode) || is_dir)
		return err_set(err, ERR_INVALID,
			       "cannot overwrite %sdirectory \"%s%s%s\" with %sdirectory \"%s\"",
			       is_dir ? "non-" : "", shown, str_has_suffix(shown, "/") ? "" : "/",
			       str_get(&a->name), is_dir ? "" : "non-", shown);
	if (unlinkat(p->dir_fd, p->name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "unlinkat %s%s%s", shown,
			       str_has_suffix(shown, "/") ? "" : "/", str_get(&a->name));
	return 0;
}

typedef int (*make_fn)(struct apply *a, const struct place *p, struct tar_entry *e);

/* Makes the entry by MAKE (>= 0, or -errno), with the place cleared first. */
static int make_new(struct apply *a, const struct place *p, struct tar_entry *e, make_fn make,
		    struct err *err)
{
	int rc = -EEXIST;

	for (int tries = 0; rc == -EEXIST && tries < MAX_TRIES; tries++) {
		if (clear_place(a, p, false, err) < 0)
			return -err->code;
		rc = make(a, p, e);
	}
	return rc < 0 ? err_sys(err, -rc, "create /%s", str_get(&a->path)) : rc;
}

/* ---- files ---- */

static int create_file(struct apply *a, const struct place *p, struct tar_entry *e)
{
	int fd = openat(p->dir_fd, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);

	return fd < 0 ? -errno : fd;
}

static int write_content(struct apply *a, int fd, struct tar_entry *e, struct err *err)
{
	uint64_t end = 0, offset = 0;
	const uint8_t *bytes = NULL;
	ssize_t n = 0;

	while ((n = tar_reader_data(a->reader, &bytes, &offset, err)) > 0) {
		int rc = fd_pwrite_full(fd, bytes, (size_t)n, offset);

		if (rc < 0)
			return err_sys(err, -rc, "write /%s", str_get(&a->path));
		end = offset + (uint64_t)n;
	}
	if (n < 0)
		return (int)n;
	if (end < e->size && ftruncate(fd, (off_t)e->size) < 0)
		return err_sys(err, errno, "write /%s", str_get(&a->path));
	return 0;
}

static int make_file(struct apply *a, const struct place *p, struct tar_entry *e, struct err *err)
{
	cleanup_close int fd = make_new(a, p, e, create_file, err);
	int rc = fd;

	if (rc >= 0)
		rc = write_content(a, fd, e, err);
	if (rc >= 0)
		rc = layer_set_file_meta(fd, e, err);
	/* Half a file under the name of a whole one helps nobody. */
	if (rc < 0 && fd >= 0)
		unlinkat(p->dir_fd, p->name, 0);
	if (rc >= 0 && close(take_fd(fd)) < 0)
		rc = err_sys(err, errno, "write /%s", str_get(&a->path));
	return rc;
}

/* ---- what has no content ---- */

static int set_node_meta(struct apply *a, const struct place *p, struct tar_entry *e,
			 struct err *err)
{
	const struct timespec times[2] = {e->mtime, e->mtime};

	if (fchownat(p->dir_fd, p->name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(p->dir_fd, p->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "set owner and time of /%s", str_get(&a->path));
	return 0;
}

static int create_symlink(struct apply *a, const struct place *p, struct tar_entry *e)
{
	return symlinkat(e->link, p->dir_fd, p->name) < 0 ? -errno : 0;
}

static int make_symlink(struct apply *a, const struct place *p, struct tar_entry *e,
			struct err *err)
{
	if (!*e->link)
		return err_set(err, ERR_INVALID, "/%s: symlink without a target",
			       str_get(&a->path));
	if (make_new(a, p, e, create_symlink, err) < 0)
		return -err->code;
	return set_node_meta(a, p, e, err);
}

static int create_node(struct apply *a, const struct place *p, struct tar_entry *e)
{
	mode_t kind = e->type == TAR_FIFO ? S_IFIFO : e->type == TAR_CHAR ? S_IFCHR : S_IFBLK;

	return mknodat(p->dir_fd, p->name, kind | e->mode, makedev(e->dev_major, e->dev_minor)) < 0
		       ? -errno
		       : 0;
}

static int make_node(struct apply *a, const struct place *p, struct tar_entry *e, struct err *err)
{
	if (make_new(a, p, e, create_node, err) < 0)
		return -err->code;
	return set_node_meta(a, p, e, err);
}

/* The other name of a hard link lies in the same archive, and is looked for like any. */
static int create_link(struct apply *a, const struct place *p, struct tar_entry *e)
{
	cleanup_str struct str name = STR_INIT;
	cleanup_str struct str path = STR_INIT;
	struct err ignored = ERR_INIT;
	const char *last = NULL;
	cleanup_close int dir = -1;

	if (clean_name(e->link, &name, &ignored) < 0)
		return -EINVAL;
	join(a, str_get(&name), &path);
	dir = path_open_parent(a->root_fd, str_get(&path), 0, &last);
	if (dir < 0)
		return dir;
	return linkat(dir, last, p->dir_fd, p->name, 0) < 0 ? -errno : 0;
}

static int make_link(struct apply *a, const struct place *p, struct tar_entry *e, struct err *err)
{
	return make_new(a, p, e, create_link, err);
}

/* ---- directories ---- */

static int remember_time(struct apply *a, struct tar_entry *e, struct err *err)
{
	if (a->n_dirs == MAX_DIRS)
		return err_set(err, ERR_INVALID, "more than %d directories", MAX_DIRS);
	if (a->n_dirs == a->cap_dirs) {
		a->cap_dirs = a->cap_dirs ? a->cap_dirs * 2 : 64;
		a->dirs = mem_realloc_array(a->dirs, a->cap_dirs, sizeof(a->dirs[0]));
	}
	a->dirs[a->n_dirs++] = (struct made_dir){str_dup(str_get(&a->path)), e->mtime};
	return 0;
}

static int make_dir(struct apply *a, const struct place *p, struct tar_entry *e, struct err *err)
{
	cleanup_close int fd = -1;

	if (clear_place(a, p, true, err) < 0)
		return -err->code;
	if (mkdirat(p->dir_fd, p->name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create /%s", str_get(&a->path));
	fd = openat(p->dir_fd, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "create /%s", str_get(&a->path));
	return layer_set_dir_meta(fd, e, err) < 0 ? -err->code : remember_time(a, e, err);
}

static void set_times(struct apply *a)
{
	for (size_t i = a->n_dirs; i-- > 0;) {
		const struct timespec times[2] = {a->dirs[i].mtime, a->dirs[i].mtime};
		cleanup_close int fd = path_open_in_root(a->root_fd, a->dirs[i].path,
							 O_RDONLY | O_DIRECTORY, 0);

		/* Gone again, then: others are at work in there. */
		if (fd >= 0)
			(void)futimens(fd, times);
	}
}

/* ---- all of it ---- */

/* Rights that a file has by its owner are not another's. */
static void change_owner(struct tar_entry *e, const struct cp_apply_options *o)
{
	if (o->uid == (uid_t)-1)
		return;
	if (e->uid != o->uid)
		e->mode &= ~(mode_t)S_ISUID;
	if (e->gid != o->gid)
		e->mode &= ~(mode_t)S_ISGID;
	if (e->type == TAR_CHAR || e->type == TAR_BLOCK_DEVICE)
		e->mode &= 0600;
	e->uid = o->uid;
	e->gid = o->gid;
	e->n_xattrs = 0;
}

static int (*const makers[])(struct apply *a, const struct place *p, struct tar_entry *e,
			     struct err *err) = {
	[TAR_FILE] = make_file, [TAR_HARD_LINK] = make_link,	[TAR_SYMLINK] = make_symlink,
	[TAR_CHAR] = make_node, [TAR_BLOCK_DEVICE] = make_node, [TAR_DIR] = make_dir,
	[TAR_FIFO] = make_node,
};

/* The directory that it all goes to is there, and stays as it is unless it is to become the
 * archive's. */
static int set_base(struct apply *a, struct tar_entry *e, struct err *err)
{
	if (!a->options->sets_root)
		return 0;
	layer_meta_select(e, a->xattrs);
	return layer_set_dir_meta(a->root_fd, e, err);
}

static int apply_entry(struct apply *a, struct tar_entry *e, struct err *err)
{
	struct place place;
	int rc = clean_name(e->path, &a->name, err);

	if (rc < 0)
		return rc;
	a->bytes += BLOCK + (e->stored + BLOCK - 1) / BLOCK * BLOCK;
	if (!a->name.len && e->type != TAR_DIR)
		return err_set(err, ERR_INVALID, "an entry without a name");
	if (!a->name.len)
		return set_base(a, e, err);
	join(a, str_get(&a->name), &a->path);
	rc = find_place(a, &place);
	if (rc < 0)
		return err_sys(err, -rc, "open the directory of /%s", str_get(&a->path));
	layer_meta_select(e, a->xattrs);
	change_owner(e, a->options);
	return makers[e->type](a, &place, e, err);
}

int cp_apply(int root_fd, struct tar_reader *reader, const struct cp_apply_options *options,
	     uint64_t *ret_bytes, struct err *err)
{
	cleanup_with(apply_done) struct apply a = {
		.root_fd = root_fd, .reader = reader, .options = options, .parent_fd = -1};
	struct tar_entry e = {};
	mode_t mask = umask(0);
	int rc = 0;

	while (rc >= 0 && (rc = tar_reader_next(reader, &e, err)) > 0)
		rc = apply_entry(&a, &e, err);
	umask(mask);
	set_times(&a);
	if (rc < 0)
		return rc;
	*ret_bytes = a.bytes + 2 * BLOCK;
	return 0;
}
