/* SPDX-License-Identifier: Apache-2.0 */
/* Templates on data with shapes: structs, nil kinds, methods, whole rows; and the bounds. */
#include "../unit.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/template.h"
#include "json/value.h"

static const struct json_field state_fields[] = {{"Health", &json_shape_struct}, {NULL, NULL}};
static const struct json_shape state_shape = {SHAPE_STRUCT, "*types.ContainerState", NULL,
					      state_fields};
static const struct json_field root_fields[] = {
	{"Labels", &json_shape_string_map},
	{"Entrypoint", &json_shape_strings},
	{"State", &state_shape},
	{"Ports", &json_shape_slice_map},
	{"Networks", &json_shape_struct_map},
	{NULL, NULL},
};
static const struct json_shape root_shape = {SHAPE_STRUCT, "types.ContainerJSON", NULL,
					     root_fields};

#define DATA                                                                        \
	"{\"Id\":\"<1>\",\"Labels\":{\"b\":\"2\",\"a\":\"1\"},\"Entrypoint\":null," \
	"\"State\":{\"Status\":\"running\",\"Pid\":7,\"Health\":null},"             \
	"\"Ports\":{\"99/tcp\":null,\"80/tcp\":[{\"HostPort\":\"8080\"}]},"         \
	"\"Networks\":{\"n\":{\"z\":\"1\",\"a\":\"2\"}},\"Empty\":[]}"

#define AT1 "template: :1:2: executing \"\" at "

struct typed_row {
	const char *text;
	const char *expected; /* output, or "ERR: " and the message */
};

/* clang-format off */
static const struct typed_row rows[] = {
	{"{{.Entrypoint}} {{json .Entrypoint}} {{len .Entrypoint}}", "[] null 0"},
	{"{{range .Entrypoint}}x{{else}}none{{end}}", "none"},
	{"{{join .Entrypoint \",\"}}|{{slice .Entrypoint}}", "|[]"},
	{"{{.State.Health}} {{json .State.Health}} {{if .State.Health}}y{{else}}n{{end}}", "<nil> null n"},
	{"{{.State}} {{printf \"%+v\" .State}}", "{running 7 <nil>} &{Status:running Pid:7 Health:<nil>}"},
	{"{{json .State}}", "{\"Status\":\"running\",\"Pid\":7,\"Health\":null}"},
	{"{{.Labels}} {{json .Labels}}", "map[a:1 b:2] {\"a\":\"1\",\"b\":\"2\"}"},
	{"{{.Labels.a}} {{.Labels.zz}} {{index .Labels \"b\"}}|{{index .Labels \"zz\"}}|", "1 <no value> 2||"},
	{"{{.Ports}}", "map[80/tcp:[{8080}] 99/tcp:[]]"},
	{"{{range $p, $c := .Ports}}{{$p}}{{range $c}}={{.HostPort}}{{end}};{{end}}", "80/tcp=8080;99/tcp;"},
	{"{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"},
	{"{{range $n, $c := .Networks}}{{$n}} {{json $c}} {{$c}}{{end}}", "n {\"z\":\"1\",\"a\":\"2\"} {1 2}"},
	{"{{.Empty}} {{json .Id}} {{.Id}}", "[] \"<1>\" <1>"},
	{"{{.NoSuch}}", "ERR: " AT1 "<.NoSuch>: can't evaluate field NoSuch in type types.ContainerJSON"},
	{"{{.State.NoSuch}}", "ERR: template: :1:8: executing \"\" at <.State.NoSuch>: can't evaluate field NoSuch in type *types.ContainerState"},
	{"{{.Id.NoSuch}}", "ERR: template: :1:5: executing \"\" at <.Id.NoSuch>: can't evaluate field NoSuch in type string"},
	{"{{.Id \"x\"}}", "ERR: " AT1 "<.Id>: Id has arguments but cannot be invoked as function"},
	{"{{.Labels.a \"x\"}}", "ERR: template: :1:9: executing \"\" at <.Labels.a>: a is not a method but has arguments"},
	{"{{range .State}}{{end}}", "ERR: template: :1:8: executing \"\" at <.State>: range can't iterate over {running 7 <nil>}"},
	{"{{.State.Health.Status}}", "ERR: template: :1:8: executing \"\" at <.State.Health.Status>: nil pointer evaluating *struct.Status"},
	{"{{range $i := 3}}{{$i}} {{end}}{{range 0}}{{else}}none{{end}}", "0 1 2 none"},
	{"{{with .State.Health}}x{{else with .State}}{{.Pid}}{{else}}z{{end}}", "7"},
};
/* clang-format on */

static json_t *parse_data(const char *text)
{
	json_t *data = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_parse(text, strlen(text), 1 << 20, "data", &data, &err), 0);
	return data;
}

/* What TEXT prints on DATA, or "ERR: " and the message. Owned. */
static char *run(const char *text, const json_t *data, const struct template_env *env)
{
	cleanup_template struct template *t = NULL;
	struct str out = STR_INIT;
	struct err err = ERR_INIT;

	if (template_parse(text, &t, &err) < 0 || template_execute(t, data, env, &out, &err) < 0) {
		str_truncate(&out, 0);
		str_addf(&out, "ERR: %s", err.msg);
	}
	return str_take(&out);
}

static void structs_maps_and_nils(void **state)
{
	static const struct template_env env = {.shape = &root_shape};
	cleanup_json json_t *data = parse_data(DATA);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *out = run(rows[i].text, data, &env);

		assert_string_equal(out, rows[i].expected);
	}
}

