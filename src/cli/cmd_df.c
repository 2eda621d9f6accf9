/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system df: docker's tables of what takes space. Unlike docker's, the numbers are what the disk
 * holds (storage/usage.h), so that the types and the rest add up to what du says of the state
 * directory. What images and the build cache share counts as the images'.
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
#include "engine/list.h"
#include "engine/pending.h"
#include "engine/volume.h"
#include "oci/reference.h"
#include "storage/container.h"
#include "storage/snapshot.h"
#include "storage/usage.h"
#include "json/dump.h"
#include "json/format.h"
#include "json/template.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIZE_DIGITS    4
#define SHORT_CACHE_ID 12
#define REST	       "Index and the rest"

static const struct format_field summary_fields[] = {
	{"Type", "TYPE"},
	{"TotalCount", "TOTAL"},
	{"Active", "ACTIVE"},
	{"Size", "SIZE"},
	{"Reclaimable", "RECLAIMABLE"},
	{"Bytes", "BYTES"},
	{"ReclaimableBytes", "RECLAIMABLE BYTES"},
	{NULL, NULL},
};
static const char *const summary_columns[] = {"Type", "TotalCount",  "Active",
					      "Size", "Reclaimable", NULL};

static const struct format_field image_fields[] = {
	{"Repository", "REPOSITORY"},
	{"Tag", "TAG"},
	{"ID", "IMAGE ID"},
	{"CreatedSince", "CREATED"},
	{"Size", "SIZE"},
	{"SharedSize", "SHARED SIZE"},
	{"UniqueSize", "UNIQUE SIZE"},
	{"Containers", "CONTAINERS"},
	{NULL, NULL},
};
static const char *const image_columns[] = {"Repository",   "Tag",	  "ID",
					    "CreatedSince", "Size",	  "SharedSize",
					    "UniqueSize",   "Containers", NULL};

static const struct format_field container_fields[] = {
	{"ID", "CONTAINER ID"}, {"Image", "IMAGE"},
	{"Command", "COMMAND"}, {"LocalVolumes", "LOCAL VOLUMES"},
	{"Size", "SIZE"},	{"RunningFor", "CREATED"},
	{"Status", "STATUS"},	{"Names", "NAMES"},
	{NULL, NULL},
};
static const char *const container_columns[] = {
	"ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names", NULL};

static const struct format_field volume_fields[] = {
	{"Name", "VOLUME NAME"}, {"Links", "LINKS"}, {"Size", "SIZE"}, {NULL, NULL}};
static const char *const volume_columns[] = {"Name", "Links", "Size", NULL};

static const struct format_field cache_fields[] = {{"ID", "CACHE ID"},
						   {"CacheType", "CACHE TYPE"},
						   {"Size", "SIZE"},
						   {"CreatedSince", "CREATED"},
						   {"LastUsedSince", "LAST USED"},
						   {"UsageCount", "USAGE"},
						   {"Shared", "SHARED"},
						   {NULL, NULL}};
static const char *const cache_columns[] = {
	"ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared", NULL};

struct df {
	struct engine *engine;
	struct usage usage;
	bool no_trunc;
	int64_t now_ns;
	int64_t running, reclaimable; /* containers, and bytes of those that do not run */
	int64_t volumes_active, volumes_reclaimable;
	int64_t cache_active, cache_used;			 /* and bytes of that */
	json_t *summary, *images, *containers, *volumes, *cache; /* owned arrays */
};

static void df_done(struct df *df)
{
	usage_done(&df->usage);
	json_decref(df->summary);
	json_decref(df->images);
	json_decref(df->containers);
	json_decref(df->volumes);
	json_decref(df->cache);
}

static void set_number(json_t *row, const char *key, int64_t n)
{
	json_set_text_take(row, key, str_printf("%" PRId64, n));
}

static void set_size(json_t *row, const char *key, int64_t bytes)
{
	char text[32];

	num_format_size((double)bytes, SIZE_DIGITS, text, sizeof(text));
	json_set_text(row, key, text);
}

