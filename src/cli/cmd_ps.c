/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ps: rows of docker's fields. The default table reads its columns straight from the index and the
 * state files; every other field is made only when a format may ask for it.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/disk_size.h"
#include "engine/engine.h"
#include "engine/list.h"
#include "engine/network_plan.h"
#include "engine/port_text.h"
#include "storage/container.h"
#include "storage/image.h"
#include "storage/store.h"
#include "json/dump.h"
#include "json/format.h"
#include "json/rune.h"
#include "json/value.h"

#include <stdio.h>
#include <string.h>

#define MOUNT_COLUMNS 15
#define MAX_LABELS    ((size_t)8 << 20)

static const struct format_field fields[] = {
	{"ID", "CONTAINER ID"},
	{"Image", "IMAGE"},
	{"Command", "COMMAND"},
	{"CreatedAt", "CREATED AT"},
	{"RunningFor", "CREATED"},
	{"Ports", "PORTS"},
	{"State", "STATE"},
	{"Status", "STATUS"},
	{"Size", "SIZE"},
	{"Names", "NAMES"},
	{"Labels", "LABELS"},
	{"Mounts", "MOUNTS"},
	{"LocalVolumes", "LOCAL VOLUMES"},
	{"Networks", "NETWORKS"},
	{"Platform", "PLATFORM"},
	{NULL, NULL},
};

static const char *const columns[] = {"ID",    "Image", "Command", "RunningFor", "Status",
				      "Ports", "Names", NULL,	   NULL};
static const char *const columns_with_size[] = {"ID",	 "Image", "Command", "RunningFor", "Status",
						"Ports", "Names", "Size",    NULL};

#define RAW                                                                                 \
	"container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\n"                 \
	"created_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\n"                         \
	"status: {{- pad .Status 1 0}}\nnames: {{.Names}}\nlabels: {{- pad .Labels 1 0}}\n" \
	"ports: {{- pad .Ports 1 0}}\n"

struct ps {
	struct engine *engine;
	const struct ps_options *options;
	bool only_id, all_fields, size;
	int64_t now_ns;
	json_t *rows;	/* borrowed */
	json_t *labels; /* borrowed; the ID of a row to its labels, for {{.Label "x"}} */
};

/* ---- fields ---- */

/* "a=1,b=2" from the stored object, which is kept under the row's ID. */
static char *labels_text(const struct ps *ps, const char *id, const char *json)
{
	cleanup_json json_t *labels = NULL;
	cleanup_strv struct strv pairs = STRV_INIT;
	cleanup_free const char **keys = NULL;
	struct err ignored = ERR_INIT;
	size_t n = 0;

	if (json_parse(json, strlen(json), MAX_LABELS, "labels", &labels, &ignored) < 0)
		return str_dup("");
	keys = json_sorted_keys(labels, &n);
	for (size_t i = 0; i < n; i++)
		strv_addf(&pairs, "%s=%s", keys[i],
			  json_string_value(json_object_get(labels, keys[i])));
	if (n)
		json_object_set(ps->labels, id, labels);
	return strv_join(&pairs, ",");
}

static char *mounts_text(const struct ps *ps, const struct container_row *row)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_strv struct strv shown = STRV_INIT;

	if (ps->options->no_trunc || !*row->mounts)
		return str_dup(row->mounts);
	strv_split(&names, row->mounts, ',');
	strv_foreach (i, &names) {
		struct str name = STR_INIT;

		str_add_ellipsis(&name, names.items[i], MOUNT_COLUMNS);
		strv_add_take(&shown, str_take(&name));
	}
	return strv_join(&shown, ",");
}

/* "12B (virtual 4.2MB)": what was written, and that with the image. */
static char *size_text(const struct ps *ps, const struct container_row *row)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free char *upper = NULL;
	cleanup_free char *own = NULL;
	cleanup_free char *all = NULL;
	struct err ignored = ERR_INIT;
	int64_t written = 0;

	if (!ps->size)
		return str_dup("0B");
	upper = store_container_path(ps->engine->store, row->id, "upper");
	written = disk_size(upper);
	own = list_size(written);
	if (!*row->image_id ||
	    image_lookup(ps->engine->store, row->image_id, &image, &ignored) <= 0)
		return take_ptr(own);
	all = list_size(written + image.size);
	return str_printf("%s (virtual %s)", own, all);
}

