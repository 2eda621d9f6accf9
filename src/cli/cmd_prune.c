/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container prune, image prune and system prune, with docker's warnings: what goes, the answer of a
 * person, what has gone and what that was worth.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "engine/prune.h"
#include "engine/volume.h"
#include "storage/image.h"
#include "storage/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_DIGITS 4

/* "Deleted Containers:", what it was, and an empty line; nothing for nothing. */
static void print_deleted(const char *title, const struct strv *lines)
{
	if (!lines->n)
		return;
	printf("%s:\n", title);
	strv_foreach (i, lines)
		puts(lines->items[i]);
	puts("");
}

static void print_total(int64_t freed)
{
	char size[32];

	num_format_size((double)freed, SIZE_DIGITS, size, sizeof(size));
	printf("Total reclaimed space: %s\n", size);
}

/* ---- containers ---- */

int cmd_container_prune(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct prune_options *o = &options->prune;
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv removed = STRV_INIT;
	int64_t freed = 0;

	if (!o->force && !prompt_confirm("WARNING! This will remove all stopped containers.\n"
					 "Are you sure you want to continue?"))
		return 0;
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_prune_containers(&engine, &o->filters, &removed, &freed, err) < 0)
		return -err->code;
	print_deleted("Deleted Containers", &removed);
	print_total(freed);
	return 0;
}

/* ---- images ---- */

static int parse_image_filters(const struct strv *filters, struct image_filter *filter,
			       struct err *err)
{
	image_filter_init(filter);
	strv_foreach (i, filters)
		if (image_filter_add(filter, filters->items[i], err) < 0)
			return -err->code;
	return 0;
}

int cmd_image_prune(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct prune_options *o = &options->prune;
	cleanup_engine struct engine engine = {};
	cleanup_image_filter struct image_filter filter = {};
	cleanup_strv struct strv lines = STRV_INIT;
	int64_t freed = 0;
	bool all = false;

	if (parse_image_filters(&o->filters, &filter, err) < 0)
		return -err->code;
	/* "dangling=false" is the long way to say --all. */
	all = o->all || filter.dangling == 0;
	if (!o->force &&
	    !prompt_confirm(all ? "WARNING! This will remove all images without at least one "
				  "container associated to them.\n"
				  "Are you sure you want to continue?"
				: "WARNING! This will remove all dangling images.\n"
				  "Are you sure you want to continue?"))
		return 0;
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_prune_images(&engine, all, &filter, &lines, &freed, err) < 0)
		return -err->code;
	print_deleted("Deleted Images", &lines);
	print_total(freed);
	return 0;
}

/* ---- all of it ---- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* docker's list of what is about to go. */
static char *warning_text(const struct system_prune_options *o)
{
	struct str s = STR_INIT;
	cleanup_strv struct strv filters = STRV_INIT;

	str_add(&s, "WARNING! This will remove:\n"
		    "  - all stopped containers\n"
		    "  - all networks not used by at least one container\n");
	if (o->volumes)
		str_add(&s, "  - all anonymous volumes not used by at least one container\n");
	str_add(&s, o->all ? "  - all images without at least one container associated to them\n"
			     "  - all build cache\n"
			   : "  - all dangling images\n"
			     "  - unused build cache\n");
	if (o->filters.n) {
		str_add(&s, "\n  Items to be pruned will be filtered with:\n");
		strv_add_all(&filters, &o->filters);
		qsort(filters.items, filters.n, sizeof(*filters.items), compare_texts);
		strv_foreach (i, &filters)
			str_addf(&s, "  - %s\n", filters.items[i]);
	}
	str_add(&s, "\nAre you sure you want to continue?");
	return str_take(&s);
}

/* docker knows these three; what a kind of object cannot be asked for is left out for it. */
static int check_filters(const struct system_prune_options *o, struct err *err)
{
	strv_foreach (i, &o->filters)
		if (o->volumes && str_has_prefix(o->filters.items[i], "until="))
			return err_set(err, ERR_INVALID,
				       "ERROR: The \"until\" filter is not supported with "
				       "\"--volumes\"");
	return 0;
}

static int prune_containers(struct engine *engine, const struct system_prune_options *o,
			    int64_t *freed, struct err *err)
{
	cleanup_strv struct strv removed = STRV_INIT;

	if (engine_prune_containers(engine, &o->filters, &removed, freed, err) < 0)
		return -err->code;
	print_deleted("Deleted Containers", &removed);
	return 0;
}

static int prune_networks(struct engine *engine, const struct system_prune_options *o,
			  int64_t *freed, struct err *err)
{
	cleanup_strv struct strv removed = STRV_INIT;

	if (engine_prune_networks(engine, &o->filters, &removed, err) < 0)
		return -err->code;
	print_deleted("Deleted Networks", &removed);
	return 0;
}

static int prune_volumes(struct engine *engine, const struct system_prune_options *o,
			 int64_t *freed, struct err *err)
{
	cleanup_strv struct strv removed = STRV_INIT;

	if (!o->volumes)
		return 0;
	if (engine_prune_volumes(engine, &o->filters, false, &removed, freed, err) < 0)
		return -err->code;
	print_deleted("Deleted Volumes", &removed);
	return 0;
}

static int prune_images(struct engine *engine, const struct system_prune_options *o, int64_t *freed,
			struct err *err)
{
	cleanup_image_filter struct image_filter filter = {};
	cleanup_strv struct strv lines = STRV_INIT;

	if (parse_image_filters(&o->filters, &filter, err) < 0 ||
	    engine_prune_images(engine, o->all, &filter, &lines, freed, err) < 0)
		return -err->code;
	print_deleted("Deleted Images", &lines);
	return 0;
}

/* Of the filters the cache knows times; what has no labels stays where labels are asked for. */
static int prune_cache(struct engine *engine, const struct system_prune_options *o, int64_t *freed,
		       struct err *err)
{
	struct snapshot_prune how = {.all = o->all, .until_ns = INT64_MAX};
	cleanup_strv struct strv ids = STRV_INIT;

	strv_foreach (i, &o->filters) {
		const char *filter = o->filters.items[i];

		if (!str_has_prefix(filter, "until="))
			return 0;
		if (clock_parse_point(filter + strlen("until="), clock_real_ns(), &how.until_ns,
				      err) < 0)
			return -err->code;
	}
	if (snapshot_prune_run(engine->store, &how, &ids, freed, err) < 0)
		return -err->code;
	print_deleted("Deleted build cache objects", &ids);
	return 0;
}

int cmd_system_prune(struct cli *cli, union verb_options *options, struct err *err)
{
	static int (*const phases[])(struct engine *, const struct system_prune_options *,
				     int64_t *, struct err *) = {
		prune_containers, prune_networks, prune_volumes, prune_images, prune_cache,
	};
	const struct system_prune_options *o = &options->system_prune;
	cleanup_free char *warning = warning_text(o);
	cleanup_engine struct engine engine = {};
	int64_t total = 0;

	if (check_filters(o, err) < 0)
		return -err->code;
	if (!o->force && !prompt_confirm(warning))
		return 0;
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		int64_t freed = 0;

		if (phases[i](&engine, o, &freed, err) < 0)
			return -err->code;
		total += freed;
	}
	print_total(total);
	return 0;
}
