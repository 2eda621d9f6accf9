/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image waste: what an image carries for nothing, and the worst of it by name. The rows are images;
 * a row's Paths are its files, the largest first.
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
#include "storage/image_waste.h"
#include "json/format.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdio.h>

#define WORST	     20 /* paths that are shown */
#define SHORT_ID_LEN 12

static const struct format_field fields[] = {
	{"Image", "IMAGE"}, {"ID", "IMAGE ID"},	  {"Layers", "LAYERS"},
	{"Size", "SIZE"},   {"Wasted", "WASTED"}, {"Percent", "PERCENT"},
	{"Files", "FILES"}, {"Bytes", "BYTES"},	  {"WastedBytes", "WASTED BYTES"},
	{"Paths", "PATHS"}, {NULL, NULL},
};
static const char *const columns[] = {"Image",	 "Layers", "Size", "Wasted",
				      "Percent", "Files",  NULL};

static const struct format_field path_fields[] = {
	{"Size", "SIZE"}, {"Layer", "LAYER"}, {"Change", "CHANGE"},
	{"By", "BY"},	  {"Path", "PATH"},   {NULL, NULL},
};
static const char *const path_columns[] = {"Size", "Layer", "Change", "By", "Path", NULL};

struct waste {
	struct engine *engine;
	bool no_trunc;
	bool is_json;
	json_t *rows; /* owned array */
};

static void set_number(json_t *row, const char *key, int64_t n)
{
	json_set_text_take(row, key, str_printf("%" PRId64, n));
}

/* A layer by its number and diff ID: "2 (4bba7b9f4e8a)". */
static char *layer_text(const struct waste *w, const struct layer_info *layer, size_t i)
{
	return str_printf("%zu (%.*s)", i + 1, w->no_trunc ? DIGEST_HEX_LEN : SHORT_ID_LEN,
			  layer->diff_hex);
}

static json_t *make_paths(const struct waste *w, const struct image_waste *waste,
			  const struct layer_info *layers)
{
	json_t *list = json_array();

	for (size_t i = 0; i < waste->n_files && (i < WORST || w->no_trunc); i++) {
		const struct wasted_file *f = &waste->files[i];
		cleanup_free char *path = str_printf("/%s", f->path);
		json_t *row = json_object();

		json_set_text_take(row, "By", layer_text(w, &layers[f->by], f->by));
		set_number(row, "Bytes", f->bytes);
		json_set_text(row, "Change", f->is_deleted ? "deleted" : "overwritten");
		json_set_text_take(row, "Layer", layer_text(w, &layers[f->layer], f->layer));
		/* JSON has its own escapes. */
		json_set_text_take(row, "Path", w->is_json ? take_ptr(path) : str_printable(path));
		json_set_text_take(row, "Size", list_size(f->bytes));
		json_array_append_new(list, row);
	}
	return list;
}

static int add_image(struct waste *w, const char *name, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_image_waste struct image_waste waste = IMAGE_WASTE_INIT;
	cleanup_free struct layer_info *layers = NULL;
	size_t n = 0;
	json_t *row = NULL;

	if (image_find(w->engine->store, name, &image, err) < 0 ||
	    layer_info_list(w->engine->store, image.id, &layers, &n, err) < 0 ||
	    image_waste_load(w->engine->store, &image, &waste, err) < 0)
		return -err->code;
	if (n != image.chain_ids.n)
		return err_set(err, ERR_NOT_FOUND, "No such image: %s", name);
	row = json_object();
	set_number(row, "Bytes", image.size);
	set_number(row, "Files", (int64_t)waste.n_files);
	json_set_text_take(row, "ID", list_image_id(image.id, w->no_trunc));
	json_set_text(row, "Image", name);
	set_number(row, "Layers", (int64_t)n);
	json_object_set_new(row, "Paths", make_paths(w, &waste, layers));
	json_set_text_take(
		row, "Percent",
		str_printf("%.1f%%",
			   image.size ? 100.0 * (double)waste.bytes / (double)image.size : 0.0));
	json_set_text_take(row, "Size", list_size(image.size));
	json_set_text_take(row, "Wasted", list_size(waste.bytes));
	set_number(row, "WastedBytes", waste.bytes);
	json_array_append_new(w->rows, row);
	return 0;
}

/* The worst paths of each image that has some, under its name. */
static void print_paths(const struct waste *w)
{
	const struct format_spec spec = {.fields = path_fields, .columns = path_columns};

	for (size_t i = 0; i < json_array_size(w->rows); i++) {
		const json_t *row = json_array_get(w->rows, i);
		const json_t *paths = json_object_get(row, "Paths");
		const char *files = json_get_string(row, "Files", "");
		cleanup_str struct str out = STR_INIT;
		struct err ignored = ERR_INIT;

		if (json_array_size(paths) == 0)
			continue;
		(void)format_rows(&spec, NULL, false, paths, &out, &ignored);
		printf("\n%s (%zu of %s files):\n\n%s", json_get_string(row, "Image", ""),
		       json_array_size(paths), files, str_get(&out));
	}
}

int cmd_image_waste(struct cli *cli, union verb_options *o, struct err *err)
{
	const struct format_spec spec = {
		.fields = fields, .columns = columns, .go_type = "*image.wasteContext"};
	const char *format = o->image_waste.format;
	cleanup_engine struct engine engine = {};
	cleanup_json json_t *rows = json_array();
	struct waste w = {
		.engine = &engine,
		.no_trunc = o->image_waste.no_trunc,
		.is_json = str_is_equal(format, "json"),
		.rows = rows,
	};
	int status = 0;

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	strv_foreach (i, &cli->args) {
		struct err one = ERR_INIT;

		if (add_image(&w, cli->args.items[i], &one) >= 0)
			continue;
		cli_print_error(&one);
		status = 1;
	}
	if (json_array_size(rows) == 0 && status)
		return status;
	if (list_print(&spec, format, false, rows, err) < 0)
		return -err->code;
	if (list_format_is_default(format))
		print_paths(&w);
	return status;
}
