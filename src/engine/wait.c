/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for the end of a run. The end of a container is what its monitor has written down, so
 * every wait is for that and not only for the process.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/lifecycle.h"
#include "monitor/client.h"
#include "sys/process.h"

#include <errno.h>
#include <unistd.h>

#define WAIT_AGAIN_US	1000
#define RUN_DIR_POLLS	5000
#define RUN_DIR_POLL_US 200

/* A monitor takes its directory away last, a moment after the state in it: who starts the container
 * again must not have that happen under its feet. */
static void wait_run_dir_gone(struct engine *engine, const char *id,
			      const struct container_state *last)
{
	cleanup_free char *path = str_printf("%s/containers/%s", engine->runroot, id);

	/* lint: the engine's own run directory of this container */
	for (int i = 0; i < RUN_DIR_POLLS && access(path, F_OK) == 0; i++) {
		if (!process_is_alive(last->monitor_pid, last->monitor_start_time))
			return;
		usleep(RUN_DIR_POLL_US);
	}
}

int container_wait_exit(struct engine *engine, const char *id, int timeout_ms)
{
	uint64_t deadline = clock_mono_ns() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000000;

	struct container_state last = {};

	for (;;) {
		struct container_state state;
		cleanup_close int process = -1;
		int left = -1;

		container_state_read(engine, id, &state);
		/* One that is to be started again has ended, too. */
		if (!container_is_running(&state))
			wait_run_dir_gone(engine, id, &last);
		if (!container_has_process(&state))
			return 0;
		last = state;
		if (timeout_ms >= 0) {
			uint64_t now = clock_mono_ns();

			left = now >= deadline ? 0 : (int)((deadline - now) / 1000000) + 1;
			if (now >= deadline)
				return -ETIMEDOUT;
		}
		/* Not for the monitor, which may wait for us to let go of the container (--rm): the
		 * next look at the state waits until it has written everything down. */
		process = process_open(state.pid, state.start_time);
		if (process >= 0)
			process_wait_gone(process, left);
	}
}

/* Waits for the monitor's word. 1 with RET_CODE; 0 when it was not heard: look at the state. */
static int wait_told(struct engine *engine, const char *id, int *ret_code)
{
	cleanup_close int dir = engine_open_run_dir(engine, id, false);
	cleanup_close int client = -1;
	struct monitor_started started = {};
	struct session_result result = {};
	struct err ignored = ERR_INIT;

	client = dir < 0 ? -1 : monitor_client_connect(dir, 0, &ignored);
	if (client < 0 || monitor_client_wait_started(client, &started, &ignored) < 0)
		return 0;
	if (started.has_exited) {
		*ret_code = started.exit_code;
		return 1;
	}
	if (monitor_client_wait_exit(client, &result, &ignored) < 0 ||
	    result.outcome != SESSION_EXITED)
		return 0;
	*ret_code = result.exit_code;
	return 1;
}

int engine_wait(struct engine *engine, const char *ref, int *ret_code, struct err *err)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	struct container_state now;
	int rc = container_find(engine, ref, &record, &state, err);

	if (rc < 0)
		return rc;
	*ret_code = state.exit_code;
	if (!container_is_running(&state))
		return 0;
	for (;;) {
		/* By connection: a container that removes itself leaves no file with its code. */
		if (wait_told(engine, record.row.id, ret_code) == 1)
			return 0;
		/* Between two runs the monitor is away for a moment; for ever if it was killed. */
		container_state_read(engine, record.row.id, &now);
		if (now.monitor_lost)
			container_wait_exit(engine, record.row.id, -1);
		if (now.monitor_lost)
			container_state_read(engine, record.row.id, &now);
		if (!container_is_running(&now) || now.history.count != state.history.count) {
			*ret_code = now.exit_code;
			return 0;
		}
		usleep(WAIT_AGAIN_US);
	}
}
