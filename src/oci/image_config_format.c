/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image configurations as JSON. Members come out in docker's order and absent ones are left out, so
 * that what is written is read back to the same value and written again to the same bytes.
 */
#include "oci/image_config.h"

#include <string.h>

#include "base/mem.h"
#include "oci/document.h"

/* What a user typed may not be UTF-8, which JSON must be: then the bytes that are not ASCII go. */
static char *to_ascii(const char *s)
{
	char *ascii = str_dup(s);

	for (char *p = ascii; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return ascii;
}

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set(object, key, value) < 0) {
		cleanup_free char *ascii = to_ascii(key);

		if (json_object_set(object, ascii, value) < 0)
			abort();
	}
	json_decref(value);
}

static json_t *to_string(const char *s)
{
	json_t *v = json_string(s);

	if (v)
		return v;
	cleanup_free char *ascii = to_ascii(s);

	return json_string(ascii);
}

static json_t *to_list(const struct strv *v)
{
	json_t *list = json_array();

	strv_foreach (i, v)
		json_array_append_new(list, to_string(v->items[i]));
	return list;
}

/* {"80/tcp": {}} */
static json_t *to_set(const struct strv *v)
{
	json_t *object = json_object();

	strv_foreach (i, v)
		set(object, v->items[i], json_object());
	return object;
}

static json_t *to_labels(const struct image_run *run)
{
	json_t *object = json_object();

	strv_foreach (i, &run->label_keys)
		set(object, run->label_keys.items[i], to_string(run->label_values.items[i]));
	return object;
}

static json_t *to_healthcheck(const struct image_healthcheck *check)
{
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {
		{"Interval", check->interval_ns},
		{"Timeout", check->timeout_ns},
		{"StartPeriod", check->start_period_ns},
		{"StartInterval", check->start_interval_ns},
		{"Retries", check->retries},
	};
	json_t *object = json_object();

	if (check->test.n > 0)
		set(object, "Test", to_list(&check->test));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (numbers[i].value != 0)
			set(object, numbers[i].key, json_integer(numbers[i].value));
	return object;
}

json_t *image_run_to_json(const struct image_run *run)
{
	json_t *o = json_object();

	set(o, "User", to_string(run->user ? run->user : ""));
	if (run->exposed_ports.n > 0)
		set(o, "ExposedPorts", to_set(&run->exposed_ports));
	set(o, "Env", run->env.n > 0 ? to_list(&run->env) : json_null());
	set(o, "Cmd", run->cmd.n > 0 || run->has_cmd ? to_list(&run->cmd) : json_null());
	if (run->healthcheck.is_set)
		set(o, "Healthcheck", to_healthcheck(&run->healthcheck));
	if (run->args_escaped)
		set(o, "ArgsEscaped", json_true());
	set(o, "Volumes", run->volumes.n > 0 ? to_set(&run->volumes) : json_null());
	set(o, "WorkingDir", to_string(run->working_dir ? run->working_dir : ""));
	set(o, "Entrypoint",
	    run->entrypoint.n > 0 || run->has_entrypoint ? to_list(&run->entrypoint) : json_null());
	set(o, "OnBuild", run->on_build.n > 0 ? to_list(&run->on_build) : json_null());
	set(o, "Labels", run->label_keys.n > 0 ? to_labels(run) : json_null());
	if (run->stop_signal)
		set(o, "StopSignal", to_string(run->stop_signal));
	if (run->shell.n > 0)
		set(o, "Shell", to_list(&run->shell));
	return o;
}

static void set_string(json_t *object, const char *key, const char *value)
{
	if (value)
		set(object, key, to_string(value));
}

/* What an image stores: the same without the members that say nothing. */
static json_t *to_stored_run(const struct image_run *run)
{
	cleanup_json json_t *full = image_run_to_json(run);
	json_t *o = json_object();
	const char *key = NULL;
	json_t *value = NULL;

	json_object_foreach (full, key, value) {
		bool is_empty = json_is_null(value) ||
				(json_is_string(value) && json_string_length(value) == 0);

		if (!is_empty)
			set(o, key, json_incref(value));
	}
	return o;
}

static json_t *to_history(const struct image_config *config)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->n_history; i++) {
		const struct image_history *h = &config->history[i];
		json_t *entry = json_object();

		set_string(entry, "created", h->created);
		set_string(entry, "created_by", h->created_by);
		set_string(entry, "author", h->author);
		set_string(entry, "comment", h->comment);
		if (h->empty_layer)
			set(entry, "empty_layer", json_true());
		json_array_append_new(list, entry);
	}
	return list;
}

char *image_config_format(const struct image_config *config)
{
	cleanup_json json_t *doc = json_object();
	json_t *rootfs = json_object();

	set(rootfs, "type", json_string("layers"));
	set(rootfs, "diff_ids", to_list(&config->diff_ids));

	set_string(doc, "architecture", config->architecture);
	set_string(doc, "author", config->author);
	set_string(doc, "comment", config->comment);
	set(doc, "config", to_stored_run(&config->run));
	set_string(doc, "created", config->created);
	set_string(doc, "docker_version", config->docker_version);
	if (config->n_history > 0)
		set(doc, "history", to_history(config));
	if (config->build_cache)
		set(doc, IMAGE_BUILD_CACHE, json_loads(config->build_cache, 0, NULL));
	set_string(doc, "os", config->os);
	set(doc, "rootfs", rootfs);
	set_string(doc, "variant", config->variant);

	/* jansson's own allocator: hand out what free(3) takes. */
	cleanup_free char *text = json_dumps(doc, JSON_COMPACT);

	return take_ptr(text);
}
