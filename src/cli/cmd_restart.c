/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart: one container after another is stopped and started, and answered when it runs again. The
 * container's entry is held from the one to the other, so that nobody else starts, removes or
 * settles it in between; its monitor knows that this end is not the last (--rm).
 */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "engine/restart.h"
#include "engine/start.h"
#include "plan/plan.h"

#include <stdio.h>

static int stop_held(struct engine *engine, const struct container_record *record,
		     const struct stop_options *o, struct err *err)
{
	const struct stop_request request = {
		.signal = o->signal,
		.has_timeout = o->has_timeout || o->has_time,
		.timeout_s = o->timeout_s,
	};
	struct container_state state;
	struct plan plan = {};
	int rc = 0;

	container_state_read(engine, record->row.id, &state);
	if (!container_is_running(&state))
		return 0;
	rc = plan_init(&plan, err);
	if (rc == 0)
		rc = engine_stop_found(engine, record, &request, RESTART_MARK_KEPT, &plan, err);
	cli_explain(&plan, o->explain, 1U << STEP_HOST);
	plan_done(&plan);
	return rc;
}

static int start_held(struct engine *engine, const struct container_made *made,
		      const struct stop_options *o, struct err *err)
{
	cleanup_start struct container_start start = CONTAINER_START_INIT;
	struct start_request request = {};
	int rc = container_start(engine, made, &request, &start, err);

	cli_print_warnings(&start.warnings);
	cli_explain(&start.plan, o->explain, 1U << STEP_HOST | 1U << STEP_INSIDE);
	return rc;
}

/* Somebody may have removed it while its entry was waited for. */
static int check_still_there(struct engine *engine, const char *id, struct err *err)
{
	cleanup_container struct container_record record = {};
	int rc = container_lookup(engine->store, id, &record, err);

	return rc == 0 ? err_set(err, ERR_NOT_FOUND, "No such container: %s", id) : rc < 0 ? rc : 0;
}

static int restart_one(struct engine *engine, const char *ref, void *options, struct err *err)
{
	const struct stop_options *o = options;
	cleanup_container struct container_record record = {};
	cleanup_made struct container_made made = {.pending_fd = -1};
	struct container_state state;
	int pending = -1;
	int rc = container_find(engine, ref, &record, &state, err);

	if (rc < 0)
		return rc;
	rc = engine_load(engine, record.row.id, &made, err);
	made.restart = restart_rule_read(&record.row);
	if (rc == 0 && container_needs_seal(&made.config))
		rc = cli_seal(err);
	if (rc < 0)
		return rc;
	pending = pending_wait(engine, record.row.id, err);
	rc = pending < 0 ? pending : check_still_there(engine, record.row.id, err);
	if (rc == 0)
		rc = stop_held(engine, &record, o, err);
	if (rc == 0)
		rc = start_held(engine, &made, o, err);
	if (rc == 0)
		event_container(engine, &record.row, "restart", NULL);
	pending_close(engine, record.row.id, pending);
	return rc < 0 ? err_wrap(err, "Cannot restart container %s", ref) : rc;
}

int cmd_restart(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct stop_options *o = &options->stop;
	cleanup_engine struct engine engine = {};
	int rc = 0;

	if (o->has_time && o->has_timeout)
		return err_set(err, ERR_INVALID,
			       "conflicting options: cannot specify both --timeout and --time");
	rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc < 0)
		return rc;
	pending_sweep(&engine);
	return cli_each_operand(cli, &engine, restart_one, &options->stop, err);
}
