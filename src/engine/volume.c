/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes as a user makes and removes them. What the local driver's options mean is read when a
 * container mounts the volume (engine/mount_point.c); here it is only checked that they are known.
 */
#include "engine/volume.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "engine/event.h"
#include "engine/prune.h"
#include "storage/store.h"
#include "json/dump.h"
#include "json/value.h"

#include <string.h>

/* ---- what was typed ---- */

/* {"key":"value"} with sorted keys, or "null": an owned text. */
static char *pairs_to_json(const struct strv *pairs, const char *extra)
{
	cleanup_json json_t *object = pairs ? json_new_pairs(pairs) : json_object();
	char *text = NULL;

	if (extra)
		json_set_text(object, extra, "");
	if (json_object_size(object))
		text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	return text ? text : str_dup("null");
}

static bool has_option(const struct strv *options, const char *key)
{
	size_t len = strlen(key);

	strv_foreach (i, options)
		if (strncmp(options->items[i], key, len) == 0 &&
		    (options->items[i][len] == '=' || !options->items[i][len]))
			return true;
	return false;
}

static int check_options(const char *name, const struct strv *options, struct err *err)
{
	static const char *const known[] = {"device", "o", "size", "type"};
	static const char *const needed[][2] = {
		{"device", "type"}, {"type", "device"}, {"o", "device"}, {"o", "type"}};

	strv_foreach (i, options) {
		size_t len = strcspn(options->items[i], "=");
		bool found = false;

		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			found |= strlen(known[k]) == len &&
				 strncmp(known[k], options->items[i], len) == 0;
		if (!found)
			return err_set(err, ERR_INVALID, "create %s: invalid option: \"%.*s\"",
				       name, (int)len, options->items[i]);
	}
	if (has_option(options, "size"))
		return err_set(err, ERR_UNSUPPORTED,
			       "create %s: quota size requested but no quota support", name);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (has_option(options, needed[i][0]) && !has_option(options, needed[i][1]))
			return err_set(err, ERR_INVALID,
				       "create %s: missing required option: \"%s\"", name,
				       needed[i][1]);
	return 0;
}

int engine_check_volume(const struct volume_request *request, struct err *err)
{
	const char *name = request->name ? request->name : "";
	const char *driver = request->driver ? request->driver : "";

	if (*driver && strcmp(driver, VOLUME_DRIVER) != 0)
		return err_set(err, ERR_NOT_FOUND,
			       "create %s: error looking up volume plugin %s: plugin \"%s\" not "
			       "found",
			       name, driver, driver);
	if (*name && volume_check_name(name, err) < 0)
		return -err->code;
	return request->options ? check_options(name, request->options, err) : 0;
}

/* ---- the verbs ---- */

int engine_create_volume(struct engine *engine, const struct volume_request *request,
			 char **ret_name, struct err *err)
{
	bool is_named = request->name && *request->name;
	cleanup_free char *labels = pairs_to_json(request->labels,
						  is_named ? NULL : VOLUME_ANONYMOUS_LABEL);
	cleanup_free char *options = pairs_to_json(request->options, NULL);
	struct volume_request named = *request;
	char id[ID_LEN + 1];
	int rc = 0;

	rand_hex(ID_LEN / 2, id);
	if (!is_named)
		named.name = id;
	rc = engine_check_volume(&named, err);
	if (rc == 0)
		rc = volume_ensure(engine->store, named.name, labels, options, err);
	if (rc < 0)
		return rc;
	*ret_name = str_dup(named.name);
	event_volume(engine, *ret_name, "create", NULL);
	return 0;
}

int engine_remove_volume(struct engine *engine, const char *name, struct err *err)
{
	int rc = volume_remove(engine->store, name, err);

	if (rc == 0)
		event_volume(engine, name, "destroy", NULL);
	return rc;
}

/* ---- prune ---- */

bool volume_has_label(const struct volume *volume, const char *label)
{
	cleanup_json json_t *labels = json_loads(volume->labels, JSON_DECODE_ANY, NULL);
	const char *eq = strchrnul(label, '=');
	cleanup_free char *key = str_ndup(label, (size_t)(eq - label));
	const char *value = json_string_value(json_object_get(labels, key));

	return value && (!*eq || strcmp(value, eq + 1) == 0);
}

struct prune {
	const struct strv *filters;
	bool all;
	struct strv names;
};

