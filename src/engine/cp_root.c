/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ways to the same view.
 *
 * A running container has its mounts already. The process enters its mount namespace by pidfd (so
 * that it cannot be another's, whatever pids do), takes a detached copy of everything mounted on
 * its root, and comes back; no path was resolved there but "/". The copy is private, so taking
 * /proc and /sys out of it is not seen in the container. Writing goes to the same mounts that the
 * container uses: there never are two overlays on one upper directory.
 *
 * For one that does not run the overlay is mounted as its start would do it, and what it binds from
 * the host is mounted inside. Its entry is held, so that it cannot start meanwhile.
 *
 * From then on every name is resolved by openat2(2) under the root's descriptor.
 */
#include "engine/cp_root.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/cp_mounts.h"
#include "engine/create.h"
#include "engine/engine.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "engine/view.h"
#include "oci/runtime_config.h"
#include "storage/store.h"
#include "sys/mount.h"
#include "sys/path.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the kernel's making, and nothing that anybody copies. */
static const char *const kernel_types[] = {"proc",    "sysfs",	"cgroup",
					   "cgroup2", "mqueue", "devpts"};

void cp_root_done(struct cp_root *root)
{
	if (root->fd >= 0) {
		fd_cleanup_close(&root->fd);
		view_unmount(root->engine, root->record.row.id);
	}
	if (root->pending_fd >= 0)
		pending_close(root->engine, root->record.row.id, root->pending_fd);
	container_record_done(&root->record);
	root->pending_fd = -1;
}

/* ---- one that runs ---- */

/* A detached copy of the mounts of the process PIDFD: its descriptor or -errno. The process comes
 * back to the namespace and the directory that it was in. */
static int copy_mounts(int pidfd)
{
	/* lint: namespaces of the host's procfs */
	cleanup_close int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	cleanup_close int cwd = openat(AT_FDCWD, ".", O_PATH | O_CLOEXEC);
	cleanup_close int root = -1;
	int copy = -1;

	if (own < 0 || cwd < 0 || setns(pidfd, CLONE_NEWNS) < 0)
		return -errno;
	/* lint: the root of a mount namespace, which setns(2) went to */
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	copy = root < 0 ? -errno : mount_clone(root, true);
	/* Nothing may go on in the wrong place. */
	if (setns(own, CLONE_NEWNS) < 0 || fchdir(cwd) < 0) {
		log_debug("cannot come back from a mount namespace: %m");
		abort();
	}
	return copy;
}

static bool is_kernel_type(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(kernel_types); i++)
		if (strcmp(type, kernel_types[i]) == 0)
			return true;
	return false;
}

/* Whether PATH (clean) is DIR or lies in it. */
static bool is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/');
}

/* Whether PATH leads to something in /dev that is more than a device: /dev/shm, or a mount of the
 * user's. */
static bool needs_dev(const struct oci_runtime_config *config, const char *path)
{
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];

		if (str_has_prefix(m->destination, "/dev/") && !is_kernel_type(m->type) &&
		    is_within(path, m->destination))
			return true;
	}
	return false;
}

static bool is_hidden(const struct oci_runtime_config *config, const struct oci_mount *m,
		      const char *path)
{
	if (strcmp(m->destination, "/dev") == 0)
		return !needs_dev(config, path);
	return is_kernel_type(m->type);
}

/* Takes what is mounted at DESTINATION out of the copy, with all below. */
static void hide(int root_fd, const char *destination)
{
	cleanup_close int fd = path_open_in_root(root_fd, destination, O_PATH, 0);
	char name[PATH_FD_LEN];

	/* lint: a descriptor in a copy of the mounts that this process alone has */
	if (fd >= 0 && umount2(path_of_fd(fd, name), MNT_DETACH) < 0)
		log_debug("%s is not mounted: %m", destination);
}

static int open_running(struct cp_root *r, const struct container_state *state,
			const struct oci_runtime_config *config, const char *path, struct err *err)
{
	cleanup_close int pidfd = process_open(state->pid, state->start_time);
	cleanup_close int copy = -1;
	int rc = 0;

	if (pidfd < 0)
		return err_set(err, ERR_CONFLICT, "container %.12s has just ended",
			       r->record.row.id);
	copy = copy_mounts(pidfd);
	if (copy == -ESRCH)
		return err_set(err, ERR_CONFLICT, "container %.12s has just ended",
			       r->record.row.id);
	rc = copy < 0 ? copy : mount_change(copy, 0, 0, MS_PRIVATE, true);
	if (rc < 0)
		return err_sys(err, -rc, "look into container %.12s", r->record.row.id);
	r->fd = view_attach(r->engine, copy, err);
	if (r->fd < 0)
		return -err->code;
	/* From the last one mounted to the first: what lies on another goes before it. */
	for (size_t i = config->n_mounts; i-- > 0;)
		if (is_hidden(config, &config->mounts[i], path))
			hide(r->fd, config->mounts[i].destination);
	return 0;
}

/* ---- one that does not ---- */

static int open_stopped(struct cp_root *r, const struct container_made *made, bool was_started,
			struct err *err)
{
	const struct oci_runtime_config *config = &made->config;
	cleanup_free char *own = store_container_path(r->engine->store, r->record.row.id, "");
	int rc = 0;

	r->fd = view_mount_writable(r->engine, r->record.row.id, &made->lowers, err);
	if (r->fd < 0)
		return -err->code;
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];

		/* The engine's own (/etc/hosts) begin with the first start. */
		if (!cp_mount_is_content(m) || (!was_started && str_has_prefix(m->source, own)))
			continue;
		rc = cp_mount_add(r->engine, r->fd, m);
		/* A source that is gone takes nothing else with it. */
		if (rc < 0 && rc != -ENOENT)
			return err_sys(err, -rc, "mount %s on %s", m->source, m->destination);
	}
	rc = config->root_readonly ? mount_change(r->fd, MOUNT_ATTR_RDONLY, 0, 0, false) : 0;
	return rc < 0 ? err_sys(err, -rc, "make the root read-only") : 0;
}

/* Keeps others from starting the container, and reads its state: it may run by now. */
static int hold(struct cp_root *r, struct container_state *state, struct err *err)
{
	if (r->pending_fd < 0)
		r->pending_fd = pending_wait(r->engine, r->record.row.id, err);
	if (r->pending_fd < 0)
		return -err->code;
	container_state_read(r->engine, r->record.row.id, state);
	return 0;
}

int cp_root_open(struct engine *engine, const char *ref, const char *path, struct cp_root *ret,
		 struct err *err)
{
	cleanup_made struct container_made made = {.pending_fd = -1};
	struct container_state state;

	ret->engine = engine;
	if (container_find(engine, ref, &ret->record, &state, err) < 0)
		return -err->code;
	if (!container_has_process(&state) && hold(ret, &state, err) < 0)
		return -err->code;
	if (engine_load(engine, ret->record.row.id, &made, err) < 0 || view_ensure_private(err) < 0)
		return -err->code;
	while (container_has_process(&state)) {
		int rc = open_running(ret, &state, &made.config, path, err);

		if (rc != -ERR_CONFLICT)
			return rc;
		/* It has just ended, perhaps only to start again. */
		err_clear(err);
		if (hold(ret, &state, err) < 0)
			return -err->code;
	}
	return open_stopped(ret, &made, state.status != STATUS_CREATED, err);
}
