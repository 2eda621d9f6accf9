/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug: a shell with tools in a container.
 */
#include "base/mem.h"
#include "cli/command.h"
#include "cli/parse_env.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/debug.h"
#include "engine/event.h"

#include <stdio.h>
#include <unistd.h>

static void print_notice(const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static void fill_request(const struct debug_options *o, const struct strv *args,
			 struct debug_request *r)
{
	r->ref = args->items[0];
	for (size_t i = 1; i < args->n; i++)
		strv_add(&r->args, args->items[i]);
	strv_foreach (i, &o->env)
		env_add(&r->env, o->env.items[i]);
	r->image = o->image;
	r->user = o->user;
	r->workdir = o->workdir;
	r->privileged = o->privileged;
	/* A person gets a terminal; a pipe stays one. */
	r->tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	if (r->tty)
		cli_terminal_size(&r->rows, &r->columns);
}

static int run_session(const struct engine *engine, const struct debug_request *request,
		       const struct debug_session *debug, struct err *err)
{
	struct session_config config = {
		.in_fd = STDIN_FILENO,
		.out_fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.tty = request->tty,
		.sig_proxy = true,
		.no_detach = true, /* the tools go with the command */
	};
	struct session_result result = {};
	int rc = relay_run(&debug->started.process, &config, &result, err);

	/* In a container that does not run nothing has happened to the container. */
	if (rc == 0 && *debug->started.exec_id)
		event_exec_end(engine, debug->started.container_id, debug->started.exec_id,
			       &result);
	return rc < 0 ? rc : cli_session_status(&result, err);
}

int cmd_debug(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct debug_options *o = &options->debug;
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv warnings = STRV_INIT;
	struct debug_session debug = DEBUG_SESSION_INIT;
	struct debug_request request = {};
	int rc = cli_seal(err);

	cli_drop_inherited();
	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc == 0) {
		fill_request(o, &cli->args, &request);
		rc = engine_debug(&engine, &request, print_notice, &debug, &warnings, err);
		if (rc < 0 && debug.started.is_entered)
			cli->exit_status = err->code == ERR_NO_COMMAND ? 127 : 126;
		cli_print_warnings(&warnings);
	}
	if (rc == 0)
		rc = run_session(&engine, &request, &debug, err);
	engine_debug_end(&engine, &debug);
	strv_done(&request.args);
	strv_done(&request.env);
	return rc;
}
