/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upper and lower side by side. A name counts where it is found first: in the upper directory, or
 * below it as long as nothing above hides its directories. The upper directory begins empty and has
 * no other writer, so it holds no whiteouts.
 */
/* lint file: paths without links of directories that are open, single components */
#include "build/copy_place.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "build/copy_xattr.h"
#include "engine/view.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

struct copy_touched {
	char *path; /* owned */
	struct timespec mtime;
	bool is_now; /* nobody said what it shall be */
};

static int open_below(const struct build_place *place, struct copy_place *ret, struct err *err)
{
	cleanup_close int mounted = -1;

	if (place->lowers->n == 0)
		return 0;
	mounted = view_mount_image(place->engine, place->lowers, err);
	if (mounted < 0)
		return mounted;
	/* What is read through it may be opened from here on. */
	ret->lower_fd = openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ret->lower_fd < 0 ? err_sys(err, errno, "open the layers") : 0;
}

int copy_place_open(const struct build_place *place, bool with_lowers, int64_t epoch_s,
		    struct copy_place *ret, struct err *err)
{
	cleanup_free char *upper = str_printf("%s/upper", place->dir);
	cleanup_place struct copy_place p = COPY_PLACE_INIT;

	p.epoch_s = epoch_s;
	p.settled_s = place->settled_s;
	/* First what moves this process to other mounts: between two of them nothing is renamed. */
	if (with_lowers && open_below(place, &p, err) < 0)
		return -err->code;
	p.upper_fd = open(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p.upper_fd < 0)
		return err_sys(err, errno, "open %s", upper);
	*ret = p;
	p = (struct copy_place)COPY_PLACE_INIT;
	return 0;
}

void copy_place_done(struct copy_place *p)
{
	fd_cleanup_close(&p->upper_fd);
	fd_cleanup_close(&p->lower_fd);
	for (size_t i = 0; i < p->n_touched; i++)
		free(p->touched[i].path);
	free(p->touched);
}

/* ---- looking up ---- */

static bool is_missing(int rc)
{
	return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || rc == -ENAMETOOLONG;
}

/* 1, 0, or -errno; *RET_HIDES: PATH leads through something that is no directory, so that what is
 * below does not count either. */
static int look_at(int root_fd, const char *path, struct stat *ret, char **ret_link,
		   bool *ret_hides)
{
	cleanup_close int fd = path_open_no_links(root_fd, path, O_PATH | O_NOFOLLOW);
	char text[PATH_MAX];
	ssize_t n = 0;

	*ret_hides = fd == -ENOTDIR || fd == -ELOOP;
	if (fd < 0)
		return is_missing(fd) ? 0 : fd;
	if (fstat(fd, ret) < 0)
		return -errno;
	if (!S_ISLNK(ret->st_mode) || !ret_link)
		return 1;
	n = readlinkat(fd, "", text, sizeof(text));
	if (n < 0)
		return -errno;
	*ret_link = str_ndup(text, (size_t)n);
	return 1;
}

int copy_place_lookup(void *place, const char *path, struct stat *ret, char **ret_link,
		      struct err *err)
{
	const struct copy_place *p = place;
	bool hides = false;
	int rc = look_at(p->upper_fd, path, ret, ret_link, &hides);

	if (rc == 0 && p->lower_fd >= 0 && !hides)
		rc = look_at(p->lower_fd, path, ret, ret_link, &hides);
	return rc < 0 ? err_sys(err, -rc, "stat /%s", path) : rc;
}

int copy_place_resolve(struct copy_place *p, const char *path, struct copy_resolved *ret,
		       struct err *err)
{
	return copy_resolve(copy_place_lookup, p, path, true, ret, err);
}

