/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps for volumes and images that are mounted. A volume's content belongs to containers, one of
 * which may run and change it at this moment, so the only names trusted are the engine's own
 * directory and "_data" in it; everything below is resolved beneath that descriptor, once.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/copy_tree.h"
#include "sys/mount.h"
#include "sys/path.h"
#include "sys/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPYING	   "copying" /* beside _data: locked while somebody copies, not empty until done */
#define MAX_LOWERS 128
#define DIR_FLAGS  (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* ---- a volume's content ---- */

int plan_open_content(const char *path)
{
	const char *leaf = strrchr(path, '/');
	cleanup_free char *dir = str_ndup(path, (size_t)(leaf - path));
	/* lint: ROOT/volumes/NAME, which nobody but the engine can write to */
	cleanup_close int dir_fd = open(dir, DIR_FLAGS);
	int fd = dir_fd < 0 ? -1 : openat(dir_fd, leaf + 1, DIR_FLAGS);

	return fd < 0 ? -errno : fd;
}

static int err_content(const struct step *step, int errnum, struct err *err)
{
	if (errnum == ENOTDIR || errnum == ELOOP)
		return err_set(err, ERR_DENIED, "volume %s is no directory any more", step->path);
	/* Without the system's words: `run` would take "no such file" for that of the command. */
	if (errnum == ENOENT)
		return err_set(err, ERR_SYSTEM, "volume %s is missing", step->path);
	return err_sys(err, errnum, "open volume %s", step->path);
}

static int run_open_volume(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int content = plan_open_content(step->path);
	cleanup_close int part = -1;
	int fd = -1;

	if (content < 0)
		return err_content(step, -content, err);
	if (step->text)
		part = path_open_beneath(content, step->text, O_PATH, 0);
	if (step->text && part < 0)
		return err_sys(err, -part, "cannot access path %s/%s", step->path, step->text);
	fd = mount_clone(step->text ? part : content, step->number[1]);
	if (fd < 0)
		return err_sys(err, -fd, "bind source %s", step->path);
	return plan_run_set_source(run, step->number[0], fd);
}

static void explain_open_volume(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "test -d ");
	str_add_shell(out, step->path);
	if (mode == TEXT_TRACE)
		str_add(out, "   # and keep a descriptor of it, never through a link");
}

static const struct step_op step_open_volume = {"volume", run_open_volume, explain_open_volume};

void plan_open_volume(struct plan *plan, size_t index, const char *path, const char *subpath,
		      bool recursive, const char *flag)
{
	struct step *step = plan_add(plan, &step_open_volume, STEP_HOST);

	step->path = str_dup(path);
	step->text = str_dup(subpath);
	step->flag = str_dup(flag);
	step->number[0] = index;
	step->number[1] = recursive;
}

/* ---- ids ---- */

static int run_map_ids(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_str struct str uids = STR_INIT;
	cleanup_str struct str gids = STR_INIT;
	cleanup_close int ns = -1;
	int rc = 0;

	userns_add_swap((uint32_t)(step->number[1] >> 32), (uint32_t)step->number[2] & UINT32_MAX,
			&uids);
	userns_add_swap((uint32_t)step->number[1], (uint32_t)(step->number[2] >> 32), &gids);
	ns = userns_create_map(str_get(&uids), str_get(&gids));
	if (ns < 0)
		return err_sys(err, -ns, "idmap: make a user namespace");
	rc = mount_map_ids(run->sources[step->number[0]], ns, step->number[3]);
	if (rc == -EINVAL || rc == -EOPNOTSUPP)
		return err_set(err, ERR_UNSUPPORTED,
			       "idmap: the file system of %s cannot map ids on this kernel",
			       step->path);
	return rc < 0 ? err_sys(err, -rc, "idmap %s", step->path) : 0;
}

