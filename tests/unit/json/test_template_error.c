/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates that do not parse or fail while they run: Go's words. The last table runs with
 * missing keys as errors, as docker inspect's second attempt does.
 */
#include "../unit.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/template.h"
#include "json/value.h"

#include "template_data.h"

/* clang-format off */
static const struct template_row rows[] = {
	{"{{range .a}}x{{end}}", "template: :1:8: executing \"\" at <.a>: range can't iterate over x"},
	{"{{range .f}}x{{end}}", "template: :1:8: executing \"\" at <.f>: range can't iterate over 2.5"},
	{"{{define \"T\"}}{{$x}}{{end}}", "template: :1: undefined variable \"$x\""},
	{"{{template \"nope\"}}", "template: :1:11: executing \"\" at <{{template \"nope\"}}>: template \"nope\" not defined"},
	{"{{define \"T\"}}a{{end}}{{define \"T\"}}b{{end}}{{template \"T\"}}", "template: :1: template: multiple definition of template \"T\""},
	{"{{and}}", "template: :1:2: executing \"\" at <and>: wrong number of args for and: want at least 1 got 0"},
	{"{{eq .n \"5\"}}", "template: :1:2: executing \"\" at <eq .n \"5\">: error calling eq: incompatible types for comparison"},
	{"{{eq .n 5.0}}", "template: :1:2: executing \"\" at <eq .n 5.0>: error calling eq: incompatible types for comparison"},
	{"{{eq .s .s}}", "template: :1:2: executing \"\" at <eq .s .s>: error calling eq: non-comparable type [p q r]: []interface {}"},
	{"{{eq 1}}", "template: :1:2: executing \"\" at <eq 1>: error calling eq: missing argument for comparison"},
	{"{{lt true false}}", "template: :1:2: executing \"\" at <lt true false>: error calling lt: invalid type for comparison"},
	{"{{lt .nil 1}}", "template: :1:2: executing \"\" at <lt .nil 1>: error calling lt: invalid type for comparison"},
	{"{{lt 1 \"a\"}}", "template: :1:2: executing \"\" at <lt 1 \"a\">: error calling lt: incompatible types for comparison"},
	{"{{index .s 3}}", "template: :1:2: executing \"\" at <index .s 3>: error calling index: reflect: slice index out of range"},
	{"{{index .s 4}}", "template: :1:2: executing \"\" at <index .s 4>: error calling index: index out of range: 4"},
	{"{{index .s -1}}", "template: :1:2: executing \"\" at <index .s -1>: error calling index: index out of range: -1"},
	{"{{index .s \"x\"}}", "template: :1:2: executing \"\" at <index .s \"x\">: error calling index: cannot index slice/array with type string"},
	{"{{index .o 1}}", "template: :1:2: executing \"\" at <index .o 1>: error calling index: value has type int; should be string"},
	{"{{index .n 1}}", "template: :1:2: executing \"\" at <index .n 1>: error calling index: can't index item of type int"},
	{"{{index nil 1}}", "template: :1:2: executing \"\" at <index nil 1>: error calling index: index of untyped nil"},
	{"{{slice .s 2 1}}", "template: :1:2: executing \"\" at <slice .s 2 1>: error calling slice: invalid slice index: 2 > 1"},
	{"{{slice .s 9}}", "template: :1:2: executing \"\" at <slice .s 9>: error calling slice: index out of range: 9"},
	{"{{slice \"abc\" 1 2 3}}", "template: :1:2: executing \"\" at <slice \"abc\" 1 2 3>: error calling slice: cannot 3-index slice a string"},
	{"{{slice .n}}", "template: :1:2: executing \"\" at <slice .n>: error calling slice: can't slice item of type int"},
	{"{{slice .s 1 2 3 4}}", "template: :1:2: executing \"\" at <slice .s 1 2 3 4>: error calling slice: too many slice indexes: 4"},
	{"{{len .n}}", "template: :1:2: executing \"\" at <len .n>: error calling len: len of type int"},
	{"{{len 3}}", "template: :1:2: executing \"\" at <len 3>: error calling len: len of type int"},
	{"{{printf .n}}", "template: :1:9: executing \"\" at <.n>: wrong type for value; expected string; got int"},
	{"{{printf 1}}", "template: :1:9: executing \"\" at <1>: expected string; found 1"},
	{"{{printf}}", "template: :1:2: executing \"\" at <printf>: wrong number of args for printf: want at least 1 got 0"},
	{"{{upper .n}}", "template: :1:8: executing \"\" at <.n>: wrong type for value; expected string; got int"},
	{"{{upper 5}}", "template: :1:8: executing \"\" at <5>: expected string; found 5"},
	{"{{upper nil}}", "template: :1:8: executing \"\" at <nil>: cannot assign nil to string"},
	{"{{upper .missing}}", "template: :1:8: executing \"\" at <.missing>: invalid value; expected string"},
	{"{{upper}}", "template: :1:2: executing \"\" at <upper>: wrong number of args for upper: want 1 got 0"},
	{"{{upper \"a\" \"b\"}}", "template: :1:2: executing \"\" at <upper>: wrong number of args for upper: want 1 got 2"},
	{"{{truncate \"a\" \"b\"}}", "template: :1:15: executing \"\" at <\"b\">: expected integer; found \"b\""},
	{"{{truncate \"a\" 1.5}}", "template: :1:15: executing \"\" at <1.5>: expected integer; found 1.5"},
	{"{{truncate .a .f}}", "template: :1:14: executing \"\" at <.f>: wrong type for value; expected int; got float64"},
	{"{{split .a}}", "template: :1:2: executing \"\" at <split>: wrong number of args for split: want 2 got 1"},
	{"{{.a.b}}", "template: :1:4: executing \"\" at <.a.b>: can't evaluate field b in type interface {}"},
	{"{{.n.b}}", "template: :1:4: executing \"\" at <.n.b>: can't evaluate field b in type interface {}"},
	{"{{.s.b}}", "template: :1:4: executing \"\" at <.s.b>: can't evaluate field b in type interface {}"},
	{"{{.nil.b}}", "template: :1:6: executing \"\" at <.nil.b>: nil pointer evaluating interface {}.b"},
	{"{{.o.k.z}}", "template: :1:4: executing \"\" at <.o.k.z>: can't evaluate field z in type interface {}"},
	{"{{.a \"x\"}}", "template: :1:2: executing \"\" at <.a>: a is not a method but has arguments"},
	{"{{.missing \"x\"}}", "template: :1:2: executing \"\" at <.missing>: missing is not a method but has arguments"},
	{"{{.a | .n}}", "template: :1:7: executing \"\" at <.n>: n is not a method but has arguments"},
	{"{{1 | .n}}", "template: :1:6: executing \"\" at <.n>: n is not a method but has arguments"},
	{"{{1 | 2}}", "template: :1: non executable command in pipeline stage 2"},
	{"{{1 2}}", "template: :1:2: executing \"\" at <1>: can't give argument to non-function 1"},
	{"{{\"a\" \"b\"}}", "template: :1:2: executing \"\" at <\"a\">: can't give argument to non-function \"a\""},
	{"{{nil}}", "template: :1:2: executing \"\" at <nil>: nil is not a command"},
	{"{{nil.x}}", "template: :1: unexpected . after term \"nil\""},
	{"{{\"a\".b}}", "template: :1: unexpected . after term \"\\\"a\\\"\""},
	{"{{.o.k.}}", "template: :1: unexpected <.> in operand"},
	{"{{..a}}", "template: :1: unexpected . after term \".\""},
	{"{{. .}}", "template: :1:2: executing \"\" at <.>: can't give argument to non-function ."},
	{"{{$x}}", "template: :1: undefined variable \"$x\""},
	{"{{$x = 1}}", "template: :1:7: executing \"\" at <1>: undefined variable: $x"},
	{"{{$x := }}", "template: :1: missing value for command"},
	{"{{$x, $y := .s}}", "template: :1: too many declarations in command"},
	{"{{range $x, $y, $z := .s}}{{end}}", "template: :1: too many declarations in range"},
	{"{{range $x, 1 := .s}}{{end}}", "template: :1: range can only initialize variables"},
	{"{{foo}}", "template: :1: function \"foo\" not defined"},
	{"{{foo .a}}", "template: :1: function \"foo\" not defined"},
	{"{{", "template: :1: unclosed action"},
	{"{{.a", "template: :1: unclosed action"},
	{"{{.a}", "template: :1: bad character U+007D '}'"},
	{"{{}}", "template: :1: missing value for command"},
	{"{{ }}", "template: :1: missing value for command"},
	{"{{- }}", "template: :1: missing value for command"},
	{"{{if}}x{{end}}", "template: :1: missing value for if"},
	{"{{if .a}}x", "template: :1: unexpected EOF"},
	{"{{range .s}}x", "template: :1: unexpected EOF"},
	{"{{end}}", "template: :1: unexpected {{end}}"},
	{"{{else}}", "template: :1: unexpected {{else}}"},
	{"{{if .a}}{{else}}{{else}}{{end}}", "template: :1: expected end; found {{else}}"},
	{"{{if .a}}{{else .b}}{{end}}", "template: :1: unexpected \".b\" in else"},
	{"{{end .a}}", "template: :1: unexpected \".a\" in end"},
	{"{{break}}", "template: :1: {{break}} outside {{range}}"},
	{"{{continue}}", "template: :1: {{continue}} outside {{range}}"},
	{"{{range .s}}{{break .}}{{end}}", "template: :1: unexpected <.> in {{break}}"},
	{"{{with}}x{{end}}", "template: :1: missing value for with"},
	{"{{define}}x{{end}}", "template: :1: unexpected \"}}\" in define clause"},
	{"{{define \"x\"}}", "template: :1: unexpected EOF"},
	{"{{define \"x\" .}}{{end}}", "template: :1: unexpected <.> in define clause"},
	{"{{define x}}{{end}}", "template: :1: unexpected \"x\" in define clause"},
	{"{{template}}", "template: :1: unexpected \"}}\" in template clause"},
	{"{{template foo}}", "template: :1: unexpected \"foo\" in template clause"},
	{"{{template \"x\" 1 2}}", "template: :1:11: executing \"\" at <{{template \"x\" 1 2}}>: template \"x\" not defined"},
	{"{{block \"x\"}}{{end}}", "template: :1: missing value for block clause"},
	{"{{if .a}}{{define \"x\"}}{{end}}{{end}}", "template: :1: unexpected <define> in command"},
	{"{{(.a}}", "template: :1: unclosed left paren"},
	{"{{.a)}}", "template: :1: unexpected right paren"},
	{"{{(}}", "template: :1: unclosed left paren"},
	{"{{()}}", "template: :1: missing value for parenthesized pipeline"},
	{"{{\"abc}}", "template: :1: unterminated quoted string"},
	{"{{`abc}}", "template: :1: unterminated raw quoted string"},
	{"{{'a}}", "template: :1: unterminated character constant"},
	{"{{'ab'}}", "template: :1: malformed character constant: 'ab'"},
	{"{{\"\\z\"}}", "template: :1: invalid syntax"},
	{"{{12a}}", "template: :1: bad number syntax: \"12a\""},
	{"{{1__0x}}", "template: :1: bad number syntax: \"1__0x\""},
	{"{{0xZ}}", "template: :1: bad number syntax: \"0xZ\""},
	{"{{99999999999999999999}}", "template: :1: integer overflow: \"99999999999999999999\""},
	{"{{1e999}}", "template: :1: illegal number syntax: \"1e999\""},
	{"{{09}}", "template: :1: integer overflow: \"09\""},
	{"{{@}}", "template: :1: unexpected \"@\" in command"},
	{"{{.a @}}", "template: :1: unexpected \"@\" in operand"},
	{"{{.a!}}", "template: :1: bad character U+0021 '!'"},
	{"{{|.a}}", "template: :1: unexpected \"|\" in command"},
	{"{{.a||.n}}", "template: :1: unexpected \"|\" in command"},
	{"{{a:b}}", "template: :1: function \"a\" not defined"},
	{"{{$x : 1}}", "template: :1: undefined variable \"$x\""},
	{"{{=}}", "template: :1: unexpected \"=\" in command"},
	{"{{é}}", "template: :1: function \"é\" not defined"},
	{"{{/* x}}", "template: :1: unclosed comment"},
	{"{{/* x */ y}}", "template: :1: comment ends before closing delimiter"},
	{"{{.a /* c */}}", "template: :1: unexpected \"/\" in operand"},
	{"{{,}}", "template: :1: unexpected \",\" in command"},
	{"{{.a , .b}}", "template: :1: unexpected \",\" in operand"},
	{"{{and .a}} {{or}}", "template: :1:13: executing \"\" at <or>: wrong number of args for or: want at least 1 got 0"},
	{"{{call .a}}", "template: :1:2: executing \"\" at <call .a>: error calling call: non-function .a of type string"},
	{"{{call nil}}", "template: :1:2: executing \"\" at <call nil>: error calling call: call of nil"},
	{"{{len nil}}", "template: :1:2: executing \"\" at <len nil>: error calling len: reflect: call of reflect.Value.Type on zero Value"},
	{"{{not}}", "template: :1:2: executing \"\" at <not>: wrong number of args for not: want 1 got 0"},
	{"{{if 1 2}}x{{end}}", "template: :1:5: executing \"\" at <1>: can't give argument to non-function 1"},
	{"{{range .s}}{{.x}}{{end}}", "template: :1:14: executing \"\" at <.x>: can't evaluate field x in type interface {}"},
	{"{{.Averyveryverylong}}{{.a.veryveryverylongfieldname.again}}", "template: :1:26: executing \"\" at <.a.veryveryverylongfieldname.again>: can't evaluate field veryveryverylongfieldname in type interface {}"},
	{"{{break 1}}", "template: :1: unexpected \"1\" in {{break}}"},
	{"{{block \"b\" .}}{{else}}{{end}}", "template: :1: unexpected {{else}} in block clause"},
	{"{{define \"a\"}}{{template \"b\" .}}{{end}}{{define \"b\"}}{{.a.b}}{{end}}{{template \"a\" .}}", "template: :1:57: executing \"b\" at <.a.b>: can't evaluate field b in type interface {}"},
	{"{{if .a}}", "template: :1: unexpected EOF"},
	{"{{with .o}}", "template: :1: unexpected EOF"},
	{"{{range .s}}{{with .}}{{.}}{{end}}{{end}}{{end}}{{end}}", "template: :1: unexpected {{end}}"},
	{"{{\"x\"}}{{\"\\\"\"}}{{\"\\'\"}}", "template: :1: invalid syntax"},
	{"{{true.x}} {{1.x}}", "template: :1: unexpected . after term \"true\""},
	{"{{/**/}}{{- /* a", "template: :1: unclosed comment"},
	{"b */ -}}  x {{.a.b}}", "template: :1:16: executing \"\" at <.a.b>: can't evaluate field b in type interface {}"},
	{"{{ne 1 2}} {{ne .s .o}}", "template: :1:13: executing \"\" at <ne .s .o>: error calling ne: non-comparable types [p q r]: []interface {}, map[string]interface {}: map[b:c k:v n:1]"},
	{"{{if $x := .a}}{{$x}}{{end}}{{$x}}", "template: :1: undefined variable \"$x\""},
	{"{{if eq 1 1}}{{$z := 3}}{{end}}{{$z}}", "template: :1: undefined variable \"$z\""},
	{"a\nb {{.a.b}}", "template: :2:6: executing \"\" at <.a.b>: can't evaluate field b in type interface {}"},
	{"x\n\n{{if}}", "template: :3: missing value for if"},
	{"{{if .a}}\n\n{{foo}}{{end}}", "template: :3: function \"foo\" not defined"},
	{"{{.a\n", "template: :2: unclosed action started at :1"},
	{"{{\"a\nb\"}}", "template: :1: unterminated quoted string"},
	{"{{/* a\nb */ -}}\n  x{{.a.b}}", "template: :3:7: executing \"\" at <.a.b>: can't evaluate field b in type interface {}"},
	{"{{ (.a | \n x) }}", "template: :2: function \"x\" not defined"},
	{"{{.a}}\n{{\n\n", "template: :4: unclosed action started at :2"},
	{"{{if .a}}\nx{{else}}\ny\n{{.x.y.z.z}}{{end}}{{upper 1}}", "template: :4:27: executing \"\" at <1>: expected string; found 1"},
};
/* clang-format on */

