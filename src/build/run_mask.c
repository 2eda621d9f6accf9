/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mask is a layer of whiteouts. A directory of which only a part is left out stands in it too,
 * with the owner, mode and times of the one below, which it covers.
 *
 * The walk is in a tree of somebody else's: names are taken one by one, by descriptor, and no link
 * is followed.
 */
#include "build/run_mask.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "build/tree.h"
#include "dockerfile/ignore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* As deep as descriptors go: two for each level. */
#define MAX_DEPTH 400

/* One directory of the walk. */
struct level {
	const struct level *parent;
	const char *name;
	int fd;	     /* in the tree */
	int mask_fd; /* in the mask; -1: nothing of it is there yet */
	unsigned depth;
	size_t n_kept;
	struct ignore_state state;
};

struct walk {
	const struct ignore *ignore;
	int mask_fd;
	bool is_context;
};

static int walk_level(struct walk *w, struct level *level, const char *path);

int run_mask_copy_state(int from, int to, bool is_root)
{
	struct stat st;

	if (fstat(from, &st) < 0 ||
	    fchown(to, is_root ? 0 : st.st_uid, is_root ? 0 : st.st_gid) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return -errno;
	return futimens(to, (struct timespec[]){st.st_atim, st.st_mtim}) < 0 ? -errno : 0;
}

/* Makes LEVEL's directory in the mask, and those above it. */
static int ensure_mask(struct walk *w, struct level *level)
{
	struct level *parent = (struct level *)(uintptr_t)level->parent;
	int rc = 0;

	if (level->mask_fd >= 0)
		return 0;
	if (!parent) {
		level->mask_fd = fcntl(w->mask_fd, F_DUPFD_CLOEXEC, 3);
		return level->mask_fd < 0
			       ? -errno
			       : run_mask_copy_state(level->fd, level->mask_fd, w->is_context);
	}
	rc = ensure_mask(w, parent);
	if (rc == 0 && mkdirat(parent->mask_fd, level->name, 0700) < 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	level->mask_fd = openat(parent->mask_fd, level->name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return level->mask_fd < 0 ? -errno
				  : run_mask_copy_state(level->fd, level->mask_fd, w->is_context);
}

static int hide(struct walk *w, struct level *level, const char *name)
{
	int rc = ensure_mask(w, level);

	/* A whiteout of overlayfs is a device 0:0. */
	if (rc == 0 && mknodat(level->mask_fd, name, S_IFCHR, makedev(0, 0)) < 0)
		rc = -errno;
	return rc;
}

static int walk_dir(struct walk *w, struct level *parent, const char *name, const char *path,
		    const struct ignore_state *state)
{
	struct level level = {.parent = parent,
			      .name = name,
			      .mask_fd = -1,
			      .depth = parent->depth + 1,
			      .state = *state};
	int rc = 0;

	if (level.depth > MAX_DEPTH)
		return -ELOOP;
	level.fd = openat(parent->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (level.fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	rc = walk_level(w, &level, path);
	fd_cleanup_close(&level.mask_fd);
	close(level.fd);
	if (rc < 0 || !state->excluded || level.n_kept) {
		parent->n_kept++;
		return rc;
	}
	/* Nothing in it was taken back. */
	rc = parent->mask_fd >= 0 ? fd_remove_tree_at(parent->mask_fd, name) : 0;
	return rc < 0 ? rc : hide(w, parent, name);
}

static int look_at(struct walk *w, struct level *level, const struct dirent *e, const char *path)
{
	struct ignore_state state = {};
	bool is_dir = e->d_type == DT_DIR;
	bool excluded = ignore_match(w->ignore, path, level->parent ? &level->state : NULL, &state);
	int rc = 0;

	if (e->d_type == DT_UNKNOWN) {
		struct stat st;

		is_dir = fstatat(level->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			 S_ISDIR(st.st_mode);
	}
	if (excluded && !(is_dir && ignore_may_take_back(w->ignore, path)))
		rc = hide(w, level, e->d_name);
	else if (is_dir)
		rc = walk_dir(w, level, e->d_name, path, &state);
	else
		level->n_kept++;
	ignore_state_done(&state);
	return rc;
}

static int walk_level(struct walk *w, struct level *level, const char *path)
{
	int copy = openat(level->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	int rc = 0;

	if (!dir) {
		rc = -errno;
		fd_cleanup_close(&copy);
		return rc;
	}
	for (struct dirent *e = readdir(dir); e && rc == 0; e = readdir(dir)) {
		cleanup_free char *below = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		below = *path ? str_printf("%s/%s", path, e->d_name) : str_dup(e->d_name);
		rc = look_at(w, level, e, below);
	}
	closedir(dir);
	return rc;
}

int run_mask_make(int mask_fd, const struct build_tree *tree, struct err *err)
{
	struct walk w = {
		.ignore = tree->ignore, .mask_fd = mask_fd, .is_context = tree->is_context};
	struct level top = {.fd = tree->root_fd, .mask_fd = -1};
	int rc = 0;

	if (ignore_is_empty(tree->ignore))
		return 0;
	rc = walk_level(&w, &top, "");
	fd_cleanup_close(&top.mask_fd);
	return rc < 0 ? err_sys(err, -rc, "leave out what the ignore file names") : 0;
}