/* The mount itself names the map (plan_bind); mount(8) can since 2.39, where it says so. */
static void explain_map_ids(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_SCRIPT) {
		str_add(out, "mount -V | grep -q idmapping || { echo 'this mount(8) cannot map "
			     "ids' >&2; exit 1; }");
		return;
	}
	str_addf(out, "# a user namespace in which %u:%u on the disk is %u:%u, for ",
		 (unsigned)(step->number[1] >> 32), (unsigned)step->number[1],
		 (unsigned)step->number[2], (unsigned)(step->number[2] >> 32));
	str_add_shell(out, step->path);
}

static const struct step_op step_map_ids = {"idmap", run_map_ids, explain_map_ids};

void plan_map_ids(struct plan *plan, size_t index, const char *source, const uint32_t ids[4],
		  bool recursive, const char *flag)
{
	struct step *step = plan_add(plan, &step_map_ids, STEP_HOST);

	step->path = str_dup(source);
	step->flag = str_dup(flag);
	step->number[0] = index;
	step->number[1] = (uint64_t)ids[0] << 32 | ids[1];
	step->number[2] = (uint64_t)ids[3] << 32 | ids[2];
	step->number[3] = recursive;
}

/* ---- copy-up ---- */

/* Locks the volume's copying. Whoever waited finds out whether there is still something to do. */
static int lock_copying(const char *path)
{
	const char *leaf = strrchr(path, '/');
	cleanup_free char *dir = str_ndup(path, (size_t)(leaf - path));
	/* lint: ROOT/volumes/NAME, which nobody but the engine can write to */
	cleanup_close int dir_fd = open(dir, DIR_FLAGS);
	cleanup_close int fd = -1;

	if (dir_fd >= 0)
		fd = openat(dir_fd, COPYING, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return take_fd(fd);
}

/* 1 when the content has to be copied: into nothing, or to complete what a dead process began. */
static int is_wanted(int lock_fd, int content_fd)
{
	struct stat st;

	if (fstat(lock_fd, &st) < 0)
		return -errno;
	return st.st_size > 0 ? 1 : copy_tree_is_empty(content_fd);
}

static int copy_marked(int lock_fd, int from, int to)
{
	int rc = fd_pwrite_full(lock_fd, "1", 1, 0);

	if (rc == 0)
		rc = copy_tree(from, to, NULL);
	if (rc == 0 && ftruncate(lock_fd, 0) < 0)
		rc = -errno;
	return rc;
}

int plan_copy_up_now(int root_fd, const char *path, int source_fd, const char *dir)
{
	cleanup_close int from = path_open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
	cleanup_close int to = -1;
	cleanup_close int lock = -1;
	int rc = 0;

	/* Nothing there, or a file, on which no directory can be mounted anyway. */
	if (from == -ENOENT || from == -ENOTDIR)
		return 0;
	to = from < 0 ? -1 : openat(source_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return from < 0 ? from : -errno;
	lock = lock_copying(dir);
	rc = lock < 0 ? lock : is_wanted(lock, to);
	return rc <= 0 ? rc : copy_marked(lock, from, to);
}

static int run_copy_up(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = plan_copy_up_now(run->root_fd, step->path, run->sources[step->number[0]],
				  step->text);

	return rc < 0 ? err_sys(err, -rc, "copy %s of the image to volume %s", step->path,
				step->text)
		      : 0;
}

static void explain_copy_up(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_free char *from = str_printf("./%s/.", step->path + strspn(step->path, "/"));

	if (mode == TEXT_TRACE) {
		str_add(out, "cp -a ");
		str_add_shell(out, from);
		str_add_char(out, ' ');
		str_add_shell(out, step->text);
		str_add(out, "   # into an empty volume");
		return;
	}
	str_add(out, "if [ -d ");
	str_add_shell(out, from);
	str_add(out, " ] && [ -z \"$(ls -A ");
	str_add_shell(out, step->text);
	str_add(out, ")\" ]; then cp -a ");
	str_add_shell(out, from);
	str_add_char(out, ' ');
	str_add_shell(out, step->text);
	str_add(out, "; fi");
}

static const struct step_op step_copy_up = {"copy-up", run_copy_up, explain_copy_up};

void plan_copy_up(struct plan *plan, size_t index, const char *dir, const char *path)
{
	struct step *step = plan_add(plan, &step_copy_up, STEP_INSIDE);

	step->path = str_dup(path);
	step->text = str_dup(dir);
	step->number[0] = index;
}

/* ---- images ---- */

/* A detached read-only mount of LAYERS. One alone is no overlay to the kernel. */
static int mount_layers(const int *layers, size_t n, const char *target)
{
	cleanup_close int overlay = -1;
	int copy = -1;

	if (n == 1)
		return mount_clone(layers[0], false);
	overlay = mount_overlay(layers, n, -1, -1, false, target);
	if (overlay < 0)
		return overlay;
	copy = mount_clone(overlay, false);
	/* lint: the engine's own directory, covered a moment ago in this mount namespace */
	if (copy >= 0 && umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
		int saved = errno;

		close(copy);
		return -saved;
	}
	return copy;
}

static int open_layers(const struct strv *paths)
{
	int layers[MAX_LOWERS] = {};
	size_t n = 0;
	int fd = 0;

	if (paths->n == 0 || paths->n > MAX_LOWERS)
		return -E2BIG;
	for (; fd >= 0 && n < paths->n; n++) {
		/* lint: a layer directory of the store */
		layers[n] = open(paths->items[n], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (layers[n] < 0) {
			fd = -errno;
			break;
		}
	}
	if (fd == 0)
		fd = mount_layers(layers, n, paths->items[0]);
	for (size_t i = 0; i < n; i++)
		close(layers[i]);
	return fd;
}

int plan_open_image(const struct strv *lowers, const char *subpath)
{
	cleanup_close int whole = open_layers(lowers);
	cleanup_close int part = -1;
	cleanup_close int fd = -1;
	int rc = 0;

	if (whole < 0)
		return whole;
	/* Symlinks in the image lead to its own files. */
	if (subpath)
		part = path_open_in_root(whole, subpath, O_PATH, 0);
	if (subpath && part < 0)
		return part;
	fd = subpath ? mount_clone(part, false) : take_fd(whole);
	if (fd < 0)
		return fd;
	rc = mount_change(fd, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, false);
	return rc < 0 ? rc : take_fd(fd);
}

static int run_mount_image(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int fd = plan_open_image(&step->words, step->text);
	struct stat st;

	if (fd == -ENOENT && step->text)
		return err_sys(err, ENOENT, "cannot access path %s of the image", step->text);
	/* Without the system's words: `run` would take "no such file" for that of the command. */
	if (fd == -ENOENT)
		return err_set(err, ERR_SYSTEM, "a layer of the image for %s is missing",
			       step->path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, fd < 0 ? -fd : errno, "mount the image for %s", step->path);
	return plan_attach_source(run, fd, S_ISDIR(st.st_mode), step->path, err);
}

static void explain_mount_image(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_free char *target = str_printf("./%s", step->path + strspn(step->path, "/"));
	cleanup_free char *layers = strv_join(&step->words, ":");

	if (mode == TEXT_SCRIPT) {
		str_add(out, "within ");
		str_add_shell(out, target);
		str_add(out, "; mkdir -p ");
		str_add_shell(out, target);
		str_add(out, "; ");
	}
	if (step->words.n == 1 || step->text) {
		str_add(out, "mount --bind -o ro ");
		str_addf(out, "%s%s%s", step->words.n ? step->words.items[0] : "",
			 step->text ? "/" : "", step->text ? step->text : "");
	} else {
		str_addf(out, "mount -t overlay -o ro,lowerdir=%s overlay", layers);
	}
	str_add_char(out, ' ');
	str_add_shell(out, target);
}

static const struct step_op step_mount_image = {"image", run_mount_image, explain_mount_image};

struct step *plan_mount_image(struct plan *plan, const struct strv *lowers, const char *subpath,
			      const char *target)
{
	struct step *step = plan_add(plan, &step_mount_image, STEP_INSIDE);

	strv_add_all(&step->words, lowers);
	step->text = str_dup(subpath);
	step->path = str_dup(target);
	return step;
}
