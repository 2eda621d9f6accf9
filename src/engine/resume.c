/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a container again, by its policy. The delay is waited for without the index open; then
 * everything is prepared afresh as for the verb start: the row, the configuration, what it joins.
 */
#include "engine/resume.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/pending.h"
#include "engine/restart.h"
#include "engine/start_private.h"
#include "monitor/state.h"
#include "storage/container.h"
#include "storage/store.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARD_COMMAND	 2 /* where it stands in the guard's own arguments */
#define LOST_TRIES	 22
#define LOST_PAUSE_MAX_S 60
#define RESUMED_POLLS	 2000
#define RESUMED_POLL_US	 1000

struct resume_ctx {
	struct engine *engine;
	const char *id;
	int state_dir, container_dir;
	int pending_fd; /* -1: not held */
	struct container_state state;
	struct container_made made;
	struct container_start start;
	struct start_ctx ctx;
	struct monitor_config config;
};

static void on_release(void *data)
{
	struct resume_ctx *c = data;

	pending_close(c->engine, c->id, c->pending_fd);
	c->pending_fd = -1;
}

static int reopen_store(struct engine *engine, struct err *err)
{
	return engine->store ? 0
			     : storage_open(engine->root, engine->runroot, engine->libexec,
					    &engine->store, err);
}

static void close_store(struct engine *engine)
{
	storage_close(engine->store);
	engine->store = NULL;
	mem_trim();
}

/* Only what is ours still: its row may be gone, and another may have started it. */
static int read_rule(struct resume_ctx *c, struct err *err)
{
	cleanup_container struct container_record record = {};
	struct container_state now;
	int rc = container_lookup(c->engine->store, c->id, &record, err);

	if (rc < 0)
		return rc;
	container_state_read(c->engine, c->id, &now);
	if (rc == 0 || now.status != STATUS_RESTARTING || now.monitor_pid != getpid())
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", c->id);
	c->made.restart = restart_rule_read(&record.row);
	c->config.restart = c->made.restart;
	return 0;
}

static int load(struct resume_ctx *c, struct err *err)
{
	const struct start_request request = {};
	struct restart_rule rule = c->config.restart;
	int rc = engine_load(c->engine, c->id, &c->made, err);

	c->made.restart = rule;
	if (rc == 0)
		rc = start_ctx_prepare(&c->ctx, c->state_dir, c->container_dir, err);
	if (rc == 0)
		rc = start_ctx_plan(&c->ctx, &request, err);
	if (rc == 0)
		rc = start_write_record(c->container_dir, &c->state.history, c->state.marks, err);
	if (rc == 0)
		c->config = start_ctx_config(&c->ctx, &request, c->state_dir, c->container_dir);
	c->config.history = c->state.history;
	/* Absent is then what it joins, not the container. */
	return rc == -ERR_NOT_FOUND ? -(err->code = ERR_CONFLICT) : rc;
}

static int on_prepare(void *data, struct err *err)
{
	struct resume_ctx *c = data;
	int rc = reopen_store(c->engine, err);

	if (rc == 0)
		c->pending_fd = pending_try(c->engine, c->id, err);
	if (rc == 0 && c->pending_fd == -ERR_CONFLICT) {
		err_clear(err);
		return 0;
	}
	if (rc == 0)
		rc = c->pending_fd < 0 ? c->pending_fd : read_rule(c, err);
	if (rc == 0)
		rc = load(c, err);
	if (rc < 0)
		on_release(c);
	close_store(c->engine);
	return rc < 0 ? rc : 1;
}

/* ---- before the wait ---- */

static bool is_resumable(struct engine *engine, const struct container_row *row,
			 struct container_state *ret_state)
{
	struct restart_rule rule = restart_rule_read(row);

	container_state_read_held(engine, row->id, ret_state);
	return ret_state->status == STATUS_EXITED &&
	       restart_rule_wants(&rule, &ret_state->history, ret_state->exit_code,
				  ret_state->marks);
}

/* After a monitor that was killed: what it left goes, and the policy says what comes. 1: the
 * container is to be started again; 0: nothing more. */
