/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect: objects found by docker's rules, as one array, or a template run on each. A template
 * sees docker's types first; where it fails on them it runs once more on the bare JSON, in which a
 * missing key is an error. What was found is printed even when something else was not.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/describe.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "engine/volume.h"
#include "storage/container.h"
#include "storage/image.h"
#include "json/dump.h"
#include "json/template.h"
#include "json/value.h"

#include <stdio.h>
#include <string.h>

#define STATUS_BAD_TEMPLATE 64
#define INDENT		    4

/* KIND_OTHER: what docker has and tare has none of. */
enum object_kind { KIND_ANY, KIND_CONTAINER, KIND_IMAGE, KIND_NETWORK, KIND_VOLUME, KIND_OTHER };

struct inspector {
	struct engine *engine;
	const struct inspect_options *options;
	enum object_kind kind;
	struct template *template; /* owned; NULL: JSON */
	bool compact;
	json_t *objects; /* owned array */
	struct str out;	 /* what templates made */
	struct strv errors;
};

static void inspector_done(struct inspector *in)
{
	template_free(in->template);
	json_decref(in->objects);
	str_done(&in->out);
	strv_done(&in->errors);
}

/* ---- finding ---- */

/* 1 with a new reference, 0 when there is none, or -code. */
static int find_container(struct inspector *in, const char *name, json_t **ret, struct err *err)
{
	cleanup_container struct container_record record = {};
	int rc = container_lookup(in->engine->store, name, &record, err);

	if (rc <= 0)
		return rc;
	rc = container_inspect(in->engine, &record, in->options->size, ret, err);
	return rc < 0 ? rc : 1;
}

static int find_image(struct inspector *in, const char *name, json_t **ret, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_json json_t *object = NULL;
	int rc = image_lookup(in->engine->store, name, &image, err);

	if (rc <= 0)
		return rc;
	if (check_platform(name, in->options->platform, &image, err) < 0 ||
	    image_inspect(in->engine->store, &image, &object, err) < 0)
		return -err->code;
	*ret = take_ptr(object);
	return 1;
}

static int find_network(struct inspector *in, const char *name, json_t **ret, struct err *err)
{
	cleanup_network struct network network = {};
	int rc = engine_find_network(in->engine, name, &network, err);

	if (rc == -ERR_NOT_FOUND) {
		err_clear(err);
		return 0;
	}
	if (rc == 0)
		rc = engine_describe_network(in->engine, &network, ret, err);
	return rc < 0 ? rc : 1;
}

static int find_volume(struct inspector *in, const char *name, json_t **ret, struct err *err)
{
	cleanup_volume struct volume volume = VOLUME_INIT;
	int rc = volume_lookup(in->engine->store, name, &volume, err);

	if (rc > 0)
		*ret = engine_describe_volume(in->engine, &volume);
	return rc;
}

/* The reference as docker's messages complete it: "x:latest". */
static char *complete_reference(const char *name)
{
	const char *last = strrchr(name, '/');

	return strpbrk(last ? last : name, ":@") ? str_dup(name) : str_printf("%s:latest", name);
}

static int report_missing(const struct inspector *in, const char *name, struct err *err)
{
	cleanup_free char *full = complete_reference(name);

	switch (in->kind) {
	case KIND_CONTAINER:
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", name);
	case KIND_IMAGE:
		return err_set(err, ERR_NOT_FOUND, "No such image: %s", full);
	case KIND_NETWORK:
		return err_set(err, ERR_NOT_FOUND, "network %s not found", name);
	case KIND_VOLUME:
		return err_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
	case KIND_OTHER:
		return err_set(err, ERR_NOT_FOUND, "No such %s: %s", in->options->type, name);
	case KIND_ANY:
		break;
	}
	return err_set(err, ERR_NOT_FOUND, "No such object: %s", name);
}

static int report_empty(const struct inspector *in, struct err *err)
{
	static const char *const names[] = {
		[KIND_ANY] = "container",
		[KIND_CONTAINER] = "container",
		[KIND_NETWORK] = "network",
		[KIND_VOLUME] = "volume",
	};

	if (in->kind == KIND_IMAGE)
		return err_set(err, ERR_NOT_FOUND, "No such image: ");
	return err_set(err, ERR_INVALID, "invalid %s name or ID: value is empty",
		       in->kind == KIND_OTHER ? in->options->type : names[in->kind]);
}

static const struct {
	enum object_kind kind;
	int (*find)(struct inspector *in, const char *name, json_t **ret, struct err *err);
	const struct json_shape *shape;
	const char *sizeless; /* what --size is ignored for; NULL where it counts */
} kinds[] = {
	{KIND_CONTAINER, find_container, &container_shape, NULL},
	{KIND_IMAGE, find_image, &image_shape, "image"},
	{KIND_NETWORK, find_network, &network_shape, "network"},
	{KIND_VOLUME, find_volume, &volume_shape, "volume"},
};

/* In docker's order; a name that cannot be an image's is simply not found. */
static int find(struct inspector *in, const char *name, json_t **ret,
		const struct json_shape **ret_shape, struct err *err)
{
	if (!*name)
		return report_empty(in, err);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int rc = 0;

		if (in->kind != KIND_ANY && in->kind != kinds[i].kind)
			continue;
		*ret_shape = kinds[i].shape;
		rc = kinds[i].find(in, name, ret, err);
		if (rc > 0 && in->options->size && kinds[i].sizeless)
			fprintf(stderr, "WARNING: --size ignored for %s\n", kinds[i].sizeless);
		if (rc > 0)
			return 0;
		if (rc < 0 && (in->kind != KIND_ANY || kinds[i].kind != KIND_IMAGE ||
			       err->code != ERR_INVALID))
			return rc;
	}
	return report_missing(in, name, err);
}

