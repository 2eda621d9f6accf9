/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec, and the hidden health-check, by which a monitor has a check made.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/create.h"
#include "engine/event.h"
#include "engine/exec.h"
#include "engine/health_check.h"
#include "engine/lifecycle.h"
#include "plan/plan.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- exec ---- */

static void fill_request(const struct exec_options *o, const struct strv *args,
			 struct exec_request *r)
{
	r->ref = args->items[0];
	for (size_t i = 1; i < args->n; i++)
		strv_add(&r->args, args->items[i]);
	r->user = o->user;
	r->workdir = o->workdir;
	r->privileged = o->privileged;
	r->tty = o->tty;
	r->interactive = o->interactive;
	r->detach = o->detach;
	if (o->tty)
		cli_terminal_size(&r->rows, &r->columns);
}

static int run_session(const struct engine *engine, const struct exec_options *o,
		       const struct exec_started *started, const char *detach_keys, struct err *err)
{
	struct session_config config = {
		.in_fd = o->interactive ? STDIN_FILENO : -1,
		.out_fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.tty = o->tty,
		.sig_proxy = true,
		.detach_keys = detach_keys,
	};
	struct session_result result = {};
	int rc = relay_run(&started->process, &config, &result, err);

	if (rc == 0)
		event_exec_end(engine, started->container_id, started->exec_id, &result);
	if (rc == 0 && result.outcome == SESSION_DETACHED) {
		fputs("read escape sequence\n", stderr);
		return 1;
	}
	return rc < 0 ? rc : cli_session_status(&result, err);
}

static int check_exec(struct engine *engine, const struct exec_options *o, const char *ref,
		      struct err *err)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	int rc = container_find(engine, ref, &record, &state, err);

	/* docker looks for the container first: a missing one wins over a missing terminal. */
	if (rc == 0 && o->tty && o->interactive && !o->detach && !isatty(STDIN_FILENO))
		return err_set(err, ERR_INVALID, "the input device is not a TTY");
	return rc;
}

/* A command that could not be started is 126 unless it is missing (127); with -d there is no
 * process whose status it could be. */
static int failed_status(const struct exec_options *o, const struct err *err)
{
	if (o->detach)
		return 1;
	return err->code == ERR_NO_COMMAND ? 127 : 126;
}

int cmd_exec(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct exec_options *o = &options->exec;
	cleanup_engine struct engine engine = {};
	struct exec_started started = {};
	struct exec_request request = {};
	uint64_t began = clock_mono_ns();
	struct plan plan = {};
	const char *detach_keys = NULL;
	int rc = cli_seal(err);

	if (rc == 0)
		rc = exec_collect_env(o, &request.env, err);
	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc == 0)
		rc = check_exec(&engine, o, cli->args.items[0], err);
	if (rc == 0 && !o->detach)
		rc = cli_find_detach_keys(cli, o->detach_keys, o->tty, "escape", &detach_keys, err);
	if (rc == 0)
		rc = plan_init(&plan, err);
	if (rc == 0) {
		fill_request(o, &cli->args, &request);
		rc = engine_exec(&engine, &request, &plan, &started, err);
		if (rc < 0 && started.is_entered)
			cli->exit_status = failed_status(o, err);
		cli_explain(&plan, o->explain, 1U << STEP_HOST | 1U << STEP_INSIDE);
	}
	if (rc == 0) {
		cli_explain_total(&plan, o->explain, plan.marks[PLAN_RUNNING] - began);
		rc = o->detach ? 0 : run_session(&engine, o, &started, detach_keys, err);
	}
	plan_done(&plan);
	strv_done(&request.args);
	strv_done(&request.env);
	return rc;
}

int cmd_health_check(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	int rc = cli_seal(err);

	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	return rc < 0 ? rc : engine_check_health(&engine, cli->args.items[0], STDOUT_FILENO, err);
}
