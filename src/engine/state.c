/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a container. The two files are small, of one shape, and ours, and `ps` reads
 * thousands of them: a scan for "key": finds a member in a fraction of what a tree costs.
 */
#include "engine/state.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/pending.h"
#include "monitor/state.h"
#include "storage/store.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_STATE 8192
/* What docker shows for a container that nobody saw end. */
#define EXIT_UNKNOWN   255
#define RECORD_WAIT_MS 2000

/* Where the value of KEY starts in TEXT, or NULL. Keys of both files are unique in them, but for
 * pid and starttime, whose first occurrence is the container's. */
static const char *find_value(const char *text, const char *key)
{
	char quoted[32];
	const char *p = NULL;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	p = strstr(text, quoted);
	return p ? p + strlen(quoted) : NULL;
}

static uint64_t scan_number(const char *p)
{
	uint64_t v = 0;

	for (; p && *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	return v;
}

/* Copies a JSON string without escapes (times, ids, status). */
static void scan_string(const char *p, char *buf, size_t len)
{
	size_t n = 0;

	for (p = p && *p == '"' ? p + 1 : NULL; p && *p && *p != '"' && n + 1 < len; p++) {
		if (*p == '\\' && p[1])
			p++;
		buf[n++] = *p;
	}
	buf[n] = '\0';
}

static int64_t scan_time(const char *text, const char *key)
{
	char buf[CLOCK_RFC3339_LEN];
	int64_t ns = 0;

	scan_string(find_value(text, key), buf, sizeof(buf));
	if (strcmp(buf, CLOCK_NEVER) == 0 || clock_parse_rfc3339(buf, &ns) < 0)
		return 0;
	return ns;
}

static int read_small(const char *path, char buf[static MAX_STATE])
{
	/* lint: files of the engine and its monitor, out of any container's reach */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -errno : fd_read_full(fd, buf, MAX_STATE - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n < 0 ? (int)n : 0;
}

static bool scan_bool(const char *text, const char *key)
{
	const char *p = find_value(text, key);

	return p && *p == 't';
}

/* How a run ended, as both files tell it. */
static void scan_exit(const char *text, struct container_state *ret)
{
	ret->exit_code = (int)scan_number(find_value(text, "exitCode"));
	ret->oom_killed = scan_bool(text, "oomKilled");
	ret->started_ns = scan_time(text, "startedAt");
	ret->finished_ns = scan_time(text, "finishedAt");
	scan_string(find_value(text, "error"), ret->error, sizeof(ret->error));
	ret->history.count = (uint32_t)scan_number(find_value(text, "restartCount"));
	ret->history.delay_ns = scan_number(find_value(text, "restartDelay"));
	ret->marks = (scan_bool(text, "stopped") ? RESTART_MARK_STOPPED : 0U) |
		     (scan_bool(text, "canceled") ? RESTART_MARK_CANCELED : 0U);
}

static int64_t modified_ns(const char *path)
{
	struct stat st;

	/* lint: a file of the engine and its monitor, out of any container's reach */
	if (lstat(path, &st) < 0)
		return 1;
	return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

/* Fills RET from exit.json; false when the container has never ended. IS_HELD: the caller holds its
 * entry, so nobody is starting it. */
static bool read_exit(const struct engine *engine, const char *id, bool is_held,
		      struct container_state *ret)
{
	char text[MAX_STATE];
	char path[4096];

	snprintf(path, sizeof(path), "%s/containers/%s/" MONITOR_EXIT_NAME, engine->root, id);
	if (read_small(path, text) < 0)
		return false;
	ret->status = STATUS_EXITED;
	scan_exit(text, ret);
	/* Not synced, for it is written at each start: a power cut may leave less than a whole
	 * file. Every run writes one, so there was a run. */
	if (!find_value(text, "startedAt"))
		ret->started_ns = modified_ns(path);
	/* A start that failed leaves the container as docker does: created, with the code. */
	if (!ret->started_ns)
		ret->status = STATUS_CREATED;
	/* A start in progress, or one that was cut short. */
	ret->is_unknown = ret->started_ns && !ret->finished_ns;
	if (ret->is_unknown && !is_held && pending_is_held(engine, id))
		*ret = (struct container_state){
			.status = STATUS_CREATED, .history = ret->history, .marks = ret->marks};
	else if (ret->is_unknown)
		ret->finished_ns = ret->started_ns;
	return true;
}

/* Fills RET from state.json; false when there is none of this boot. */
static bool read_live(const struct engine *engine, const char *id, struct container_state *ret)
{
	char text[MAX_STATE];
	char path[4096];
	char boot[BOOT_ID_LEN];
	char status[16];
	const char *monitor = NULL;

	snprintf(path, sizeof(path), "%s/containers/%s/" MONITOR_STATE_NAME, engine->runroot, id);
	if (read_small(path, text) < 0)
		return false;
	scan_string(find_value(text, "bootId"), boot, sizeof(boot));
	if (strcmp(boot, process_boot_id()) != 0)
		return false;
	*ret = (struct container_state){.pid = (pid_t)scan_number(find_value(text, "pid")),
					.start_time = scan_number(find_value(text, "starttime"))};
	monitor = find_value(text, "monitor");
	ret->monitor_pid = monitor ? (pid_t)scan_number(find_value(monitor, "pid")) : 0;
	ret->monitor_start_time = monitor ? scan_number(find_value(monitor, "starttime")) : 0;
	scan_string(find_value(text, "status"), status, sizeof(status));
	ret->status = strcmp(status, "paused") == 0	  ? STATUS_PAUSED
		      : strcmp(status, "restarting") == 0 ? STATUS_RESTARTING
							  : STATUS_RUNNING;
	if (ret->status == STATUS_RESTARTING)
		scan_exit(text, ret);
	ret->started_ns = scan_time(text, "startedAt");
	ret->history.count = (uint32_t)scan_number(find_value(text, "restartCount"));
	scan_string(find_value(text, "health"), status, sizeof(status));
	ret->health = health_status_parse(status);
	return true;
}

/* Whether the container of LIVE runs, or waits to. When it has ended, a monitor that lives is just
 * about to write down how, and changes state.json or takes it away after that. A container whose
 * teardown takes long still counts as running: its monitor is not done with it. */
static bool await_record(const struct engine *engine, const char *id, struct container_state *live)
{
	for (int i = 0; i < RECORD_WAIT_MS; i++) {
		live->monitor_lost = !process_is_alive(live->monitor_pid, live->monitor_start_time);
		if (live->status == STATUS_RESTARTING)
			return !live->monitor_lost;
		if (process_is_alive(live->pid, live->start_time))
			return true;
		if (live->monitor_lost)
			return false;
		if (!read_live(engine, id, live))
			return false;
		usleep(i < 20 ? 200 : 1000);
	}
	return true;
}

bool container_was_started(const struct engine *engine, const char *id)
{
	cleanup_free char *dir = store_container_path(engine->store, id, "");
	cleanup_free char *path = store_container_path(engine->store, id, "work/work");

	/* lint: paths chosen by the engine */
	return access(path, F_OK) == 0 || (access(dir, F_OK) < 0 && errno == ENOENT);
}

static void state_read(const struct engine *engine, const char *id, bool is_held,
		       struct container_state *ret)
{
	struct container_state live = {};
	bool has_exit = false;

	*ret = (struct container_state){};
	if (read_live(engine, id, &live) && await_record(engine, id, &live)) {
		*ret = live;
		return;
	}
	has_exit = read_exit(engine, id, is_held, ret);
	ret->monitor_lost = live.monitor_lost;
	ret->was_started = !has_exit && !live.pid && container_was_started(engine, id);
	/* What an exit that was never written leaves: started, but nobody knows how it ended. */
	if (live.pid && (!has_exit || ret->started_ns < live.started_ns)) {
		ret->status = STATUS_EXITED;
		ret->exit_code = EXIT_UNKNOWN;
		ret->is_unknown = true;
		ret->started_ns = live.started_ns;
		ret->finished_ns = ret->finished_ns > live.started_ns ? ret->finished_ns
								      : clock_real_ns();
		ret->error[0] = '\0';
	}
}

void container_state_read(const struct engine *engine, const char *id, struct container_state *ret)
{
	state_read(engine, id, false, ret);
}

void container_state_read_held(const struct engine *engine, const char *id,
			       struct container_state *ret)
{
	state_read(engine, id, true, ret);
}

void container_record_read(const struct engine *engine, const char *id, struct container_state *ret)
{
	*ret = (struct container_state){};
	read_exit(engine, id, false, ret);
}

const char *container_status_name(enum container_status status)
{
	static const char *const names[] = {
		[STATUS_CREATED] = "created",	    [STATUS_RUNNING] = "running",
		[STATUS_PAUSED] = "paused",	    [STATUS_EXITED] = "exited",
		[STATUS_RESTARTING] = "restarting", [STATUS_DEAD] = "dead",
	};

	return names[status];
}

bool container_is_running(const struct container_state *state)
{
	return container_has_process(state) || state->status == STATUS_RESTARTING;
}

bool container_has_process(const struct container_state *state)
{
	return state->status == STATUS_RUNNING || state->status == STATUS_PAUSED;
}

static const char *const health_texts[N_HEALTH_STATUSES] = {
	[HEALTH_NONE] = "",
	[HEALTH_STARTING] = " (health: starting)",
	[HEALTH_HEALTHY] = " (healthy)",
	[HEALTH_UNHEALTHY] = " (unhealthy)",
};

void container_status_format(const struct container_state *state, int64_t now_ns,
			     char buf[static STATUS_TEXT_LEN])
{
	char age[48];

	switch (state->status) {
	case STATUS_RUNNING:
	case STATUS_PAUSED:
		clock_format_human(now_ns - state->started_ns, age, sizeof(age));
		snprintf(buf, STATUS_TEXT_LEN, "Up %s%s", age,
			 state->status == STATUS_PAUSED ? " (Paused)"
							: health_texts[state->health]);
		break;
	case STATUS_RESTARTING:
	case STATUS_EXITED:
		clock_format_human(now_ns - state->finished_ns, age, sizeof(age));
		snprintf(buf, STATUS_TEXT_LEN, "%s (%d) %s ago",
			 state->status == STATUS_EXITED ? "Exited" : "Restarting", state->exit_code,
			 age);
		break;
	case STATUS_DEAD:
		snprintf(buf, STATUS_TEXT_LEN, "Dead");
		break;
	case STATUS_CREATED:
		snprintf(buf, STATUS_TEXT_LEN, "Created");
		break;
	}
}