static int read_filters(struct prune *p, struct err *err)
{
	strv_foreach (i, p->filters) {
		const char *filter = p->filters->items[i];
		const char *value = strchrnul(filter, '=');
		bool on = false;

		value += *value == '=';
		if (str_has_prefix(filter, "label=") || str_has_prefix(filter, "label!="))
			continue;
		if (!str_has_prefix(filter, "all="))
			return err_set(err, ERR_INVALID, "invalid filter '%.*s'",
				       (int)strcspn(filter, "=!"), filter);
		if (num_parse_bool(value, &on) < 0)
			return err_set(err, ERR_INVALID, "invalid filter 'all=[%s]'", value);
		p->all |= on;
	}
	return 0;
}

static bool has_options(const struct volume *volume)
{
	return strcmp(volume->options, "null") != 0 && strcmp(volume->options, "{}") != 0;
}

static int collect(const struct volume *volume, void *data, struct err *err)
{
	struct prune *p = data;

	if (volume->n_users > 0 || (!p->all && !volume_is_anonymous(volume)))
		return 0;
	/* Of a volume with options of its driver nobody knows what is behind it; docker keeps it.
	 */
	if (has_options(volume))
		return 0;
	strv_foreach (i, p->filters) {
		const char *filter = p->filters->items[i];

		if ((str_has_prefix(filter, "label=") &&
		     !volume_has_label(volume, filter + strlen("label="))) ||
		    (str_has_prefix(filter, "label!=") &&
		     volume_has_label(volume, filter + strlen("label!="))))
			return 0;
	}
	strv_add(&p->names, volume->name);
	return 0;
}

int engine_prune_volumes(struct engine *engine, const struct strv *filters, bool all,
			 struct strv *removed, int64_t *freed, struct err *err)
{
	struct prune p = {.filters = filters, .all = all};
	cleanup_close int lock = -1;
	int rc = read_filters(&p, err);

	if (rc >= 0)
		rc = lock = engine_lock_prune(engine, "volumes", err);
	if (rc < 0)
		return rc;
	volume_sweep(engine->store);
	rc = volume_list(engine->store, collect, &p, err);
	for (size_t i = 0; rc >= 0 && i < p.names.n; i++) {
		cleanup_free char *data = volume_path(engine->store, p.names.items[i], VOLUME_DATA);
		int64_t size = engine_tree_size(data);
		struct err one = ERR_INIT;

		/* One that got a user meanwhile stays, and is no failure of the others. */
		if (engine_remove_volume(engine, p.names.items[i], &one) < 0)
			continue;
		strv_add(removed, p.names.items[i]);
		*freed += size;
	}
	strv_done(&p.names);
	if (rc >= 0)
		event_prune(engine, "volume", *freed);
	return rc < 0 ? rc : 0;
}

/* ---- inspect ---- */

static const struct json_field volume_fields[] = {
	{"ClusterVolume", &json_shape_struct, OMIT_NIL},
	{"Labels", &json_shape_string_map},
	{"Options", &json_shape_string_map},
	{"Status", &json_shape_string_map, OMIT_NIL},
	{"UsageData", &json_shape_struct, OMIT_NIL},
	{NULL, NULL},
};
const struct json_shape volume_shape = {SHAPE_STRUCT, "volume.Volume", NULL, volume_fields};

static void set_json(json_t *object, const char *key, const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	json_object_set_new(object, key, value ? value : json_null());
}

/* To the second, as docker has it; in UTC. */
static void set_created(json_t *object, int64_t ns)
{
	char text[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(ns - ns % CLOCK_NS_PER_S, text);
	json_set_text(object, "CreatedAt", text);
}

json_t *engine_describe_volume(struct engine *engine, const struct volume *volume)
{
	cleanup_free char *data = volume_path(engine->store, volume->name, VOLUME_DATA);
	json_t *object = json_object();

	set_created(object, volume->created_ns);
	json_set_text(object, "Driver", VOLUME_DRIVER);
	set_json(object, "Labels", volume->labels);
	json_set_text(object, "Mountpoint", data);
	json_set_text(object, "Name", volume->name);
	set_json(object, "Options", volume->options);
	json_set_text(object, "Scope", "local");
	return object;
}

char *volume_labels_text(const struct volume *volume)
{
	cleanup_json json_t *labels = json_loads(volume->labels, JSON_DECODE_ANY, NULL);
	struct str out = STR_INIT;
	const char *key = NULL;
	json_t *value = NULL;

	json_object_foreach (labels, key, value)
		str_addf(&out, "%s%s=%s", out.len ? "," : "", key, json_string_value(value));
	return str_take(&out);
}
