/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations cut short, and their end.
 */
/* lint file: entries of the engine's own directories; an id is 64 hexadecimal digits */
#include "engine/pending.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "engine/event.h"
#include "engine/network_connect.h"
#include "engine/network_plan.h"
#include "engine/resume.h"
#include "engine/state.h"
#include "engine/update.h"
#include "monitor/state.h"
#include "storage/check.h"
#include "storage/collect.h"
#include "storage/container.h"
#include "storage/repair.h"
#include "storage/store.h"
#include "storage/volume.h"
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
#include <time.h>
#include <unistd.h>

#define EXIT_UNKNOWN	255
#define KILL_TIMEOUT_NS (5000 * 1000000ULL)
/* How long a command waits for another that works on the same container. */
#define WAIT_DEADLINE_NS (30000 * 1000000ULL)
#define WAIT_POLL_NS	 1000000

static void finish_one(struct engine *engine, const char *id);

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

/* Another's entry: 0 when it is gone, or was taken over and finished, -EWOULDBLOCK while it is
 * held. */
static int finish_abandoned(struct engine *engine, int dir_fd, const char *id)
{
	cleanup_close int fd = openat(dir_fd, id, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	/* Its holder may have finished between our open and our lock. */
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return 0;
	finish_one(engine, id);
	return unlinkat(dir_fd, id, 0) < 0 ? -errno : 0;
}

int pending_try(struct engine *engine, const char *id, struct err *err)
{
	cleanup_free char *path = str_printf("%s/pending", engine->runroot);
	cleanup_close int dir_fd = -1;
	int fd = pending_open(engine, id, err);
	int rc = 0;

	if (fd != -ERR_CONFLICT)
		return fd;
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = dir_fd < 0 ? -errno : finish_abandoned(engine, dir_fd, id);
	if (rc == -EWOULDBLOCK)
		return fd;
	err_clear(err);
	if (rc < 0)
		return err_sys(err, -rc, "take over %s/%s", path, id);
	return pending_open(engine, id, err);
}

int pending_wait(struct engine *engine, const char *id, struct err *err)
{
	const struct timespec pause = {.tv_nsec = WAIT_POLL_NS};
	uint64_t deadline = clock_mono_ns() + WAIT_DEADLINE_NS;

	for (;;) {
		int fd = pending_try(engine, id, err);

		if (fd != -ERR_CONFLICT || clock_mono_ns() > deadline)
			return fd;
		err_clear(err);
		nanosleep(&pause, NULL);
	}
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

	/* Shared, so that two who ask do not take each other for the holder. */
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

bool pending_is_running(const char *id, void *data)
{
	struct container_state state;

	if (pending_is_held(data, id))
		return true;
	container_state_read(data, id, &state);
	return container_is_running(&state);
}

void engine_remove_replaced(struct engine *engine)
{
	storage_remove_replaced(engine->store, pending_is_running, engine);
}

/* ---- taking away ---- */

static void remove_group(struct engine *engine, const char *id)
{
	cleanup_free char *cgroup = container_cgroup_name(engine, id);
	const struct cgroup_layout *layout = engine_get_cgroups(engine);
	int rc = cgroup_kill(layout, cgroup, KILL_TIMEOUT_NS);

	if (rc == 0)
		rc = cgroup_remove(layout, cgroup, KILL_TIMEOUT_NS);
	if (rc < 0)
		log_debug("remove control group %s: %s", cgroup, strerrordesc_np(-rc));
}

void engine_remove_run(struct engine *engine, const char *id)
{
	cleanup_free char *run = str_printf("%s/containers/%s", engine->runroot, id);
	int rc = 0;

	remove_group(engine, id);
	engine_release_networks(engine, id, false);
	rc = fd_remove_tree_at(AT_FDCWD, run);
	if (rc < 0)
		log_debug("remove %s: %s", run, strerrordesc_np(-rc));
}

void engine_remove_run_aside(const struct engine *engine, const char *id)
{
	cleanup_free char *aside = str_printf("%s/containers/%s" MONITOR_ENDED_SUFFIX,
					      engine->runroot, id);
	int rc = fd_remove_tree_at(AT_FDCWD, aside);

	if (rc < 0)
		log_debug("remove %s: %s", aside, strerrordesc_np(-rc));
}

int engine_remove_traces(struct engine *engine, const char *id, struct err *err)
{
	cleanup_free char *dir = store_container_path(engine->store, id, "");
	int rc = 0;

	engine_remove_run(engine, id);
	engine_remove_run_aside(engine, id);
	rc = fd_remove_tree_at(AT_FDCWD, dir);
	return rc < 0 ? err_sys(err, -rc, "remove %s", dir) : 0;
}

/* Ends the first process of a container without a monitor, and with it its pid namespace. */
static void kill_orphan(const struct container_state *state)
{
	cleanup_close int pidfd = process_open(state->pid, state->start_time);

	if (pidfd < 0)
		return;
	process_signal(pidfd, SIGKILL);
	process_wait_gone(pidfd, (int)(KILL_TIMEOUT_NS / 1000000));
}

static void write_unknown_exit(struct engine *engine, const char *id,
			       const struct container_state *state)
{
	cleanup_close int dir = engine_open_container_dir(engine, id);
	const struct monitor_exit how = {
		.code = EXIT_UNKNOWN,
		.started_ns = state->started_ns ? state->started_ns : 1,
		.finished_ns = clock_real_ns(),
		.history = state->history,
		.marks = state->marks,
	};

	if (dir >= 0)
		monitor_exit_write(dir, &how);
	event_found_dead(engine, id, EXIT_UNKNOWN);
}

bool container_is_overdue(const struct container_state *state, bool auto_remove)
{
	return state->monitor_lost || state->is_unknown ||
	       (auto_remove && (state->status == STATUS_EXITED || state->was_started));
}

/* First the name in the index, then the files: no listed container is ever half there. */
int engine_delete(struct engine *engine, const char *id, bool with_volumes, struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_strv struct strv volumes = STRV_INIT;
	int found = container_lookup(engine->store, id, &record, err);
	int rc = found;

	if (rc >= 0)
		rc = container_delete(engine->store, id, with_volumes, &volumes, err);
	if (rc <= 0)
		return rc;
	strv_foreach (i, &volumes)
		event_volume(engine, volumes.items[i], "destroy", NULL);
	if (found == 1)
		event_container(engine, &record.row, "destroy", NULL);
	return 1;
}

/* Ends what is left of a run and puts that on record. False when it still runs. */
static bool end_run(struct engine *engine, const char *id)
{
	struct container_state state;

	container_state_read_held(engine, id, &state);
	if (container_is_running(&state) && !state.monitor_lost)
		return false;
	if (state.monitor_lost) {
		kill_orphan(&state);
		/* Of one that ran only now what is on record counts. */
		container_state_read_held(engine, id, &state);
	}
	/* A monitor killed between its last two acts has written the truth already. */
	if (container_is_running(&state) || state.is_unknown)
		write_unknown_exit(engine, id, &state);
	remove_group(engine, id);
	return true;
}

int engine_settle_held(struct engine *engine, const char *id, bool auto_remove, struct err *err)
{
	int rc = 0;

	if (!end_run(engine, id))
		return 0;
	engine_remove_run(engine, id);
	if (!auto_remove)
		return 0;
	rc = engine_delete(engine, id, false, err);
	if (rc < 0)
		return rc;
	rc = engine_remove_traces(engine, id, err);
	return rc < 0 ? rc : 1;
}

bool engine_settle_resumable(struct engine *engine, const char *id)
{
	struct container_state state;

	container_state_read_held(engine, id, &state);
	return state.monitor_lost && end_run(engine, id) && engine_is_resumable(engine, id);
}

/* The same where the guard may have been killed with the monitor: its work is to be done as well.
 * RET_RESUMES: it is. */
static int settle_and_resume(struct engine *engine, const char *id, bool auto_remove,
			     bool *ret_resumes, struct err *err)
{
	*ret_resumes = engine_settle_resumable(engine, id);
	if (!*ret_resumes)
		return engine_settle_held(engine, id, auto_remove, err);
	engine_resume_lost(engine, id);
	return 0;
}

int engine_settle(struct engine *engine, const char *id, bool auto_remove, struct err *err)
{
	int pending = pending_wait(engine, id, err);
	bool resumes = false;
	int rc = pending < 0 ? pending : settle_and_resume(engine, id, auto_remove, &resumes, err);

	pending_close(engine, id, pending);
	if (resumes)
		engine_await_resumed(engine, id);
	return rc;
}

/* ---- the sweep ---- */

/* A start that died between taking an address and writing that down, or a network connect or
 * disconnect that was cut short. */
static void finish_networks(struct engine *engine, const char *id)
{
	struct container_state state;

	container_state_read(engine, id, &state);
	if (container_has_process(&state))
		engine_reconcile_networks(engine, id);
	else if (!container_is_running(&state))
		engine_release_networks(engine, id, true);
}

static void finish_one(struct engine *engine, const char *id)
{
	cleanup_container struct container_record record = {};
	struct err err = ERR_INIT;
	int rc = container_lookup(engine->store, id, &record, &err);

	if (rc == 0) {
		/* Made but never named, or unnamed and not yet gone. */
		struct container_state state;

		container_state_read(engine, id, &state);
		kill_orphan(&state);
		engine_release_networks(engine, id, true);
		rc = engine_remove_traces(engine, id, &err);
	} else if (rc > 0) {
		bool resumes = false;

		rc = settle_and_resume(engine, id, record.row.auto_remove, &resumes, &err);
		if (rc == 0)
			engine_update_finish(engine, &record);
		if (!resumes)
			finish_networks(engine, id);
	}
	if (rc < 0)
		log_debug("finish %s: %s", id, err.msg);
}

/* Calls FN for every entry of PATH that is the id of a container; 0, or -ENOENT. */
static int for_each_id(struct engine *engine, const char *path,
		       void (*fn)(struct engine *engine, int dir_fd, const char *id))
{
	DIR *dir = opendir(path);

	if (!dir)
		return -errno;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (hex_is_valid(e->d_name, ID_LEN))
			fn(engine, dirfd(dir), e->d_name);
	closedir(dir);
	return 0;
}

static void sweep_entry(struct engine *engine, int dir_fd, const char *id)
{
	finish_abandoned(engine, dir_fd, id);
}

/* ---- once per boot ---- */

/* A directory without a row, or a container whose end the last boot cut off. */
static void check_dir(struct engine *engine, int dir_fd, const char *id)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	struct err err = ERR_INIT;
	int pending = pending_open(engine, id, &err);
	int rc = pending < 0 ? -1 : container_lookup(engine->store, id, &record, &err);

	container_state_read(engine, id, &state);
	if (rc == 0)
		finish_one(engine, id);
	else if (rc > 0 && !container_is_running(&state))
		engine_settle_held(engine, id,
				   record.row.auto_remove && container_was_started(engine, id),
				   &err);
	pending_close(engine, id, pending);
}

/* A power cut is when damage shows: a look that costs next to nothing, and a word to the user. */
static void glance_at_store(struct engine *engine)
{
	char text[512];

	storage_glance(engine->store, text, sizeof(text));
	if (*text)
		log_warn("%s: run tare system check", text);
	storage_remove_replaced(engine->store, NULL, NULL);
}

static void sweep_boot(struct engine *engine)
{
	cleanup_free char *mark = str_printf("%s/swept.%s", engine->runroot, process_boot_id());
	cleanup_free char *dirs = store_container_path(engine->store, "", "");
	cleanup_free char *runs = str_printf("%s/containers", engine->runroot);
	cleanup_close int fd = -1;

	if (access(mark, F_OK) == 0)
		return;
	glance_at_store(engine);
	for_each_id(engine, dirs, check_dir);
	for_each_id(engine, runs, check_dir);
	volume_sweep(engine->store);
	store_ensure_reserve(engine->store);
	fd_mkdir_p(engine->runroot, 0700);
	fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		log_debug("create %s: %m", mark);
}

void pending_sweep(struct engine *engine)
{
	cleanup_free char *dir = str_printf("%s/pending", engine->runroot);

	for_each_id(engine, dir, sweep_entry);
	sweep_boot(engine);
	storage_sweep(engine->store);
}
