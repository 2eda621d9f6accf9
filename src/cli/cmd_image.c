/* SPDX-License-Identifier: Apache-2.0 */
/* Names and removal of images: rmi, tag. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/pending.h"
#include "engine/state.h"
#include "storage/image.h"

#include <stdio.h>

static void print_lines(const struct strv *lines)
{
	strv_foreach (i, lines)
		puts(lines->items[i]);
	fflush(stdout);
}

static bool is_running(const char *id, void *data)
{
	struct container_state state;

	container_state_read(data, id, &state);
	return container_is_running(&state);
}

/* An image has one platform: when it is none of those that were asked for, it stays. */
static int check_platforms(struct engine *engine, const char *name, const struct strv *platforms,
			   struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;

	if (platforms->n && image_find(engine->store, name, &image, err) < 0)
		return -err->code;
	strv_foreach (i, platforms)
		if (check_platform(name, platforms->items[i], &image, err) < 0)
			return -err->code;
	return 0;
}

static int remove_one(struct engine *engine, const struct rmi_options *o, const char *name,
		      struct err *err)
{
	const struct image_removal how = {
		.force = o->force, .no_prune = o->no_prune, .running = is_running, .data = engine};
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_image struct image image = IMAGE_INIT;

	/* As it was before: its events tell its labels. */
	if (check_platforms(engine, name, &o->platforms, err) < 0 ||
	    image_lookup(engine->store, name, &image, err) < 0 ||
	    image_remove(engine->store, name, &how, &lines, err) < 0)
		return -err->code;
	event_image_removed(engine, &image, &lines);
	print_lines(&lines);
	return 0;
}

int cmd_rmi(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	int status = 0;

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	strv_foreach (i, &cli->args) {
		struct err one = ERR_INIT;

		if (remove_one(&engine, &o->rmi, cli->args.items[i], &one) >= 0)
			continue;
		cli_print_error(&one);
		/* By force, what is not there is as good as removed. */
		if (one.code != ERR_NOT_FOUND || !o->rmi.force)
			status = 1;
	}
	engine_remove_replaced(&engine);
	return status;
}

int cmd_tag(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	if (image_tag(engine.store, cli->args.items[0], cli->args.items[1], err) < 0)
		return -err->code;
	event_image_tagged(&engine, cli->args.items[1], true);
	return 0;
}
