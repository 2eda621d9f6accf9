/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container without log options has the driver's name in its annotations and nothing else: it
 * costs its start no parsing. All others have one JSON object.
 */
#include "engine/log_setup.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "engine/create.h"
#include "engine/engine.h"
#include "engine/log_options.h"
#include "monitor/log_remote.h"
#include "monitor/monitor.h"
#include "json/pattern.h"
#include "json/template.h"
#include "json/value.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define UNPACKER      "tare-logz"
#define SHORT_ID_LEN  12
#define NOTE_MAX      (1 << 20)
#define LOCAL_SIZE    (20 * 1024 * 1024)
#define FILES_MAX     100000
#define ATTRS_TOO_BIG "the labels and variables to be logged are longer than %d bytes"

/* ---- when the container is made ---- */

static bool is_wanted(const char *key, const struct strv *names, const char *pattern)
{
	return strv_has(names, key) || (pattern && *pattern && pattern_matches(pattern, key));
}

static void add_labels(const struct log_options *o, const struct image_run *run, json_t *attrs)
{
	cleanup_strv struct strv names = STRV_INIT;

	strv_split(&names, o->labels ? o->labels : "", ',');
	strv_foreach (i, &run->label_keys)
		if (is_wanted(run->label_keys.items[i], &names, o->labels_regex))
			json_set_text(attrs, run->label_keys.items[i], run->label_values.items[i]);
}

static void add_env(const struct log_options *o, const struct strv *env, json_t *attrs)
{
	cleanup_strv struct strv names = STRV_INIT;

	strv_split(&names, o->env ? o->env : "", ',');
	strv_foreach (i, env) {
		const char *eq = strchrnul(env->items[i], '=');
		cleanup_free char *key = str_ndup(env->items[i], (size_t)(eq - env->items[i]));

		if (is_wanted(key, &names, o->env_regex))
			json_set_text(attrs, key, *eq ? eq + 1 : "");
	}
}

static void set_int(json_t *o, const char *key, int64_t value)
{
	json_object_set_new(o, key, json_integer(value));
}

static json_t *options_object(const struct log_options *o, const struct container_spec *spec,
			      const char *image_id, json_t *attrs)
{
	json_t *object = json_object();

	json_object_set(object, "attrs", attrs);
	json_object_set_new(object, "compress", json_boolean(o->compress));
	json_object_set_new(object, "noCache", json_boolean(o->has_no_cache));
	json_object_set_new(object, "nonBlocking", json_boolean(o->non_blocking));
	set_int(object, "maxBuffer", o->max_buffer);
	set_int(object, "facility", o->facility);
	set_int(object, "format", o->format);
	json_set_text(object, "address", o->address);
	json_set_text(object, "tag", o->tag);
	json_set_text(object, "image", spec->image);
	json_set_text(object, "imageId", image_id);
	return object;
}

static void annotate_bounds(const struct log_options *o, struct oci_runtime_config *config)
{
	cleanup_free char *size = str_printf("%lld", (long long)o->max_size);
	cleanup_free char *files = str_printf("%lld", (long long)o->max_files);

	if (o->max_size > 0)
		oci_annotate(config, OCI_NOTE_LOG_SIZE, size);
	oci_annotate(config, OCI_NOTE_LOG_FILES, files);
}

int log_annotate(const struct container_spec *spec, const struct image_run *run,
		 const char *image_id, struct oci_runtime_config *config, struct err *err)
{
	const char *driver = spec->log_driver && *spec->log_driver ? spec->log_driver : "json-file";
	bool is_plain = !spec->log_options.n &&
			(strcmp(driver, "json-file") == 0 || strcmp(driver, "none") == 0);
	cleanup_json json_t *attrs = NULL;
	cleanup_json json_t *object = NULL;
	cleanup_free char *attrs_text = NULL;
	cleanup_free char *text = NULL;
	struct log_options o;

	oci_annotate(config, OCI_NOTE_LOG, driver);
	if (is_plain)
		return 0;
	if (log_options_parse(driver, &spec->log_options, &o, err) < 0)
		return -err->code;
	attrs = json_object();
	add_labels(&o, run, attrs);
	add_env(&o, &config->env, attrs);
	attrs_text = json_dumps(attrs, JSON_COMPACT);
	if (!attrs_text || strlen(attrs_text) > LOG_ATTRS_MAX / 2)
		return err_set(err, ERR_INVALID, ATTRS_TOO_BIG, LOG_ATTRS_MAX / 2);
	object = options_object(&o, spec, image_id, attrs);
	text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	oci_annotate(config, OCI_NOTE_LOG_OPTIONS, text);
	annotate_bounds(&o, config);
	return 0;
}

/* ---- the tag ---- */

static void set_first(json_t *o, const char *key, const char *text, size_t len)
{
	cleanup_free char *cut = str_ndup(text, strnlen(text, len));

	json_set_text(o, key, cut);
}

