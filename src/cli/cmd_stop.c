/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop, kill, wait, pause, unpause: one operand after another, each answered in the order typed.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/lifecycle.h"
#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* For verbs that need no more than the index. */
static int for_each(struct cli *cli, operand_fn fn, void *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	int rc = engine_open(&engine, cli->root, cli->runroot, err);

	return rc < 0 ? rc : cli_each_operand(cli, &engine, fn, options, err);
}

/* ---- stop ---- */

static int stop_one(struct engine *engine, const char *ref, void *options, struct err *err)
{
	const struct stop_options *o = options;
	struct stop_request request = {
		.signal = o->signal,
		.has_timeout = o->has_timeout || o->has_time,
		.timeout_s = o->timeout_s,
	};
	uint64_t began = clock_mono_ns();
	struct plan plan = {};
	int rc = plan_init(&plan, err);

	if (rc == 0)
		rc = engine_stop(engine, ref, &request, &plan, err);
	cli_explain(&plan, o->explain, 1U << STEP_HOST);
	if (rc == 0)
		cli_explain_total(&plan, o->explain, clock_mono_ns() - began);
	plan_done(&plan);
	return rc;
}

/* Several containers are stopped at once, each by a child, and answered in the order typed: the
 * waiting is what takes the time. Output of children goes through pipes of their own. */
static int stop_many(struct cli *cli, const struct stop_options *o, struct err *err)
{
	pid_t *children = mem_zalloc(cli->args.n * sizeof(*children));
	bool failed = false;

	fflush(stdout);
	strv_foreach (i, &cli->args) {
		children[i] = fork();
		if (children[i] < 0) {
			err_sys(err, errno, "stop %s: start a process", cli->args.items[i]);
			cli_print_error(err);
			err_clear(err);
		}
		if (children[i] != 0)
			continue;
		cleanup_engine struct engine engine = {};
		struct stop_options copy = *o;
		int rc = engine_open(&engine, cli->root, cli->runroot, err);

		if (rc == 0)
			rc = stop_one(&engine, cli->args.items[i], &copy, err);
		if (rc < 0)
			cli_print_error(err);
		_exit(rc < 0 ? 1 : 0);
	}
	strv_foreach (i, &cli->args) {
		int status = 1;

		if (children[i] > 0)
			waitpid(children[i], &status, 0);
		if (children[i] > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
			printf("%s\n", cli->args.items[i]);
		else
			failed = true;
	}
	free(children);
	return failed ? 1 : 0;
}

int cmd_stop(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct stop_options *o = &options->stop;

	if (o->has_time && o->has_timeout)
		return err_set(err, ERR_INVALID,
			       "conflicting options: cannot specify both --timeout and --time");
	if (cli->args.n > 1)
		return stop_many(cli, o, err);
	return for_each(cli, stop_one, &options->stop, err);
}

/* ---- kill, pause, wait ---- */

static int kill_one(struct engine *engine, const char *ref, void *options, struct err *err)
{
	return engine_kill(engine, ref, ((const struct kill_options *)options)->signal, err);
}

int cmd_kill(struct cli *cli, union verb_options *options, struct err *err)
{
	return for_each(cli, kill_one, &options->kill, err);
}

static int pause_one(struct engine *engine, const char *ref, void *options, struct err *err)
{
	return engine_pause(engine, ref, true, err);
}

static int unpause_one(struct engine *engine, const char *ref, void *options, struct err *err)
{
	return engine_pause(engine, ref, false, err);
}

int cmd_pause(struct cli *cli, union verb_options *options, struct err *err)
{
	return for_each(cli, pause_one, NULL, err);
}

int cmd_unpause(struct cli *cli, union verb_options *options, struct err *err)
{
	return for_each(cli, unpause_one, NULL, err);
}

int cmd_wait(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	int rc = engine_open(&engine, cli->root, cli->runroot, err);
	bool failed = false;

	if (rc < 0)
		return rc;
	strv_foreach (i, &cli->args) {
		int code = 0;

		err_clear(err);
		if (engine_wait(&engine, cli->args.items[i], &code, err) < 0) {
			cli_print_error(err);
			failed = true;
		} else {
			printf("%d\n", code);
			fflush(stdout);
		}
	}
	err_clear(err);
	return failed ? 1 : 0;
}
