/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: the same limits, restart policy and ports for each container named.
 */
#include "base/mem.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/parse_port.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/update.h"
#include "plan/plan.h"

#include <stdio.h>

static int check(const struct update_options *o, struct container_spec *spec, struct err *err)
{
	int rc = 0;

	if (o->restart && *o->restart)
		rc = spec_parse_restart(spec, o->restart, err);
	return rc < 0 ? rc : engine_update_check(spec, err);
}

/* --publish and --publish-rm; of the latter PORT[/PROTO] stands for all bindings of that port. */
static int parse_ports(struct update_options *o, struct port_list *unpublish, struct err *err)
{
	cleanup_spec struct container_spec removed = {};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < o->publish.n; i++)
		rc = publish_parse(&o->spec, o->publish.items[i], err);
	for (size_t i = 0; rc == 0 && i < o->publish_rm.n; i++)
		rc = publish_parse(&removed, o->publish_rm.items[i], err);
	for (size_t i = 0; rc == 0 && i < removed.n_ports; i++)
		port_list_add(unpublish, &removed.ports[i]);
	return rc;
}

struct update {
	const struct update_options *options;
	struct port_list unpublish;
	struct strv warnings;
};

static int update_one(struct engine *engine, const char *ref, void *options, struct err *err)
{
	struct update *u = options;
	struct plan plan = {};
	int rc = plan_init(&plan, err);

	if (rc == 0)
		rc = engine_update(engine, ref, &u->options->spec, &u->unpublish, &plan,
				   &u->warnings, err);
	cli_explain(&plan, u->options->explain, 1U << STEP_HOST);
	plan_done(&plan);
	return rc;
}

int cmd_update(struct cli *cli, union verb_options *options, struct err *err)
{
	struct update_options *o = &options->update;
	cleanup_engine struct engine engine = {};
	struct update update = {.options = o, .warnings = STRV_INIT};
	int rc = 0;

	if (cli->n_options == 0)
		return err_set(err, ERR_INVALID,
			       "you must provide one or more flags when using this command");
	rc = check(o, &o->spec, err);
	if (rc == 0)
		rc = parse_ports(o, &update.unpublish, err);
	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc == 0)
		rc = cli_each_operand(cli, &engine, update_one, &update, err);
	port_list_done(&update.unpublish);
	/* docker's place for them is standard output, after all names. */
	strv_foreach (i, &update.warnings)
		printf("%s\n", update.warnings.items[i]);
	strv_done(&update.warnings);
	return rc;
}
