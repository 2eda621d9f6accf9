/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top: the processes of one container in the columns of ps; with --all the live view of all
 * containers.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/verbs.h"
#include "cli/view.h"
#include "engine/engine.h"
#include "engine/processes.h"
#include "json/table.h"

#include <stdio.h>

static void add_line(struct table *t, const struct strv *cells)
{
	strv_foreach (i, cells)
		table_add_cell(t, cells->items[i]);
	table_end_line(t);
}

static void print_table(const struct process_table *processes)
{
	struct table t = {.min_width = TABLE_MIN_WIDTH_TOP, .padding = TABLE_PADDING};
	cleanup_str struct str out = STR_INIT;

	add_line(&t, &processes->titles);
	for (size_t i = 0; i < processes->n; i++)
		add_line(&t, &processes->rows[i].fields);
	table_format(&t, &out);
	table_done(&t);
	fwrite(str_get(&out), 1, out.len, stdout);
}

bool top_stands_alone(const union verb_options *o)
{
	return o->top.all;
}

int cmd_top(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv ps_args = STRV_INIT;
	cleanup_process_table struct process_table processes = {};
	int rc = 0;

	if (o->top.all && cli->args.n)
		return err_set(err, ERR_INVALID,
			       "top --all shows all containers: it takes no name");
	if (o->top.all)
		return view_run(cli, err);
	for (size_t i = 1; i < cli->args.n; i++)
		strv_add(&ps_args, cli->args.items[i]);
	if (!*cli->args.items[0])
		return err_set(err, ERR_INVALID, "invalid container name or ID: value is empty");
	rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc == 0)
		rc = engine_processes(&engine, cli->args.items[0], &ps_args, &processes, err);
	if (rc == 0)
		print_table(&processes);
	return rc;
}