static void add_common(const struct ps *ps, const struct listed_container *c, json_t *row)
{
	char status[STATUS_TEXT_LEN];

	json_set_text_take(row, "Image", list_container_image(c->row, ps->options->no_trunc));
	json_set_text_take(row, "Command", list_container_command(c->row, ps->options->no_trunc));
	json_set_text_take(row, "RunningFor",
			   list_ago(c->row->created_ns / CLOCK_NS_PER_S, ps->now_ns));
	container_status_format(&c->state, ps->now_ns, status);
	json_set_text(row, "Status", status);
	if (container_is_running(&c->state))
		json_set_text_take(row, "Ports", port_text_read(ps->engine, c->row->id));
	else
		json_set_text(row, "Ports", "");
	json_set_text(row, "Names", c->row->name);
	if (ps->size || ps->all_fields)
		json_set_text_take(row, "Size", size_text(ps, c->row));
}

static void add_rest(const struct ps *ps, const struct listed_container *c, json_t *row)
{
	cleanup_strv struct strv networks = STRV_INIT;

	network_names_read(c->row->network_mode, c->row->networks, &networks);
	json_set_text_take(row, "CreatedAt", list_created_at(c->row->created_ns / CLOCK_NS_PER_S));
	json_set_text(row, "State", container_status_name(c->state.status));
	json_set_text_take(row, "Labels",
			   labels_text(ps, json_get_string(row, "ID", ""), c->row->labels));
	json_set_text_take(row, "Mounts", mounts_text(ps, c->row));
	json_set_text_take(row, "LocalVolumes", str_printf("%lld", (long long)c->row->n_volumes));
	/* docker knows it only of images that came with an index. */
	json_object_set_new(row, "Platform", json_null());
	json_set_text_take(row, "Networks", strv_join(&networks, ","));
}

static int add_row(const struct listed_container *c, void *data, struct err *err)
{
	struct ps *ps = data;
	json_t *row = json_object();

	json_set_text_take(row, "ID", list_container_id(c->row, ps->options->no_trunc));
	if (!ps->only_id) {
		add_common(ps, c, row);
		if (ps->all_fields)
			add_rest(ps, c, row);
	}
	return json_array_append_new(ps->rows, row) < 0 ? err_set(err, ERR_SYSTEM, "out of memory")
							: 0;
}

/* ---- {{.Label "x"}} ---- */

static int call_label(void *data, const json_t *receiver, const char *name, const json_t *args,
		      json_t **ret, struct err *err)
{
	const struct ps *ps = data;
	const char *id = json_get_string(receiver, "ID", "");

	return list_call_label(json_object_get(ps->labels, id), name, args, ret, err);
}

/* ---- the command ---- */

static int list(struct ps *ps, struct err *err)
{
	const struct ps_options *o = ps->options;
	cleanup_list_filter struct list_filter *filter = o->filters.n ? list_filter_new() : NULL;
	struct list_options options = {
		.all = o->all,
		.limit = o->latest && o->last < 0 ? 1 : o->last,
		.without_state = ps->only_id,
	};

	strv_foreach (i, &o->filters)
		if (list_filter_add(filter, o->filters.items[i], err) < 0)
			return -err->code;
	if (filter)
		list_filter_find_networks(filter, ps->engine);
	return list_containers(ps->engine, &options, filter, add_row, ps, err);
}

/* A whole row, too, has the size, though not that of --format json. */
static bool wants_size(const char *format)
{
	static const char *const words[] = {".Size", "json .}}", "json . ", ". | json", ".|json"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(format, words[i]))
			return true;
	return false;
}

static int run_ps(struct ps *ps, const char *format, struct err *err)
{
	const struct ps_options *o = ps->options;
	const struct format_spec spec = {
		.fields = fields,
		.columns = o->size ? columns_with_size : columns,
		.quiet = "ID",
		.raw = o->size ? RAW "size: {{.Size}}\n" : RAW,
		.raw_quiet = "container_id: {{.ID}}",
		.go_type = "*formatter.ContainerContext",
		.call = call_label,
		.call_data = ps,
	};

	ps->only_id = o->quiet;
	ps->all_fields = !o->quiet && !list_format_is_default(format);
	ps->size = o->size || (ps->all_fields && wants_size(format));
	ps->now_ns = clock_real_ns();
	if (o->format && *o->format && format_check(&spec, o->format, err) < 0)
		return -err->code;
	if (list(ps, err) < 0)
		return -err->code;
	return list_print(&spec, format, o->quiet, ps->rows, err);
}

int cmd_ps(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_json json_t *rows = json_array();
	cleanup_json json_t *labels = json_object();
	cleanup_free char *format = list_format_choose(cli, o->ps.format, "psFormat", o->ps.quiet);
	struct ps ps = {.engine = &engine, .options = &o->ps, .rows = rows, .labels = labels};

	if (o->ps.quiet && format)
		fputs("WARNING: Ignoring custom format, because both --format and --quiet are "
		      "set.\n",
		      stderr);
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	return run_ps(&ps, format, err);
}
