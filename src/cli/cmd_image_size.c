/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image size: bytes of an image's content, how much of it other images have too, and how much is
 * kept packed. From the index alone: nothing is read from the layers. --by-layer has a row for each
 * layer instead, base first, with the instruction that made it.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/quote.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "storage/blob.h"
#include "storage/image.h"
#include "json/format.h"
#include "json/rune.h"
#include "json/value.h"

#include <inttypes.h>

#define SHORT_ID_LEN	   12
#define CREATED_BY_COLUMNS 45

static const struct format_field fields[] = {
	{"Image", "IMAGE"},
	{"ID", "IMAGE ID"},
	{"Layers", "LAYERS"},
	{"Size", "SIZE"},
	{"UniqueSize", "UNIQUE"},
	{"SharedSize", "SHARED"},
	{"PackedSize", "PACKED"},
	{"Bytes", "BYTES"},
	{"UniqueBytes", "UNIQUE BYTES"},
	{"SharedBytes", "SHARED BYTES"},
	{"PackedBytes", "PACKED BYTES"},
	{NULL, NULL},
};
static const char *const columns[] = {"Image",	    "Layers",	  "Size", "UniqueSize",
				      "SharedSize", "PackedSize", NULL};

static const struct format_field layer_fields[] = {
	{"Image", "IMAGE"},   {"Layer", "LAYER"},
	{"Size", "SIZE"},     {"PackedSize", "PACKED"},
	{"Format", "FORMAT"}, {"Entries", "ENTRIES"},
	{"Images", "IMAGES"}, {"CreatedBy", "CREATED BY"},
	{"Bytes", "BYTES"},   {"PackedBytes", "PACKED BYTES"},
	{NULL, NULL},
};
static const char *const layer_columns[] = {"Image",   "Layer",	 "Size",      "PackedSize",
					    "Entries", "Images", "CreatedBy", NULL};

struct sizes {
	struct engine *engine;
	const struct image_size_options *options;
	bool is_json;
	json_t *rows; /* borrowed */
};

static void set_number(json_t *row, const char *key, int64_t n)
{
	json_set_text_take(row, key, str_printf("%" PRId64, n));
}

/* ---- the instructions: collected newest first ---- */

static int add_instruction(const struct image_history_row *step, void *data, struct err *err)
{
	if (step->makes_layer)
		strv_add(data, step->created_by);
	return 0;
}

static char *instruction_of(const struct sizes *s, const struct strv *instructions, size_t layer)
{
	const char *instruction = layer < instructions->n
					  ? instructions->items[instructions->n - 1 - layer]
					  : "";
	cleanup_free char *line = NULL;
	struct str text = STR_INIT;

	/* An image's own words, which may want to be taken for ours. JSON has its own escapes. */
	line = s->is_json ? str_dup(instruction) : str_printable(instruction);
	str_add_ellipsis(&text, line, s->options->no_trunc ? SIZE_MAX : CREATED_BY_COLUMNS);
	return str_take(&text);
}

/* ---- rows ---- */

static void add_layer_row(const struct sizes *s, const char *name, const struct layer_info *layer,
			  int64_t n_images, char *created_by)
{
	json_t *row = json_object();

	set_number(row, "Bytes", layer->size);
	json_set_text_take(row, "CreatedBy", created_by);
	set_number(row, "Entries", layer->entries);
	json_set_text(row, "Format", layer->blob_format);
	json_set_text(row, "Image", name);
	set_number(row, "Images", n_images);
	json_set_text_take(row, "Layer", list_image_id(layer->diff_hex, s->options->no_trunc));
	set_number(row, "PackedBytes", layer->blob_size);
	json_set_text_take(row, "PackedSize", list_size(layer->blob_size));
	json_set_text_take(row, "Size", list_size(layer->size));
	json_array_append_new(s->rows, row);
}

struct totals {
	int64_t bytes, shared, packed;
};

static void add_image_row(const struct sizes *s, const char *name, const struct image *image,
			  const struct totals *t)
{
	json_t *row = json_object();

	set_number(row, "Bytes", t->bytes);
	json_set_text_take(row, "ID", list_image_id(image->id, s->options->no_trunc));
	json_set_text(row, "Image", name);
	set_number(row, "Layers", (int64_t)image->chain_ids.n);
	set_number(row, "PackedBytes", t->packed);
	json_set_text_take(row, "PackedSize", list_size(t->packed));
	set_number(row, "SharedBytes", t->shared);
	json_set_text_take(row, "SharedSize", list_size(t->shared));
	json_set_text_take(row, "Size", list_size(t->bytes));
	set_number(row, "UniqueBytes", t->bytes - t->shared);
	json_set_text_take(row, "UniqueSize", list_size(t->bytes - t->shared));
	json_array_append_new(s->rows, row);
}

static int add_image(const struct sizes *s, const char *name, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free struct layer_info *layers = NULL;
	cleanup_strv struct strv instructions = STRV_INIT;
	struct totals totals = {};
	size_t n = 0;

	if (image_find(s->engine->store, name, &image, err) < 0 ||
	    layer_info_list(s->engine->store, image.id, &layers, &n, err) < 0 ||
	    image_history(s->engine->store, &image, add_instruction, &instructions, err) < 0)
		return -err->code;
	for (size_t i = 0; i < n; i++) {
		int64_t n_images = image_count_with_layer(s->engine->store, layers[i].chain_hex,
							  err);

		if (n_images < 0)
			return -err->code;
		totals.bytes += layers[i].size;
		totals.packed += layers[i].blob_size;
		totals.shared += n_images > 1 ? layers[i].size : 0;
		if (s->options->by_layer)
			add_layer_row(s, name, &layers[i], n_images,
				      instruction_of(s, &instructions, i));
	}
	if (!s->options->by_layer)
		add_image_row(s, name, &image, &totals);
	return 0;
}

int cmd_image_size(struct cli *cli, union verb_options *o, struct err *err)
{
	const bool by_layer = o->image_size.by_layer;
	const struct format_spec spec = {
		.fields = by_layer ? layer_fields : fields,
		.columns = by_layer ? layer_columns : columns,
		.go_type = by_layer ? "*image.layerSizeContext" : "*image.sizeContext",
	};
	cleanup_engine struct engine engine = {};
	cleanup_json json_t *rows = json_array();
	const struct sizes s = {
		.engine = &engine,
		.options = &o->image_size,
		.is_json = str_is_equal(o->image_size.format, "json"),
		.rows = rows,
	};
	int status = 0;

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	strv_foreach (i, &cli->args) {
		struct err one = ERR_INIT;

		if (add_image(&s, cli->args.items[i], &one) >= 0)
			continue;
		cli_print_error(&one);
		status = 1;
	}
	if (json_array_size(rows) == 0 && status)
		return status;
	return list_print(&spec, o->image_size.format, false, rows, err) < 0 ? -err->code : status;
}
