/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restart policies: read from what is stored, and what a person does told to the monitor.
 */
#include "engine/restart.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/pending.h"
#include "monitor/client.h"
#include "json/value.h"

#include <unistd.h>

#define MAX_HOST ((size_t)8 << 20)
/* A monitor answers at once; one that starts its container first takes a little longer. */
#define TELL_NS	     (10000 * 1000000ULL)
#define TELL_POLL_US 1000

struct restart_rule restart_rule_read(const struct container_row *row)
{
	static const char *const names[N_RESTART_POLICIES] = {
		[RESTART_NO] = "no",
		[RESTART_ALWAYS] = "always",
		[RESTART_ON_FAILURE] = "on-failure",
		[RESTART_UNLESS_STOPPED] = "unless-stopped",
	};
	cleanup_json json_t *host = NULL;
	struct restart_rule rule = {};
	struct err ignored = ERR_INIT;
	const char *name = NULL;

	/* Most have none: that is seen without a tree. */
	if (!row->host || strstr(row->host, "\"RestartPolicy\":{\"Name\":\"no\"") ||
	    json_parse(row->host, strlen(row->host), MAX_HOST, "host configuration", &host,
		       &ignored) < 0)
		return rule;
	name = json_get_string(host, "RestartPolicy.Name", "no");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			rule.policy = (enum restart_policy)i;
	rule.max = (uint32_t)json_get_int(host, "RestartPolicy.MaximumRetryCount", 0);
	return rule;
}

void container_set_stopping(struct engine *engine, const char *id, unsigned marks, bool is_held,
			    struct container_state *state)
{
	struct err err = ERR_INIT;
	uint64_t deadline = clock_mono_ns() + TELL_NS;

	for (;;) {
		cleanup_close int dir = engine_open_run_dir(engine, id, false);
		int rc = 0;

		container_state_read(engine, id, state);
		/* Its guard is about to start it again, and cannot while we hold the entry. */
		if (state->monitor_lost && !is_held) {
			engine_settle(engine, id, false, &err);
			container_state_read(engine, id, state);
		}
		if (!container_is_running(state) || state->monitor_lost)
			return;
		rc = dir < 0 ? dir : monitor_client_set_stopping(dir, marks, &err);
		if (rc == 0)
			container_state_read(engine, id, state);
		if (rc == 0 || clock_mono_ns() > deadline)
			return;
		/* Its run ended just now: it may wait for the next. */
		err_clear(&err);
		usleep(TELL_POLL_US);
	}
}