/* clang-format off */
static const struct template_row strict_rows[] = {
	{"{{.missing}}", "template: :1:2: executing \"\" at <.missing>: map has no entry for key \"missing\""},
	{"{{.o.zz}}", "template: :1:4: executing \"\" at <.o.zz>: map has no entry for key \"zz\""},
	{"{{.missing.deeper}}", "template: :1:10: executing \"\" at <.missing.deeper>: map has no entry for key \"missing\""},
	{"{{with .nope}}{{end}}", "template: :1:7: executing \"\" at <.nope>: map has no entry for key \"nope\""},
	{"{{.a.b}}", "template: :1:4: executing \"\" at <.a.b>: can't evaluate field b in type interface {}"},
	{"{{(index .m 0).q}}", "template: :1:12: executing \"\" at <0>: map has no entry for key \"q\""},
};
/* clang-format on */

static void run_table(const struct template_row *table, size_t n, const struct template_env *env)
{
	cleanup_json json_t *data = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(
		json_parse(TEMPLATE_DATA, strlen(TEMPLATE_DATA), 4096, "data", &data, &err), 0);
	for (size_t i = 0; i < n; i++) {
		cleanup_template struct template *t = NULL;
		cleanup_str struct str out = STR_INIT;
		int rc = template_parse(table[i].text, &t, &err);

		if (rc == 0)
			rc = template_execute(t, data, env, &out, &err);
		if (rc >= 0)
			fail_msg("%s: no error but %s", table[i].text, str_get(&out));
		assert_int_equal(rc, -ERR_INVALID);
		if (strcmp(err.msg, table[i].expected) != 0)
			fail_msg("%s\n got: %s\nwant: %s", table[i].text, err.msg,
				 table[i].expected);
	}
}

static void fails_in_words_of_go(void **state)
{
	run_table(rows, ARRAY_LEN(rows), NULL);
}

static void missing_keys_fail_when_asked(void **state)
{
	static const struct template_env env = {.missing_key_error = true};

	run_table(strict_rows, ARRAY_LEN(strict_rows), &env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fails_in_words_of_go),
		cmocka_unit_test(missing_keys_fail_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
