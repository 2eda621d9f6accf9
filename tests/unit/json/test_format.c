/* SPDX-License-Identifier: Apache-2.0 */
/* --format of lists. */
#include "../unit.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/format.h"
#include "json/value.h"

static const struct format_field fields[] = {
	{"ID", "CONTAINER ID"}, {"Image", "IMAGE"}, {"Names", "NAMES"},
	{"Tag", "TAG"},		{NULL, NULL},
};
static const char *const columns[] = {"ID", "Image", "Names", NULL};

static int label(void *data, const json_t *receiver, const char *name, const json_t *args,
		 json_t **ret, struct err *err)
{
	if (strcmp(name, "Label") != 0)
		return 0;
	*ret = json_sprintf("L%s", json_string_value(json_array_get(args, 0)));
	return 1;
}

static const struct format_spec spec = {
	.fields = fields,
	.columns = columns,
	.quiet = "ID",
	.go_type = "*formatter.ContainerContext",
	.call = label,
};

#define ROWS                                                                           \
	"[{\"ID\":\"aa\",\"Image\":\"busybox\",\"Names\":\"one\",\"Tag\":\"<none>\"}," \
	"{\"ID\":\"bb\",\"Image\":\"debian\",\"Names\":\"two\",\"Tag\":\"12\"}]"

static const struct {
	const char *format;
	bool quiet;
	const char *out;
} rows[] = {
	{NULL, false,
	 "CONTAINER ID   IMAGE     NAMES\naa             busybox   one\nbb             debian    "
	 "two\n"},
	{"", false,
	 "CONTAINER ID   IMAGE     NAMES\naa             busybox   one\nbb             debian    "
	 "two\n"},
	{"table", false,
	 "CONTAINER ID   IMAGE     NAMES\naa             busybox   one\nbb             debian    "
	 "two\n"},
	{"table", true, "aa\nbb\n"},
	{"{{.Names}}", true, "aa\nbb\n"},
	{"table {{.Names}}\\t{{.Image}}", false,
	 "NAMES     IMAGE\none       busybox\ntwo       debian\n"},
	{"table {{.Names}}\t{{upper .Tag}}", false,
	 "NAMES     TAG\none       <NONE>\ntwo       12\n"},
	{"table {{.Names}} {{.Label \"com.example.my-key\"}}", false,
	 "NAMES my key\none Lcom.example.my-key\ntwo Lcom.example.my-key\n"},
	{"json", false,
	 "{\"ID\":\"aa\",\"Image\":\"busybox\",\"Names\":\"one\",\"Tag\":\"\\u003cnone\\u003e\"}\n"
	 "{\"ID\":\"bb\",\"Image\":\"debian\",\"Names\":\"two\",\"Tag\":\"12\"}\n"},
	{"{{json .}}", false,
	 "{\"ID\":\"aa\",\"Image\":\"busybox\",\"Names\":\"one\",\"Tag\":\"\\u003cnone\\u003e\"}\n"
	 "{\"ID\":\"bb\",\"Image\":\"debian\",\"Names\":\"two\",\"Tag\":\"12\"}\n"},
	{"{{json .Tag}}", false, "\"<none>\"\n\"12\"\n"},
	{" {{.ID}}\\t{{.Tag}} ", false, "aa\t<none>\nbb\t12\n"},
	{"{{.ID}}\\n-", false, "aa\n-\nbb\n-\n"},
	{"{{.Image}}:{{.Tag}}", false, "busybox:<none>\ndebian:12\n"},
	{"{{.Label \"x\"}}|", false, "Lx|\nLx|\n"},
};

static json_t *parse_rows(const char *text)
{
	json_t *v = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_parse(text, strlen(text), 4096, "rows", &v, &err), 0);
	return v;
}

static void formats(void **state)
{
	cleanup_json json_t *list = parse_rows(ROWS);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str out = STR_INIT;
		struct err err = ERR_INIT;

		if (format_rows(&spec, rows[i].format, rows[i].quiet, list, &out, &err) < 0)
			fail_msg("%s: %s", rows[i].format, err.msg);
		assert_string_equal(str_get(&out), rows[i].out);
	}
}

static void empty_lists(void **state)
{
	cleanup_json json_t *list = json_array();
	cleanup_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(format_rows(&spec, NULL, false, list, &out, &err), 0);
	assert_int_equal(format_rows(&spec, "table {{.ID}}", false, list, &out, &err), 0);
	assert_int_equal(format_rows(&spec, "json", false, list, &out, &err), 0);
	assert_int_equal(format_rows(&spec, "{{.ID}}", false, list, &out, &err), 0);
	assert_string_equal(str_get(&out), "CONTAINER ID   IMAGE     NAMES\nCONTAINER ID\n");
}

static void errors(void **state)
{
	static const char *const bad[][2] = {
		{"{{.ID", "template parsing error: template: :1: unclosed action"},
		{"{{nosuch .ID}}",
		 "template parsing error: template: :1: function \"nosuch\" not defined"},
		{"{{.NoSuch}}", "template parsing error: template: :1:2: executing \"\" at "
				"<.NoSuch>: can't evaluate field NoSuch in type "
				"*formatter.ContainerContext"},
		{"table {{.ID}}\\t{{.NoSuch}}",
		 "template parsing error: template: :1:10: executing \"\" at <.NoSuch>: can't "
		 "evaluate field NoSuch in type *formatter.ContainerContext"},
	};
	cleanup_json json_t *list = parse_rows(ROWS);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup_str struct str out = STR_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(format_rows(&spec, bad[i][0], false, list, &out, &err),
				 -ERR_INVALID);
		assert_string_equal(err.msg, bad[i][1]);
		assert_int_equal(out.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(empty_lists),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
