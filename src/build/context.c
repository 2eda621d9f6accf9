/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories as contexts, and the small files in them that decide something: a Dockerfile, ignore
 * files. Whoever wrote the context may have made those links or devices, so each is resolved inside
 * the context and read only when it is a regular file.
 */
/* lint file: directories named by the user, and descriptors of what was resolved in a root */
#include "build/input_private.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "build/git.h"
#include "build/git_url.h"
#include "build/graph.h"
#include "build/http.h"
#include "dockerfile/ignore.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int input_open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A FIFO is not waited for, a device not touched: it is opened for reading when it is known. */
int input_read_file(int root_fd, const char *path, size_t limit, struct str *ret)
{
	cleanup_close int found = path_open_in_root(root_fd, path, O_PATH, 0);
	cleanup_close int fd = -1;
	char name[PATH_FD_LEN];
	struct stat st;

	if (found < 0)
		return found == -ENOTDIR ? -ENOENT : found;
	if (fstat(found, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	fd = open(path_of_fd(found, name), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fd_read_all(fd, limit, ret);
}

int input_read_ignore(int dir_fd, const char *path, struct ignore **ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	int rc = input_read_file(dir_fd, path, INPUT_MAX_IGNORE, &text);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EINVAL)
		return err_set(err, ERR_INVALID, "failed to read %s: not a regular file", path);
	if (rc < 0)
		return err_sys(err, -rc, "failed to read %s", path);
	if (ignore_parse(str_get(&text), text.len, ret, err) < 0)
		return err_wrap(err, "failed parsing %s", path);
	return 1;
}

int input_find_ignore(int context_fd, struct ignore **ret, struct err *err)
{
	static const char *const names[] = {".containerignore", ".dockerignore"};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) && rc == 0; i++)
		rc = input_read_ignore(context_fd, names[i], ret, err);
	return rc;
}

int input_make_dir(int staging_fd, const char *what, struct err *err)
{
	cleanup_free char *name = NULL;
	char number[17];
	int fd = -1;

	rand_hex(8, number);
	name = str_printf("%s-%s", what, number);
	if (mkdirat(staging_fd, name, 0700) < 0)
		return err_sys(err, errno, "create %s", name);
	fd = openat(staging_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* What a context's own directory looks like; its path has no more to say. */
	if (fd < 0 || fchmod(fd, 0755) < 0) {
		err_sys(err, errno, "open %s", name);
		fd_cleanup_close(&fd);
		return -err->code;
	}
	return fd;
}

/* ---- sources other than the main context ---- */

static int open_local(const struct build_source *source, struct build_tree *ret, struct err *err)
{
	struct build_tree tree = {.root_fd = input_open_dir(source->where), .is_context = true};

	if (tree.root_fd < 0)
		return err_sys(err, -tree.root_fd, "failed to get build context %s: stat %s",
			       source->name, source->where);
	if (input_find_ignore(tree.root_fd, &tree.ignore, err) < 0) {
		build_tree_done(&tree);
		return -err->code;
	}
	*ret = tree;
	return 0;
}

/* A URL of ADD is a file, and its name says so; one of --build-context is what the archive has. */
static int open_url(struct engine *engine, const struct build_source *source, int staging_fd,
		    struct build_tree *ret, char **ret_revision, struct err *err)
{
	bool is_context = source->name && strcmp(source->name, source->where) != 0;
	cleanup_build_tree struct build_tree tree = {.root_fd = -1};
	cleanup_free char *name = url_file_name(source->where);
	int rc = http_open(engine, source, NULL, staging_fd, &tree, ret_revision, err);

	if (rc == 0 && is_context)
		rc = input_unpack_in_place(engine, name, staging_fd, &tree, err);
	if (rc < 0)
		return rc;
	tree.is_download = !is_context;
	*ret = tree;
	tree = (struct build_tree){.root_fd = -1};
	return 0;
}

int build_source_open(struct engine *engine, const struct build_source *source, int staging_fd,
		      struct build_tree *ret, char **ret_revision, struct err *err)
{
	switch (source->kind) {
	case BUILD_SOURCE_LOCAL:
		return open_local(source, ret, err);
	case BUILD_SOURCE_GIT:
		return git_open(source, staging_fd, ret, ret_revision, err);
	case BUILD_SOURCE_HTTP:
		return open_url(engine, source, staging_fd, ret, ret_revision, err);
	case BUILD_SOURCE_STREAM:
	case BUILD_SOURCE_LAYOUT:
		break;
	}
	return err_set(err, ERR_UNSUPPORTED, "\"%s\" is nothing to copy from", source->where);
}
