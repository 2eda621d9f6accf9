/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `--format` of a list, with and without -q, as docker's command line printed it: tests/data/
 * formats.json holds the rows of `docker volume ls` and its answers.
 */
#include "../unit.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/format.h"
#include "json/value.h"

static const struct format_field fields[] = {
	{"ID", "ID"},
	{"Name", "VOLUME NAME"},
	{"Group", "GROUP"},
	{"Driver", "DRIVER"},
	{"Scope", "SCOPE"},
	{"Availability", "AVAILABILITY"},
	{"Mountpoint", "MOUNTPOINT"},
	{"Labels", "LABELS"},
	{"Links", "LINKS"},
	{"Size", "SIZE"},
	{"Status", "STATUS"},
	{NULL, NULL},
};
static const char *const columns[] = {"Driver", "Name", NULL};

static int call_label(void *data, const json_t *receiver, const char *name, const json_t *args,
		      json_t **ret, struct err *err)
{
	const char *key = json_string_value(json_array_get(args, 0));
	json_t *labels = json_object_get(data, json_get_string(receiver, "Name", ""));

	if (strcmp(name, "Label") != 0)
		return 0;
	if (json_array_size(args) != 1)
		return err_set(err, ERR_INVALID, "wrong number of args for Label: want 1 got %zu",
			       json_array_size(args));
	labels = json_object_get(labels, key);
	*ret = labels ? json_incref(labels) : json_string("");
	return 1;
}

static bool check(const json_t *file, const json_t *row)
{
	const struct format_spec spec = {
		.fields = fields,
		.columns = columns,
		.quiet = "Name",
		.go_type = "*formatter.volumeContext",
		.call = call_label,
		.call_data = json_object_get(file, "labels"),
	};
	const char *format = json_string_value(json_array_get(row, 0));
	const char *expected_error = json_string_value(json_array_get(row, 2));
	const char *expected = json_string_value(json_array_get(row, 3));
	/* What was asked for in words counts more than -q. */
	bool quiet = json_is_true(json_array_get(row, 1)) &&
		     (!*format || strcmp(format, "table") == 0);
	cleanup_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	if (format_rows(&spec, format, quiet, json_object_get(file, "rows"), &out, &err) < 0) {
		if (expected_error && strcmp(err.msg, expected_error) == 0)
			return true;
		print_error("%s\n want %s%s\n  got %s\n", format,
			    expected_error ? expected_error : "", expected ? expected : "",
			    err.msg);
		return false;
	}
	if (expected && strcmp(str_get(&out), expected) == 0)
		return true;
	print_error("%s\n want %s%s\n  got %s\n", format, expected_error ? expected_error : "",
		    expected ? expected : "", str_get(&out));
	return false;
}

static void prints_as_docker_does(void **state)
{
	json_error_t error;
	cleanup_json json_t *file = json_load_file(DATA_DIR "/formats.json", 0, &error);
	const json_t *row = NULL;
	size_t n_failed = 0;
	size_t i = 0;

	if (!file)
		fail_msg("%s:%d: %s", error.source, error.line, error.text);
	json_array_foreach (json_object_get(file, "cases"), i, row)
		n_failed += !check(file, row);
	assert_true(i > 100);
	assert_int_equal(n_failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(prints_as_docker_does)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
