/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON with limits, and getters. */
#include "../unit.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/value.h"

static int parse(const char *text, json_t **ret, struct err *err)
{
	return json_parse(text, strlen(text), 200, "file", ret, err);
}

static void refuses_with_position(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "file: line 1, column 1: "},
		{"{\n \"a\": }", "file: line 2, column "},
		{"[1] x", "file: line 1, column 5: "},
		{"[1,]", "file: line 1, column 4: "},
		{"\"\\u0000\"", "file: line 1, column "},
		{"[99999999999999999999]", "file: line 1, column "},
		{"\xff", "file: line 1, column "},
		{"[\n[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "file: line 2, column 32: nested deeper"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *v = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(parse(rows[i].text, &v, &err), -ERR_INVALID);
		assert_null(v);
		if (!str_has_prefix(err.msg, rows[i].message))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static void limits(void **state)
{
	cleanup_json json_t *deep = NULL, *quoted = NULL;
	struct err err = ERR_INIT;
	char text[300];

	memset(text, ' ', sizeof(text));
	assert_int_equal(json_parse(text, 201, 200, "file", &deep, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "file: larger than 200 bytes");
	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	assert_int_equal(json_parse(text, 2 * JSON_MAX_DEPTH, 200, "file", &deep, &err), 0);
	/* Brackets inside strings do not nest. */
	assert_int_equal(
		parse("\"[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[\"", &quoted, &err), 0);
}

static void getters(void **state)
{
	cleanup_json json_t *v = NULL;
	cleanup_strv struct strv list = STRV_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(parse("{\"a\":{\"b\":\"x\",\"n\":-5,\"t\":true,\"l\":[\"p\",\"q\"],"
			       "\"m\":[1],\"z\":null}}",
			       &v, &err),
			 0);
	assert_string_equal(json_get_string(v, "a.b", "d"), "x");
	assert_string_equal(json_get_string(v, "a.n", "d"), "d");
	assert_string_equal(json_get_string(v, "a.b.c", "d"), "d");
	assert_string_equal(json_get_string(v, "a.l.1", "d"), "q");
	assert_null(json_get_string(NULL, "a", NULL));
	assert_int_equal(json_get_int(v, "a.n", 1), -5);
	assert_int_equal(json_get_int(v, "a.b", 1), 1);
	assert_true(json_get_bool(v, "a.t", false));
	assert_true(json_get_bool(v, "a.q", true));
	assert_int_equal(json_get_strv(v, "a.l", &list), 0);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.items[1], "q");
	assert_int_equal(json_get_strv(v, "a.z", &list), 0);
	assert_int_equal(json_get_strv(v, "a.none", &list), 0);
	assert_int_equal(json_get_strv(v, "a.m", &list), -EINVAL);
	assert_int_equal(json_get_strv(v, "a.b", &list), -EINVAL);
	assert_int_equal(list.n, 2);
}

static void strings_from_outside(void **state)
{
	cleanup_strv struct strv list = STRV_INIT;
	cleanup_json json_t *bad = json_new_text("a\xff"
						 "b"),
			    *null = json_new_text(NULL);
	cleanup_json json_t *obj = json_object(), *array = NULL;

	assert_string_equal(json_string_value(bad), "a\xEF\xBF\xBD"
						    "b");
	assert_true(json_is_null(null));
	strv_add(&list, "x");
	strv_add(&list, "\x80");
	array = json_new_strv(&list);
	assert_int_equal(json_array_size(array), 2);
	assert_string_equal(json_string_value(json_array_get(array, 1)), "\xEF\xBF\xBD");
	json_set_text(obj, "k", "v");
	json_set_text(obj, "k", "w");
	assert_string_equal(json_get_string(obj, "k", ""), "w");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_with_position),
		cmocka_unit_test(limits),
		cmocka_unit_test(getters),
		cmocka_unit_test(strings_from_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
