/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operand after another. Whoever reads our output is told of each before the next begins.
 */
#include "cli/operands.h"

#include "base/err.h"
#include "base/str.h"
#include "cli/command.h"

#include <stdio.h>

int cli_each_operand(const struct cli *cli, struct engine *engine, operand_fn fn, void *options,
		     struct err *err)
{
	bool failed = false;

	strv_foreach (i, &cli->args) {
		err_clear(err);
		if (fn(engine, cli->args.items[i], options, err) < 0) {
			cli_print_error(err);
			failed = true;
			continue;
		}
		printf("%s\n", cli->args.items[i]);
		fflush(stdout);
	}
	err_clear(err);
	return failed ? 1 : 0;
}
