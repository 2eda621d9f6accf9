/* SPDX-License-Identifier: Apache-2.0 */
/* lint file: paths typed by the user */
/*
 * open(2) with O_TMPFILE and linkat(2) through /proc/self/fd, so that whoever is killed leaves
 * nothing. A name that is taken cannot be linked over: then the file gets a temporary one first and
 * is renamed from it at once.
 */
#include "transport/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "sys/path.h"

static char *make_temporary(const char *name)
{
	char random[17];

	rand_hex(sizeof(random) / 2, random);
	return str_printf(".%.200s.%s", name, random);
}

int new_file_open_at(int dir_fd, const char *name, const char *shown, mode_t mode,
		     struct new_file *ret, struct err *err)
{
	cleanup_new_file struct new_file file = NEW_FILE_INIT;

	file.dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	file.name = str_dup(name);
	file.shown = str_dup(shown);
	file.fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (file.fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		file.temporary = make_temporary(name);
		file.fd = openat(dir_fd, file.temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
				 mode);
	}
	if (file.fd < 0 || file.dir_fd < 0) {
		int errnum = errno;

		free(take_ptr(file.temporary));
		return err_sys(err, errnum, "create %s", shown);
	}
	*ret = file;
	file = (struct new_file)NEW_FILE_INIT;
	return 0;
}

/* What exists under the name must be a regular file, or nothing: replacing a link would leave what
 * it leads to as it was, and root would replace a device by a file. */
static int check_existing(int dir_fd, const char *name, struct err *err)
{
	static const struct {
		mode_t type;
		const char *text;
	} refused[] = {
		{S_IFDIR, "a directory"},
		{S_IFLNK, "a symbolic link directly"},
		{S_IFCHR, "a character device file"},
		{S_IFBLK, "a block device file"},
		{S_IFIFO, "a named pipe file"},
		{S_IFSOCK, "a socket file"},
	};
	struct stat st;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(err, ERR_INVALID, "cannot write to a directory");
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : err_sys(err, errno, "invalid output path: stat %s", name);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if ((st.st_mode & S_IFMT) == refused[i].type)
			return err_set(err, ERR_INVALID, "cannot write to %s", refused[i].text);
	return 0;
}

int new_file_open(const char *path, mode_t mode, struct new_file *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	cleanup_free char *dir = !slash		 ? str_dup(".")
				 : slash == path ? str_dup("/")
						 : str_ndup(path, (size_t)(slash - path));
	cleanup_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return err_sys(err, errno, "invalid output path: stat %s", dir);
	if (check_existing(dir_fd, name, err) < 0)
		return -err->code;
	return new_file_open_at(dir_fd, name, path, mode, ret, err);
}

int new_file_open_any(const char *path, mode_t mode, struct new_file *ret, struct err *err)
{
	struct stat st = {};

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return new_file_open(path, mode, ret, err);
	ret->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return ret->fd < 0 ? err_sys(err, errno, "open %s", path) : 0;
}

static int link_as(const struct new_file *file, const char *name)
{
	char path[PATH_FD_LEN];

	return linkat(AT_FDCWD, path_of_fd(file->fd, path), file->dir_fd, name, AT_SYMLINK_FOLLOW) <
			       0
		       ? -errno
		       : 0;
}

static int give_name(struct new_file *file)
{
	if (!file->temporary) {
		cleanup_free char *temporary = make_temporary(file->name);
		int rc = link_as(file, file->name);

		if (rc != -EEXIST)
			return rc;
		rc = link_as(file, temporary);
		if (rc < 0)
			return rc;
		file->temporary = take_ptr(temporary);
	}
	if (renameat(file->dir_fd, file->temporary, file->dir_fd, file->name) < 0)
		return -errno;
	free(take_ptr(file->temporary));
	return 0;
}

int new_file_commit(struct new_file *file, bool sync_dir, struct err *err)
{
	int rc = 0;

	if (file->dir_fd < 0)
		return 0;
	if (fsync(file->fd) < 0)
		return err_sys(err, errno, "write %s", file->shown);
	rc = give_name(file);
	if (rc < 0)
		return err_sys(err, -rc, "write %s", file->shown);
	if (sync_dir && fsync(file->dir_fd) < 0)
		return err_sys(err, errno, "write %s", file->shown);
	return 0;
}

void new_file_done(struct new_file *file)
{
	if (file->temporary)
		unlinkat(file->dir_fd, file->temporary, 0);
	fd_cleanup_close(&file->fd);
	fd_cleanup_close(&file->dir_fd);
	free(file->name);
	free(file->temporary);
	free(file->shown);
	*file = (struct new_file)NEW_FILE_INIT;
}
