/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port: where the ports of a running container are published.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/parse_port.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/port_text.h"
#include "engine/state.h"
#include "storage/container.h"

#include <stdio.h>
#include <stdlib.h>

static int compare_lines(const void *a, const void *b)
{
	return list_compare_natural(*(char *const *)a, *(char *const *)b);
}

/* What container ID has published at this moment. */
static int read_live(struct engine *engine, const char *id, struct live_network *ret,
		     struct err *err)
{
	cleanup_close int dir = engine_open_run_dir(engine, id, false);
	struct container_state state;

	container_state_read(engine, id, &state);
	if (dir < 0 || !container_is_running(&state))
		return 0;
	return live_network_read(dir, ret, err);
}

static int print_lines(const struct cli *cli, const struct live_network *live, struct err *err)
{
	cleanup_strv struct strv lines = STRV_INIT;
	const char *typed = cli->args.n > 1 ? cli->args.items[1] : NULL;
	const char *proto = NULL;
	uint16_t port = 0;

	if (typed && private_port_parse(typed, &port, &proto, err) < 0)
		return -err->code;
	port_text_lines(live, port, proto, &lines);
	if (typed && !lines.n)
		return err_set(err, ERR_NOT_FOUND, "No public port '%s' published for %s", typed,
			       cli->args.items[0]);
	if (lines.n)
		qsort(lines.items, lines.n, sizeof(*lines.items), compare_lines);
	strv_foreach (i, &lines)
		printf("%s\n", lines.items[i]);
	return 0;
}

int cmd_port(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_container struct container_record record = {};
	cleanup_live_network struct live_network live = {};
	int rc = engine_open(&engine, cli->root, cli->runroot, err);

	if (rc == 0)
		rc = container_lookup_by_ref(engine.store, cli->args.items[0], &record, err);
	if (rc >= 0)
		rc = read_live(&engine, record.row.id, &live, err);
	return rc < 0 ? rc : print_lines(cli, &live, err);
}
