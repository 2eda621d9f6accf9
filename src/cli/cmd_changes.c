/* SPDX-License-Identifier: Apache-2.0 */
/* diff, export and commit: a container's file system, looked at from outside. */
#include "base/mem.h"
#include "cli/command.h"
#include "cli/verbs.h"
#include "engine/commit.h"
#include "engine/diff.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/export.h"
#include "engine/lifecycle.h"
#include "oci/reference.h"
#include "storage/container.h"
#include "transport/new_file.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int check_ref(const char *ref, struct err *err)
{
	return *ref ? 0 : err_set(err, ERR_INVALID, "invalid container name or ID: value is empty");
}

int cmd_diff(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv lines = STRV_INIT;

	if (!*cli->args.items[0])
		return err_set(err, ERR_INVALID, "Container name cannot be empty");
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_diff(&engine, cli->args.items[0], &lines, err) < 0)
		return -err->code;
	strv_foreach (i, &lines)
		puts(lines.items[i]);
	return 0;
}

int cmd_export(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_container struct container_record record = {};
	cleanup_new_file struct new_file file = NEW_FILE_INIT;
	const char *ref = cli->args.items[0];
	const char *output = o->export.output;
	bool to_file = output && *output;
	struct container_state state;

	if (!to_file && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "cowardly refusing to save to a terminal. Use the -o flag or "
			       "redirect");
	if (to_file && new_file_open(output, 0600, &file, err) < 0)
		return err_wrap(err, "failed to export container");
	if (check_ref(ref, err) < 0 || engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    container_find(&engine, ref, &record, &state, err) < 0)
		return -err->code;
	/* A reader that went away is an error like others. */
	signal(SIGPIPE, SIG_IGN);
	if (engine_export(&engine, &record, to_file ? file.fd : STDOUT_FILENO, err) < 0)
		return -err->code;
	event_container(&engine, &record.row, "export", NULL);
	return to_file ? new_file_commit(&file, true, err) : 0;
}

int cmd_commit(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	const struct commit_request request = {
		.ref = cli->args.items[0],
		.name = cli->args.n > 1 ? cli->args.items[1] : NULL,
		.author = o->commit.author,
		.message = o->commit.message,
		.changes = &o->commit.changes,
		.pause = o->commit.pause,
	};
	char id[DIGEST_HEX_LEN + 1];

	if (check_ref(request.ref, err) < 0 ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_commit(&engine, &request, id, err) < 0)
		return -err->code;
	printf("sha256:%s\n", id);
	return 0;
}
