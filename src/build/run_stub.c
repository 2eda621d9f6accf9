/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places to mount on. What the image does not have is made in a layer above it, by an overlay that
 * is mounted for a moment: so the kernel decides what is missing, whatever links, removed names and
 * directories made anew the layers have, and what a parent looks like that gets a new name. The
 * step's root has that layer below its own, which never sees a place.
 *
 * What every container is mounted on stands in the skeleton below all images (engine/skeleton.h),
 * and nothing has to be made for an ordinary one.
 */
#include "build/run_private.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/mount.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_LAYERS 130
#define OPAQUE	   "trusted.overlay.opaque"

static const char *const default_dirs[] = {"etc", "proc", "sys", "dev"};
static const char *const default_files[] = {"etc/hosts", "etc/hostname", "etc/resolv.conf"};

/* ---- whether there is anything to make ---- */

static bool is_opaque(int layer, const char *name)
{
	cleanup_close int fd = openat(layer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char value = 0;

	return fd >= 0 && fgetxattr(fd, OPAQUE, &value, 1) >= 0;
}

/* Whether LAYER hides a default place of what is below it, or leads somewhere else. */
static bool is_hiding(int layer)
{
	struct stat st;
	bool has_etc = false;

	for (size_t i = 0; i < ARRAY_LEN(default_dirs); i++) {
		if (fstatat(layer, default_dirs[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISDIR(st.st_mode) || is_opaque(layer, default_dirs[i]))
			return true;
		has_etc |= i == 0;
	}
	for (size_t i = 0; has_etc && i < ARRAY_LEN(default_files); i++)
		if (fstatat(layer, default_files[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISREG(st.st_mode))
			return true;
	return false;
}

bool run_stub_is_needed(const struct strv *lowers)
{
	strv_foreach (i, lowers) {
		/* lint: a layer directory of the store */
		cleanup_close int fd = open(lowers->items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && is_hiding(fd))
			return true;
	}
	return false;
}

int run_stub_prepare(struct build_run *run, struct err *err)
{
	static const char *const names[] = {"stub", "stub-work", "at", "secrets"};
	int rc = fd_mkdir_p(run->side, 0700);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(names); i++) {
		cleanup_free char *path = str_printf("%s/%s", run->side, names[i]);

		/* lint: the step's own directory */
		if (mkdir(path, 0755) < 0 || chmod(path, 0755) < 0)
			rc = -errno;
	}
	return rc < 0 ? err_sys(err, -rc, "create %s", run->side) : 0;
}

/* ---- making them ---- */

/* The image's layers as the step will see them, without the places. */
static int open_layers(struct build_run *run, int *fds, size_t *n)
{
	const struct strv *lowers = &run->oneshot.lowers;

	/* The first is the layer of places itself. */
	for (size_t i = 1; i < lowers->n; i++) {
		if (*n >= MAX_LAYERS)
			return -E2BIG;
		/* lint: a layer directory of the store */
		fds[*n] = open(lowers->items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[*n] < 0)
			return -errno;
		++*n;
	}
	return 0;
}

static int open_side(const struct build_run *run, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", run->side, name);
	/* lint: the step's own directory */
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* An overlay that writes to the layer of places. */
static int mount_stub(struct build_run *run, const char *at)
{
	cleanup_close int upper = open_side(run, "stub");
	cleanup_close int work = open_side(run, "stub-work");
	int fds[MAX_LAYERS];
	size_t n = 0;
	int rc = upper < 0 ? upper : work < 0 ? work : open_layers(run, fds, &n);

	if (rc == 0)
		rc = mount_overlay(fds, n, upper, work, true, at);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return rc;
}

/* What every container mounts over: nothing that is made below it is ever seen. */
static bool is_covered(const char *target)
{
	static const char *const dirs[] = {"/proc/", "/sys/", "/dev/"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (str_has_prefix(target, dirs[i]))
			return true;
	return false;
}

/* A place to mount on: 0 or -errno. */
static int ensure_place(int root, const char *path, bool is_dir, mode_t mode)
{
	cleanup_close int fd = is_dir ? path_ensure_dir(root, path, mode, 0, 0)
				      : path_ensure_file(root, path, mode);

	return fd < 0 ? fd : 0;
}

static int ensure_target(int root, const struct run_place *p, struct err *err)
{
	bool is_dir = p->mount->mount.type == RUN_MOUNT_TMPFS || p->is_dir;
	int rc = 0;

	if (!run_place_is_mounted(p) || is_covered(p->target))
		return 0;
	rc = ensure_place(root, p->target, is_dir, is_dir ? 0755 : 0644);
	/* What is in the way of one that another mount brings is said when it is attached. */
	if (rc == 0 || rc == -ENOTDIR || rc == -EEXIST)
		return 0;
	return err_sys(err, -rc, "create mount point %s", p->target);
}

/* What cannot be made here is said when it is mounted on. */
static void ensure_defaults(int root)
{
	for (size_t i = 0; i < ARRAY_LEN(default_dirs); i++)
		ensure_place(root, default_dirs[i], true, 0755);
	for (size_t i = 0; i < ARRAY_LEN(default_files); i++)
		ensure_place(root, default_files[i], false, 0644);
}

/* The same for build -v. */
static void ensure_host_target(int root, const struct mount_spec *m)
{
	struct stat st;
	/* lint: named by the user of the command line, on the host */
	bool is_dir = stat(m->source, &st) == 0 && S_ISDIR(st.st_mode);

	if (!is_covered(m->target))
		ensure_place(root, m->target, is_dir, 0755);
}

static int run_stub(struct plan_run *unused, const struct step *step, struct err *err)
{
	struct build_run *run = (struct build_run *)(uintptr_t)step->data;
	cleanup_close int root = mount_stub(run, step->path);
	int rc = 0;

	if (root < 0)
		return err_sys(err, -root, "mount the image to make places in");
	ensure_defaults(root);
	for (size_t i = 0; rc == 0 && i < run->spec.n_mounts; i++)
		ensure_host_target(root, &run->spec.mounts[i]);
	for (size_t i = 0; rc == 0 && i < run->n_places; i++)
		rc = ensure_target(root, &run->places[i], err);
	fd_cleanup_close(&root);
	/* lint: the step's own directory, covered a moment ago in this mount namespace */
	if (umount2(step->path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && rc == 0)
		rc = err_sys(err, errno, "unmount %s", step->path);
	return rc;
}

/* A script makes them in the root itself: its layer is nobody's result. */
static void explain_stub(const struct step *step, enum step_text mode, struct str *out)
{
	const struct build_run *run = step->data;

	str_addf(out, "mkdir -p %s/stub", run->side);
	if (mode == TEXT_SCRIPT)
		return;
	str_add(out, "   # by an overlay of its own, what the image does not have of");
	for (size_t i = 0; i < run->n_places; i++)
		if (run->places[i].target && !is_covered(run->places[i].target))
			str_addf(out, " %s", run->places[i].target);
}

static const struct step_op step_stub = {"places", run_stub, explain_stub};

void run_stub_plan(struct plan *plan, struct build_run *run)
{
	struct step *step = plan_add(plan, &step_stub, STEP_INSIDE);

	step->path = str_printf("%s/at", run->side);
	step->data = run;
}