static json_t *env_array(const struct strv *v)
{
	return json_new_strv(v);
}

/* What a tag may name: the fields and methods of docker's logger.Info. */
static json_t *tag_data(const struct container_made *made, const json_t *options)
{
	const char *image = json_get_string(options, "image", "");
	cleanup_free char *image_id = str_printf("sha256:%s",
						 json_get_string(options, "imageId", ""));
	cleanup_free char *name = str_printf("/%s", made->name);
	cleanup_free char *command = strv_join(&made->config.args, " ");
	char host[HOST_NAME_MAX + 1] = "";
	json_t *o = json_object();
	json_t *args = json_array();

	gethostname(host, sizeof(host) - 1);
	for (size_t i = 1; i < made->config.args.n; i++)
		json_array_append_new(args, json_new_text(made->config.args.items[i]));
	set_first(o, "ID", made->id, SHORT_ID_LEN);
	json_set_text(o, "FullID", made->id);
	json_set_text(o, "ContainerID", made->id);
	json_set_text(o, "Name", made->name);
	json_set_text(o, "ContainerName", name);
	json_set_text(o, "ImageName", image);
	json_set_text(o, "ContainerImageName", image);
	set_first(o, "ImageID", image_id, SHORT_ID_LEN);
	json_set_text(o, "ImageFullID", image_id);
	json_set_text(o, "ContainerImageID", image_id);
	json_set_text(o, "DaemonName", "docker");
	json_set_text(o, "Command", command);
	json_set_text(o, "ContainerEntrypoint",
		      made->config.args.n ? made->config.args.items[0] : "");
	json_object_set_new(o, "ContainerArgs", args);
	json_object_set_new(o, "ContainerEnv", env_array(&made->config.env));
	json_set_text(o, "Hostname", host);
	return o;
}

/* Go's messages name the template; ours has no name. */
static int tag_error(const char *text, struct err *err)
{
	cleanup_str struct str out = STR_INIT;
	const char *at = strstr(text, "executing \"\"");

	if (str_has_prefix(text, "template: :"))
		text += strlen("template: :");
	str_add(&out, "template: log-tag:");
	str_add_bytes(&out, text, at && at > text ? (size_t)(at - text) : strlen(text));
	if (at && at > text)
		str_addf(&out, "executing \"log-tag\"%s", at + strlen("executing \"\""));
	return err_set(err, ERR_INVALID, "failed to initialize logging driver: %s", str_get(&out));
}

static int make_tag(const struct container_made *made, const json_t *options, const char *otherwise,
		    struct str *out, struct err *err)
{
	static const struct json_shape shape = {SHAPE_STRUCT, "*logger.Info", NULL, NULL};
	const struct template_env env = {.shape = &shape};
	const char *text = json_get_string(options, "tag", "");
	cleanup_template struct template *t = NULL;
	cleanup_json json_t *data = NULL;
	struct err why = ERR_INIT;

	if (!*text)
		text = otherwise;
	if (!*text)
		return 0;
	data = tag_data(made, options);
	if (template_parse(text, &t, &why) < 0 || template_execute(t, data, &env, out, &why) < 0)
		return tag_error(why.msg, err);
	if (out->len > LOG_ATTRS_MAX / 8)
		return err_set(err, ERR_INVALID, "the log's tag is longer than %d bytes",
			       LOG_ATTRS_MAX / 8);
	return 0;
}

/* ---- the journal's fields ---- */

/* A field in the journal's own format: with a newline in it, its length comes before it. */
static void add_field(struct str *out, const char *name, const char *value)
{
	uint64_t len = strlen(value);

	str_add(out, name);
	if (!strchr(value, '\n')) {
		str_addf(out, "=%s\n", value);
		return;
	}
	str_add_char(out, '\n');
	for (int i = 0; i < 8; i++)
		str_add_char(out, (char)(len >> 8 * i & 0xff));
	str_add(out, value);
	str_add_char(out, '\n');
}

/* A label's name as the journal takes one; what we say ourselves is not for labels to say. */
static bool field_name(const char *key, struct str *out)
{
	static const char *const own[] = {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "IMAGE_NAME",
					  "SYSLOG_TIMESTAMP"};

	for (; *key; key++) {
		char c = (char)toupper((unsigned char)*key);
		bool is_good = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (is_good || out->len)
			str_add_char(out, is_good ? c : '_');
	}
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_is_equal(str_get(out), own[i]))
			return false;
	return out->len && !str_has_prefix(str_get(out), "CONTAINER_");
}

static void make_fields(const struct container_made *made, json_t *options, const char *tag,
			struct str *out)
{
	cleanup_free char *short_id = str_ndup(made->id, SHORT_ID_LEN);
	const char *key = NULL;
	json_t *value = NULL;