static int call_label(void *data, const json_t *receiver, const char *name, const json_t *args,
		      json_t **ret, struct err *err)
{
	unsigned *n_calls = data;

	(*n_calls)++;
	if (strcmp(name, "Upper") == 0) {
		*ret = json_string("UP");
		return 1;
	}
	if (strcmp(name, "Label") != 0)
		return 0;
	if (json_array_size(args) != 1)
		return err_set(err, ERR_CONFLICT, "label of what");
	*ret = json_sprintf("%s of %s", json_string_value(json_array_get(args, 0)),
			    json_get_string(receiver, "Id", "?"));
	return 1;
}

static void methods(void **state)
{
	/* clang-format off */
	static const struct typed_row calls[] = {
		{"{{.Label \"k\"}}", "k of <1>"},
		{"{{\"k\" | .Label | upper}}", "K OF <1>"},
		{"{{.Label (print 1 2)}}", "1 2 of <1>"},
		{"{{.Upper}} {{.Upper | lower}}", "UP up"},
		{"{{.Label}}", "ERR: template: :1:2: executing \"\" at <.Label>: label of what"},
		{"{{$.Label \"a\"}}{{with .State}}{{$.Label .Status}}{{end}}", "a of <1>running of <1>"},
		{"{{.Id}}", "<1>"},
	};
	/* clang-format on */
	cleanup_json json_t *data = parse_data(DATA);
	unsigned n_calls = 0;
	const struct template_env env = {
		.shape = &root_shape, .call = call_label, .call_data = &n_calls};

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		cleanup_free char *out = run(calls[i].text, data, &env);

		assert_string_equal(out, calls[i].expected);
	}
	assert_true(n_calls >= ARRAY_LEN(calls));
}

static void whole_rows_are_escaped(void **state)
{
	static const struct json_shape row = {SHAPE_STRUCT, "row", NULL, NULL};
	static const struct template_env env = {.shape = &row, .escape_root = true};
	cleanup_json json_t *data = parse_data("{\"b\":\"<none>\",\"a\":\"&\"}");
	cleanup_free char *whole = run("{{json .}}", data, &env);
	cleanup_free char *field = run("{{json .b}} {{.b}}", data, &env);

	assert_string_equal(whole, "{\"a\":\"\\u0026\",\"b\":\"\\u003cnone\\u003e\"}");
	assert_string_equal(field, "\"<none>\" <none>");
}

/* Repeats PART n times between HEAD and TAIL. */
static char *repeated(const char *head, const char *part, size_t n, const char *tail)
{
	struct str s = STR_INIT;

	str_add(&s, head);
	for (size_t i = 0; i < n; i++)
		str_add(&s, part);
	str_add(&s, tail);
	return str_take(&s);
}

static void bounds_end_in_errors(void **state)
{
	cleanup_free char *parens = repeated("{{", "(", 5000, "1");
	cleanup_free char *ifs = repeated("", "{{if 1}}", 5000, "");
	cleanup_free char *elses = repeated("{{if 0}}", "{{else if 0}}", 5000, "{{end}}");
	cleanup_free char *blocks = repeated("", "{{block \"b\" .}}", 5000, "");
	cleanup_free char *large = repeated("", "0123456789abcdef", (1 << 16) + 1, "");
	cleanup_free char *loops = repeated("", "{{range 1000}}", 8,
					    "x{{end}}{{end}}{{end}}{{end}}"
					    "{{end}}{{end}}{{end}}{{end}}");
	const struct typed_row bad[] = {
		{parens, "nested too deeply"},
		{ifs, "nested too deeply"},
		{elses, "nested too deeply"},
		{blocks, "nested too deeply"},
		{large, "larger than"},
		{loops, "too many steps"},
		{"{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}",
		 "exceeded maximum template depth"},
		{"{{define \"r\"}}{{if 1}}{{with 1}}{{template \"r\"}}{{end}}{{end}}{{end}}"
		 "{{template \"r\"}}",
		 "exceeded maximum template depth"},
		{"{{$x := \"0123456789\"}}{{range 60}}{{$x = print $x $x}}{{end}}", "too large"},
		{"{{range 100}}{{printf \"%1000000d\" 1}}{{end}}", "output larger"},
		{"{{pad \"x\" 99999999 0}}", "too large"},
		{"{{$x := printf \"%1000000d\" 1}}{{$x = print $x $x}}{{len (split $x \"\")}}",
		 "more than 1000000 parts"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup_free char *out = run(bad[i].text, NULL, NULL);

		if (!str_has_prefix(out, "ERR: ") || !strstr(out, bad[i].expected))
			fail_msg("row %zu: %.200s", i, out);
	}
}

static void assigned_while_in_use(void **state)
{
	static const char text[] =
		"{{$x := print \"a\" .n}}{{with $x}}{{$x = print \"b\"}}"
		"{{range split . \"1\"}}{{$x = .}}[{{.}}]{{end}}{{.}}{{$x}}{{end}}";
	cleanup_json json_t *data = parse_data("{\"n\":1}");
	cleanup_free char *out = run(text, data, NULL);

	assert_string_equal(out, "[a][]a1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structs_maps_and_nils),  cmocka_unit_test(methods),
		cmocka_unit_test(whole_rows_are_escaped), cmocka_unit_test(bounds_end_in_errors),
		cmocka_unit_test(assigned_while_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
