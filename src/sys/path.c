/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path walks that cannot be led astray, by openat2(2) (since Linux 5.6).
 *
 * Creation is the hard part: openat2 resolves a whole path or nothing, so a missing directory is
 * made by resolving one prefix after the other in the root, and creating the component that is
 * missing by mkdirat(2) in the prefix before it. Each walk starts from the pinned root, so a
 * component that is exchanged for a symlink between two walks is followed inside the root like any
 * other, and can never point outside (CVE-2024-45310, CVE-2026-55686).
 */
#include "sys/path.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Renames that race with a walk make the kernel say EAGAIN; this often is an attack, not bad luck.
 */
#define MAX_TRIES 128

static int open_resolved(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = resolve,
	};
	int tries = 0;
	long fd = 0;

	do {
		/* EAGAIN: a rename raced with ".." in the walk; openat2(2) says to try again. */
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < MAX_TRIES);
	return fd < 0 ? -errno : (int)fd;
}

int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
	return open_resolved(root_fd, *path ? path : "/", flags, mode,
			     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_open_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
	return open_resolved(dir_fd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

int path_open_no_links(int root_fd, const char *path, int flags)
{
	return open_resolved(root_fd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

int path_open_strict(int dir_fd, const char *path, int flags)
{
	return open_resolved(dir_fd, path, flags, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

struct new_dir {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* Creates NAME as a directory in PARENT with exact mode and owner; one that exists is fine. */
static int make_dir(int parent, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	cleanup_close int made = -1;
	struct stat st;

	if (mkdirat(parent, name, mode) < 0) {
		if (errno != EEXIST)
			return -errno;
		/* A dangling symlink stands there: nothing can be made behind it. */
		if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
			return -ENOENT;
		return 0;
	}
	made = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (made < 0)
		return -errno;
	if ((uid || gid) && fchown(made, uid, gid) < 0)
		return -errno;
	/* mkdirat went through the umask. */
	return fchmod(made, mode) < 0 ? -errno : 0;
}

/* Whether one of PATH's components is "..": nothing goes up out of what is not there. */
static bool goes_up(const char *path)
{
	for (const char *p = strstr(path, ".."); p; p = strstr(p + 1, ".."))
		if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

/* Makes NAME in PARENT, which is the directory PREFIX; its descriptor. */
static int make_component(int root_fd, int parent, const char *prefix, const char *name,
			  const struct new_dir *how)
{
	int rc = make_dir(parent, name, how->mode, how->uid, how->gid);

	return rc < 0 ? rc : path_open_in_root(root_fd, prefix, O_PATH | O_DIRECTORY, 0);
}

/* Makes what is missing of PATH, from the front, so that it costs no more than a walk for each
 * component. Whatever is exchanged meanwhile, the next walk starts from the root again. */
static int make_missing(int root_fd, const char *path, const struct new_dir *how)
{
	cleanup_close int parent = path_open_in_root(root_fd, "/", O_PATH | O_DIRECTORY, 0);
	size_t at = strspn(path, "/");

	while (parent >= 0 && path[at]) {
		size_t len = strcspn(path + at, "/");
		cleanup_free char *prefix = str_ndup(path, at + len);
		int fd = path_open_in_root(root_fd, prefix, O_PATH | O_DIRECTORY, 0);

		if (fd == -ENOENT && !goes_up(path + at))
			fd = make_component(root_fd, parent, prefix, prefix + at, how);
		if (fd < 0)
			return fd;
		close(parent);
		parent = fd;
		at += len;
		at += strspn(path + at, "/");
	}
	return parent < 0 ? parent : 0;
}

static int ensure_dir(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	const struct new_dir how = {mode, uid, gid};

	/* More than one round means that somebody removes what was made. */
	for (int round = 0; round < MAX_TRIES; round++) {
		int fd = path_open_in_root(root_fd, path, O_PATH | O_DIRECTORY, 0);
		int rc = 0;

		if (fd != -ENOENT)
			return fd;
		rc = make_missing(root_fd, path, &how);
		if (rc < 0)
			return rc;
	}
	return -ELOOP;
}

int path_ensure_dir(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	return ensure_dir(root_fd, path, mode, uid, gid);
}

int path_open_parent(int root_fd, const char *path, mode_t mode, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	cleanup_free char *parent = slash ? str_ndup(path, (size_t)(slash - path)) : str_dup("");
	int fd = -1;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	fd = path_open_in_root(root_fd, parent, O_PATH | O_DIRECTORY, 0);
	if (fd == -ENOENT && mode)
		fd = ensure_dir(root_fd, parent, mode, 0, 0);
	if (fd >= 0)
		*ret_name = name;
	return fd;
}

int path_ensure_file(int root_fd, const char *path, mode_t mode)
{
	int fd = path_open_in_root(root_fd, path, O_PATH, 0);
	cleanup_close int parent = -1;
	cleanup_close int made = -1;
	const char *name = NULL;

	if (fd != -ENOENT)
		return fd;
	parent = path_open_parent(root_fd, path, 0755, &name);
	if (parent < 0)
		return parent;
	made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (made < 0 && errno != EEXIST)
		return -errno;
	return path_open_in_root(root_fd, path, O_PATH, 0);
}

const char *path_of_fd(int fd, char buf[static PATH_FD_LEN])
{
	snprintf(buf, PATH_FD_LEN, "/proc/self/fd/%d", fd);
	return buf;
}
