/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The new mount API. Theory of operation:
 *
 *   fsopen -> fsconfig ... -> fsmount     a new instance of a file system, detached
 *   open_tree(OPEN_TREE_CLONE)            a copy of an existing mount, detached
 *   mount_setattr                         read-only, nosuid, ..., while nobody can see it
 *   move_mount(fd, "", target, "")        attached, to a descriptor and not to a path
 *
 * No path of a container is ever given to the kernel to resolve again, so nothing can be exchanged
 * between a check and a mount (CVE-2021-30465, CVE-2025-31133). The wrappers are our own raw calls:
 * glibc has them only since 2.36.
 */
#include "sys/mount.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sys_ret(long rc)
{
	return rc < 0 ? -errno : (int)rc;
}

static int set_option(int fs, const char *option)
{
	const char *eq = strchr(option, '=');
	cleanup_free char *key = NULL;

	if (!eq)
		return sys_ret(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, option, NULL, 0));
	key = str_ndup(option, (size_t)(eq - option));
	return sys_ret(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, eq + 1, 0));
}

int mount_new(const char *fstype, const char *source, char *const *options, uint64_t attrs)
{
	cleanup_close int fs = sys_ret(syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC));
	int rc = fs;

	if (rc >= 0 && source)
		rc = sys_ret(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", source, 0));
	for (; rc >= 0 && options && *options; options++)
		rc = set_option(fs, *options);
	if (rc >= 0)
		rc = sys_ret(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (rc < 0)
		return rc;
	return sys_ret(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)attrs));
}

int mount_clone(int fd, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;

	return sys_ret(syscall(SYS_open_tree, fd, "", flags | (recursive ? AT_RECURSIVE : 0)));
}

/* Whether FD is the root of a mount: who may rename directories can move one away from a name, but
 * not make another. */
static bool is_mount_root(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, 0, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int clone_here(const char *path)
{
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int found = root < 0 ? -1
					   : path_open_in_root(root, path, O_PATH | O_DIRECTORY, 0);

	if (root < 0)
		return -errno;
	if (found < 0)
		return found;
	return is_mount_root(found) ? mount_clone(found, false) : -ENOENT;
}

int mount_clone_from(int namespace_fd, const char *path)
{
	cleanup_close int back = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	cleanup_close int cwd = open(".", O_PATH | O_CLOEXEC);
	int rc = 0;

	if (back < 0 || cwd < 0 || setns(namespace_fd, CLONE_NEWNS) < 0)
		return -errno;
	rc = clone_here(path);
	/* Nothing may go on in the wrong place. */
	if (setns(back, CLONE_NEWNS) < 0 || fchdir(cwd) < 0)
		abort();
	return rc;
}

int mount_change(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};

	return sys_ret(syscall(SYS_mount_setattr, fd, "",
			       AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			       sizeof(attr)));
}

int mount_map_ids(int fd, int userns_fd, bool recursive)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};

	return sys_ret(syscall(SYS_mount_setattr, fd, "",
			       AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			       sizeof(attr)));
}

int mount_attach(int mount_fd, int target_fd)
{
	return sys_ret(syscall(SYS_move_mount, mount_fd, "", target_fd, "",
			       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

/* Inode numbers (xino) are left as they are: nothing that the engine reads depends on them. An
 * explicit index=off also wins over the module's nfs_export=Y, which would need the index. */
const char *const mount_overlay_options[] = {"redirect_dir=off", "metacopy=off", "index=off", NULL};

static int overlay_set_dir(int fs, const char *key, int fd)
{
	char name[PATH_FD_LEN];

	return sys_ret(
		syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, path_of_fd(fd, name), 0));
}

/* A detached overlay by fsconfig: needs "lowerdir+" (since Linux 6.8), else -EINVAL. */
static int overlay_new(const int *lower_fds, size_t n_lowers, int upper_fd, int work_fd,
		       bool is_volatile)
{
	cleanup_close int fs = sys_ret(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC));
	int rc = fs;

	for (size_t i = 0; rc >= 0 && i < n_lowers; i++)
		rc = overlay_set_dir(fs, "lowerdir+", lower_fds[i]);
	if (rc >= 0 && upper_fd >= 0)
		rc = overlay_set_dir(fs, "upperdir", upper_fd);
	if (rc >= 0 && upper_fd >= 0)
		rc = overlay_set_dir(fs, "workdir", work_fd);
	for (size_t i = 0; rc >= 0 && mount_overlay_options[i]; i++)
		rc = set_option(fs, mount_overlay_options[i]);
	if (rc >= 0 && is_volatile && upper_fd >= 0)
		rc = set_option(fs, "volatile");
	if (rc >= 0)
		rc = sys_ret(
			syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", "overlay", 0));
	if (rc >= 0)
		rc = sys_ret(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (rc < 0)
		return rc;
	return sys_ret(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0));
}

/* The same by mount(2) for older kernels: all options in one page, so the directories are named by
 * descriptor (127 layers fit). The target is a directory of the engine's own. */
static int overlay_mount(const int *lower_fds, size_t n_lowers, int upper_fd, int work_fd,
			 bool is_volatile, int target_fd)
{
	cleanup_str struct str data = STR_INIT;
	char name[PATH_FD_LEN];

	for (size_t i = 0; i < n_lowers; i++)
		str_addf(&data, "%s%s", i ? ":" : "lowerdir=", path_of_fd(lower_fds[i], name));
	if (upper_fd >= 0) {
		str_addf(&data, ",upperdir=%s", path_of_fd(upper_fd, name));
		str_addf(&data, ",workdir=%s", path_of_fd(work_fd, name));
		if (is_volatile)
			str_add(&data, ",volatile");
	}
	for (size_t i = 0; mount_overlay_options[i]; i++)
		str_addf(&data, ",%s", mount_overlay_options[i]);
	if (data.len >= (size_t)sysconf(_SC_PAGESIZE))
		return -E2BIG;
	return sys_ret(mount("overlay", path_of_fd(target_fd, name), "overlay", 0, str_get(&data)));
}

int mount_overlay(const int *lower_fds, size_t n_lowers, int upper_fd, int work_fd,
		  bool is_volatile, const char *target_path)
{
	cleanup_close int fd = overlay_new(lower_fds, n_lowers, upper_fd, work_fd, is_volatile);
	cleanup_close int target = open(target_path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = 0;

	if (target < 0)
		return -errno;
	if (fd >= 0) {
		rc = mount_attach(fd, target);
		return rc < 0 ? rc : take_fd(fd);
	}
	if (fd != -EINVAL && fd != -ENOSYS)
		return fd;
	rc = overlay_mount(lower_fds, n_lowers, upper_fd, work_fd, is_volatile, target);
	if (rc < 0)
		return rc;
	/* TARGET still is the directory below: walk to it again to reach the mount on top. */
	return sys_ret(open(target_path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

int mount_pivot(int new_root_fd)
{
	if (fchdir(new_root_fd) < 0)
		return -errno;
	/* pivot_root(2), NOTES: with "." twice the old root is stacked on the new one at "/", and
	 * the detaching of "." takes it away again, without a directory to put it in. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	if (umount2(".", MNT_DETACH) < 0)
		return -errno;
	return chdir("/") < 0 ? -errno : 0;
}

int mount_set_propagation_all(unsigned long propagation)
{
	return sys_ret(mount(NULL, "/", NULL, MS_REC | propagation, NULL));
}
