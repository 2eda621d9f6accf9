/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor's events. Several that happen together are written in one go.
 */
#include "monitor/report.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/journal.h"
#include "monitor/monitor_private.h"
#include "monitor/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_MAX_BYTES 4096
#define NUMBER_LEN     24
#define STREAM_FLAGS   (CLIENT_STDIN | CLIENT_STDOUT | CLIENT_STDERR)

int monitor_set_name(int dir_fd, const char *name)
{
	return fd_replace_file_at(dir_fd, MONITOR_NAME_NAME, name, strlen(name), 0600, false);
}

/* Appends one event to TEXT. */
static void add(struct monitor *m, struct str *text, const char *action,
		const struct journal_pair *pairs, size_t n)
{
	struct journal_container container = *m->config->container;
	cleanup_str struct str name = STR_INIT;

	if (fd_read_file_at(m->config->state_dir_fd, MONITOR_NAME_NAME, NAME_MAX_BYTES, &name) ==
		    0 &&
	    name.len)
		container.name = name.buf;
	journal_add_container(text, &container, action, pairs, n);
}

static void write_all(struct monitor *m, const struct str *text)
{
	int rc = journal_write(m->config->journal, text);

	/* A full disk takes the event, not the container. */
	if (rc < 0)
		log_failure(LOG_LEVEL_DEBUG, strerrordesc_np(-rc), "write an event");
}

void monitor_report(struct monitor *m, const char *action, const struct journal_pair *pairs,
		    size_t n)
{
	cleanup_str struct str text = STR_INIT;

	if (!m->config->journal)
		return;
	add(m, &text, action, pairs, n);
	write_all(m, &text);
}

/* A volume is mounted with the container and goes with it. */
static void add_volumes(struct monitor *m, struct str *text, bool is_mounted)
{
	for (size_t i = 0; i < m->config->n_volumes; i++) {
		const struct monitor_volume *v = &m->config->volumes[i];
		const struct journal_pair pairs[] = {
			{"container", m->config->id},
			{"driver", "local"},
			{"destination", v->destination},
			{"propagation", ""},
			{"read/write", v->is_read_only ? "false" : "true"},
		};

		journal_add(text,
			    &(struct journal_event){.type = "volume",
						    .action = is_mounted ? "mount" : "unmount",
						    .id = v->name,
						    .pairs = pairs,
						    .n_pairs = is_mounted ? ARRAY_LEN(pairs) : 2});
	}
}

/* What the monitor knows nothing of. */
static void add_others(struct monitor *m, struct str *text, bool is_started)
{
	if (m->config->add_events)
		m->config->add_events(m->config->ctx, is_started, text);
}

void monitor_report_start(struct monitor *m, bool is_started)
{
	cleanup_str struct str text = STR_INIT;

	if (!m->config->journal)
		return;
	if (m->config->client_flags & STREAM_FLAGS)
		add(m, &text, "attach", NULL, 0);
	if (is_started) {
		add_others(m, &text, true);
		add_volumes(m, &text, true);
		add(m, &text, "start", NULL, 0);
	}
	write_all(m, &text);
}

void monitor_report_exit(struct monitor *m, const struct monitor_exit *exit)
{
	cleanup_str struct str text = STR_INIT;
	int64_t ran_ns = exit->finished_ns - exit->started_ns;
	char code[NUMBER_LEN];
	char seconds[NUMBER_LEN];
	const struct journal_pair pairs[] = {{"execDuration", seconds}, {"exitCode", code}};

	if (!m->config->journal)
		return;
	snprintf(code, sizeof(code), "%d", exit->code);
	snprintf(seconds, sizeof(seconds), "%lld",
		 (long long)((ran_ns > 0 ? ran_ns : 0) / CLOCK_NS_PER_S));
	if (exit->oom_killed)
		add(m, &text, "oom", NULL, 0);
	add(m, &text, "die", pairs, ARRAY_LEN(pairs));
	add_others(m, &text, false);
	add_volumes(m, &text, false);
	write_all(m, &text);
}

void monitor_report_signal(struct monitor *m, int number)
{
	char text[NUMBER_LEN];
	const struct journal_pair pair = {"signal", text};

	snprintf(text, sizeof(text), "%d", number);
	monitor_report(m, "kill", &pair, 1);
}

void monitor_report_size(struct monitor *m, unsigned rows, unsigned columns)
{
	char height[NUMBER_LEN];
	char width[NUMBER_LEN];
	const struct journal_pair pairs[] = {{"height", height}, {"width", width}};

	snprintf(height, sizeof(height), "%u", rows);
	snprintf(width, sizeof(width), "%u", columns);
	monitor_report(m, "resize", pairs, ARRAY_LEN(pairs));
}
