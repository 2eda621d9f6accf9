/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.json and exit.json, printed by hand: a monitor carries no JSON library.
 */
#include "monitor/state.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "monitor/log_entry.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Versions of the runtime specification whose state format this is. */
#define OCI_VERSION "1.2.0"

static void add_string(struct str *s, const char *key, const char *value)
{
	size_t len = strlen(value);
	size_t n = 0;

	str_addf(s, "\"%s\":\"", key);
	n = log_entry_escape((const uint8_t *)value, len,
			     (uint8_t *)str_reserve(s, len * LOG_ESCAPE_MAX));
	s->len += n;
	s->buf[s->len] = '\0';
	str_add_char(s, '"');
}

static void add_time(struct str *s, const char *key, int64_t ns)
{
	char text[CLOCK_RFC3339_LEN] = CLOCK_NEVER;

	if (ns != 0)
		clock_format_rfc3339(ns, text);
	add_string(s, key, text);
}

static void add_delay_and_marks(struct str *s, const struct monitor_exit *exit)
{
	if (exit->history.delay_ns)
		str_addf(s, ",\"restartDelay\":%llu", (unsigned long long)exit->history.delay_ns);
	if (exit->marks & RESTART_MARK_STOPPED)
		str_add(s, ",\"stopped\":true");
	if (exit->marks & RESTART_MARK_CANCELED)
		str_add(s, ",\"canceled\":true");
}

static void add_last(struct str *s, const struct monitor_exit *last)
{
	str_addf(s, ",\"exitCode\":%d,\"oomKilled\":%s,", last->code,
		 last->oom_killed ? "true" : "false");
	add_time(s, "finishedAt", last->finished_ns);
	str_add(s, ",");
	add_string(s, "error", last->error ? last->error : "");
	/* Here, too: exit.json cannot be written while its file system is full or read-only. */
	add_delay_and_marks(s, last);
}

int monitor_state_write(int dir_fd, const struct monitor_state *state)
{
	cleanup_str struct str s = STR_INIT;

	str_add(&s, "{\"ociVersion\":\"" OCI_VERSION "\",");
	add_string(&s, "id", state->id);
	str_add(&s, ",");
	add_string(&s, "status", state->status);
	str_addf(&s, ",\"pid\":%d,", state->pid);
	if (state->bundle) {
		add_string(&s, "bundle", state->bundle);
		str_add(&s, ",");
	}
	str_addf(&s, "\"starttime\":%llu,", (unsigned long long)state->start_time);
	add_string(&s, "bootId", process_boot_id());
	str_addf(&s, ",\"monitor\":{\"pid\":%d,\"starttime\":%llu},", state->monitor_pid,
		 (unsigned long long)state->monitor_start_time);
	add_time(&s, "startedAt", state->started_ns);
	if (state->restart_count)
		str_addf(&s, ",\"restartCount\":%u", state->restart_count);
	if (state->health != HEALTH_NONE)
		str_addf(&s, ",\"health\":\"%s\"", health_status_name(state->health));
	if (state->last)
		add_last(&s, state->last);
	str_add(&s, "}\n");
	return fd_replace_file_at(dir_fd, MONITOR_STATE_NAME, s.buf, s.len, 0600, false);
}

static int overwrite(int dir_fd, const char *name, const struct str *text)
{
	cleanup_close int fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	int rc = fd < 0 ? -errno : fd_write_full(fd, text->buf, text->len);

	if (rc == 0 && ftruncate(fd, (off_t)text->len) < 0)
		rc = -errno;
	return rc;
}

int monitor_exit_write(int dir_fd, const struct monitor_exit *exit)
{
	cleanup_str struct str s = STR_INIT;
	int rc = 0;

	str_addf(&s, "{\"exitCode\":%d,\"oomKilled\":%s,", exit->code,
		 exit->oom_killed ? "true" : "false");
	add_time(&s, "startedAt", exit->started_ns);
	str_add(&s, ",");
	add_time(&s, "finishedAt", exit->finished_ns);
	str_add(&s, ",");
	add_string(&s, "error", exit->error ? exit->error : "");
	if (exit->history.count)
		str_addf(&s, ",\"restartCount\":%u", exit->history.count);
	add_delay_and_marks(&s, exit);
	str_add(&s, "}\n");
	rc = fd_replace_file_at(dir_fd, MONITOR_EXIT_NAME, s.buf, s.len, 0600, false);
	/* A full disk has no room for another file; the one written at the start has its block. */
	return rc == -ENOSPC || rc == -EDQUOT ? overwrite(dir_fd, MONITOR_EXIT_NAME, &s) : rc;
}
