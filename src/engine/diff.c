/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of a container.
 *
 * Only the upper directory is walked; each of its names is looked up in a view of what is below. So
 * a container that wrote ten files costs ten looks, however large its image is. What the names mean
 * together is docker's, who compares the two whole trees: a file that was copied up but looks as it
 * did is no change, a directory's own time is none, and a directory with a change inside is listed
 * as changed. A deep tree needs a handful of descriptors, as in layer_write.c. The skeleton counts
 * as what was there before, as docker's own init layer does.
 */
#include "engine/diff.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/lifecycle.h"
#include "engine/view.h"
#include "storage/collect.h"
#include "storage/container.h"
#include "storage/dir_names.h"
#include "storage/file_xattrs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Deeper than any path can say. */
#define MAX_DEPTH (PATH_MAX / 2)
/* Directories whose descriptors stay open while what is in them is looked at. */
#define MAX_OPEN_DIRS 32

struct diff {
	struct strv *lines; /* one that begins with a space is none (yet) */
	struct str path;    /* of the directory, without a slash at its end */
	size_t n_changes;
	int depth;
};

/* A directory in both trees. */
struct pair {
	int upper, lower; /* lower: -1 when nothing of below is seen in it */
	bool is_opaque;	  /* what is below is known to be gone, but for what was made again */
	dev_t dev;	  /* of the upper one, while it is closed */
	ino_t ino;
};

bool diff_is_different(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
	    a->st_rdev != b->st_rdev)
		return true;
	if (S_ISDIR(a->st_mode))
		return false;
	return a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	       a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/* ---- lines ---- */

/* A line of NAME in the directory; its place. */
static size_t add_line(struct diff *d, char kind, const char *name)
{
	strv_addf(d->lines, "%c %s/%s", kind, str_get(&d->path), name);
	d->n_changes += kind != ' ';
	return d->lines->n - 1;
}

static void set_kind(struct diff *d, size_t line, char kind)
{
	d->lines->items[line][0] = kind;
	d->n_changes++;
}

/* ---- one file ---- */

