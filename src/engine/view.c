/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlays for the engine's own eyes.
 *
 * A view is mounted on the skeleton's directory, which exists in every store that has containers,
 * and at once detached again: the descriptor of its root keeps it alive, and no path leads to it.
 * Layers are named to the kernel by descriptor, so the mount hides nothing that is still needed.
 *
 * A running container's upper directory is the topmost lower one of such an overlay. The kernel
 * allows this with the index off, and what it calls undefined is only whether a change made
 * meanwhile is seen: each view is a mount of its own that was never looked through before.
 */
#include "engine/view.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/create.h"
#include "engine/engine.h"
#include "engine/skeleton.h"
#include "storage/container.h"
#include "storage/image.h"
#include "storage/store.h"
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* More directories than any image or container has: 500 layers are overlayfs' own limit. */
#define MAX_DIRS 512

/* An overlay to be: directories by descriptor. */
struct overlay {
	int lowers[MAX_DIRS];
	size_t n_lowers;
	int upper, work; /* -1 for a read-only one */
};

#define OVERLAY_INIT                    \
	{                               \
		.upper = -1, .work = -1 \
	}

static void overlay_done(struct overlay *o)
{
	for (size_t i = 0; i < o->n_lowers; i++)
		fd_cleanup_close(&o->lowers[i]);
	fd_cleanup_close(&o->upper);
	fd_cleanup_close(&o->work);
}

static int add_lower(struct overlay *o, const char *path, struct err *err)
{
	int fd = -1;

	if (o->n_lowers == MAX_DIRS)
		return err_set(err, ERR_UNSUPPORTED, "more than %d layers", MAX_DIRS);
	/* lint: a directory of the store */
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		err_set(err, ERR_SYSTEM, "layer %s is missing", path);
		return err_hint(err, "tare system check");
	}
	if (fd < 0)
		return err_sys(err, errno, "open layer %s", path);
	o->lowers[o->n_lowers++] = fd;
	return 0;
}

static int add_lowers(struct overlay *o, const struct strv *paths, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < paths->n; i++)
		rc = add_lower(o, paths->items[i], err);
	return rc;
}

static int open_of_container(struct engine *engine, const char *id, const char *leaf, int flags,
			     struct err *err)
{
	cleanup_free char *path = store_container_path(engine->store, id, leaf);
	/* lint: the store's own directory of this container */
	int fd = open(path, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", id);
	return fd < 0 ? err_sys(err, errno, "open the writable layer of container %.12s", id) : fd;
}

int view_open_upper(struct engine *engine, const char *id, struct err *err)
{
	return open_of_container(engine, id, "upper", O_RDONLY, err);
}

int view_ensure_private(struct err *err)
{
	static bool is_private;
	int rc = 0;

	if (is_private)
		return 0;
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, errno, "make a mount namespace");
	rc = mount_set_propagation_all(MS_PRIVATE);
	if (rc < 0)
		return err_sys(err, -rc, "keep mounts from the host");
	is_private = true;
	return 0;
}

/* Where views are mounted. */
static char *mount_point(const struct engine *engine)
{
	return str_printf("%s/skeleton", engine->root);
}

static int open_root(int mount_fd, struct err *err)
{
	int fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open the root of the file system") : fd;
}

/* Mounts O, whose directories were opened in the private namespace (the kernel takes layers only
 * from mounts of the caller's own); a descriptor of its root, open for reading. */
static int mount_view(struct engine *engine, const struct overlay *o, bool keep, struct err *err)
{
	cleanup_free char *target = mount_point(engine);
	const uint64_t attrs = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME;
	cleanup_close int mounted = -1;
	int fd = -1;
	int rc = 0;

	mounted = mount_overlay(o->lowers, o->n_lowers, o->upper, o->work, false, target);
	if (mounted < 0)
		return err_sys(err, -mounted, "mount the layers");
	/* Nothing in it is opened as a device, and looking leaves no trace. */
	rc = mount_change(mounted, o->upper < 0 ? attrs | MOUNT_ATTR_RDONLY : attrs,
			  MOUNT_ATTR__ATIME, 0, false);
	fd = rc < 0 ? err_sys(err, -rc, "set the attributes of a mount") : open_root(mounted, err);
	/* lint: the engine's own directory, in a namespace of this process alone */
	if (!keep && umount2(target, MNT_DETACH) < 0 && fd >= 0) {
		close(fd);
		return err_sys(err, errno, "detach the layers");
	}
	return fd;
}

/* The kernel wants two directories where none is written to: the second may be an empty one. */
static int add_ground(struct engine *engine, struct overlay *o, struct err *err)
{
	cleanup_strv struct strv skeleton = STRV_INIT;
	cleanup_free char *empty = NULL;

	if (skeleton_add(engine, &skeleton, err) < 0)
		return -err->code;
	if (o->n_lowers > 1 || o->upper >= 0)
		return 0;
	empty = str_printf("%s/dev", skeleton.items[0]);
	return add_lower(o, empty, err);
}

/* The work directory is one of our own: what overlayfs leaves in the container's tells that it was
 * started (container_was_started). */
#define WORK "view-work"

