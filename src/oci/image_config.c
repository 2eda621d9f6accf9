/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and editing image configurations. Reading goes field by field over a list of what we
 * honour; nothing else of the document is kept, so nothing else can reach a container.
 * Writing is in image_config_format.c.
 */
#include "oci/image_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "oci/digest.h"
#include "oci/document.h"

#define MAX_HISTORY 2000

static int get_string(const json_t *doc, const char *key, char **ret, struct err *err)
{
	const char *s = NULL;

	if (document_get_string(doc, key, &s, err) < 0)
		return -err->code;
	if (s && *s)
		*ret = str_dup(s);
	return 0;
}

struct string_field {
	const char *key;
	char **to;
};

static int get_string_fields(const json_t *doc, const struct string_field *fields, size_t n,
			     struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (get_string(doc, fields[i].key, fields[i].to, err) < 0)
			return -err->code;
	return 0;
}

struct list_field {
	const char *key;
	struct strv *to;
	bool is_set; /* written as an object whose keys count */
};

static int get_list_fields(const json_t *doc, const struct list_field *fields, size_t n,
			   struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int rc = fields[i].is_set
				 ? document_get_keys(doc, fields[i].key, fields[i].to, err)
				 : document_get_strings(doc, fields[i].key, fields[i].to, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int get_healthcheck(const json_t *doc, struct image_healthcheck *to, struct err *err)
{
	const struct {
		const char *key;
		int64_t *to;
	} numbers[] = {
		{"Interval", &to->interval_ns},
		{"Timeout", &to->timeout_ns},
		{"StartPeriod", &to->start_period_ns},
		{"StartInterval", &to->start_interval_ns},
		{"Retries", &to->retries},
	};
	json_t *check = NULL;

	if (document_get_object(doc, "Healthcheck", &check, err) < 0)
		return -err->code;
	to->is_set = check;
	if (!check)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		json_int_t n = 0;

		if (document_get_int(check, numbers[i].key, &n, err) < 0)
			return -err->code;
		if (n < 0)
			return err_set(err, ERR_INVALID, "\"%s\" is negative", numbers[i].key);
		*numbers[i].to = n;
	}
	return document_get_strings(check, "Test", &to->test, err);
}

/* In the order in which they are kept: each goes to the end. */
static int get_labels(const json_t *doc, struct image_run *run, struct err *err)
{
	cleanup_strv struct strv keys = STRV_INIT;
	json_t *labels = NULL;

	if (document_get_object(doc, "Labels", &labels, err) < 0 ||
	    document_get_keys(doc, "Labels", &keys, err) < 0)
		return -err->code;
	strv_foreach (i, &keys) {
		const char *key = keys.items[i];
		const char *value = json_string_value(json_object_get(labels, key));

		if (!value)
			return err_set(err, ERR_INVALID, "label \"%s\" is not a string", key);
		if (!str_has_prefix(key, IMAGE_RESERVED_LABEL))
			image_run_set_label(run, key, value);
	}
	return 0;
}

static int parse_run(const json_t *config, struct image_run *run, struct err *err)
{
	const struct string_field strings[] = {
		{"User", &run->user},
		{"WorkingDir", &run->working_dir},
		{"StopSignal", &run->stop_signal},
	};
	const struct list_field lists[] = {
		{"ExposedPorts", &run->exposed_ports, true},
		{"Volumes", &run->volumes, true},
		{"Env", &run->env, false},
		{"Entrypoint", &run->entrypoint, false},
		{"Cmd", &run->cmd, false},
		{"Shell", &run->shell, false},
		{"OnBuild", &run->on_build, false},
	};

	if (get_string_fields(config, strings, ARRAY_LEN(strings), err) < 0 ||
	    get_list_fields(config, lists, ARRAY_LEN(lists), err) < 0 ||
	    document_get_bool(config, "ArgsEscaped", &run->args_escaped, err) < 0 ||
	    get_healthcheck(config, &run->healthcheck, err) < 0)
		return -err->code;
	run->has_entrypoint = json_is_array(json_object_get(config, "Entrypoint"));
	run->has_cmd = json_is_array(json_object_get(config, "Cmd"));
	return get_labels(config, run, err);
}

int image_run_parse(const json_t *config, struct image_run *ret, struct err *err)
{
	cleanup_image_run struct image_run run = {};

	if (parse_run(config, &run, err) < 0)
		return -err->code;
	*ret = run;
	run = (struct image_run){};
	return 0;
}

static int parse_history_entry(const json_t *from, struct image_history *to, struct err *err)
{
	const struct string_field strings[] = {
		{"created", &to->created},
		{"created_by", &to->created_by},
		{"author", &to->author},
		{"comment", &to->comment},
	};

	if (!json_is_object(from))
		return err_set(err, ERR_INVALID, "\"history\" is not a list of objects");
	if (get_string_fields(from, strings, ARRAY_LEN(strings), err) < 0)
		return -err->code;
	return document_get_bool(from, "empty_layer", &to->empty_layer, err);
}

static int parse_history(const json_t *doc, struct image_config *config, struct err *err)
{
	json_t *list = NULL;
	json_t *entry = NULL;
	size_t i = 0;

	if (document_get_array(doc, "history", &list, err) < 0)
		return -err->code;
	if (json_array_size(list) > MAX_HISTORY)
		return err_set(err, ERR_INVALID, "more than %d history entries", MAX_HISTORY);
	json_array_foreach (list, i, entry) {
		if (parse_history_entry(entry, image_config_add_history(config), err) < 0)
			return -err->code;
	}
	return 0;
}

static int parse_rootfs(const json_t *doc, struct image_config *config, struct err *err)
{
	char hex[DIGEST_HEX_LEN + 1];
	json_t *rootfs = NULL;
	const char *type = NULL;

	if (document_get_object(doc, "rootfs", &rootfs, err) < 0)
		return -err->code;
	if (!rootfs)
		return err_set(err, ERR_INVALID, "\"rootfs\" is missing");
	if (document_get_string(rootfs, "type", &type, err) < 0 ||
	    document_get_strings(rootfs, "diff_ids", &config->diff_ids, err) < 0)
		return -err->code;
	if (!type || strcmp(type, "layers") != 0)
		return err_set(err, ERR_INVALID, "\"rootfs\" is not of type layers");
	if (config->diff_ids.n > IMAGE_MAX_LAYERS)
		return err_set(err, ERR_INVALID, "more than %d layers", IMAGE_MAX_LAYERS);
	strv_foreach (i, &config->diff_ids) {
		if (digest_parse(config->diff_ids.items[i], hex, err) < 0)
			return err_wrap(err, "diff ID %zu", i);
	}
	return 0;
}

static int parse_document(const json_t *doc, struct image_config *config, struct err *err)
{
	const struct string_field strings[] = {
		{"architecture", &config->architecture},
		{"variant", &config->variant},
		{"os", &config->os},
		{"created", &config->created},
		{"author", &config->author},
		{"comment", &config->comment},
		{"docker_version", &config->docker_version},
	};
	json_t *run = NULL;

	if (get_string_fields(doc, strings, ARRAY_LEN(strings), err) < 0)
		return -err->code;
	if (!config->os || !config->architecture)
		return err_set(err, ERR_INVALID, "\"%s\" is missing",
			       config->os ? "architecture" : "os");
	if (document_get_object(doc, "config", &run, err) < 0 ||
	    (run && parse_run(run, &config->run, err) < 0) || parse_rootfs(doc, config, err) < 0)
		return -err->code;
	return parse_history(doc, config, err);
}

int image_config_parse(const char *text, size_t len, struct image_config *ret, struct err *err)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_json json_t *doc = NULL;

	if (document_parse(text, len, "image configuration", &doc, err) < 0)
		return -err->code;
	if (parse_document(doc, &config, err) < 0)
		return err_wrap(err, "image configuration");
	*ret = config;
	config = (struct image_config)IMAGE_CONFIG_INIT;
	return 0;
}