static void read_capability(int dir_fd, const char *name, struct str *ret)
{
	/* Known to be a regular file a moment ago; a FIFO in its place would not block. */
	cleanup_close int fd = openat(dir_fd, name,
				      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char value[64]; /* struct vfs_ns_cap_data has 24 bytes */
	ssize_t len = fd < 0 ? -1 : fgetxattr(fd, "security.capability", value, sizeof(value));

	if (len > 0)
		str_add_bytes(ret, value, (size_t)len);
}

/* Capabilities of a file are set without a change of its time. */
static bool has_other_capability(const struct pair *p, const char *name)
{
	cleanup_str struct str a = STR_INIT;
	cleanup_str struct str b = STR_INIT;

	read_capability(p->upper, name, &a);
	read_capability(p->lower, name, &b);
	return a.len != b.len || memcmp(str_get(&a), str_get(&b), a.len) != 0;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool lookup(int dir_fd, const char *name, struct stat *ret)
{
	return dir_fd >= 0 && fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- directories ---- */

static int diff_dir(struct diff *d, struct pair *p, struct err *err);

static int err_at(const struct diff *d, int errnum, const char *name, struct err *err)
{
	return err_sys(err, errnum, "look at %s/%s", str_get(&d->path), name);
}

static int open_dir(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void pair_done(struct pair *p)
{
	fd_cleanup_close(&p->upper);
	fd_cleanup_close(&p->lower);
}

/* Closes the directories of P, which are found again from those of CHILD. */
static int leave_closed(const struct diff *d, struct pair *p, const struct pair *child,
			struct err *err)
{
	struct stat st;

	if (fstat(p->upper, &st) < 0)
		return err_at(d, errno, "", err);
	p->dev = st.st_dev;
	p->ino = st.st_ino;
	fd_cleanup_close(&p->upper);
	if (child->lower >= 0)
		fd_cleanup_close(&p->lower);
	return 0;
}

/* Nobody moves what is below; of the upper directory the container may have made anything. */
static int open_again(const struct diff *d, struct pair *p, const struct pair *child,
		      struct err *err)
{
	struct stat st;

	p->upper = open_dir(child->upper, "..");
	if (child->lower >= 0)
		p->lower = open_dir(child->lower, "..");
	if (p->upper < 0 || (child->lower >= 0 && p->lower < 0) || fstat(p->upper, &st) < 0)
		return err_at(d, errno, "", err);
	if (st.st_dev != p->dev || st.st_ino != p->ino)
		return err_set(err, ERR_CONFLICT, "%s was moved while it was looked at",
			       str_get(&d->path));
	return 0;
}

/* Looks at CHILD, which is in P. */
static int diff_child(struct diff *d, struct pair *p, struct pair *child, struct err *err)
{
	bool is_deep = d->depth >= MAX_OPEN_DIRS;
	int rc = is_deep ? leave_closed(d, p, child, err) : 0;

	if (rc < 0)
		return rc;
	d->depth++;
	rc = diff_dir(d, child, err);
	d->depth--;
	return rc == 0 && is_deep ? open_again(d, p, child, err) : rc;
}

static int enter(struct diff *d, struct pair *p, const char *name, bool was_dir, struct err *err)
{
	cleanup_with(pair_done) struct pair child = {
		.upper = open_dir(p->upper, name),
		.lower = -1,
	};
	size_t len = d->path.len;
	char mark[2] = "";
	int rc = 0;

	/* It may be gone again: the container runs. */
	if (child.upper < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_at(d, errno, name, err);
	if (was_dir)
		child.lower = open_dir(p->lower, name);
	if (was_dir && child.lower < 0)
		return err_at(d, errno, name, err);
	if (d->depth == MAX_DEPTH)
		return err_set(err, ERR_UNSUPPORTED, "more than %d directories deep", MAX_DEPTH);
	child.is_opaque = fgetxattr(child.upper, "trusted.overlay.opaque", mark, 1) == 1 &&
			  *mark == 'y';
	str_addf(&d->path, "/%s", name);
	rc = diff_child(d, p, &child, err);
	str_truncate(&d->path, len);
	return rc;
}

/* A name that is there now. */
static int diff_name(struct diff *d, struct pair *p, const char *name, const struct stat *now,
		     struct err *err)
{
	struct stat before;
	bool existed = lookup(p->lower, name, &before);
	char kind = existed ? ' ' : 'A';
	size_t line = 0, n = 0;
	int rc = 0;

	if (existed && (diff_is_different(&before, now) ||
			(S_ISREG(now->st_mode) && has_other_capability(p, name))))
		kind = 'C';
	line = add_line(d, kind, name);
	if (!S_ISDIR(now->st_mode))
		return 0;
	n = d->n_changes;
	rc = enter(d, p, name, existed && S_ISDIR(before.st_mode), err);
	if (rc == 0 && kind == ' ' && d->n_changes > n)
		set_kind(d, line, 'C');
	return rc;
}

/* What is below and nowhere in the upper directory, whose names are NAMES. */
static int diff_hidden(struct diff *d, const struct pair *p, const struct dir_names *names,
		       struct strv *gone, struct err *err)
{
	cleanup_with(dir_names_done) struct dir_names below = {};
	int rc = dir_names_read(&below, p->lower);
	size_t k = 0;

	if (rc < 0)
		return err_at(d, -rc, "", err);
	dir_names_sort(&below);
	for (size_t i = 0; i < below.n; i++) {
		const char *name = dir_names_get(&below, i);

		while (k < names->n && strcmp(dir_names_get(names, k), name) < 0)
			k++;
		if (k == names->n || strcmp(dir_names_get(names, k), name) != 0)
			strv_add(gone, name);
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_gone(struct diff *d, struct strv *gone)
{
	if (gone->n > 1)
		qsort(gone->items, gone->n, sizeof(gone->items[0]), compare_names);
	strv_foreach (i, gone)
		add_line(d, 'D', gone->items[i]);
}

static int diff_dir(struct diff *d, struct pair *p, struct err *err)
{
	cleanup_with(dir_names_done) struct dir_names names = {};
	cleanup_strv struct strv gone = STRV_INIT;
	int rc = dir_names_read(&names, p->upper);

	if (rc < 0)
		return err_at(d, -rc, "", err);
	dir_names_sort(&names);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		const char *name = dir_names_get(&names, i);
		struct stat now, before;

		if (!lookup(p->upper, name, &now))
			rc = errno == ENOENT ? 0 : err_at(d, errno, name, err);
		else if (!is_whiteout(&now))
			rc = diff_name(d, p, name, &now, err);
		else if (lookup(p->lower, name, &before))
			strv_add(&gone, name);
	}
	if (rc == 0 && p->is_opaque && p->lower >= 0)
		rc = diff_hidden(d, p, &names, &gone, err);
	if (rc == 0)
		add_gone(d, &gone);
	return rc;
}

int diff_trees(int upper_fd, int lower_fd, struct strv *ret, struct err *err)
{
	struct pair p = {.upper = upper_fd, .lower = lower_fd};
	cleanup_strv struct strv lines = STRV_INIT;
	struct diff d = {.lines = &lines};
	int rc = diff_dir(&d, &p, err);

	str_done(&d.path);
	for (size_t i = 0; rc == 0 && i < lines.n; i++)
		if (lines.items[i][0] != ' ')
			strv_add(ret, lines.items[i]);
	return rc;
}

int engine_diff(struct engine *engine, const char *ref, struct strv *ret, struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_container struct container_record now = {};
	cleanup_close int upper = -1;
	cleanup_close int lower = -1;
	struct container_state state;
	struct err ignored = ERR_INIT;
	int hold = -1;
	int rc = container_find(engine, ref, &record, &state, err);

	if (rc >= 0)
		rc = hold = storage_hold(engine->store, err);
	if (rc >= 0)
		rc = upper = view_open_upper(engine, record.row.id, err);
	if (rc >= 0)
		rc = lower = view_open_lower(engine, &record, err);
	if (rc >= 0)
		rc = diff_trees(upper, lower, ret, err);
	if (rc >= 0)
		rc = view_verify(engine, &record, err);
	else if (record.row.id &&
		 container_lookup(engine->store, record.row.id, &now, &ignored) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
	storage_release(engine->store, &hold);
	return rc < 0 ? rc : 0;
}
