/* SPDX-License-Identifier: Apache-2.0 */
/* images: one row for each name of each image, with docker's fields. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "storage/image.h"
#include "json/format.h"
#include "json/value.h"

#include <stdlib.h>

static const struct format_field fields[] = {
	{"ID", "IMAGE ID"},
	{"Repository", "REPOSITORY"},
	{"Tag", "TAG"},
	{"Digest", "DIGEST"},
	{"CreatedSince", "CREATED"},
	{"CreatedAt", "CREATED AT"},
	{"Size", "SIZE"},
	{"Containers", "CONTAINERS"},
	{"VirtualSize", "SIZE"},
	{"SharedSize", "SHARED SIZE"},
	{"UniqueSize", "UNIQUE SIZE"},
	{NULL, NULL},
};

static const char *const columns[] = {"Repository", "Tag", "ID", "CreatedSince", "Size", NULL};
static const char *const columns_with_digest[] = {"Repository",	  "Tag",  "Digest", "ID",
						  "CreatedSince", "Size", NULL};

struct images {
	const struct images_options *options;
	int64_t now_ns;
	json_t *rows; /* borrowed */
};

static void set_take(json_t *row, const char *key, char *text)
{
	json_set_text(row, key, text);
	free(text);
}

static int add_row(const struct image_row *image, void *data, struct err *err)
{
	static const char *const unknown[] = {"Containers", "SharedSize", "UniqueSize"};
	struct images *images = data;
	json_t *row = json_object();

	set_take(row, "ID", list_image_id(image->id, images->options->no_trunc));
	json_set_text(row, "Repository", image->repository);
	json_set_text(row, "Tag", image->tag);
	json_set_text(row, "Digest", "<none>");
	set_take(row, "CreatedSince", list_ago(image->created_ns, images->now_ns));
	set_take(row, "CreatedAt", list_created_at(image->created_ns));
	set_take(row, "Size", list_size(image->size));
	set_take(row, "VirtualSize", list_size(image->size));
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		json_set_text(row, unknown[i], "N/A");
	return json_array_append_new(images->rows, row) < 0
		       ? err_set(err, ERR_SYSTEM, "out of memory")
		       : 0;
}

static int make_filter(const struct images_options *o, const char *reference,
		       struct image_filter *filter, struct err *err)
{
	strv_foreach (i, &o->filters)
		if (image_filter_add(filter, o->filters.items[i], err) < 0)
			return -err->code;
	if (reference)
		strv_add(&filter->references, reference);
	return 0;
}

int cmd_images(struct cli *cli, union verb_options *o, struct err *err)
{
	const struct format_spec spec = {
		.fields = fields,
		.columns = o->images.digests ? columns_with_digest : columns,
		.quiet = "ID",
		.go_type = "*formatter.imageContext",
	};
	cleanup_engine struct engine engine = {};
	cleanup_image_filter struct image_filter filter = {};
	cleanup_json json_t *rows = json_array();
	cleanup_free char *format = list_format_choose(o->images.format, "imagesFormat",
						       o->images.quiet);
	struct images images = {.options = &o->images, .now_ns = clock_real_ns(), .rows = rows};

	image_filter_init(&filter);
	if (make_filter(&o->images, cli->args.n ? cli->args.items[0] : NULL, &filter, err) < 0 ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    image_list(engine.store, &filter, add_row, &images, err) < 0)
		return -err->code;
	return list_print(&spec, format, o->images.quiet, rows, err);
}