/* ---- rows: members in the order of the alphabet, as docker's maps have them ---- */

static void add_summary(struct df *df, const char *type, int64_t total, int64_t active,
			int64_t bytes, int64_t reclaimable)
{
	json_t *row = json_object();
	char size[32];

	num_format_size((double)reclaimable, SIZE_DIGITS, size, sizeof(size));
	set_number(row, "Active", active);
	set_number(row, "Bytes", bytes);
	/* docker has no share of the cache's. */
	if (bytes > 0 && strcmp(type, "Build Cache") != 0)
		json_set_text_take(
			row, "Reclaimable",
			str_printf("%s (%" PRId64 "%%)", size, reclaimable * 100 / bytes));
	else
		json_set_text(row, "Reclaimable", size);
	set_number(row, "ReclaimableBytes", reclaimable);
	set_size(row, "Size", bytes);
	set_number(row, "TotalCount", total);
	json_set_text(row, "Type", type);
	json_array_append_new(df->summary, row);
}

static void set_names(json_t *row, const struct image_usage *image, bool tag)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	struct err ignored = ERR_INIT;
	bool has_name = image->reference && reference_parse(image->reference, &ref, &ignored) == 0;

	if (tag)
		json_set_text(row, "Tag", has_name && ref.tag ? ref.tag : "<none>");
	else
		json_set_text_take(row, "Repository",
				   has_name ? reference_format_familiar_name(&ref)
					    : str_dup("<none>"));
}

static void add_image(struct df *df, const struct image_usage *image)
{
	json_t *row = json_object();

	set_number(row, "Bytes", image->bytes);
	set_number(row, "Containers", image->n_containers);
	json_set_text_take(row, "CreatedAt", list_created_at(image->created_s));
	json_set_text_take(row, "CreatedSince", list_image_age(image->created_s, df->now_ns, ""));
	json_set_text(row, "Digest", "");
	json_set_text_take(row, "ID", list_image_id(image->id, df->no_trunc));
	set_names(row, image, false);
	set_number(row, "SharedBytes", image->shared_bytes);
	set_size(row, "SharedSize", image->shared_bytes);
	json_set_text_take(row, "Size", list_size(image->bytes));
	set_names(row, image, true);
	set_number(row, "UniqueBytes", image->bytes - image->shared_bytes);
	set_size(row, "UniqueSize", image->bytes - image->shared_bytes);
	set_size(row, "VirtualSize", image->bytes);
	json_array_append_new(df->images, row);
}

static int add_container(const struct listed_container *c, void *data, struct err *err)
{
	struct df *df = data;
	int64_t bytes = usage_get_container(&df->usage, c->row->id);
	char status[STATUS_TEXT_LEN];
	json_t *row = json_object();

	container_status_format(&c->state, df->now_ns, status);
	set_number(row, "Bytes", bytes);
	json_set_text_take(row, "Command", list_container_command(c->row, df->no_trunc));
	json_set_text_take(row, "CreatedAt", list_created_at(c->row->created_ns / CLOCK_NS_PER_S));
	json_set_text_take(row, "ID", list_container_id(c->row, df->no_trunc));
	json_set_text_take(row, "Image", list_container_image(c->row, df->no_trunc));
	set_number(row, "LocalVolumes", c->row->n_volumes);
	json_set_text(row, "Names", c->row->name);
	json_set_text_take(row, "RunningFor",
			   list_ago(c->row->created_ns / CLOCK_NS_PER_S, df->now_ns));
	json_set_text_take(row, "Size", list_size(bytes));
	json_set_text(row, "State", container_status_name(c->state.status));
	json_set_text(row, "Status", status);
	json_array_append_new(df->containers, row);
	if (container_is_running(&c->state))
		df->running++;
	else
		df->reclaimable += bytes;
	return 0;
}

/* In a state directory a volume is its content and its record; what its options mount elsewhere is
 * not here. */
