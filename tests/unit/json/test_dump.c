/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text as Go prints it: escapes, numbers, order, indentation. */
#include "../unit.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/dump.h"
#include "json/value.h"

static const struct json_field fields[] = {{"map", &json_shape_string_map}, {NULL, NULL}};
static const struct json_shape shape = {SHAPE_STRUCT, NULL, NULL, fields};

static const struct json_field omitting_fields[] = {
	{"nil", &json_shape_struct, OMIT_NIL},
	{"text", &json_shape_struct, OMIT_TEXT},
	{"no", &json_shape_struct, OMIT_FALSE},
	{"always", &json_shape_struct, OMIT_NEVER},
	{NULL, NULL},
};
static const struct json_shape omitting = {SHAPE_STRUCT, NULL, NULL, omitting_fields};

static const struct {
	const char *in;
	const struct json_shape *shape;
	unsigned indent, flags;
	const char *out;
} rows[] = {
	{"[]", NULL, 4, 0, "[]"},
	{"{}", NULL, 4, 0, "{}"},
	{"{\"b\":[1,{}],\"a\":[]}", NULL, 4, 0,
	 "{\n    \"b\": [\n        1,\n        {}\n    ],\n    \"a\": []\n}"},
	{"{\"b\":1,\"a\":2}", NULL, 0, 0, "{\"b\":1,\"a\":2}"},
	{"{\"b\":1,\"a\":2}", NULL, 0, JSON_DUMP_SORT, "{\"a\":2,\"b\":1}"},
	{"{\"b\":1,\"a\":2}", &json_shape_any, 0, 0, "{\"a\":2,\"b\":1}"},
	{"{\"z\":{\"y\":1,\"x\":2},\"map\":{\"y\":1,\"x\":2}}", &shape, 0, 0,
	 "{\"z\":{\"y\":1,\"x\":2},\"map\":{\"x\":2,\"y\":1}}"},
	/* What Go's omitempty leaves out; a zero is not empty behind a pointer. */
	{"{\"nil\":null,\"text\":\"\",\"no\":false,\"always\":null}", &omitting, 0, 0,
	 "{\"always\":null}"},
	{"{\"nil\":null}", &omitting, 4, 0, "{}"},
	{"{\"nil\":0,\"text\":\"x\",\"no\":true}", &omitting, 0, 0,
	 "{\"nil\":0,\"text\":\"x\",\"no\":true}"},
	{"{\"nil\":null}", NULL, 0, 0, "{\"nil\":null}"},
	{"\"<&>\"", NULL, 0, 0, "\"<&>\""},
	{"{\"<\":\"<&>\"}", NULL, 0, JSON_DUMP_HTML, "{\"\\u003c\":\"\\u003c\\u0026\\u003e\"}"},
	{"\"\\u2028\\u2029\\u0001\\b\\f\\n\\r\\t\\\"\\\\/\\u007f\\u00e9\"", NULL, 0, 0,
	 "\"\\u2028\\u2029\\u0001\\b\\f\\n\\r\\t\\\"\\\\/\x7f\xC3\xA9\""},
	{"[1.0,2.5,1e20,1e21,0.000001,1e-7,-1.5e-300,0.1,-0.0,123456.789]", NULL, 0, 0,
	 "[1,2.5,100000000000000000000,1e+21,0.000001,1e-7,-1.5e-300,0.1,-0,123456.789]"},
	{"[true,false,null,-9223372036854775808]", NULL, 0, 0,
	 "[true,false,null,-9223372036854775808]"},
};

static void prints_as_go(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_json json_t *v = NULL;
		cleanup_str struct str out = STR_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(json_parse(rows[i].in, strlen(rows[i].in), 1000, "", &v, &err), 0);
		json_dump_docker(&out, v, rows[i].shape, rows[i].indent, rows[i].flags);
		assert_string_equal(str_get(&out), rows[i].out);
	}
}

static void bytes_that_are_no_text(void **state)
{
	cleanup_str struct str out = STR_INIT;

	json_dump_string(&out, "a\xff\xed\xa0\x80z", 6, 0);
	assert_string_equal(str_get(&out), "\"a\\ufffd\\ufffd\\ufffd\\ufffdz\"");
	str_truncate(&out, 0);
	json_dump_docker(&out, NULL, NULL, 0, 0);
	assert_string_equal(str_get(&out), "null");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_as_go),
		cmocka_unit_test(bytes_that_are_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
