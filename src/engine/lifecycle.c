/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs on containers that exist. Signals go to a pidfd whose start time was checked, never to a
 * bare number from a file; the end of a container is what its monitor has written down, so every
 * wait here is for that and not only for the process.
 */
#include "engine/lifecycle.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/event.h"
#include "engine/network_connect.h"
#include "engine/network_plan.h"
#include "engine/pending.h"
#include "engine/restart.h"
#include "engine/stop_steps.h"
#include "monitor/client.h"
#include "monitor/report.h"
#include "plan/steps.h"
#include "storage/image.h"
#include "storage/store.h"
#include "sys/cgroup_live.h"
#include "sys/process.h"
#include "json/value.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* A layer with many files takes its time to go. */
#define MONITOR_LEAVES_MS 60000
#define DEFAULT_STOP_S	  10
#define GUARD_WAIT_MS	  1000
#define START_WAIT_MS	  2000
#define FREEZE_TIMEOUT_NS (10000 * 1000000ULL)

/* ---- finding ---- */

/* Settles what nobody else does; true when the container is gone then. Whoever holds the entry of
 * one whose monitor was killed is its guard, most likely, and it will have another in a moment. */
static bool settle_overdue(struct engine *engine, const struct container_row *row,
			   struct container_state *state)
{
	for (int i = 0; i < GUARD_WAIT_MS && container_is_overdue(state, row->auto_remove); i++) {
		struct err ignored = ERR_INIT;
		bool is_held = pending_is_held(engine, row->id);

		if (!is_held && engine_settle(engine, row->id, row->auto_remove, &ignored) == 1)
			return true;
		if (is_held && !state->monitor_lost)
			return false;
		if (is_held)
			usleep(1000);
		container_state_read(engine, row->id, state);
		if (!is_held)
			return false;
	}
	return false;
}

int container_find(struct engine *engine, const char *ref, struct container_record *ret,
		   struct container_state *ret_state, struct err *err)
{
	int rc = container_lookup_by_ref(engine->store, ref, ret, err);

	if (rc < 0)
		return rc;
	log_set_context(NULL, ret->row.id);
	container_state_read(engine, ret->row.id, ret_state);
	return settle_overdue(engine, &ret->row, ret_state)
		       ? err_set(err, ERR_NOT_FOUND, "No such container: %s", ref)
		       : 0;
}

/* The same for who is to end REF: a start that is on its way, whose command may have been killed,
 * is waited for. */
static int find_to_end(struct engine *engine, const char *ref, struct container_record *ret,
		       struct container_state *ret_state, struct err *err)
{
	int rc = container_find(engine, ref, ret, ret_state, err);

	for (int i = 0; rc == 0 && i < START_WAIT_MS && !container_is_running(ret_state) &&
			pending_is_held(engine, ret->row.id);
	     i++) {
		usleep(1000);
		container_state_read(engine, ret->row.id, ret_state);
	}
	/* It may have come up after the look before. */
	if (rc == 0 && !container_is_running(ret_state))
		container_state_read(engine, ret->row.id, ret_state);
	return rc;
}

int signal_parse(const char *name)
{
	int number = 0;

	if (num_parse_int(name, &number) == 0)
		return number > 0 && number < NSIG ? number : -1;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int i = 1; i < NSIG; i++) {
		const char *abbrev = sigabbrev_np(i);

		if (abbrev && strcasecmp(abbrev, name) == 0)
			return i;
	}
	if (strncasecmp(name, "RTMIN", 5) == 0) {
		number = 0;
		if (name[5] && (name[5] != '+' || num_parse_int(name + 6, &number) < 0))
			return -1;
		return SIGRTMIN + number <= SIGRTMAX ? SIGRTMIN + number : -1;
	}
	return -1;
}

const char *signal_name(int number)
{
	return sigabbrev_np(number);
}

/* ---- stop and kill ---- */