static int add_volume(const struct volume *volume, void *data, struct err *err)
{
	struct df *df = data;
	int64_t bytes = usage_get_volume(&df->usage, volume->name);
	json_t *row = engine_describe_volume(df->engine, volume);

	set_number(row, "Links", volume->n_users);
	set_size(row, "Size", bytes);
	set_number(row, "Bytes", bytes);
	json_set_text_take(row, "Labels", volume_labels_text(volume));
	json_object_del(row, "CreatedAt");
	json_object_del(row, "Options");
	json_array_append_new(df->volumes, row);
	if (volume->n_users > 0)
		df->volumes_active++;
	else
		df->volumes_reclaimable += bytes;
	return 0;
}

static int add_cache(const struct snapshot_info *s, bool in_use, bool shared, void *data,
		     struct err *err)
{
	static const char *const words[] = {"false", "true"};
	struct df *df = data;
	json_t *row = json_object();

	set_number(row, "Bytes", s->size);
	json_set_text(row, "CacheType",
		      s->kind == SNAPSHOT_CACHE_MOUNT ? "exec.cachemount" : "regular");
	json_set_text_take(row, "CreatedAt", list_created_at(s->created_ns / CLOCK_NS_PER_S));
	json_set_text_take(row, "CreatedSince",
			   list_ago(s->created_ns / CLOCK_NS_PER_S, df->now_ns));
	json_set_text(row, "Description", s->description);
	json_set_text_take(
		row, "ID",
		str_printf("%.*s", df->no_trunc ? SNAPSHOT_ID_LEN : SHORT_CACHE_ID, s->key));
	json_set_text(row, "InUse", words[in_use]);
	json_set_text_take(row, "LastUsedAt", list_created_at(s->used_ns / CLOCK_NS_PER_S));
	json_set_text_take(row, "LastUsedSince", list_ago(s->used_ns / CLOCK_NS_PER_S, df->now_ns));
	json_set_text(row, "Parent", s->parent ? s->parent : "");
	json_set_text(row, "Shared", words[shared]);
	json_set_text_take(row, "Size", list_size(s->size));
	set_number(row, "UsageCount", s->n_uses);
	json_array_append_new(df->cache, row);
	if (in_use) {
		df->cache_active++;
		df->cache_used += shared ? 0 : s->size;
	}
	return 0;
}

static int load(struct df *df, struct err *err)
{
	const struct list_options all = {.all = true};
	const struct usage *u = &df->usage;
	int64_t active = 0;

	/* What it may remove, and the reserve that it may make, is counted as it is afterwards. */
	pending_sweep(df->engine);
	if (usage_load(df->engine->store, &df->usage, err) < 0 ||
	    list_containers(df->engine, &all, NULL, add_container, df, err) < 0 ||
	    volume_list(df->engine->store, add_volume, df, err) < 0 ||
	    snapshot_list(df->engine->store, NULL, add_cache, df, err) < 0)
		return -err->code;
	for (size_t i = 0; i < u->n_images; i++) {
		if (u->images[i].is_parent)
			continue;
		active += u->images[i].n_containers > 0;
		add_image(df, &u->images[i]);
	}
	add_summary(df, "Images", (int64_t)json_array_size(df->images), active, u->images_bytes,
		    u->images_reclaimable);
	add_summary(df, "Containers", (int64_t)json_array_size(df->containers), df->running,
		    u->containers_bytes, df->reclaimable);
	add_summary(df, "Local Volumes", (int64_t)json_array_size(df->volumes), df->volumes_active,
		    u->volumes_bytes, df->volumes_reclaimable);
	add_summary(df, "Build Cache", (int64_t)json_array_size(df->cache), df->cache_active,
		    u->cache_bytes,
		    u->cache_bytes > df->cache_used ? u->cache_bytes - df->cache_used : 0);
	return 0;
}

/* ---- output ---- */

static void add_section(struct str *out, const struct format_field *fields,
			const char *const *columns, const json_t *rows)
{
	const struct format_spec spec = {.fields = fields, .columns = columns};
	cleanup_json json_t *none = json_array();
	struct err ignored = ERR_INIT;

	(void)format_rows(&spec, NULL, false, rows ? rows : none, out, &ignored);
}