int copy_place_open_upper(const struct copy_place *p, const char *path, int flags, mode_t mode)
{
	cleanup_free char *dir = copy_dir_of(path);
	cleanup_close int parent = -1;
	int fd = -1;

	if (!(flags & O_CREAT))
		return path_open_no_links(p->upper_fd, *path ? path : "/", flags);
	parent = path_open_no_links(p->upper_fd, *dir ? dir : "/", O_PATH | O_DIRECTORY);
	if (parent < 0)
		return parent;
	fd = openat(parent, copy_base(path), flags | O_NOFOLLOW | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

/* ---- times ---- */

struct timespec copy_place_clamp(const struct copy_place *p, struct timespec t)
{
	if (t.tv_sec < p->epoch_s)
		return t;
	return (struct timespec){.tv_sec = p->epoch_s};
}

void copy_place_touch(struct copy_place *p, const char *path, const struct timespec *mtime)
{
	const struct copy_touched *last = p->n_touched ? &p->touched[p->n_touched - 1] : NULL;
	struct timespec now;

	/* The common case: many files for one directory. */
	if (!mtime && last && last->is_now && strcmp(last->path, path) == 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!p->touched || p->n_touched == p->cap_touched) {
		p->cap_touched = p->cap_touched ? 2 * p->cap_touched : 16;
		p->touched = mem_realloc_array(p->touched, p->cap_touched, sizeof(*p->touched));
	}
	p->touched[p->n_touched++] = (struct copy_touched){
		.path = str_dup(path),
		.mtime = copy_place_clamp(p, mtime ? *mtime : now),
		.is_now = !mtime,
	};
}

int copy_place_finish(struct copy_place *p, struct err *err)
{
	for (size_t i = 0; i < p->n_touched; i++) {
		const struct copy_touched *t = &p->touched[i];
		const struct timespec times[2] = {t->mtime, t->mtime};
		cleanup_close int fd = copy_place_open_upper(p, t->path, O_RDONLY | O_DIRECTORY, 0);

		if (fd < 0)
			return err_sys(err, -fd, "open /%s", t->path);
		if (futimens(fd, times) < 0)
			return err_sys(err, errno, "set the time of /%s", t->path);
	}
	return 0;
}

/* ---- directories ---- */

/* Owner, mode and attributes of the directory below become those of its twin. */
static int make_like(const struct copy_place *p, const char *path, int fd)
{
	cleanup_close int below = path_open_no_links(p->lower_fd, *path ? path : "/",
						     O_RDONLY | O_DIRECTORY);
	struct stat st;

	if (below < 0)
		return below;
	if (fstat(below, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 ||
	    fchmod(fd, st.st_mode & 07777) < 0)
		return -errno;
	return copy_xattr_copy(below, fd);
}

static int make_fresh(const struct copy_place *p, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_uid != p->owner.uid || st.st_gid != p->owner.gid) &&
	    fchown(fd, p->owner.uid, p->owner.gid) < 0)
		return -errno;
	return (st.st_mode & 07777) != 0755 && fchmod(fd, 0755) < 0 ? -errno : 0;
}

static int make_upper(const struct copy_place *p, const char *path, bool is_below)
{
	cleanup_free char *dir = copy_dir_of(path);
	cleanup_close int parent = path_open_no_links(p->upper_fd, *dir ? dir : "/",
						      O_PATH | O_DIRECTORY);
	cleanup_close int fd = -1;

	if (parent < 0)
		return parent;
	if (mkdirat(parent, copy_base(path), 0755) < 0)
		return -errno;
	fd = openat(parent, copy_base(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return is_below ? make_like(p, path, fd) : make_fresh(p, fd);
}

/* A new directory changes the one it is made in. */
static void touch_new(struct copy_place *p, const char *path)
{
	cleanup_free char *dir = copy_dir_of(path);

	copy_place_touch(p, dir, NULL);
	copy_place_touch(p, path, NULL);
}

static int ensure_one(struct copy_place *p, const char *path, bool *ret_is_new, struct err *err)
{
	struct stat st;
	bool hides = false;
	int rc = look_at(p->upper_fd, path, &st, NULL, &hides);
	int below = 0;

	*ret_is_new = false;
	if (rc > 0)
		return S_ISDIR(st.st_mode) ? 0
					   : err_set(err, ERR_INVALID,
						     "cannot copy to non-directory: /%s", path);
	if (rc == 0 && p->lower_fd >= 0)
		below = look_at(p->lower_fd, path, &st, NULL, &hides);
	if (below > 0 && !S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "cannot copy to non-directory: /%s", path);
	if (rc == 0 && below >= 0)
		rc = make_upper(p, path, below > 0);
	if (rc < 0 || below < 0)
		return err_sys(err, rc < 0 ? -rc : -below, "mkdir /%s", path);
	*ret_is_new = below == 0;
	if (below > 0)
		copy_place_touch(p, path, &st.st_mtim);
	else
		touch_new(p, path);
	return 0;
}

int copy_place_ensure_dir(struct copy_place *p, const char *path, bool *ret_is_new, struct err *err)
{
	bool is_new = false;

	for (const char *end = path; *end; end += *end == '/') {
		cleanup_free char *prefix = NULL;

		end += strcspn(end, "/");
		prefix = str_ndup(path, (size_t)(end - path));
		if (ensure_one(p, prefix, &is_new, err) < 0)
			return -err->code;
	}
	if (ret_is_new)
		*ret_is_new = is_new;
	return 0;
}
