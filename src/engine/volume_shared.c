/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding who has a volume mounted: the index says who uses it, the state who runs, and the
 * configuration that runs says where.
 */
/* lint file: the engine's own directories, and namespaces of the host's procfs, named by numbers */
#include "engine/volume_shared.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/create.h"
#include "engine/state.h"
#include "storage/volume.h"
#include "sys/mount.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#define LOCK_DEADLINE_NS 30000000000ull
#define LOCK_POLL_NS	 2000000

static int lock_volume(struct engine *engine, const char *name, struct err *err)
{
	cleanup_free char *path = volume_path(engine->store, name, "");
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct timespec pause = {.tv_nsec = LOCK_POLL_NS};
	uint64_t deadline = clock_mono_ns() + LOCK_DEADLINE_NS;

	if (fd < 0)
		return err_sys(err, errno, "open volume %s", name);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock volume %s", name);
		if (clock_mono_ns() > deadline)
			return err_set(err, ERR_UNAVAILABLE,
				       "volume %s: another container starts with it", name);
		nanosleep(&pause, NULL);
	}
	return take_fd(fd);
}

static const struct oci_mount *find_mount(const struct oci_runtime_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_mounts; i++)
		if (str_is_equal(config->mounts[i].volume, name) &&
		    strcmp(config->mounts[i].type, "bind") != 0)
			return &config->mounts[i];
	return NULL;
}

/* 1 and fills RET when container ID runs and has the volume mounted; else 0. */
static int look_at(struct engine *engine, const char *id, const char *name,
		   struct runtime_shared *ret)
{
	cleanup_made struct container_made made = {.pending_fd = -1};
	cleanup_close int fd = -1;
	const struct oci_mount *m = NULL;
	struct container_state state;
	struct err ignored = ERR_INIT;
	char path[64];

	container_state_read(engine, id, &state);
	if (!container_is_running(&state) || engine_load(engine, id, &made, &ignored) < 0)
		return 0;
	m = find_mount(&made.config, name);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)state.pid);
	fd = m ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	/* The number may have become another's while it was opened. */
	if (fd < 0 || !process_is_alive(state.pid, state.start_time))
		return 0;
	*ret = (struct runtime_shared){
		.container = str_dup(id), .path = str_dup(m->destination), .fd = take_fd(fd)};
	snprintf(ret->volume, sizeof(ret->volume), "%s", name);
	return 1;
}

static int find_holder(struct engine *engine, const char *name, const char *except,
		       struct runtime_shared *ret, struct err *err)
{
	cleanup_strv struct strv ids = STRV_INIT;

	if (volume_list_users(engine->store, name, &ids, err) < 0)
		return -err->code;
	strv_foreach (i, &ids)
		if (strcmp(ids.items[i], except) != 0 &&
		    look_at(engine, ids.items[i], name, ret) == 1)
			return 1;
	return 0;
}

static int add_one(struct engine *engine, const char *name, const char *id,
		   struct shared_volumes *ret, struct err *err)
{
	struct runtime_shared found = {};
	int lock = -1;
	int rc = 0;

	for (size_t i = 0; i < ret->n; i++)
		if (strcmp(ret->items[i].volume, name) == 0)
			return 0;
	lock = lock_volume(engine, name, err);
	if (lock < 0)
		return lock;
	ret->locks = mem_realloc_array(ret->locks, ret->n_locks + 1, sizeof(*ret->locks));
	ret->locks[ret->n_locks++] = lock;
	rc = find_holder(engine, name, id, &found, err);
	if (rc <= 0)
		return rc;
	ret->items = mem_realloc_array(ret->items, ret->n + 1, sizeof(*ret->items));
	ret->items[ret->n++] = found;
	return 0;
}

int shared_volumes_open(struct engine *engine, const struct oci_runtime_config *config,
			const char *id, struct shared_volumes *ret, struct err *err)
{
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];

		if (m->volume && strcmp(m->type, "bind") != 0 &&
		    add_one(engine, m->volume, id, ret, err) < 0)
			return -err->code;
	}
	return 0;
}

void shared_volumes_unlock(struct shared_volumes *shared)
{
	for (size_t i = 0; i < shared->n_locks; i++)
		fd_cleanup_close(&shared->locks[i]);
	free(shared->locks);
	shared->locks = NULL;
	shared->n_locks = 0;
}

static void shared_done(struct runtime_shared *s)
{
	fd_cleanup_close(&s->fd);
	free(s->container);
	free(s->path);
}

void shared_volumes_done(struct shared_volumes *shared)
{
	shared_volumes_unlock(shared);
	for (size_t i = 0; i < shared->n; i++)
		shared_done(&shared->items[i]);
	free(shared->items);
	*shared = (struct shared_volumes){};
}

int volume_take_shared(struct engine *engine, const char *name, struct err *err)
{
	struct runtime_shared found = {};
	int rc = find_holder(engine, name, "", &found, err);

	if (rc <= 0)
		return rc < 0 ? rc : -1;
	rc = mount_clone_from(found.fd, found.path);
	if (rc < 0)
		err_sys(err, -rc, "take volume %s of container %.12s", name, found.container);
	shared_done(&found);
	return rc < 0 ? -err->code : rc;
}