static int settle_lost(struct resume_ctx *c, struct err *err)
{
	cleanup_container struct container_record record = {};
	int rc = container_lookup(c->engine->store, c->id, &record, err);

	if (rc <= 0)
		return rc;
	/* Also without a trace of its run: somebody may have emptied the run directory. */
	rc = engine_settle_resumable(c->engine, c->id)
		     ? 0
		     : engine_settle_held(c->engine, c->id, record.row.auto_remove, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (!is_resumable(c->engine, &record.row, &c->state))
		return 0;
	restart_history_add(&c->state.history,
			    (uint64_t)(c->state.finished_ns > c->state.started_ns
					       ? c->state.finished_ns - c->state.started_ns
					       : 0));
	return 1;
}

static int try_lost(struct resume_ctx *c, struct err *err)
{
	int rc = reopen_store(c->engine, err);

	if (rc == 0)
		c->pending_fd = pending_wait(c->engine, c->id, err);
	if (rc == 0)
		rc = c->pending_fd < 0 ? c->pending_fd : settle_lost(c, err);
	if (rc > 0) {
		c->state_dir = engine_open_run_dir(c->engine, c->id, true);
		c->container_dir = engine_open_container_dir(c->engine, c->id);
	}
	return rc;
}

/* A disk that is full, or an index that somebody keeps busy, is so for a while: nobody else would
 * try again. Seventeen minutes in all. */
static int begin_lost(struct resume_ctx *c, struct err *err)
{
	unsigned pause_s = 1;

	for (int i = 0;; i++) {
		int rc = try_lost(c, err);

		if (rc >= 0 || i == LOST_TRIES)
			return rc;
		on_release(c);
		close_store(c->engine);
		err_clear(err);
		sleep(pause_s);
		pause_s = pause_s < LOST_PAUSE_MAX_S ? pause_s * 2 : LOST_PAUSE_MAX_S;
	}
}

/* 1: this process is the container's monitor, and it waits; 0: it does not any more. */
static int begin_inherited(struct resume_ctx *c)
{
	struct container_state record;

	container_state_read(c->engine, c->id, &c->state);
	if (c->state.status != STATUS_RESTARTING || c->state.monitor_pid != getpid())
		return 0;
	/* What is on record may be older, when the disk is full, or newer, in what a person said.
	 */
	container_record_read(c->engine, c->id, &record);
	if (!c->state.history.delay_ns)
		c->state.history = record.history;
	c->state.marks |= record.marks;
	c->state_dir = engine_open_run_dir(c->engine, c->id, false);
	c->container_dir = engine_open_container_dir(c->engine, c->id);
	return 1;
}

__attribute__((noreturn)) static void become_monitor(struct resume_ctx *c, bool is_inherited)
{
	const struct monitor_exit last = {.code = c->state.exit_code,
					  .oom_killed = c->state.oom_killed,
					  .started_ns = c->state.started_ns,
					  .finished_ns = c->state.finished_ns,
					  .error = c->state.error,
					  .history = c->state.history,
					  .marks = c->state.marks};
	const struct monitor_resume resume = {.config = &c->config,
					      .last = &last,
					      .is_inherited = is_inherited,
					      .prepare = on_prepare,
					      .release = on_release,
					      .ctx = c};

	c->config = (struct monitor_config){.id = c->id,
					    .bundle = c->ctx.dir,
					    .state_dir_fd = c->state_dir,
					    .container_dir_fd = c->container_dir,
					    .restart.policy = RESTART_ALWAYS,
					    .history = c->state.history,
					    .resume_argv = c->ctx.resume,
					    .guard_argv = c->ctx.guard};
	close_store(c->engine);
	monitor_resume(&resume);
}

int engine_resume(struct engine *engine, const char *id, bool is_lost, struct err *err)
{
	struct resume_ctx *c = mem_zalloc(sizeof(*c));
	int rc = 0;

	*c = (struct resume_ctx){.engine = engine, .id = id, .pending_fd = -1};
	c->start = (struct container_start)CONTAINER_START_INIT;
	c->made.pending_fd = -1;
	c->ctx = (struct start_ctx){.engine = engine, .made = &c->made, .start = &c->start};
	rc = is_lost ? begin_lost(c, err) : begin_inherited(c);
	if (rc > 0 && (c->state_dir < 0 || c->container_dir < 0))
		rc = err_sys(err, c->state_dir < 0 ? -c->state_dir : -c->container_dir,
			     "open the directories of container %.12s", id);
	if (rc > 0) {
		start_ctx_fill_commands(&c->ctx, id);
		become_monitor(c, !is_lost);
	}
	on_release(c);
	free(c);
	return rc;
}

/* ---- when the guard is gone too ---- */

bool engine_is_resumable(struct engine *engine, const char *id)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	struct err ignored = ERR_INIT;

	return container_lookup(engine->store, id, &record, &ignored) == 1 &&
	       is_resumable(engine, &record.row, &state);
}

/* What the guard would execute, without what is the caller's. */
__attribute__((noreturn)) static void exec_resume(char *const *argv)
{
	/* lint: the host's null device */
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int fd = 0; fd <= 2 && null_fd >= 0; fd++)
		dup2(null_fd, fd);
	execv(argv[0], argv);
	_exit(1);
}

void engine_resume_lost(struct engine *engine, const char *id)
{
	struct start_ctx c = {.engine = engine};
	pid_t pid = -1;

	start_ctx_fill_commands(&c, id);
	/* Not a child of ours, which we would have to reap. */
	pid = fork();
	if (pid == 0) {
		if (fork() == 0)
			exec_resume(c.guard + GUARD_COMMAND);
		_exit(0);
	}
	if (pid > 0)
		waitid(P_PID, (id_t)pid, &(siginfo_t){}, WEXITED);
	else
		log_debug("start container %.12s again: %m", id);
	start_ctx_done(&c);
}

void engine_await_resumed(struct engine *engine, const char *id)
{
	for (int i = 0; i < RESUMED_POLLS; i++) {
		struct container_state state;

		container_state_read(engine, id, &state);
		if (container_is_running(&state) && !state.monitor_lost)
			return;
		usleep(RESUMED_POLL_US);
	}
}
