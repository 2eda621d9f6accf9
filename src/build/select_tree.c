/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a tree as far as its ignore file lets them be seen. */
/* lint file: single components of directories that are open, and paths without links */
#include "build/select.h"

#include "base/fd.h"
#include "base/mem.h"
#include "dockerfile/glob.h"
#include "storage/dir_names.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* Whether PATH is excluded. RET_MAY: something in it may not be. */
static bool is_excluded(const struct ignore *ig, const char *path, bool *ret_may)
{
	bool excluded = ignore_match_way(ig, path, NULL);

	*ret_may = excluded && ignore_may_take_back(ig, path);
	return excluded;
}

bool select_is_left_out(const struct build_tree *tree, const char *path)
{
	bool may = false;

	if (ignore_is_empty(tree->ignore) || !*path)
		return false;
	return is_excluded(tree->ignore, path, &may) && !may;
}

static int read_link(int fd, char **ret, const char *path, struct err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(fd, "", text, sizeof(text));

	if (n < 0)
		return err_sys(err, errno, "readlink /%s", path);
	*ret = str_ndup(text, (size_t)n);
	return 0;
}

int select_lookup(void *tree, const char *path, struct stat *ret, char **ret_link, struct err *err)
{
	const struct build_tree *t = tree;
	cleanup_close int fd = -1;
	bool may = false;

	fd = path_open_no_links(t->root_fd, path, O_PATH | O_NOFOLLOW);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -ENAMETOOLONG)
		return 0;
	if (fd < 0)
		return err_sys(err, -fd, "open /%s", path);
	if (fstat(fd, ret) < 0)
		return err_sys(err, errno, "stat /%s", path);
	/* A directory on the way to what was taken back is there. */
	if (!ignore_is_empty(t->ignore) && is_excluded(t->ignore, path, &may) &&
	    !(may && S_ISDIR(ret->st_mode)))
		return 0;
	if (S_ISLNK(ret->st_mode) && read_link(fd, ret_link, path, err) < 0)
		return -err->code;
	return 1;
}

/* ---- patterns ---- */

static bool is_dir_at(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* NAME in the open directory FD, whose path is BASE, matches what PATTERN begins with. */
static int match_name(const struct build_tree *tree, int fd, const char *base, const char *name,
		      const char *rest, struct strv *ret, struct err *err)
{
	cleanup_free char *path = copy_join(base, name);

	if (select_is_left_out(tree, path))
		return 0;
	if (!rest)
		strv_add_take(ret, take_ptr(path));
	else if (is_dir_at(fd, name))
		return select_match(tree, path, rest, ret, err);
	return 0;
}

int select_match(const struct build_tree *tree, const char *base, const char *pattern,
		 struct strv *ret, struct err *err)
{
	size_t len = strcspn(pattern, "/");
	cleanup_free char *part = str_ndup(pattern, len);
	const char *rest = pattern[len] ? pattern + len + 1 : NULL;
	cleanup_with(dir_names_done) struct dir_names names = {};
	cleanup_close int fd = path_open_no_links(tree->root_fd, *base ? base : "/",
						  O_RDONLY | O_DIRECTORY);
	int rc = fd < 0 ? fd : dir_names_read(&names, fd);

	if (rc < 0)
		return err_sys(err, -rc, "lstat /%s", base);
	dir_names_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = dir_names_get(&names, i);
		int matches = glob_match(part, name);

		if (matches < 0)
			return err_set(err, ERR_INVALID, "%s: syntax error in pattern", pattern);
		if (matches && match_name(tree, fd, base, name, rest, ret, err) < 0)
			return -err->code;
	}
	return 0;
}