	add_field(out, "CONTAINER_ID", short_id);
	add_field(out, "CONTAINER_ID_FULL", made->id);
	add_field(out, "CONTAINER_NAME", made->name);
	add_field(out, "CONTAINER_TAG", tag);
	add_field(out, "IMAGE_NAME", json_get_string(options, "image", ""));
	add_field(out, "SYSLOG_IDENTIFIER", tag);
	json_object_foreach (json_get(options, "attrs"), key, value) {
		cleanup_str struct str name = STR_INIT;

		if (field_name(key, &name))
			add_field(out, str_get(&name), json_string_value(value));
	}
}

/* ---- at a start ---- */

static int64_t note_number(const struct container_made *made, const char *key, int64_t otherwise)
{
	const char *text = oci_annotation(&made->config, key);
	int64_t n = 0;

	return text && num_parse_i64(text, &n) == 0 && n > 0 ? n : otherwise;
}

/* Entries of json-file carry what was asked for, those of the other drivers' files nothing. */
static void make_attrs(const json_t *options, const struct str *tag, struct str *out)
{
	cleanup_json json_t *attrs = json_deep_copy(json_get(options, "attrs"));
	cleanup_free char *text = NULL;

	if (tag->len)
		json_set_text(attrs, "tag", str_get(tag));
	if (json_object_size(attrs) == 0)
		return;
	text = json_dumps(attrs, JSON_COMPACT | JSON_SORT_KEYS);
	str_add(out, text ? text : "");
}

static int load_options(const struct container_made *made, const char *text, const char *driver,
			struct log_setup *ret, struct err *err)
{
	struct log_driver_config *c = &ret->config;
	cleanup_json json_t *options = NULL;
	bool is_json = strcmp(driver, "json-file") == 0;

	if (json_parse(text, strlen(text), NOTE_MAX, OCI_NOTE_LOG_OPTIONS, &options, err) < 0 ||
	    make_tag(made, options, c->kind == LOG_TO_FILES ? "" : "{{.ID}}", &ret->tag, err) < 0)
		return -err->code;
	c->compress = json_get_bool(options, "compress", false);
	c->non_blocking = json_get_bool(options, "nonBlocking", false);
	c->has_no_files = c->kind != LOG_TO_FILES && json_get_bool(options, "noCache", false);
	c->max_buffer = (uint64_t)json_get_int(options, "maxBuffer", 0);
	c->facility = (int)json_get_int(options, "facility", LOG_DAEMON);
	c->format = (enum log_syslog_format)json_get_int(options, "format", LOG_FORMAT_UNIX);
	ret->address = str_dup(json_get_string(options, "address", ""));
	c->address = ret->address;
	if (is_json)
		make_attrs(options, &ret->tag, &ret->attrs);
	if (c->kind == LOG_TO_JOURNALD)
		make_fields(made, options, str_get(&ret->tag), &ret->fields);
	return 0;
}

int log_setup_load(const struct engine *engine, const struct container_made *made,
		   struct log_setup *ret, struct err *err)
{
	const char *driver = oci_annotation(&made->config, OCI_NOTE_LOG);
	const char *text = oci_annotation(&made->config, OCI_NOTE_LOG_OPTIONS);
	struct log_driver_config *c = &ret->config;

	if (!driver)
		driver = "json-file";
	c->kind = strcmp(driver, "none") == 0	    ? LOG_TO_NONE
		  : strcmp(driver, "syslog") == 0   ? LOG_TO_SYSLOG
		  : strcmp(driver, "journald") == 0 ? LOG_TO_JOURNALD
						    : LOG_TO_FILES;
	if (text && load_options(made, text, driver, ret, err) < 0)
		return -err->code;
	c->max_size = (uint64_t)note_number(made, OCI_NOTE_LOG_SIZE,
					    strcmp(driver, "json-file") == 0 ? MONITOR_LOG_MAX_SIZE
									     : LOCAL_SIZE);
	c->max_files = (unsigned)note_number(made, OCI_NOTE_LOG_FILES, MONITOR_LOG_MAX_FILES);
	if (c->max_files > FILES_MAX)
		c->max_files = FILES_MAX;
	if (c->max_buffer == 0)
		c->max_buffer = LOG_REMOTE_BUFFER;
	if (c->compress)
		ret->unpacker = engine_helper_path(engine, UNPACKER);
	c->unpacker = ret->unpacker;
	c->tag = str_get(&ret->tag);
	c->attrs = ret->attrs.len ? ret->attrs.buf : NULL;
	c->fields = ret->fields.buf;
	c->fields_len = ret->fields.len;
	return 0;
}

void log_setup_done(struct log_setup *setup)
{
	free(setup->unpacker);
	free(setup->address);
	str_done(&setup->tag);
	str_done(&setup->attrs);
	str_done(&setup->fields);
}
