/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The skeleton: made once under another name and renamed into place, so that two first runs at once
 * see all of it or none.
 */
/* lint file: the engine's own directory, written by nobody else */
#include "engine/skeleton.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SKELETON_NAME "skeleton"

static const char *const dirs[] = {"dev", "etc", "proc", "sys"};
static const char *const files[] = {"etc/hostname", "etc/hosts", "etc/resolv.conf"};

/* Fills the directory PATH, which every user of a container walks through: not by the umask. */
static int fill(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fchmod(fd, 0755) < 0 ? -errno : 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(dirs); i++)
		if (mkdirat(fd, dirs[i], 0755) < 0 || fchmodat(fd, dirs[i], 0755, 0) < 0)
			rc = -errno;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(files); i++) {
		rc = fd_write_file_at(fd, files[i], "", 0, 0644);
		if (rc == 0 && fchmodat(fd, files[i], 0644, 0) < 0)
			rc = -errno;
	}
	return rc;
}

static int make(const char *path)
{
	char suffix[17];
	cleanup_free char *temp = NULL;
	int rc = 0;

	rand_hex(8, suffix);
	temp = str_printf("%s.%s~", path, suffix);
	rc = fd_mkdir_p(temp, 0700);
	if (rc == 0)
		rc = fill(temp);
	if (rc == 0 && rename(temp, path) < 0)
		rc = errno == EEXIST || errno == ENOTEMPTY ? 1 : -errno;
	if (rc != 0)
		fd_remove_tree_at(AT_FDCWD, temp);
	return rc < 0 ? rc : 0;
}

int skeleton_add(struct engine *engine, struct strv *lowers, struct err *err)
{
	char *path = str_printf("%s/" SKELETON_NAME, engine->root);

	strv_add_take(lowers, path);
	if (access(path, F_OK) < 0) {
		int rc = make(path);

		if (rc < 0)
			return err_sys(err, -rc, "create %s", path);
	}
	return 0;
}
