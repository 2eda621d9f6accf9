/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images: one row for each name of each image, with docker's fields. As in docker, a format of
 * one's own counts more than -q, and the digest is looked at only when it is asked for.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/images_tree.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "storage/image.h"
#include "json/format.h"
#include "json/value.h"

#include <stdlib.h>
#include <string.h>

#define VIRTUAL_SIZE_DIGITS 4

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
	bool digests;
	bool is_table; /* of the default columns */
	int64_t now_ns;
	json_t *rows; /* borrowed */
};

static int add_row(const struct image_row *image, void *data, struct err *err)
{
	static const char *const unknown[] = {"Containers", "SharedSize", "UniqueSize"};
	struct images *images = data;
	json_t *row = json_object();
	char size[32];

	json_set_text_take(row, "ID", list_image_id(image->id, images->options->no_trunc));
	json_set_text(row, "Repository", image->repository);
	json_set_text(row, "Tag", image->tag);
	json_set_text_take(row, "Digest",
			   images->digests && image->target ? str_printf("sha256:%s", image->target)
							    : str_dup("<none>"));
	json_set_text_take(
		row, "CreatedSince",
		list_image_age(image->created_s, images->now_ns, images->is_table ? "N/A" : ""));
	json_set_text_take(row, "CreatedAt", list_created_at(image->created_s));
	json_set_text_take(row, "Size", list_size(image->size));
	num_format_size((double)image->size, VIRTUAL_SIZE_DIGITS, size, sizeof(size));
	json_set_text(row, "VirtualSize", size);
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		json_set_text(row, unknown[i], "N/A");
	return json_array_append_new(images->rows, row) < 0
		       ? err_set(err, ERR_SYSTEM, "out of memory")
		       : 0;
}

static int make_filter(const struct images_options *o, const char *reference,
		       struct image_filter *filter, struct err *err)
{
	cleanup_free char *condition = NULL;

	image_filter_init(filter);
	filter->all = o->all;
	strv_foreach (i, &o->filters)
		if (image_filter_add(filter, o->filters.items[i], err) < 0)
			return -err->code;
	if (!reference)
		return 0;
	condition = str_printf("reference=%s", reference);
	return image_filter_add(filter, condition, err);
}

/* docker's old format "raw", and the column that --digests adds to a table of one's own. Owned;
 * NULL for the default. */
static char *choose_format(struct cli *cli, const struct images_options *o)
{
	cleanup_free char *format = list_format_choose(cli, o->format, "imagesFormat", o->quiet);

	if (str_is_equal(format, "raw") && o->quiet)
		return str_dup("image_id: {{.ID}}");
	if (str_is_equal(format, "raw"))
		return str_printf(
			"repository: {{ .Repository }}\ntag: {{.Tag}}\n%simage_id: {{.ID}}\n"
			"created_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
			o->digests ? "digest: {{.Digest}}\n" : "");
	if (o->digests && !list_format_is_default(format) && str_has_prefix(format, "table") &&
	    !strstr(format, "{{.Digest}}"))
		return str_printf("%s\t{{.Digest}}", format);
	return take_ptr(format);
}

static int list(struct cli *cli, struct engine *engine, const struct images_options *o,
		const struct image_filter *filter, struct err *err)
{
	const struct format_spec spec = {
		.fields = fields,
		.columns = o->digests ? columns_with_digest : columns,
		.quiet = "ID",
		.go_type = "*formatter.imageContext",
	};
	cleanup_json json_t *rows = json_array();
	cleanup_free char *format = choose_format(cli, o);
	struct images images = {
		.options = o,
		.is_table = list_format_is_default(format),
		.digests = o->digests || (format && strstr(format, "{{.Digest}}")),
		.now_ns = clock_real_ns(),
		.rows = rows,
	};
	bool quiet = o->quiet && list_format_is_default(format);

	if (image_list(engine->store, filter, add_row, &images, err) < 0)
		return -err->code;
	return list_print(&spec, format, quiet, rows, err);
}

/* What docker cannot show as a tree. */
static int check_tree(const struct images_options *o, struct err *err)
{
	const struct {
		bool on;
		const char *name;
	} others[] = {{o->quiet, "quiet"},
		      {o->no_trunc, "no-trunc"},
		      {o->digests, "show-digest"},
		      {o->format && *o->format, "format"}};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (others[i].on)
			return err_set(err, ERR_INVALID, "--%s is not yet supported with --tree",
				       others[i].name);
	return 0;
}

int cmd_images(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_image_filter struct image_filter filter = {};
	const char *reference = cli->args.n ? cli->args.items[0] : NULL;

	if ((o->images.tree && check_tree(&o->images, err) < 0) ||
	    make_filter(&o->images, reference, &filter, err) < 0 ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	if (o->images.tree)
		return images_tree_print(&engine, &filter, err);
	return list(cli, &engine, &o->images, &filter, err);
}
