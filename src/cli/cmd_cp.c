/* SPDX-License-Identifier: Apache-2.0 */
/* cp: the engine copies, this says how much it was. */
#include "base/mem.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/verbs.h"
#include "engine/cp.h"
#include "engine/engine.h"

#include <stdio.h>
#include <unistd.h>

#define SIZE_DIGITS 3

int cmd_cp(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	const struct cp_request request = {
		.source = cli->args.items[0],
		.destination = cli->args.items[1],
		.archive = o->cp.archive,
		.follow_link = o->cp.follow_link,
	};
	struct cp_result result = {};
	char size[32];
	bool quiet = false;

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_cp(&engine, &request, &result, err) < 0)
		return -err->code;
	num_format_size((double)result.bytes, SIZE_DIGITS, size, sizeof(size));
	/* As docker: on standard error, and only for a person at standard output. */
	quiet = o->cp.has_quiet ? o->cp.quiet : !isatty(STDOUT_FILENO);
	if (result.destination && !quiet)
		fprintf(stderr, "Successfully copied %s to %s\n", size, result.destination);
	free(result.destination);
	return 0;
}