void image_run_done(struct image_run *run)
{
	struct strv *const lists[] = {
		&run->exposed_ports, &run->env,
		&run->entrypoint,    &run->cmd,
		&run->volumes,	     &run->label_keys,
		&run->shell,	     &run->on_build,
		&run->label_values,  &run->healthcheck.test,
	};

	free(run->user);
	free(run->working_dir);
	free(run->stop_signal);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		strv_done(lists[i]);
	*run = (struct image_run){};
}

void image_config_done(struct image_config *config)
{
	char *const strings[] = {config->architecture,	 config->variant,    config->os,
				 config->created,	 config->author,     config->comment,
				 config->docker_version, config->build_cache};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		free(strings[i]);
	image_run_done(&config->run);
	strv_done(&config->diff_ids);
	for (size_t i = 0; i < config->n_history; i++) {
		free(config->history[i].created);
		free(config->history[i].created_by);
		free(config->history[i].author);
		free(config->history[i].comment);
	}
	free(config->history);
	*config = (struct image_config)IMAGE_CONFIG_INIT;
}

void image_run_set_env(struct image_run *run, const char *name, const char *value)
{
	size_t len = strlen(name);
	char *item = str_printf("%s=%s", name, value);

	strv_foreach (i, &run->env) {
		if (strncmp(run->env.items[i], name, len) == 0 && run->env.items[i][len] == '=') {
			free(run->env.items[i]);
			run->env.items[i] = item;
			return;
		}
	}
	strv_add_take(&run->env, item);
}

