/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What docker's command line made of thousands of templates, asked again: tests/data/templates.json
 * holds the volume it was shown and its answers (tests/docker/record_templates.py). Its numbers
 * under Status were float64 to docker, as in every map of anything.
 */
#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/template.h"
#include "json/value.h"

#define STATUS_BAD_TEMPLATE 64
#define SHOWN_FAILURES	    40

static const struct json_shape int64_shape = {SHAPE_STRUCT, "int64", NULL, NULL};
static const struct json_field usage_fields[] = {
	{"RefCount", &int64_shape}, {"Size", &int64_shape}, {NULL, NULL}};
static const struct json_shape usage_shape = {SHAPE_STRUCT, "*volume.UsageData", NULL,
					      usage_fields};
static const struct json_shape cluster_shape = {SHAPE_STRUCT, "*volume.ClusterVolume", NULL, NULL};
static const struct json_shape status_shape = {SHAPE_MAP, "map[string]interface {}",
					       &json_shape_any, NULL};
static const struct json_field volume_fields[] = {
	{"ClusterVolume", &cluster_shape, OMIT_NIL},
	{"CreatedAt", &json_shape_struct},
	{"Driver", &json_shape_struct},
	{"Labels", &json_shape_string_map},
	{"Mountpoint", &json_shape_struct},
	{"Name", &json_shape_struct},
	{"Options", &json_shape_string_map},
	{"Scope", &json_shape_struct},
	{"Status", &status_shape},
	{"UsageData", &usage_shape},
	{NULL, NULL},
};
static const struct json_shape volume_shape = {SHAPE_STRUCT, "volume.Volume", NULL, volume_fields};

static json_t *load(size_t flags)
{
	json_error_t error;
	json_t *file = json_load_file(DATA_DIR "/templates.json", flags | JSON_ALLOW_NUL, &error);

	if (!file)
		fail_msg("%s:%d: %s", error.source, error.line, error.text);
	return file;
}

/* The members in the order of the Go struct, as inspect hands them over. */
static json_t *make_volume(void)
{
	cleanup_json json_t *whole = load(0);
	cleanup_json json_t *real = load(JSON_DECODE_INT_AS_REAL);
	json_t *volume = json_object();

	for (const struct json_field *f = volume_fields; f->name; f++) {
		bool is_status = strcmp(f->name, "Status") == 0;
		json_t *data = json_object_get(is_status ? real : whole, "data");
		json_t *value = json_object_get(data, f->name);

		json_object_set_new(volume, f->name, value ? json_incref(value) : json_null());
	}
	return volume;
}

/* Runs TEXT; the exit status, and in RET what docker printed: the output or the message. */
static int run(const char *text, const json_t *volume, struct str *ret)
{
	const struct template_env env = {.shape = &volume_shape};
	cleanup_template struct template *t = NULL;
	struct err err = ERR_INIT;
	int status = 0;

	if (template_parse(text, &t, &err) < 0)
		status = STATUS_BAD_TEMPLATE;
	else if (template_execute(t, volume, &env, ret, &err) < 0)
		status = 1;
	if (status) {
		str_truncate(ret, 0);
		str_add(ret, err.msg);
	}
	return status;
}

static bool check(const json_t *row, const json_t *volume, bool is_shown)
{
	const char *text = json_string_value(json_array_get(row, 0));
	bool is_error = json_array_size(row) == 3;
	int expected_status = is_error ? (int)json_integer_value(json_array_get(row, 1)) : 0;
	const char *expected = json_string_value(json_array_get(row, is_error ? 2 : 1));
	cleanup_str struct str got = STR_INIT;
	int status = run(text, volume, &got);

	if (status == expected_status && strcmp(str_get(&got), expected) == 0)
		return true;
	if (is_shown)
		print_error("%s\n   want %d %s\n   got  %d %s\n", text, expected_status, expected,
			    status, str_get(&got));
	return false;
}

static void test_recorded(void **state)
{
	cleanup_json json_t *file = load(0);
	cleanup_json json_t *volume = make_volume();
	const json_t *row = NULL;
	size_t i = 0;
	size_t n_failed = 0;

	json_array_foreach (json_object_get(file, "cases"), i, row)
		n_failed += !check(row, volume, n_failed < SHOWN_FAILURES);
	assert_true(i > 2000);
	assert_int_equal(n_failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorded)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
