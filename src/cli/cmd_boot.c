/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system boot: starts what a reboot has ended and its policy brings back. One that does not start
 * keeps no other from starting.
 */
#include "base/mem.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/boot.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "engine/restart.h"
#include "engine/start.h"

#include <stdio.h>

/* 1 when it was started, 0 when somebody was faster. */
static int start_one(struct engine *engine, const struct container_record *record, struct err *err)
{
	cleanup_made struct container_made made = {.pending_fd = -1};
	cleanup_start struct container_start start = CONTAINER_START_INIT;
	const struct start_request request = {};
	const char *id = record->row.id;
	struct container_state state;
	int pending = pending_wait(engine, id, err);
	int rc = pending < 0 ? pending : 0;

	container_state_read(engine, id, &state);
	if (rc == 0 && container_is_running(&state)) {
		pending_close(engine, id, pending);
		return 0;
	}
	if (rc == 0)
		rc = engine_load(engine, id, &made, err);
	made.restart = restart_rule_read(&record->row);
	if (rc == 0)
		rc = container_start(engine, &made, &request, &start, err);
	pending_close(engine, id, pending);
	cli_print_warnings(&start.warnings);
	return rc < 0 ? rc : 1;
}

static int boot_one(struct engine *engine, const char *id, bool is_dry, struct err *err)
{
	cleanup_container struct container_record record = {};
	int rc = container_lookup_by_ref(engine->store, id, &record, err);

	if (rc < 0)
		return rc;
	rc = is_dry ? 1 : start_one(engine, &record, err);
	if (rc < 0)
		return err_wrap(err, "failed to start container %s", record.row.name);
	if (rc > 0)
		printf("%s\n", record.row.name);
	fflush(stdout);
	return 0;
}

int cmd_system_boot(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct system_boot_options *o = &options->system_boot;
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv ids = STRV_INIT;
	bool failed = false;
	/* Some of them may join or mount what others can write to. */
	int rc = o->dry_run ? 0 : cli_seal(err);

	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc == 0)
		rc = engine_list_boot(&engine, &ids, err);
	if (rc < 0)
		return rc;
	strv_foreach (i, &ids) {
		err_clear(err);
		if (boot_one(&engine, ids.items[i], o->dry_run, err) < 0) {
			cli_print_error(err);
			failed = true;
		}
	}
	err_clear(err);
	return failed ? 1 : 0;
}