static int set_upper(struct engine *engine, const char *id, struct overlay *o, struct err *err)
{
	cleanup_close int dir = open_of_container(engine, id, "", O_PATH, err);

	if (dir < 0)
		return -err->code;
	if (mkdirat(dir, WORK, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "prepare to write to container %.12s", id);
	o->upper = open_of_container(engine, id, "upper", O_PATH, err);
	if (o->upper < 0)
		return -err->code;
	o->work = open_of_container(engine, id, WORK, O_PATH, err);
	return o->work < 0 ? -err->code : 0;
}

/* The layers of container ID, uppermost first, the skeleton last. */
static int load_layers(struct engine *engine, const char *id, struct strv *ret, struct err *err)
{
	cleanup_made struct container_made made = {.pending_fd = -1};
	int rc = engine_load(engine, id, &made, err);

	if (rc == 0)
		strv_add_all(ret, &made.lowers);
	return rc;
}

int view_open_container(struct engine *engine, const struct container_record *record,
			struct err *err)
{
	cleanup_with(overlay_done) struct overlay o = OVERLAY_INIT;
	cleanup_strv struct strv lowers = STRV_INIT;
	cleanup_free char *upper = store_container_path(engine->store, record->row.id, "upper");

	if (view_ensure_private(err) < 0 || load_layers(engine, record->row.id, &lowers, err) < 0)
		return -err->code;
	strv_remove(&lowers, lowers.n - 1);
	if (add_lower(&o, upper, err) < 0 || add_lowers(&o, &lowers, err) < 0 ||
	    add_ground(engine, &o, err) < 0)
		return -err->code;
	return mount_view(engine, &o, false, err);
}

int view_open_lower(struct engine *engine, const struct container_record *record, struct err *err)
{
	cleanup_with(overlay_done) struct overlay o = OVERLAY_INIT;
	cleanup_strv struct strv lowers = STRV_INIT;

	if (view_ensure_private(err) < 0 || load_layers(engine, record->row.id, &lowers, err) < 0 ||
	    add_lowers(&o, &lowers, err) < 0)
		return -err->code;
	/* An image without layers: the skeleton alone is no overlay. */
	if (o.n_lowers == 1)
		return open_root(o.lowers[0], err);
	return mount_view(engine, &o, false, err);
}

/* A detached copy of what is mounted or lies at FD, read-only. */
static int clone_readonly(int fd, struct err *err)
{
	cleanup_close int copy = mount_clone(fd, false);
	int rc = copy < 0 ? copy
			  : mount_change(copy,
					 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
					 0, MS_PRIVATE, false);

	return rc < 0 ? err_sys(err, -rc, "mount the layers") : take_fd(copy);
}

int view_mount_image(struct engine *engine, const struct strv *lowers, struct err *err)
{
	cleanup_with(overlay_done) struct overlay o = OVERLAY_INIT;
	cleanup_free char *target = mount_point(engine);
	cleanup_strv struct strv skeleton = STRV_INIT;
	cleanup_close int root = -1;
	int fd = -1;

	if (view_ensure_private(err) < 0 || add_lowers(&o, lowers, err) < 0)
		return -err->code;
	if (o.n_lowers == 1)
		return clone_readonly(o.lowers[0], err);
	/* A store without containers has no place to mount on yet. */
	if (skeleton_add(engine, &skeleton, err) < 0)
		return -err->code;
	root = mount_view(engine, &o, true, err);
	if (root < 0)
		return root;
	fd = clone_readonly(root, err);
	/* lint: the engine's own directory, in a namespace of this process alone */
	if (umount2(target, MNT_DETACH) < 0)
		log_debug("unmount %s: %m", target);
	return fd;
}

int view_verify(struct engine *engine, const struct container_record *record, struct err *err)
{
	cleanup_container struct container_record now = {};

	if (container_lookup_by_ref(engine->store, record->row.id, &now, err) < 0)
		return err_wrap(err, "removed while it was read");
	return 0;
}

int view_mount_writable(struct engine *engine, const char *id, const struct strv *lowers,
			struct err *err)
{
	cleanup_with(overlay_done) struct overlay o = OVERLAY_INIT;

	if (view_ensure_private(err) < 0 || set_upper(engine, id, &o, err) < 0 ||
	    add_lowers(&o, lowers, err) < 0)
		return -err->code;
	return mount_view(engine, &o, true, err);
}

void view_unmount(struct engine *engine, const char *id)
{
	cleanup_free char *target = mount_point(engine);
	cleanup_close int dir = engine_open_container_dir(engine, id);

	/* lint: the engine's own directory, in a namespace of this process alone */
	if (umount2(target, MNT_DETACH) < 0)
		log_debug("unmount %s: %m", target);
	if (dir >= 0)
		fd_remove_tree_at(dir, WORK);
}

int view_attach(struct engine *engine, int mount_fd, struct err *err)
{
	cleanup_free char *path = mount_point(engine);
	/* lint: the engine's own directory */
	cleanup_close int target = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = target < 0 ? -errno : mount_attach(mount_fd, target);

	return rc < 0 ? err_sys(err, -rc, "attach the root of the container")
		      : open_root(mount_fd, err);
}
