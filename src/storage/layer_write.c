/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over a tree, one entry of the archive for each name.
 *
 * The walk keeps a stack of directories with their sorted names. Only the lowest few of them stay
 * open: when the walk comes back to one further up, it is opened again as ".." of its child and
 * must be the same directory, so that a tree of any depth needs a handful of descriptors.
 *
 * What a name is comes from the listing, and is asked of the open descriptor before anything is
 * read; a name that meanwhile became something else is looked at again. Only regular files and
 * directories are ever opened. The tree is read through a private mount without devices and access
 * times where the kernel grants one: then even a device that is put in a file's place at the wrong
 * moment cannot be opened, and no time in the tree changes.
 *
 * The tree may be in use. What vanishes before it is read was never there; a file that shrinks is
 * filled up with zeros, one that grows is cut, as with tar: the archive is whole in any case.
 */
#include "storage/layer_write.h"

#include "archive/tar_write.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/dir_names.h"
#include "storage/file_map.h"
#include "storage/file_xattrs.h"
#include "storage/layer_tree.h"
#include "storage/link_map.h"
#include "sys/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { MAX_OPEN_DIRS = 32, MAX_TRIES = 8 };

/* How it went with one name. */
enum outcome { DONE, OTHER_KIND };

static const char whiteout_prefix[] = ".wh.";
static const char opaque_marker[] = ".wh..wh..opq";

/* A directory of which not all names are written yet. */
struct frame {
	int fd; /* -1: far up, to be opened again */
	dev_t dev;
	ino_t ino;
	size_t path_len; /* of its own path, with the slash */
	struct dir_names names;
	size_t next;
};

struct walk {
	bool is_upper;
	int64_t epoch_s;
	struct tar_writer *tar; /* owned */
	uint64_t n_entries;
	struct str path; /* of the entry */
	struct frame *frames;
	size_t n, cap;
	struct link_map links;
	struct file_xattrs xattrs;
	struct file_map map;
};

static void frame_done(struct frame *f)
{
	fd_cleanup_close(&f->fd);
	dir_names_done(&f->names);
}

static void walk_done(struct walk *w)
{
	while (w->n)
		frame_done(&w->frames[--w->n]);
	free(w->frames);
	tar_writer_free(w->tar);
	str_done(&w->path);
	link_map_done(&w->links);
	file_xattrs_done(&w->xattrs);
	file_map_done(&w->map);
}

static struct frame *top(const struct walk *w)
{
	return &w->frames[w->n - 1];
}

static int in_entry(const struct walk *w, struct err *err)
{
	char quoted[TAR_QUOTE_LEN];

	return err_wrap(err, "%s", w->path.len ? tar_quote(w->path.buf, quoted) : "/");
}

/* ---- entries ---- */

static struct timespec time_of(const struct walk *w, const struct stat *st)
{
	const struct timespec epoch = {.tv_sec = w->epoch_s};
	bool is_late = w->epoch_s && st->st_mtim.tv_sec >= w->epoch_s;

	return is_late ? epoch : st->st_mtim;
}

static struct tar_entry entry_of(const struct walk *w, enum tar_type type, const struct stat *st)
{
	return (struct tar_entry){
		.type = type,
		.path = str_get(&w->path),
		.link = "",
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = type == TAR_FILE ? (uint64_t)st->st_size : 0,
		.mtime = time_of(w, st),
		.dev_major = major(st->st_rdev),
		.dev_minor = minor(st->st_rdev),
	};
}

static int count_entry(struct walk *w, struct err *err)
{
	if (w->is_upper && w->n_entries == TAR_MAX_ENTRIES)
		return err_set(err, ERR_INVALID, "more than %d entries", TAR_MAX_ENTRIES);
	w->n_entries++;
	return 0;
}

static int add_entry(struct walk *w, const struct tar_entry *e, struct err *err)
{
	int rc = count_entry(w, err);

	return rc < 0 ? rc : tar_writer_add(w->tar, e, err);
}

/* An empty file whose name is all it says; whatever time and owner overlayfs' mark has, many of
 * them being links of one file, is no part of it. */
static int add_marker(struct walk *w, struct err *err)
{
	return add_entry(
		w,
		&(struct tar_entry){
			.type = TAR_FILE, .path = str_get(&w->path), .link = "", .mode = 0600},
		err);
}

/* Adds E as a link when the same file was written before: 1, else 0. */
static int add_link(struct walk *w, const struct stat *st, struct tar_entry e, struct err *err)
{
	const char *first = NULL;
	int rc = 0;

	if (st->st_nlink < 2)
		return 0;
	first = link_map_visit(&w->links, st, e.path);
	if (!first)
		return 0;
	e.type = TAR_HARD_LINK;
	e.link = first;
	rc = add_entry(w, &e, err);
	return rc < 0 ? rc : 1;
}

