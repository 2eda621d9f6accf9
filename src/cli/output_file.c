/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A temporary name in the same directory, and rename(2) at the end: whoever looks sees the old file
 * or the whole new one.
 */
/* lint file: paths typed by the user */
#include "cli/output_file.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What exists under the name must be a regular file, or nothing. */
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

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : err_sys(err, errno, "invalid output path: stat %s", name);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if ((st.st_mode & S_IFMT) == refused[i].type)
			return err_set(err, ERR_INVALID, "cannot write to %s", refused[i].text);
	return 0;
}

int output_file_open(struct output_file *f, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *dir = !slash		 ? str_dup(".")
				 : slash == path ? str_dup("/")
						 : str_ndup(path, (size_t)(slash - path));
	char suffix[17];

	f->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return err_sys(err, errno, "invalid output path: stat %s", dir);
	f->name = str_dup(slash ? slash + 1 : path);
	if (!*f->name || strcmp(f->name, ".") == 0 || strcmp(f->name, "..") == 0)
		return err_set(err, ERR_INVALID, "cannot write to a directory");
	if (check_existing(f->dir_fd, f->name, err) < 0)
		return -err->code;
	rand_hex(8, suffix);
	f->temp = str_printf(".%.200s.%s", f->name, suffix);
	f->fd = openat(f->dir_fd, f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f->fd >= 0)
		return 0;
	err_sys(err, errno, "create %s", path);
	free(take_ptr(f->temp));
	return -err->code;
}

int output_file_commit(struct output_file *f, struct err *err)
{
	/* close(2) is where some file systems tell of a failed write. */
	if (close(take_fd(f->fd)) < 0 || renameat(f->dir_fd, f->temp, f->dir_fd, f->name) < 0)
		return err_sys(err, errno, "write %s", f->name);
	free(take_ptr(f->temp));
	return 0;
}

void output_file_done(struct output_file *f)
{
	if (f->temp)
		unlinkat(f->dir_fd, f->temp, 0);
	fd_cleanup_close(&f->fd);
	fd_cleanup_close(&f->dir_fd);
	free(f->temp);
	free(f->name);
}