/* A value of docker's Config of the container: "StopSignal", "StopTimeout". */
static json_t *config_of(const struct container_record *record)
{
	struct err ignored = ERR_INIT;
	json_t *config = NULL;

	if (json_parse(record->row.config, strlen(record->row.config), 4 << 20, "config", &config,
		       &ignored) < 0)
		return NULL;
	return config;
}

static int stop_signal(const struct container_record *record, const char *asked)
{
	cleanup_json json_t *config = asked ? NULL : config_of(record);
	const char *name = asked ? asked : json_get_string(config, "StopSignal", "");
	int number = *name ? signal_parse(name) : SIGTERM;

	return number;
}

static int64_t stop_timeout(const struct container_record *record,
			    const struct stop_request *request)
{
	cleanup_json json_t *config = NULL;

	if (request->has_timeout)
		return request->timeout_s;
	config = config_of(record);
	return json_get_int(config, "StopTimeout", DEFAULT_STOP_S);
}

/* A container that runs, and whose monitor knows that it is to end. */
static int stop_running(struct engine *engine, const struct container_record *record,
			const struct container_state *state, int number, int64_t timeout_s,
			struct plan *plan, struct err *err)
{
	const char *id = record->row.id;
	int rc = 0;

	plan_group(plan, "a polite word, and time to finish");
	if (state->status == STATUS_PAUSED)
		rc = container_thaw(engine, id, err);
	event_kill(engine, &record->row, number);
	if (rc == 0)
		rc = container_signal_and_wait(engine, id, state, number,
					       timeout_s < 0 ? -1 : (int)timeout_s * 1000, plan,
					       err);
	if (rc == 0)
		event_container(engine, &record->row, "stop", NULL);
	if (rc != -ETIMEDOUT)
		return rc;
	plan_group(plan, "it did not: the kernel ends it, and with it every process inside");
	event_kill(engine, &record->row, SIGKILL);
	rc = container_signal_and_wait(engine, id, state, SIGKILL, KILL_TIMEOUT_MS, plan, err);
	if (rc == -ETIMEDOUT)
		return err_set(
			err, ERR_SYSTEM,
			"cannot stop container: %s: tried to kill container, but did not receive "
			"an exit event",
			record->row.name);
	if (rc == 0)
		event_container(engine, &record->row, "stop", NULL);
	return rc;
}

int engine_stop_found(struct engine *engine, const struct container_record *record,
		      const struct stop_request *request, unsigned marks, struct plan *plan,
		      struct err *err)
{
	struct container_state state;
	int number = stop_signal(record, request->signal);

	if (number < 0)
		return err_set(err, ERR_INVALID, "Invalid signal: %s",
			       request->signal ? request->signal : "in the image");
	container_set_stopping(engine, record->row.id,
			       marks | RESTART_MARK_STOPPED | RESTART_MARK_CANCELED,
			       marks & RESTART_MARK_KEPT, &state);
	if (!container_has_process(&state)) {
		event_container(engine, &record->row, "stop", NULL);
		return 0;
	}
	return stop_running(engine, record, &state, number, stop_timeout(record, request), plan,
			    err);
}

int engine_stop(struct engine *engine, const char *ref, const struct stop_request *request,
		struct plan *plan, struct err *err)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	int rc = find_to_end(engine, ref, &record, &state, err);

	if (rc < 0 || !container_is_running(&state))
		return rc;
	return engine_stop_found(engine, &record, request, 0, plan, err);
}

/* docker's rule: the stop signal, SIGKILL, and without a stop signal any, tell that a person wants
 * the container to end. */
static unsigned marks_of_kill(const struct container_record *record, int number)
{
	cleanup_json json_t *config = number == SIGKILL ? NULL : config_of(record);
	const char *name = json_get_string(config, "StopSignal", "");

	if (number == SIGKILL || !*name || signal_parse(name) == number)
		return RESTART_MARK_STOPPED | RESTART_MARK_CANCELED;
	return RESTART_MARK_STOPPED;
}

