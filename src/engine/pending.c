/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations cut short, and their end.
 */
#include "engine/pending.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "engine/state.h"
#include "monitor/state.h"
#include "storage/container.h"
#include "storage/store.h"
#include "sys/cgroup_live.h"
#include "sys/path.h"
#include "sys/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_UNKNOWN	255
#define KILL_TIMEOUT_NS (5000 * 1000000ULL)

static char *pending_path(const struct engine *engine, const char *id)
{
	return str_printf("%s/pending/%s", engine->runroot, id);
}

int pending_open(struct engine *engine, const char *id, struct err *err)
{
	cleanup_free char *dir = str_printf("%s/pending", engine->runroot);
	cleanup_free char *path = pending_path(engine, id);
	cleanup_close int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char fd_path[PATH_FD_LEN];

	if (fd < 0 && errno == ENOENT) {
		int rc = fd_mkdir_p(dir, 0700);

		if (rc < 0)
			return err_sys(err, -rc, "create %s", dir);
		fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	}
	if (fd < 0)
		return err_sys(err, errno, "open %s", dir);
	/* Locked before it has a name, so nobody can take it for an abandoned one. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(err, errno, "lock %s", path);
	if (linkat(AT_FDCWD, path_of_fd(fd, fd_path), AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0) {
		if (errno == EEXIST)
			return err_set(err, ERR_CONFLICT,
				       "container %.12s is busy: another command works on it", id);
		return err_sys(err, errno, "create %s", path);
	}
	return take_fd(fd);
}

void pending_close(struct engine *engine, const char *id, int fd)
{
	cleanup_free char *path = pending_path(engine, id);

	if (fd < 0)
		return;
	if (unlink(path) < 0)
		log_debug("remove %s: %m", path);
	close(fd);
}

bool pending_is_held(const struct engine *engine, const char *id)
{
	cleanup_free char *path = pending_path(engine, id);
	cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

/* ---- taking away ---- */

int engine_remove_traces(struct engine *engine, const char *id, struct err *err)
{
	cleanup_free char *run = str_printf("%s/containers/%s", engine->runroot, id);
	cleanup_free char *dir = store_container_path(engine->store, id, "");
	cleanup_free char *cgroup = str_printf("tare/%s", id);
	int rc = cgroup_remove(engine_get_cgroups(engine), cgroup, KILL_TIMEOUT_NS);

	if (rc < 0)
		log_debug("remove control group %s: %s", cgroup, strerrordesc_np(-rc));
	rc = fd_remove_tree_at(AT_FDCWD, run);
	if (rc < 0)
		return err_sys(err, -rc, "remove %s", run);
	rc = fd_remove_tree_at(AT_FDCWD, dir);
	return rc < 0 ? err_sys(err, -rc, "remove %s", dir) : 0;
}

/* Ends what is left of a container without a monitor; nobody else would. */
static void kill_orphan(struct engine *engine, const char *id, const struct container_state *state)
{
	cleanup_free char *cgroup = str_printf("tare/%s", id);
	cleanup_close int pidfd = process_open(state->pid, state->start_time);

	if (pidfd >= 0) {
		process_signal(pidfd, SIGKILL);
		process_wait_gone(pidfd, (int)(KILL_TIMEOUT_NS / 1000000));
	}
	cgroup_kill(engine_get_cgroups(engine), cgroup, KILL_TIMEOUT_NS);
	cgroup_remove(engine_get_cgroups(engine), cgroup, KILL_TIMEOUT_NS);
}

static void write_unknown_exit(struct engine *engine, const char *id,
			       const struct container_state *state)
{
	cleanup_close int dir = engine_open_container_dir(engine, id);
	const struct monitor_exit how = {
		.code = EXIT_UNKNOWN,
		.started_ns = state->started_ns ? state->started_ns : 1,
		.finished_ns = clock_real_ns(),
	};

	if (dir >= 0)
		monitor_exit_write(dir, &how);
}

int engine_settle(struct engine *engine, const char *id, bool auto_remove, struct err *err)
{
	cleanup_free char *run = str_printf("%s/containers/%s", engine->runroot, id);
	struct container_state state;
	int rc = 0;

	container_state_read(engine, id, &state);
	if (state.monitor_lost) {
		kill_orphan(engine, id, &state);
		/* A monitor killed between its last two acts has written the truth already. */
		if (container_is_running(&state) || state.exit_code == EXIT_UNKNOWN)
			write_unknown_exit(engine, id, &state);
		fd_remove_tree_at(AT_FDCWD, run);
	} else if (container_is_running(&state)) {
		return 0;
	}
	if (!auto_remove)
		return 0;
	rc = container_delete(engine->store, id, err);
	if (rc < 0)
		return rc;
	rc = engine_remove_traces(engine, id, err);
	return rc < 0 ? rc : 1;
}

/* ---- the sweep ---- */

static void finish_one(struct engine *engine, const char *id)
{
	cleanup_container struct container_record record = {};
	struct err err = ERR_INIT;
	int found = container_lookup(engine->store, id, &record, &err);

	if (found == 0) {
		/* Made but never named, or unnamed and not yet gone. */
		struct container_state state;

		container_state_read(engine, id, &state);
		kill_orphan(engine, id, &state);
		if (engine_remove_traces(engine, id, &err) < 0)
			log_debug("%s", err.msg);
		return;
	}
	if (found > 0)
		engine_settle(engine, id, record.row.auto_remove, &err);
}

void pending_sweep(struct engine *engine)
{
	cleanup_free char *dir = str_printf("%s/pending", engine->runroot);
	DIR *d = opendir(dir);
	struct dirent *e = NULL;

	for (e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		cleanup_close int fd = -1;
		struct stat st;

		if (!hex_is_valid(e->d_name, ID_LEN))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			continue;
		/* Its holder may have finished between our open and our lock. */
		if (fstat(fd, &st) < 0 || st.st_nlink == 0)
			continue;
		finish_one(engine, e->d_name);
		unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}
