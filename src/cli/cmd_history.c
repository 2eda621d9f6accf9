/* SPDX-License-Identifier: Apache-2.0 */
/* history: the steps that made an image, newest first. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "oci/platform.h"
#include "storage/image.h"
#include "json/format.h"
#include "json/rune.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdlib.h>

#define CREATED_BY_COLUMNS 45
/* docker: what is said to be older than the year 2000 has no age. */
#define EPOCH_S 946684800LL

static const struct format_field fields[] = {
	{"ID", "IMAGE"},
	{"CreatedSince", "CREATED"},
	{"CreatedAt", "CREATED AT"},
	{"CreatedBy", "CREATED BY"},
	{"Size", "SIZE"},
	{"Comment", "COMMENT"},
	{NULL, NULL},
};

static const char *const columns[] = {"ID", "CreatedSince", "CreatedBy", "Size", "Comment", NULL};
static const char *const exact_columns[] = {"ID",   "CreatedAt", "CreatedBy",
					    "Size", "Comment",	 NULL};

struct history {
	const struct history_options *options;
	int64_t now_ns;
	json_t *rows; /* borrowed */
};

static char *created_by(const struct history *h, const char *text)
{
	cleanup_free char *line = str_dup(text);
	struct str shown = STR_INIT;

	for (char *p = line; *p; p++)
		*p = *p == '\t' ? ' ' : *p;
	if (h->options->no_trunc)
		return take_ptr(line);
	str_add_ellipsis(&shown, line, CREATED_BY_COLUMNS);
	return str_take(&shown);
}

static char *created_since(const struct history *h, int64_t created_s)
{
	if (!h->options->human)
		return list_rfc3339(created_s);
	return created_s <= EPOCH_S ? str_dup("N/A") : list_ago(created_s, h->now_ns);
}

static int add_row(const struct image_history_row *step, void *data, struct err *err)
{
	struct history *h = data;
	json_t *row = json_object();

	json_set_text_take(row, "ID",
			   *step->id ? list_image_id(step->id, h->options->no_trunc)
				     : str_dup("<missing>"));
	json_set_text_take(row, "CreatedSince", created_since(h, step->created_s));
	json_set_text_take(row, "CreatedAt", list_rfc3339(step->created_s));
	json_set_text_take(row, "CreatedBy", created_by(h, step->created_by));
	json_set_text_take(row, "Size",
			   h->options->human ? list_size(step->size)
					     : str_printf("%" PRId64, step->size));
	json_set_text(row, "Comment", step->comment);
	return json_array_append_new(h->rows, row) < 0 ? err_set(err, ERR_SYSTEM, "out of memory")
						       : 0;
}

static int find_image(struct engine *engine, const char *name, const char *platform,
		      struct image *ret, struct err *err)
{
	if (image_find(engine->store, name, ret, err) < 0)
		return -err->code;
	return check_platform(name, platform, ret, err);
}

int cmd_history(struct cli *cli, union verb_options *o, struct err *err)
{
	const struct history_options *options = &o->history;
	const struct format_spec spec = {
		.fields = fields,
		.columns = options->human ? columns : exact_columns,
		.quiet = "ID",
		.go_type = "*image.historyContext",
	};
	cleanup_engine struct engine engine = {};
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_json json_t *rows = json_array();
	struct platform platform;
	struct history h = {.options = options, .now_ns = clock_real_ns(), .rows = rows};
	/* A format of one's own says already what is wanted. */
	bool quiet = options->quiet && list_format_is_default(options->format);

	if (options->platform && platform_parse(options->platform, &platform, err) < 0)
		return err_wrap(err, "invalid platform");
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    find_image(&engine, cli->args.items[0], options->platform, &image, err) < 0 ||
	    image_history(engine.store, &image, add_row, &h, err) < 0)
		return -err->code;
	return list_print(&spec, options->format, quiet, rows, err);
}