int engine_kill(struct engine *engine, const char *ref, const char *signal, struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_close int pidfd = -1;
	struct container_state state;
	int number = signal && *signal ? signal_parse(signal) : SIGKILL;
	unsigned marks = 0;
	int rc = find_to_end(engine, ref, &record, &state, err);

	if (rc < 0)
		return *ref ? err_wrap(err, "cannot kill container: %s", ref) : rc;
	if (number < 0)
		return err_set(err, ERR_INVALID, "Invalid signal: %s", signal);
	if (!container_is_running(&state))
		return err_set(err, ERR_CONFLICT,
			       "cannot kill container: %s: container %s is not running", ref,
			       record.row.id);
	marks = marks_of_kill(&record, number);
	container_set_stopping(engine, record.row.id, marks, false, &state);
	if (!container_has_process(&state))
		return 0;
	/* A frozen process takes no signal; docker thaws it for one that ends it, no other. */
	if (state.status == STATUS_PAUSED && marks & RESTART_MARK_CANCELED &&
	    container_thaw(engine, record.row.id, err) < 0)
		return -err->code;
	pidfd = process_open(state.pid, state.start_time);
	if (pidfd >= 0)
		event_kill(engine, &record.row, number);
	if (pidfd >= 0)
		rc = process_signal(pidfd, number);
	if (rc < 0 && rc != -ESRCH)
		return err_sys(err, -rc, "cannot kill container: %s", ref);
	if (number == SIGKILL && container_wait_killed(engine, record.row.id) < 0)
		return err_set(err, ERR_SYSTEM, "cannot kill container: %s: it does not end", ref);
	return 0;
}

/* ---- pause ---- */

int engine_pause(struct engine *engine, const char *ref, bool pause, struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_free char *cgroup = NULL;
	cleanup_close int dir = -1;
	struct container_state state;
	pid_t pid = 0;
	int rc = container_find(engine, ref, &record, &state, err);

	if (rc < 0)
		return rc;
	if (!pause && state.status != STATUS_PAUSED)
		return err_set(err, ERR_CONFLICT, "Container %s is not paused", record.row.id);
	if (!container_is_running(&state))
		return err_set(err, ERR_CONFLICT, "Container %s is not running", record.row.id);
	if (pause && state.status == STATUS_RESTARTING)
		return err_set(err, ERR_CONFLICT,
			       "Container %s is restarting, wait until the container is running",
			       record.row.id);
	if (pause && state.status == STATUS_PAUSED)
		return err_set(err, ERR_CONFLICT, "Container %s is already paused", record.row.id);
	if (!pause) {
		rc = container_thaw(engine, record.row.id, err);
		if (rc == 0)
			event_container(engine, &record.row, "unpause", NULL);
		return rc;
	}
	cgroup = container_cgroup_name(engine, record.row.id);
	rc = cgroup_freeze(engine_get_cgroups(engine), cgroup, true, FREEZE_TIMEOUT_NS);
	if (rc < 0)
		err_sys(err, -rc, "Cannot pause container %s", ref);
	if (rc == 0)
		dir = engine_open_run_dir(engine, record.row.id, false);
	if (rc == 0)
		rc = dir < 0 ? err_sys(err, -dir, "open the state of container %s", ref)
			     : monitor_client_set_paused(dir, true, err);
	if (rc == 0) {
		event_container(engine, &record.row, "pause", NULL);
		return 0;
	}
	/* When it ends, its group and its state go; and it may be running again. */
	pid = state.pid;
	container_state_read(engine, record.row.id, &state);
	if (!container_has_process(&state) || state.pid != pid)
		return err_set(err, ERR_CONFLICT, "Container %s is not running", record.row.id);
	return -err->code;
}

/* ---- rename and remove ---- */

static bool name_is_valid(const char *name)
{
	size_t n = strlen(name);

	return n >= 2 && isalnum((unsigned char)name[0]) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
		       n;
}