/* ---- what is opened ---- */

/* A file or directory, without changing its access time where that is allowed. -errno. */
static int open_name(int dir_fd, const char *name, int flags)
{
	int fd = -1;

	flags |= O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
	fd = openat(dir_fd, name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(dir_fd, name, flags);
	return fd < 0 ? -errno : fd;
}

/* An error of opening: a name that is gone is done with. */
static int err_open(struct walk *w, int rc, struct err *err)
{
	if (rc == -ENOENT) {
		log_debug("%s: vanished before it was read", str_get(&w->path));
		return DONE;
	}
	/* ELOOP: a symlink; ENXIO: a socket; ENOTDIR: no directory any more. */
	if (rc == -ELOOP || rc == -ENXIO || rc == -ENOTDIR)
		return OTHER_KIND;
	return err_sys(err, -rc, "open");
}

static int copy_range(struct walk *w, int fd, uint64_t offset, uint64_t len, struct err *err)
{
	int rc = tar_writer_copy_padded(w->tar, fd, offset, len, err);

	if (rc > 0)
		log_debug("%s: became shorter while it was read", str_get(&w->path));
	return rc < 0 ? rc : 0;
}

static int add_sparse(struct walk *w, int fd, const struct tar_entry *e, struct err *err)
{
	int rc = count_entry(w, err);

	if (rc >= 0)
		rc = tar_writer_add_sparse(w->tar, e, w->map.extents, w->map.n, err);
	for (size_t i = 0; rc >= 0 && i < w->map.n; i++)
		rc = copy_range(w, fd, w->map.extents[i].offset, w->map.extents[i].len, err);
	return rc;
}

static int add_content(struct walk *w, int fd, const struct stat *st, const struct tar_entry *e,
		       struct err *err)
{
	/* st_blocks counts half KiB everywhere (stat(2)). */
	bool may_have_holes = e->size >= FILE_MAP_BLOCK && (uint64_t)st->st_blocks * 512 < e->size;
	int rc = may_have_holes ? file_map_read(&w->map, fd, e->size) : 0;

	if (rc < 0)
		return err_sys(err, -rc, "look for holes");
	if (rc > 0)
		return add_sparse(w, fd, e, err);
	rc = add_entry(w, e, err);
	return rc < 0 ? rc : copy_range(w, fd, 0, e->size, err);
}

static int write_file(struct walk *w, const char *name, struct err *err)
{
	/* O_NONBLOCK, O_NOCTTY: for a FIFO or a terminal in the place of a file. */
	cleanup_close int fd = open_name(top(w)->fd, name, O_NONBLOCK | O_NOCTTY);
	struct tar_entry e = {};
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return err_open(w, fd, err);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at it");
	if (!S_ISREG(st.st_mode))
		return OTHER_KIND;
	rc = file_xattrs_read(&w->xattrs, fd, true, w->is_upper, err);
	if (rc < 0)
		return rc;
	e = entry_of(w, TAR_FILE, &st);
	e.xattrs = w->xattrs.items;
	e.n_xattrs = w->xattrs.n;
	rc = add_link(w, &st, e, err);
	if (rc == 0)
		rc = add_content(w, fd, &st, &e, err);
	return rc < 0 ? rc : DONE;
}

/* ---- what is not opened ---- */

static int write_node(struct walk *w, const struct stat *st, enum tar_type type, const char *link,
		      struct err *err)
{
	struct tar_entry e = entry_of(w, type, st);
	int rc = 0;

	e.link = link;
	rc = add_link(w, st, e, err);
	if (rc == 0)
		rc = add_entry(w, &e, err);
	return rc < 0 ? rc : DONE;
}

static int write_symlink(struct walk *w, const char *name, const struct stat *st, struct err *err)
{
	char target[PATH_MAX + 1];
	ssize_t len = readlinkat(top(w)->fd, name, target, sizeof(target) - 1);

	if (len < 0 && (errno == ENOENT || errno == EINVAL))
		return errno == ENOENT ? err_open(w, -ENOENT, err) : OTHER_KIND;
	if (len < 0)
		return err_sys(err, errno, "read the link");
	target[len] = '\0';
	return write_node(w, st, TAR_SYMLINK, target, err);
}

static int write_other(struct walk *w, const char *name, unsigned char kind, struct err *err)
{
	struct stat st;

	if (fstatat(top(w)->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? err_open(w, -ENOENT, err)
				       : err_sys(err, errno, "look at it");
	if (IFTODT(st.st_mode) != kind)
		return OTHER_KIND;
	switch (kind) {
	case DT_LNK:
		return write_symlink(w, name, &st, err);
	case DT_CHR:
		return write_node(w, &st, TAR_CHAR, "", err);
	case DT_BLK:
		return write_node(w, &st, TAR_BLOCK_DEVICE, "", err);
	case DT_FIFO:
		return write_node(w, &st, TAR_FIFO, "", err);
	default:
		log_debug("%s: a socket is left out", str_get(&w->path));
		return DONE;
	}
}

/* ---- directories ---- */

/* A whiteout of overlayfs: character device 0:0. And a socket: an archive cannot hold it, but what
 * it may have taken the place of is gone. */
static bool is_whiteout(int dir_fd, const struct dir_names *names, size_t i)
{
	unsigned char type = names->items[i].type;
	struct stat st;

	if (type != DT_CHR && type != DT_SOCK && type != DT_UNKNOWN)
		return false;
	if (fstatat(dir_fd, dir_names_get(names, i), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

/* Gives whiteouts the names of their markers, and refuses names that would be taken for such. */
static int translate_names(struct walk *w, const struct frame *f, struct dir_names *names,
			   struct err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		const char *name = dir_names_get(names, i);

		if (str_has_prefix(name, whiteout_prefix)) {
			str_add(&w->path, name);
			err_set(err, ERR_UNSUPPORTED,
				"a layer cannot hold this name, which would mean a deletion");
			return err_hint(err, "rename or remove it in the container first");
		}
		names->items[i].is_whiteout = is_whiteout(f->fd, names, i);
		if (names->items[i].is_whiteout)
			dir_names_prefix(names, i, whiteout_prefix);
	}
	return 0;
}

static int list_names(struct walk *w, struct frame *f, struct err *err)
{
	int rc = dir_names_read(&f->names, f->fd);

	if (rc == -E2BIG)
		return err_set(err, ERR_INVALID, "more than %d names in a directory",
			       DIR_MAX_NAMES);
	/* ENOENT: it was removed since it was opened. */
	if (rc < 0 && rc != -ENOENT)
		return err_sys(err, -rc, "list the directory");
	rc = w->is_upper ? translate_names(w, f, &f->names, err) : 0;
	dir_names_sort(&f->names);
	return rc;
}

static struct frame *push_frame(struct walk *w)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 16;
		w->frames = mem_realloc_array(w->frames, w->cap, sizeof(w->frames[0]));
	}
	if (w->n >= MAX_OPEN_DIRS)
		fd_cleanup_close(&w->frames[w->n - MAX_OPEN_DIRS].fd);
	w->frames[w->n] = (struct frame){.fd = -1, .path_len = w->path.len};
	return &w->frames[w->n++];
}

/* Whether the directory has nothing to say: an upper one that nothing was written to. */
static bool is_untouched(const struct walk *w, const struct stat *st)
{
	return w->is_upper && w->n == 1 && top(w)->names.n == 0 && !w->xattrs.n &&
	       !w->xattrs.is_opaque && (st->st_mode & 07777) == 0755 && !st->st_uid && !st->st_gid;
}

static int add_dir(struct walk *w, const struct stat *st, struct err *err)
{
	struct tar_entry e = entry_of(w, TAR_DIR, st);
	size_t len = w->path.len;
	int rc = 0;

	if (is_untouched(w, st))
		return 0;
	e.xattrs = w->xattrs.items;
	e.n_xattrs = w->xattrs.n;
	/* The top of the tree has to have some name. */
	if (!*e.path)
		e.path = "./";
	rc = add_entry(w, &e, err);
	if (rc < 0 || !w->xattrs.is_opaque)
		return rc;
	str_add(&w->path, opaque_marker);
	rc = add_marker(w, err);
	str_truncate(&w->path, len);
	return rc;
}

/* Takes over the open directory FD, whose path w->path is, as the one to go on with. */
static int enter_dir(struct walk *w, int fd, struct err *err)
{
	struct frame *f = push_frame(w);
	struct stat st;
	int rc = 0;

	f->fd = fd;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at it");
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	rc = file_xattrs_read(&w->xattrs, fd, false, w->is_upper, err);
	if (rc >= 0)
		rc = list_names(w, f, err);
	return rc < 0 ? rc : add_dir(w, &st, err);
}

static int write_dir(struct walk *w, const char *name, struct err *err)
{
	int fd = open_name(top(w)->fd, name, O_DIRECTORY);

	if (fd < 0)
		return err_open(w, fd, err);
	str_add_char(&w->path, '/');
	return enter_dir(w, fd, err);
}

/* Goes back to the directory above; one that was closed is opened again from below. */
static int leave_dir(struct walk *w, struct err *err)
{
	struct frame *f = top(w), *above = w->n > 1 ? f - 1 : NULL;
	struct stat st;

	if (above && above->fd < 0) {
		above->fd = open_name(f->fd, "..", O_DIRECTORY);
		if (above->fd < 0)
			return err_sys(err, -above->fd, "go back to the directory above");
		if (fstat(above->fd, &st) < 0)
			return err_sys(err, errno, "go back to the directory above");
		if (st.st_dev != above->dev || st.st_ino != above->ino)
			return err_set(err, ERR_CONFLICT, "was moved while it was read");
	}
	frame_done(f);
	w->n--;
	return 0;
}

/* ---- the walk ---- */

static int write_kind(struct walk *w, const char *name, unsigned char kind, struct err *err)
{
	if (kind == DT_REG)
		return write_file(w, name, err);
	return kind == DT_DIR ? write_dir(w, name, err) : write_other(w, name, kind, err);
}

static int write_name(struct walk *w, const char *name, unsigned char kind, struct err *err)
{
	for (int tries = 0; tries < MAX_TRIES; tries++) {
		struct stat st;
		int rc = kind == DT_UNKNOWN ? OTHER_KIND : write_kind(w, name, kind, err);

		if (rc != OTHER_KIND)
			return rc;
		if (fstatat(top(w)->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_open(w, -errno, err);
		kind = IFTODT(st.st_mode);
	}
	return err_set(err, ERR_CONFLICT, "keeps changing while it is read");
}

static int write_next(struct walk *w, struct err *err)
{
	struct frame *f = top(w);
	const struct dir_name *item = &f->names.items[f->next];
	const char *name = dir_names_get(&f->names, f->next);

	f->next++;
	str_truncate(&w->path, f->path_len);
	str_add(&w->path, name);
	/* Nobody could unpack such a layer again. */
	if (w->is_upper && w->n > LAYER_MAX_DEPTH) {
		err_set(err, ERR_INVALID, "deeper than the %d directories of a layer",
			LAYER_MAX_DEPTH);
		return err_hint(err, "move or remove it in the container first");
	}
	return item->is_whiteout ? add_marker(w, err) : write_name(w, name, item->type, err);
}

static int write_all(struct walk *w, struct err *err)
{
	while (w->n) {
		bool at_end = top(w)->next == top(w)->names.n;
		int rc = at_end ? leave_dir(w, err) : write_next(w, err);

		if (rc < 0)
			return in_entry(w, err);
	}
	return tar_writer_finish(w->tar, err);
}

/* ROOT_FD by a mount of our own, or else opened once more: the caller's offset stays his. */
static int open_root(int root_fd, bool across_mounts)
{
	const uint64_t attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
			       MOUNT_ATTR_NOATIME;
	cleanup_close int mount = mount_clone(root_fd, across_mounts);
	int rc = mount < 0 ? mount
			   : mount_change(mount, attrs, MOUNT_ATTR__ATIME, 0, across_mounts);

	if (rc < 0)
		log_debug("the tree is read without a mount of its own: %s", strerror(-rc));
	return open_name(rc < 0 ? root_fd : mount, ".", O_DIRECTORY);
}

int layer_write(int root_fd, int out_fd, const struct layer_write_options *options, struct err *err)
{
	__attribute__((cleanup(walk_done))) struct walk w = {.is_upper = options->is_upper,
							     .epoch_s = options->epoch_s};
	int fd = open_root(root_fd, options->across_mounts);
	int rc = 0;

	if (fd < 0)
		return err_sys(err, -fd, "open the tree");
	w.tar = tar_writer_new(out_fd);
	str_add(&w.path, options->prefix ? options->prefix : "");
	rc = enter_dir(&w, fd, err);
	return rc < 0 ? in_entry(&w, err) : write_all(&w, err);
}

int layer_write_name(int dir_fd, const char *name, int out_fd,
		     const struct layer_write_options *options, struct err *err)
{
	__attribute__((cleanup(walk_done))) struct walk w = {.is_upper = options->is_upper,
							     .epoch_s = options->epoch_s};
	int fd = open_root(dir_fd, options->across_mounts);
	struct frame *bottom = NULL;
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return err_sys(err, -fd, "open the directory");
	w.tar = tar_writer_new(out_fd);
	/* The directory stands at the bottom with no names left, and no entry of its own. */
	bottom = push_frame(&w);
	bottom->fd = fd;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at the directory");
	bottom->dev = st.st_dev;
	bottom->ino = st.st_ino;
	str_add(&w.path, options->prefix);
	rc = write_name(&w, name, DT_UNKNOWN, err);
	return rc < 0 ? in_entry(&w, err) : write_all(&w, err);
}