/* ---- showing ---- */

/* A field that Go calls otherwise is none of docker's type: such a template runs on the JSON. */
static int call_go_name(void *data, const json_t *receiver, const char *name, const json_t *args,
			json_t **ret, struct err *err)
{
	if (describe_is_json_name(name) && json_object_get(receiver, name))
		return err_set(err, ERR_INVALID, "can't evaluate field %s", name);
	return call_go_alias(data, receiver, name, args, ret, err);
}

static int run_template(struct inspector *in, const json_t *object, const struct json_shape *shape,
			struct err *err)
{
	cleanup_json json_t *typed = describe_with_nil_members(object, shape);
	cleanup_str struct str out = STR_INIT;
	const struct template_env first = {.shape = shape, .call = call_go_name};
	const struct template_env second = {.missing_key_error = true};

	if (template_execute(in->template, typed, &first, &out, err) < 0) {
		/* docker has no bare JSON of a volume. */
		if (shape == &volume_shape)
			return err_wrap(err, "template parsing error");
		str_truncate(&out, 0);
		err_clear(err);
		if (template_execute(in->template, object, &second, &out, err) < 0)
			return err_wrap(err, "template parsing error");
	}
	str_add_bytes(&in->out, str_get(&out), out.len);
	str_add_char(&in->out, '\n');
	return 0;
}

static int inspect_one(struct inspector *in, const char *name, struct err *err)
{
	cleanup_json json_t *object = NULL;
	const struct json_shape *shape = NULL;

	if (find(in, name, &object, &shape, err) < 0)
		return -err->code;
	if (in->template)
		return run_template(in, object, shape, err);
	json_array_append(in->objects, object);
	return 0;
}

static void print(struct inspector *in)
{
	if (!in->template)
		json_dump_docker(&in->out, in->objects, NULL, in->compact ? 0 : INDENT, 0);
	/* Templates that made nothing leave an empty line, as docker does. */
	if (!in->template || in->out.len == 0)
		str_add_char(&in->out, '\n');
	fwrite(str_get(&in->out), 1, in->out.len, stdout);
	fflush(stdout);
}

static int prepare(struct inspector *in, struct cli *cli, struct err *err)
{
	const char *format = in->options->format;

	in->objects = json_array();
	in->compact = format && strcmp(format, "json") == 0;
	if (!format || !*format || in->compact)
		return 0;
	if (template_parse(format, &in->template, err) == 0)
		return 0;
	cli->exit_status = STATUS_BAD_TEMPLATE;
	return err_wrap(err, "template parsing error");
}

static int run(struct cli *cli, union verb_options *o, enum object_kind kind, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_with(inspector_done) struct inspector in = {
		.engine = &engine, .options = &o->inspect, .kind = kind};

	if (prepare(&in, cli, err) < 0 || engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	if (kind == KIND_NETWORK)
		engine_check_rules(&engine);
	strv_foreach (i, &cli->args) {
		struct err one = ERR_INIT;

		if (inspect_one(&in, cli->args.items[i], &one) < 0)
			strv_add(&in.errors, one.msg);
	}
	print(&in);
	strv_foreach (i, &in.errors) {
		err_set(err, ERR_NOT_FOUND, "%s", in.errors.items[i]);
		cli_print_error(err);
	}
	return in.errors.n > 0;
}

int cmd_inspect(struct cli *cli, union verb_options *o, struct err *err)
{
	static const struct {
		const char *name;
		enum object_kind kind;
	} types[] = {
		{"", KIND_ANY},		 {"container", KIND_CONTAINER}, {"image", KIND_IMAGE},
		{"volume", KIND_VOLUME}, {"config", KIND_OTHER},	{"network", KIND_NETWORK},
		{"node", KIND_OTHER},	 {"plugin", KIND_OTHER},	{"secret", KIND_OTHER},
		{"service", KIND_OTHER}, {"task", KIND_OTHER}};
	const char *type = o->inspect.type ? o->inspect.type : "";

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(type, types[i].name) == 0)
			return run(cli, o, types[i].kind, err);
	return err_set(err, ERR_INVALID,
		       "unknown type: \"%s\": must be one of \"config\", \"container\", "
		       "\"image\", \"network\", \"node\", \"plugin\", \"secret\", \"service\", "
		       "\"task\", \"volume\"",
		       type);
}

int cmd_container_inspect(struct cli *cli, union verb_options *o, struct err *err)
{
	return run(cli, o, KIND_CONTAINER, err);
}

int cmd_image_inspect(struct cli *cli, union verb_options *o, struct err *err)
{
	return run(cli, o, KIND_IMAGE, err);
}

int cmd_network_inspect(struct cli *cli, union verb_options *o, struct err *err)
{
	union verb_options as_inspect = {.inspect = {.format = o->network_inspect.format}};

	return run(cli, &as_inspect, KIND_NETWORK, err);
}

int cmd_volume_inspect(struct cli *cli, union verb_options *o, struct err *err)
{
	return run(cli, o, KIND_VOLUME, err);
}