/* Where ITEM is or belongs in a sorted SET. */
static size_t find_place(const struct strv *set, const char *item, bool *ret_found)
{
	size_t first = 0;
	size_t end = set->n;

	/* Most come in order. */
	if (end > 0 && strcmp(set->items[end - 1], item) < 0)
		first = end;
	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (strcmp(set->items[middle], item) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	*ret_found = first < set->n && strcmp(set->items[first], item) == 0;
	return first;
}

/* Inserts a copy of ITEM before place I. */
static void insert_at(struct strv *v, size_t i, const char *item)
{
	strv_add(v, item);

	char *added = v->items[v->n - 1];

	memmove(v->items + i + 1, v->items + i, (v->n - 1 - i) * sizeof(char *));
	v->items[i] = added;
}

void image_set_add(struct strv *set, const char *item)
{
	bool found = false;
	size_t i = find_place(set, item, &found);

	if (!found)
		insert_at(set, i, item);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void image_set_add_all(struct strv *set, const struct strv *items)
{
	struct strv old = {.items = set->items, .n = set->n};
	size_t n = 0;

	strv_foreach (i, items) {
		bool found = false;

		find_place(&old, items->items[i], &found);
		if (!found)
			strv_add(set, items->items[i]);
		old.items = set->items;
	}
	if (set->n == old.n)
		return;
	qsort(set->items, set->n, sizeof(char *), compare_texts);
	/* What ITEMS has twice. */
	for (size_t i = 0; i < set->n; i++) {
		if (n > 0 && strcmp(set->items[n - 1], set->items[i]) == 0)
			free(set->items[i]);
		else
			set->items[n++] = set->items[i];
	}
	set->n = n;
	set->items[n] = NULL;
}

void image_run_set_label(struct image_run *run, const char *key, const char *value)
{
	bool found = false;
	size_t i = find_place(&run->label_keys, key, &found);

	if (found) {
		str_replace(&run->label_values.items[i], value);
		return;
	}
	insert_at(&run->label_keys, i, key);
	insert_at(&run->label_values, i, value);
}

struct image_history *image_config_add_history(struct image_config *config)
{
	config->history = mem_realloc_array(config->history, config->n_history + 1,
					    sizeof(*config->history));
	config->history[config->n_history] = (struct image_history){};
	return &config->history[config->n_history++];
}
