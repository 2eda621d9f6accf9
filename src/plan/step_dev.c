/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that fill the container's /dev: nodes and links on the file system that was mounted there a
 * moment ago, through the descriptor it was made with. The image's own /dev is never touched
 * (CVE-2026-41579).
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEV_PREFIX "/dev/"

/* Where PATH is made: below the new /dev where it starts there, else in the root. */
static int open_parent(struct plan_run *run, const char *path, const char **ret_name)
{
	if (str_has_prefix(path, DEV_PREFIX) && run->dev_fd >= 0)
		return path_open_parent(run->dev_fd, path + strlen(DEV_PREFIX), 0755, ret_name);
	return path_open_parent(run->root_fd, path, 0755, ret_name);
}

static int run_mknod(struct plan_run *run, const struct step *step, struct err *err)
{
	const char *name = NULL;
	cleanup_close int parent = open_parent(run, step->path, &name);
	mode_t mode = (mode_t)step->number[0];
	cleanup_close int node = -1;
	char fd_path[PATH_FD_LEN];

	if (parent < 0)
		return err_sys(err, -parent, "create device %s", step->path);
	if (mknodat(parent, name, mode, (dev_t)step->number[1]) < 0)
		return err_sys(err, errno, "create device %s", step->path);
	node = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	/* Not through the umask. */
	/* lint: a descriptor of our own, by its name in the host's procfs */
	if (node < 0 || chmod(path_of_fd(node, fd_path), mode & 07777) < 0)
		return err_sys(err, errno, "set the mode of %s", step->path);
	if ((step->number[2] || step->number[3]) &&
	    fchownat(node, "", (uid_t)step->number[2], (gid_t)step->number[3], AT_EMPTY_PATH) < 0)
		return err_sys(err, errno, "set the owner of %s", step->path);
	return 0;
}

static void explain_mknod(const struct step *step, enum step_text mode, struct str *out)
{
	dev_t dev = (dev_t)step->number[1];
	const char *slash = strrchr(step->path, '/');
	cleanup_free char *parent = str_ndup(step->path, (size_t)(slash - step->path));

	if (mode == TEXT_SCRIPT && strcmp(parent, "/dev") != 0) {
		str_add(out, "within .");
		str_add_shell(out, parent);
		str_add(out, "; mkdir -p .");
		str_add_shell(out, parent);
		str_add(out, "; ");
	}
	str_addf(out, "mknod -m %o .", (unsigned)step->number[0] & 07777);
	str_add_shell(out, step->path);
	str_addf(out, " %c %u %u", S_ISBLK(step->number[0]) ? 'b' : 'c', major(dev), minor(dev));
	if (step->number[2] || step->number[3]) {
		str_addf(out, "; chown %u:%u .", (unsigned)step->number[2],
			 (unsigned)step->number[3]);
		str_add_shell(out, step->path);
	}
}

static const struct step_op step_mknod = {"mknod", run_mknod, explain_mknod};

void plan_mknod(struct plan *plan, const char *path, mode_t mode, dev_t dev, uid_t uid, gid_t gid)
{
	struct step *step = plan_add(plan, &step_mknod, STEP_INSIDE);

	step->path = str_dup(path);
	step->number[0] = mode;
	step->number[1] = dev;
	step->number[2] = uid;
	step->number[3] = gid;
}

static int run_symlink(struct plan_run *run, const struct step *step, struct err *err)
{
	const char *name = NULL;
	cleanup_close int parent = open_parent(run, step->path, &name);

	if (parent < 0)
		return err_sys(err, -parent, "create link %s", step->path);
	if (symlinkat(step->text, parent, name) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create link %s", step->path);
	return 0;
}

static void explain_symlink(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "ln -s ");
	str_add_shell(out, step->text);
	str_addf(out, " .%s", step->path);
}

static const struct step_op step_symlink = {"symlink", run_symlink, explain_symlink};

void plan_symlink(struct plan *plan, const char *target, const char *path)
{
	struct step *step = plan_add(plan, &step_symlink, STEP_INSIDE);

	step->text = str_dup(target);
	step->path = str_dup(path);
}
