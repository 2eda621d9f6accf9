/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that put a tree of tools where one process of a container sees it and no other does: the
 * process gets a copy of the container's mounts of its own, and the tree is mounted in that copy on
 * a directory that every sysfs has for this purpose. So nothing is made in the container's files,
 * and nothing is to be removed afterwards.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/mount.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

static int run_own_mounts(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = unshare(CLONE_NEWNS) < 0 ? -errno : mount_set_propagation_all(MS_PRIVATE);

	if (rc < 0)
		return err_sys(err, -rc, "copy the container's mounts");
	/* What was opened before lies in the mounts that were copied. */
	fd_cleanup_close(&run->root_fd);
	fd_cleanup_close(&run->dev_fd);
	/* lint: the root itself, to pin it; there is nothing to resolve */
	run->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (run->root_fd < 0)
		return err_sys(err, errno, "open the container's root");
	run->dev_fd = path_open_in_root(run->root_fd, "/dev", O_PATH | O_DIRECTORY, 0);
	return 0;
}

static void explain_own_mounts(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "unshare --mount --propagation private …");
}

static const struct step_op step_own_mounts = {"own mounts", run_own_mounts, explain_own_mounts};

void plan_own_mounts(struct plan *plan)
{
	plan_add(plan, &step_own_mounts, STEP_INSIDE);
}

/* Of the kernel's making: no process of the container can put anything in its place. */
static bool is_kernel_dir(int fd)
{
	static const unsigned long types[] = {SYSFS_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,
					      SECURITYFS_MAGIC, PSTOREFS_MAGIC};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if ((unsigned long)fs.f_type == types[i])
			return true;
	return false;
}

/* The command finds its tools by this path again, with the rights that it was given: so it must not
 * be one that the container can lead elsewhere. */
static int run_tools(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int target = path_open_no_links(run->root_fd, step->path,
						      O_PATH | O_DIRECTORY);
	int rc = 0;

	if (target == -ELOOP || target == -ENOENT || (target >= 0 && !is_kernel_dir(target)))
		return err_set(err, ERR_UNSUPPORTED,
			       "the container's %s is not the kernel's: there is no safe place for "
			       "the tools",
			       step->path);
	rc = target < 0 ? target : mount_attach((int)step->number[0], target);
	return rc < 0 ? err_sys(err, -rc, "mount the tools on %s", step->path) : 0;
}

static void explain_tools(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "mount --bind TOOLS .");
	str_add_shell(out, step->path);
}

static const struct step_op step_tools = {"tools", run_tools, explain_tools};

void plan_mount_tools(struct plan *plan, int mount_fd, const char *path)
{
	struct step *step = plan_add(plan, &step_tools, STEP_INSIDE);

	step->path = str_dup(path);
	step->number[0] = (uint64_t)mount_fd;
}
