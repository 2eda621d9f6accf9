/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rm, rename, and the hidden settle and resume, by which a monitor has its container removed or
 * starts it again.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/lifecycle.h"
#include "engine/links.h"
#include "engine/pending.h"
#include "engine/resume.h"
#include "plan/plan.h"

#include <stdio.h>
#include <unistd.h>

/* ---- rm ---- */

static int rm_one(struct engine *engine, const char *ref, const struct rm_options *o,
		  struct err *err)
{
	const char *name = ref + (*ref == '/' && ref[1]);
	struct plan plan = {};
	int rc = 0;

	if (o->link)
		return engine_remove_link(engine, ref, err);
	rc = plan_init(&plan, err);
	if (rc == 0)
		rc = engine_remove(engine, name,
				   (o->force ? REMOVE_FORCE : 0U) |
					   (o->volumes ? REMOVE_VOLUMES : 0U),
				   &plan, err);
	cli_explain(&plan, o->explain, 1U << STEP_HOST | 1U << STEP_TEARDOWN);
	plan_done(&plan);
	return rc;
}

int cmd_rm(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct rm_options *o = &options->rm;
	cleanup_engine struct engine engine = {};
	int rc = engine_open(&engine, cli->root, cli->runroot, err);
	bool failed = false;

	if (rc < 0)
		return rc;
	pending_sweep(&engine);
	strv_foreach (i, &cli->args) {
		err_clear(err);
		rc = rm_one(&engine, cli->args.items[i], o, err);
		if (rc < 0) {
			cli_print_error(err);
			/* docker: -f of a missing one says so and succeeds. */
			failed |= !(o->force && rc == -ERR_NOT_FOUND);
		} else {
			printf("%s\n", cli->args.items[i]);
		}
	}
	err_clear(err);
	engine_remove_replaced(&engine);
	return failed ? 1 : 0;
}

int cmd_settle(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	int rc = engine_open(&engine, cli->root, cli->runroot, err);

	strv_foreach (i, &cli->args)
		if (rc >= 0)
			rc = engine_settle(&engine, cli->args.items[i], true, err);
	return rc < 0 ? rc : 0;
}

int cmd_resume(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	/* Whatever the container joins or mounts, which is not known yet. */
	int rc = cli_seal(err);

	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	return rc < 0 ? rc
		      : engine_resume(&engine, cli->args.items[0], options->resume.is_lost, err);
}

static bool is_blank(const char *name)
{
	return name[strspn(name, " \t\n\v\f\r")] == '\0';
}

int cmd_rename(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	int rc = 0;

	if (is_blank(cli->args.items[0]) || is_blank(cli->args.items[1]))
		return err_set(err, ERR_INVALID, "Neither old nor new names may be empty");
	rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc == 0)
		rc = engine_rename(&engine, cli->args.items[0], cli->args.items[1], err);
	if (rc < 0 && *err->msg) {
		cli_print_error(err);
		return err_set(err, ERR_CONFLICT, "failed to rename container named %s",
			       cli->args.items[0]);
	}
	return rc;
}