/* Also the monitor of one that runs, whose events show the new name from now on. */
static void tell_rename(struct engine *engine, const struct container_row *before, const char *name)
{
	cleanup_free char *old_name = str_printf("/%s", before->name);
	cleanup_close int dir = engine_open_run_dir(engine, before->id, false);
	struct container_row after = *before;
	int rc = dir < 0 ? 0 : monitor_set_name(dir, name);

	if (rc < 0)
		log_debug("tell the monitor of %.12s its name: %s", before->id,
			  strerrordesc_np(-rc));
	engine_rename_endpoints(engine, before->id, name);
	after.name = name;
	event_container(engine, &after, "rename", "oldName", old_name, NULL);
}

int engine_rename(struct engine *engine, const char *ref, const char *name, struct err *err)
{
	cleanup_container struct container_record record = {};
	char holder[ID_LEN + 1] = "";
	const char *bare = name + (*name == '/');
	int rc = 0;

	rc = container_lookup_by_ref(engine->store, ref, &record, err);
	if (rc < 0)
		return rc;
	if (!name_is_valid(bare))
		return err_set(err, ERR_INVALID,
			       "Error when allocating new name: Invalid container name (/%s), "
			       "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			       bare);
	if (strcmp(record.row.name, bare) == 0)
		return err_set(err, ERR_INVALID,
			       "Renaming a container with the same name as its current name");
	rc = container_rename(engine->store, record.row.id, bare, holder, err);
	if (rc == -ERR_CONFLICT && *holder)
		return err_set(err, ERR_CONFLICT,
			       "Error when allocating new name: Conflict. "
			       "The container name \"/%s\" is already in use by "
			       "container \"%s\". "
			       "You have to remove (or rename) that container to be able to reuse "
			       "that name.",
			       bare, holder);
	if (rc == 0)
		tell_rename(engine, &record.row, bare);
	return rc;
}

/* The files of ID, after its row is gone. */
static int remove_files(struct engine *engine, const char *id, struct plan *plan, struct err *err)
{
	cleanup_free char *run_dir = str_printf("%s/containers/%s", engine->runroot, id);
	cleanup_free char *dir = store_container_path(engine->store, id, "");
	size_t first = plan->n;
	struct plan_run run;

	plan_group(plan, "its writable layer, its configuration and its log");
	plan_remove_tree(plan, run_dir);
	plan_remove_tree(plan, dir);
	plan_run_init(&run);
	return plan_execute_from(plan, first, STEP_TEARDOWN, &run, err);
}

/* Until the monitor has gone: it had its part of the removal to do. */
static void wait_for_monitor(int client_fd)
{
	struct pollfd p = {.fd = client_fd, .events = POLLIN};
	char rest[64];

	while (client_fd >= 0 && poll(&p, 1, MONITOR_LEAVES_MS) > 0)
		if (recv(client_fd, rest, sizeof(rest), MSG_DONTWAIT) <= 0)
			return;
}

/* For who holds the entry. 1, or 0 when somebody has removed it meanwhile. */
static int remove_stopped(struct engine *engine, const char *id, unsigned how, int client_fd,
			  struct plan *plan, struct err *err)
{
	cleanup_free char *cgroup = container_cgroup_name(engine, id);
	cleanup_free char *run_dir = str_printf("%s/containers/%s", engine->runroot, id);
	int rc = engine_delete(engine, id, how & REMOVE_VOLUMES, err);

	if (rc <= 0)
		return rc;
	wait_for_monitor(client_fd);
	rc = 0;
	/* A monitor removes the run directory last: without one nothing is left to take down. With
	 * one it may have been killed before it gave back the addresses that stand in there. */
	/* lint: the engine's own run directory of this container */
	if (access(run_dir, F_OK) == 0) {
		rc = cgroup_remove(engine_get_cgroups(engine), cgroup, 1000000000ULL);
		engine_release_networks(engine, id, true);
	}
	if (rc < 0)
		engine_remove_run(engine, id);
	if (rc < 0)
		log_debug("remove control group %s: %s", cgroup, strerrordesc_np(-rc));
	rc = remove_files(engine, id, plan, err);
	engine_remove_run_aside(engine, id);
	store_ensure_reserve(engine->store);
	return rc < 0 ? rc : 1;
}

static int settle_ended(struct engine *engine, const char *id, int client_fd, struct plan *plan,
			struct err *err)
{
	struct container_state state;
	int rc = 0;

	container_state_read(engine, id, &state);
	if (container_is_running(&state))
		return err_set(err, ERR_CONFLICT, "container %.12s is running", id);
	rc = remove_stopped(engine, id, 0, client_fd, plan, err);
	return rc < 0 ? rc : 0;
}

int engine_settle_ended(struct engine *engine, const char *id, struct err *err)
{
	return engine_settle_beside(engine, id, -1, err);
}

int engine_settle_beside(struct engine *engine, const char *id, int client_fd, struct err *err)
{
	struct plan plan;
	int rc = plan_init(&plan, err);

	if (rc == 0) {
		int pending = pending_wait(engine, id, err);

		rc = pending < 0 ? pending : settle_ended(engine, id, client_fd, &plan, err);
		pending_close(engine, id, pending);
	}
	plan_done(&plan);
	return rc;
}

static int check_not_running(const struct container_record *record,
			     const struct container_state *state, struct err *err)
{
	bool paused = state->status == STATUS_PAUSED;

	if (!container_is_running(state))
		return 0;
	return err_set(
		err, ERR_CONFLICT,
		"cannot remove container \"/%s\": container is %s: %s before removing or force "
		"remove",
		record->row.name, container_status_name(state->status),
		paused ? "unpause the container and then stop" : "stop the container");
}

/* --force: the kernel ends it first. */
static int remove_kill(struct engine *engine, const struct container_record *record,
		       struct plan *plan, struct err *err)
{
	const char *id = record->row.id;
	struct container_state state;
	int rc = 0;

	container_set_stopping(engine, id, RESTART_MARK_STOPPED | RESTART_MARK_CANCELED, true,
			       &state);
	if (!container_has_process(&state))
		return 0;
	plan_group(plan, "--force: the kernel ends it first");
	if (state.status == STATUS_PAUSED)
		rc = container_thaw(engine, id, err);
	event_kill(engine, &record->row, SIGKILL);
	if (rc == 0)
		rc = container_signal_and_wait(engine, id, &state, SIGKILL, KILL_TIMEOUT_MS, plan,
					       err);
	if (rc == -ETIMEDOUT)
		return err_set(err, ERR_SYSTEM, "cannot remove container \"/%s\": it does not end",
			       record->row.name);
	return rc;
}

/* For who holds the entry: what others did before counts. */
static int remove_held(struct engine *engine, const struct container_record *record,
		       const char *ref, unsigned how, struct plan *plan, struct err *err)
{
	struct container_state state;
	int rc = 0;

	container_state_read(engine, record->row.id, &state);
	rc = how & REMOVE_FORCE ? remove_kill(engine, record, plan, err)
				: check_not_running(record, &state, err);
	if (rc == 0)
		rc = remove_stopped(engine, record->row.id, how, -1, plan, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	/* Its own monitor may have been faster (--rm), or another rm. */
	return record->row.auto_remove ? 0
				       : err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
}

int engine_remove(struct engine *engine, const char *ref, unsigned how, struct plan *plan,
		  struct err *err)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	int pending = -1;
	int rc = container_find(engine, ref, &record, &state, err);

	if (rc == 0 && !(how & REMOVE_FORCE))
		rc = check_not_running(&record, &state, err);
	if (rc < 0)
		return rc;
	pending = pending_wait(engine, record.row.id, err);
	rc = pending < 0 ? pending : remove_held(engine, &record, ref, how, plan, err);
	pending_close(engine, record.row.id, pending);
	return rc;
}
