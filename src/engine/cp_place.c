/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything but the last component is the kernel's to resolve, inside the root. The last one is
 * looked at without following it, by the descriptor of its directory.
 */
#include "engine/cp_place.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/layer_write.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define MAX_LINKS 40 /* as the kernel's own limit (path_resolution(7)) */

void cp_place_done(struct cp_place *place)
{
	cp_path_done(&place->path);
	fd_cleanup_close(&place->dir_fd);
	free(take_ptr(place->name));
}

/* Looks at place->path as it stands. */
static int look(int root_fd, struct cp_place *place)
{
	const struct cp_path *path = &place->path;
	bool is_itself = path->asserts_dir || strcmp(path->base, "/") == 0;

	fd_cleanup_close(&place->dir_fd);
	place->dir_fd = path_open_in_root(root_fd, is_itself ? path->path : path->dir,
					  O_PATH | O_DIRECTORY, 0);
	if (place->dir_fd < 0)
		return place->dir_fd;
	free(place->name);
	place->name = str_dup(is_itself ? "." : path->base);
	return fstatat(place->dir_fd, place->name, &place->st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
											: 0;
}

/* Replaces the path by what the symlink at the place says. */
static int follow_link(struct cp_place *place)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(place->dir_fd, place->name, target, sizeof(target) - 1);
	cleanup_free char *path = NULL;

	if (len < 0)
		return -errno;
	target[len] = '\0';
	path = *target == '/' ? str_dup(target) : str_printf("%s/%s", place->path.dir, target);
	cp_path_done(&place->path);
	cp_path_parse(path, true, &place->path);
	return 0;
}

int cp_place_find(int root_fd, const char *path, bool rooted, bool follow, struct cp_place *ret)
{
	int rc = 0;

	*ret = (struct cp_place)CP_PLACE_INIT;
	cp_path_parse(path, rooted, &ret->path);
	for (int links = 0; rc == 0 && links < MAX_LINKS; links++) {
		rc = look(root_fd, ret);
		if ((rc < 0 && rc != -ELOOP) || !follow || !S_ISLNK(ret->st.st_mode))
			return rc;
		if (rc == 0)
			rc = follow_link(ret);
	}
	if (rc < 0 && rc != -ELOOP)
		return rc;
	/* Links that lead to themselves lead nowhere: the place is the one that was named. */
	cp_path_done(&ret->path);
	cp_path_parse(path, rooted, &ret->path);
	return -ELOOP;
}

int cp_place_write(const struct cp_place *place, const char *name, int out_fd, struct err *err)
{
	cleanup_free char *prefix = NULL;
	struct layer_write_options options = {.across_mounts = true, .prefix = name};
	cleanup_close int fd = openat(place->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open %s", place->path.path);
	if (strcmp(place->name, ".") != 0)
		return layer_write_name(fd, place->name, out_fd, &options, err);
	prefix = str_printf("%s/", *name ? name : ".");
	options.prefix = prefix;
	return layer_write(fd, out_fd, &options, err);
}
