/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: the same limits and restart policy for each container named.
 */
#include "base/mem.h"
#include "cli/command.h"
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

int cmd_update(struct cli *cli, union verb_options *options, struct err *err)
{
	struct update_options *o = &options->update;
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv warnings = STRV_INIT;
	bool failed = false;
	int rc = 0;

	if (cli->n_options == 0)
		return err_set(err, ERR_INVALID,
			       "you must provide one or more flags when using this command");
	rc = check(o, &o->spec, err);
	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc < 0)
		return rc;
	strv_foreach (i, &cli->args) {
		err_clear(err);
		if (engine_update(&engine, cli->args.items[i], &o->spec, &warnings, err) < 0) {
			cli_print_error(err);
			failed = true;
			continue;
		}
		printf("%s\n", cli->args.items[i]);
		fflush(stdout);
	}
	/* docker's place for them is standard output, after all names. */
	strv_foreach (i, &warnings)
		printf("%s\n", warnings.items[i]);
	err_clear(err);
	return failed ? 1 : 0;
}