static int print_sections(const struct df *df)
{
	const struct usage *u = &df->usage;
	int64_t all = u->images_bytes + u->containers_bytes + u->volumes_bytes + u->cache_bytes +
		      u->rest_bytes;
	cleanup_str struct str out = STR_INIT;
	char rest[32];
	char total[32];
	char cache[32];

	num_format_size((double)u->cache_bytes, SIZE_DIGITS, cache, sizeof(cache));
	num_format_size((double)u->rest_bytes, SIZE_DIGITS, rest, sizeof(rest));
	num_format_size((double)all, SIZE_DIGITS, total, sizeof(total));
	str_add(&out, "Images space usage:\n\n");
	add_section(&out, image_fields, image_columns, df->images);
	str_add(&out, "\nContainers space usage:\n\n");
	add_section(&out, container_fields, container_columns, df->containers);
	str_add(&out, "\nLocal Volumes space usage:\n\n");
	add_section(&out, volume_fields, volume_columns, df->volumes);
	str_addf(&out, "\nBuild cache usage: %s\n\n", cache);
	add_section(&out, cache_fields, cache_columns, df->cache);
	str_addf(&out, "\n" REST ": %s\nAll of %s: %s (%" PRId64 " bytes)\n", rest,
		 df->engine->root, total, all);
	fputs(str_get(&out), stdout);
	return 0;
}

/* docker's one object of all sections, and ours of the sums. */
static json_t *make_object(struct df *df)
{
	json_t *o = json_object();

	add_summary(df, REST, 0, 0, df->usage.rest_bytes, 0);
	json_object_set(o, "Images", df->images);
	json_object_set(o, "Containers", df->containers);
	json_object_set(o, "Volumes", df->volumes);
	json_object_set(o, "BuildCache", df->cache);
	json_object_set(o, "Summary", df->summary);
	return o;
}

/* As docker does it, without a newline at the end. */
static int print_object(struct df *df, const char *format, struct err *err)
{
	static const struct json_shape shape = {SHAPE_STRUCT, "*formatter.diskUsageContext", NULL,
						NULL};
	const struct template_env env = {.shape = &shape};
	cleanup_template struct template *t = NULL;
	cleanup_json json_t *object = make_object(df);
	cleanup_str struct str text = STR_INIT;
	cleanup_str struct str out = STR_INIT;
	int rc = 0;

	if (str_has_prefix(format, "table"))
		format += strlen("table");
	format_expand(format, &text);
	if (strcmp(format, "json") == 0)
		json_dump_docker(&out, object, NULL, 0, JSON_DUMP_HTML);
	else if (template_parse(str_get(&text), &t, err) < 0)
		return err_wrap(err, "template parsing error");
	else
		rc = template_execute(t, object, &env, &out, err);
	fputs(str_get(&out), stdout);
	return rc;
}

static int print_summary(struct df *df, const char *format, struct err *err)
{
	static const char raw[] = "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\n"
				  "size: {{.Size}}\nreclaimable: {{.Reclaimable}}\n";
	const struct format_spec spec = {.fields = summary_fields,
					 .columns = summary_columns,
					 .go_type = "*formatter.diskUsageImagesContext"};

	if (str_is_equal(format, "raw"))
		format = raw;
	if (str_is_equal(format, "json"))
		add_summary(df, REST, 0, 0, df->usage.rest_bytes, 0);
	return list_print(&spec, format, false, df->summary, err);
}

int cmd_system_df(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	const char *format = o->system_df.format;
	bool is_default = list_format_is_default(format);
	cleanup_with(df_done) struct df df = {.engine = &engine,
					      .now_ns = clock_real_ns(),
					      .no_trunc = !is_default,
					      .summary = json_array(),
					      .images = json_array(),
					      .containers = json_array(),
					      .volumes = json_array(),
					      .cache = json_array()};

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 || load(&df, err) < 0)
		return -err->code;
	if (!o->system_df.verbose)
		return print_summary(&df, format, err);
	return is_default ? print_sections(&df) : print_object(&df, format, err);
}
