/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: the same limits and restart policy for each container named.
 */
#include "base/mem.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/verbs.h"
#include "engine/update.h"

#include <stdio.h>

static int check(const struct update_options *o, struct container_spec *spec, struct err *err)
{
	int rc = 0;

	if (o->restart && *o->restart)
		rc = spec_parse_restart(spec, o->restart, err);
	return rc < 0 ? rc : engine_update_check(spec, err);
}

struct update {
	const struct container_spec *spec;
	struct strv warnings;
};

static int update_one(struct engine *engine, const char *ref, void *options, struct err *err)
{
	struct update *u = options;

	return engine_update(engine, ref, u->spec, &u->warnings, err);
}

int cmd_update(struct cli *cli, union verb_options *options, struct err *err)
{
	struct update_options *o = &options->update;
	cleanup_engine struct engine engine = {};
	struct update update = {.spec = &o->spec, .warnings = STRV_INIT};
	int rc = 0;

	if (cli->n_options == 0)
		return err_set(err, ERR_INVALID,
			       "you must provide one or more flags when using this command");
	rc = check(o, &o->spec, err);
	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc < 0)
		return rc;
	rc = cli_each_operand(cli, &engine, update_one, &update, err);
	/* docker's place for them is standard output, after all names. */
	strv_foreach (i, &update.warnings)
		printf("%s\n", update.warnings.items[i]);
	strv_done(&update.warnings);
	return rc;
}
