/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates that run: what they print. The expected text of each row is what Go's text/template and
 * fmt print for the same template, data and functions.
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
	{"plain text", "plain text"},
	{"{{.a}}", "x"},
	{"{{ .a }}", "x"},
	{"{{.n}} {{.z}} {{.f}} {{.t}} {{.no}} {{.neg}} {{.big}}", "5 0 2.5 true false -7 123456789"},
	{"{{.nil}}", "<no value>"},
	{"{{.missing}}", "<no value>"},
	{"{{.missing.deeper}}", "<no value>"},
	{"{{.s}}", "[p q r]"},
	{"{{.e}}", "[]"},
	{"{{.o}}", "map[b:c k:v n:1]"},
	{"{{.em}}", "map[]"},
	{"{{.m}}", "[map[n:one v:1] map[n:two v:2]]"},
	{"{{.deep.a.b.c}}", "deepv"},
	{"{{.deep.a}}", "map[b:map[c:deepv]]"},
	{"{{$.a}}", "x"},
	{"{{.}}", "map[a:x big:123456789 deep:map[a:map[b:map[c:deepv]]] e:[] em:map[] f:2.5 html:<a href=\"x\">&'</a> m:[map[n:one v:1] map[n:two v:2]] n:5 neg:-7 nil:<nil> no:false o:map[b:c k:v n:1] s:[p q r] sp:a b/c?d=e&f t:true u:héllo wörld w:日本 z:0]"},
	{"{{$x := .a}}{{$x}}", "x"},
	{"{{$x := 1}}{{$x = 2}}{{$x}}", "2"},
	{"{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"},
	{"{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"},
	{"{{$o := .o}}{{$o.k}}", "v"},
	{"a {{- .a -}} b", "axb"},
	{"a {{.a -}}   b", "a xb"},
	{"  a   {{- .a}} b", "  ax b"},
	{"{{/* comment */}}x", "x"},
	{"a {{- /* comment */ -}} b", "ab"},
	{"{{\"str\\n\\t\\\"q\\\"\\x41\\u00e9\"}}", "str\n\t\"q\"Aé"},
	{"{{`raw\\n\"x\"`}}", "raw\\n\"x\""},
	{"{{'a'}} {{'\\n'}} {{'é'}}", "97 10 233"},
	{"{{12}} {{0x1F}} {{0o17}} {{017}} {{0b101}} {{1_000}} {{-3}} {{+3}}", "12 31 15 15 5 1000 -3 3"},
	{"{{1.5}} {{1e3}} {{1e6}} {{.5}} {{1.0}} {{0x1p4}} {{1e-5}} {{123456.0}} {{1e21}}", "1.5 1000 1e+06 0.5 1 16 1e-05 123456 1e+21"},
	{"{{true}} {{false}}", "true false"},
	{"{{if .a}}yes{{else}}no{{end}}", "yes"},
	{"{{if .z}}yes{{else}}no{{end}}", "no"},
	{"{{if .e}}yes{{else if .n}}n{{else}}no{{end}}", "n"},
	{"{{if .e}}yes{{else if .z}}n{{else}}no{{end}}", "no"},
	{"{{if .nil}}y{{else}}n{{end}}{{if .missing}}y{{else}}n{{end}}{{if .em}}y{{else}}n{{end}}{{if .o}}y{{else}}n{{end}}{{if .f}}y{{end}}{{if \"\"}}y{{else}}n{{end}}", "nnnyyn"},
	{"{{with .o}}{{.k}}{{$.a}}{{end}}", "vx"},
	{"{{with .missing}}x{{else}}none{{end}}", "none"},
	{"{{with $x := .a}}{{$x}}{{.}}{{end}}", "xx"},
	{"{{range .s}}[{{.}}]{{end}}", "[p][q][r]"},
	{"{{range .e}}x{{else}}empty{{end}}", "empty"},
	{"{{range $i, $e := .s}}{{$i}}={{$e}};{{end}}", "0=p;1=q;2=r;"},
	{"{{range $e := .s}}{{$e}}{{end}}", "pqr"},
	{"{{range $k, $v := .o}}{{$k}}={{$v}};{{end}}", "b=c;k=v;n=1;"},
	{"{{range .o}}{{.}},{{end}}", "c,v,1,"},
	{"{{range .m}}{{.n}}:{{.v}} {{end}}", "one:1 two:2 "},
	{"{{range .s}}{{if eq . \"q\"}}{{continue}}{{end}}{{.}}{{end}}", "pr"},
	{"{{range .s}}{{if eq . \"q\"}}{{break}}{{end}}{{.}}{{end}}", "p"},
	{"{{range $i, $x := .s}}{{range $j, $y := $.s}}{{if eq $j $i}}{{break}}{{end}}{{$x}}{{$y}} {{end}}{{end}}", "qp rp rq "},
	{"{{range .nil}}x{{else}}nil{{end}}", "nil"},
	{"{{range .missing}}x{{else}}missing{{end}}", "missing"},
	{"{{range .n}}x{{end}}", "xxxxx"},
	{"{{define \"T\"}}<{{.}}>{{end}}{{template \"T\" .a}}{{template \"T\"}}", "<x><<no value>>"},
	{"{{define \"T\"}}{{range .}}{{template \"U\" .}}{{end}}{{end}}{{define \"U\"}}({{.}}){{end}}{{template \"T\" .s}}", "(p)(q)(r)"},
	{"{{block \"B\" .o}}{{.k}}{{end}}", "v"},
	{"{{define \"T\"}}{{$.k}}{{end}}{{template \"T\" .o}}", "v"},
	{"{{define \"R\"}}{{if gt . 0}}{{.}} {{template \"R\" 0}}{{end}}{{end}}{{template \"R\" 3}}", "3 "},
	{"{{define \"T\"}} {{end}}{{define \"T\"}}b{{end}}{{template \"T\"}}", "b"},
	{"{{and 1 2}} {{and 0 2}} {{or 0 3}} {{or 1 2}} {{not 0}} {{not .a}} {{and .a .s .n}} {{or .nil .missing \"d\"}}", "2 0 3 1 true false 5 d"},
	{"{{or false (eq 1 1)}}", "true"},
	{"{{and false (index .s 99)}}", "false"},
	{"{{.n | eq 5}} {{.n | eq 6}}", "true false"},
	{"{{eq .a \"x\"}} {{eq .n 5}} {{eq .f 2.5}} {{eq .t true}} {{eq 1 2 3 1}} {{ne .a \"y\"}}", "true true true true true true"},
	{"{{eq .nil nil}} {{eq .missing nil}} {{eq .a nil}}", "true true false"},
	{"{{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 2}} {{lt \"a\" \"b\"}} {{gt 2.5 1.5}} {{ge 1 2}} {{le 3 2}}", "true true false true true true false false"},
	{"{{index .s 0}} {{index .s 2}} {{index .o \"k\"}} {{index .m 1 \"n\"}} {{index .m 1 \"v\"}} {{index .a 0}}", "p r v two 2 120"},
	{"{{index .o \"zz\"}}", "<no value>"},
	{"{{index .s}}", "[p q r]"},
	{"{{index .deep \"a\" \"b\" \"c\"}}", "deepv"},
	{"{{(index .m 0).n}}", "one"},
	{"{{(index .m 0).n | upper}}", "ONE"},
	{"{{slice .a}} {{slice .s 1}} {{slice .s 0 2}} {{slice \"hello\" 1 3}} {{slice .s 0 1 2}}", "x [q r] [p q] el [p]"},
	{"{{len .s}} {{len .a}} {{len .o}} {{len .e}} {{len .u}}", "3 1 3 0 13"},
	{"{{print .a .n .n .a}} {{print 1 2 \"x\" 3 4}} {{print}} {{print nil}} {{print .missing}} {{print .nil}}", "x5 5x 1 2x3 4  <nil> <nil> <nil>"},
	{"{{println .a .n}}{{println}}x", "x 5\n\nx"},
	{"{{printf \"%s|%v|%d|%q|%t\" .a .n .n .a .t}}", "x|5|5|\"x\"|true"},
	{"{{printf \"%5s|%-5s|%05d|%+d|%x|%X|%o|%b|%c|%U\" .a .a .n .n .big .big 8 5 65 66}}", "    x|x    |00005|+5|75bcd15|75BCD15|10|101|A|U+0042"},
	{"{{printf \"%5d|%-5d|% d|%#x|%#o|%.3d|%8.3d|%-8.3d|\" .n .n .n 255 8 5 5 5}}", "    5|5    | 5|0xff|010|005|     005|005     |"},
	{"{{printf \"%05d|%+05d|%x|%#b|%O\" -7 7 -255 5 8}}", "-0007|+0007|-ff|0b101|0o10"},
	{"{{printf \"%f|%.2f|%8.3f|%-8.2f|%e|%g|%08.3f|%+.1f|%E|%G\" .f .f .f .f .f .f -2.5 .f .f 1e20}}", "2.500000|2.50|   2.500|2.50    |2.500000e+00|2.5|-002.500|+2.5|2.500000E+00|1E+20"},
	{"{{printf \"%v|%v|%v\" 1e6 100000.0 1.25}}", "1e+06|100000|1.25"},
	{"{{printf \"%.3g|%.1e|%g|%6.2f%%\" 1234.5678 1234.5 0.00001 99.5}}", "1.23e+03|1.2e+03|1e-05| 99.50%"},
	{"{{printf \"%s\" .s}} {{printf \"%v\" .o}} {{printf \"%q\" .s}} {{printf \"%d\" .s}} {{printf \"%s\" .o}}", "[p q r] map[b:c k:v n:1] [\"p\" \"q\" \"r\"] [%!d(string=p) %!d(string=q) %!d(string=r)] map[b:c k:v n:%!s(int=1)]"},
	{"{{printf \"%d\" .a}} {{printf \"%s\" .n}} {{printf \"%d\"}} {{printf \"x\" 1}} {{printf \"x\" 1 \"y\" nil}} {{printf \"%!\" 1}} {{printf \"%\"}} {{printf \"%z\" 1}} {{printf \"%t\" 1}}", "%!d(string=x) %!s(int=5) %!d(MISSING) x%!(EXTRA int=1) x%!(EXTRA int=1, string=y, <nil>) %!!(int=1) %!(NOVERB) %!z(int=1) %!t(int=1)"},
	{"{{printf \"%x|%X|% x|%#x|%.2x|% #x\" \"hello\" \"hi\" \"hey\" \"hi\" \"hello\" \"ab\"}}", "68656c6c6f|6869|68 65 79|0x6869|6865|0x61 0x62"},
	{"{{printf \"%.2s|%.2v|%5.1s|%-5.1s|%05s\" \"héllo\" \"héllo\" \"héllo\" \"héllo\" \"ab\"}}", "hé|hé|    h|h    |000ab"},
	{"{{printf \"%q %q %#q %q\" \"a\\\"b\" 'x' \"raw\" '\\''}}", "\"a\\\"b\" 'x' `raw` '\\''"},
	{"{{printf \"%*d|%-*d|%.*f\" 5 42 5 42 1 2.55}}", "   42|42   |2.5"},
	{"{{printf \"%v %v %v %s\" nil .nil .missing nil}}", "<nil> <nil> <nil> %!s(<nil>)"},
	{"{{printf \"%T %T %T %T %T %T %T\" .a .n .f .t .s .o nil}}", "string int float64 bool []interface {} map[string]interface {} <nil>"},
	{"{{printf \"%6v|%-6v|%06v\" .t .a .n}}", "  true|x     |000005"},
	{"{{printf \"%3v\" .s}}", "[  p   q   r]"},
	{"{{printf \"%v\" .m}}", "[map[n:one v:1] map[n:two v:2]]"},
	{"{{printf \"%+v %#U %c\" .m 233 0x65e5}}", "[map[n:one v:1] map[n:two v:2]] U+00E9 'é' 日"},
	{"{{.a | printf \"%s-%s\" \"y\"}}", "y-x"},
	{"{{html .html}} {{.html | html}} {{js .html}} {{urlquery .sp}} {{urlquery .u}} {{html nil}} {{html .n .n}} {{js \"a\\nb=é\\u2028\"}}", "&lt;a href=&#34;x&#34;&gt;&amp;&#39;&lt;/a&gt; &lt;a href=&#34;x&#34;&gt;&amp;&#39;&lt;/a&gt; \\u003Ca href\\u003D\\\"x\\\"\\u003E\\u0026\\'\\u003C/a\\u003E a+b%2Fc%3Fd%3De%26f h%C3%A9llo+w%C3%B6rld &lt;no value&gt; 5 5 a\\u000Ab\\u003Dé\\u2028"},
	{"{{json .}}", "{\"a\":\"x\",\"big\":123456789,\"deep\":{\"a\":{\"b\":{\"c\":\"deepv\"}}},\"e\":[],\"em\":{},\"f\":2.5,\"html\":\"<a href=\\\"x\\\">&'</a>\",\"m\":[{\"n\":\"one\",\"v\":1},{\"n\":\"two\",\"v\":2}],\"n\":5,\"neg\":-7,\"nil\":null,\"no\":false,\"o\":{\"b\":\"c\",\"k\":\"v\",\"n\":1},\"s\":[\"p\",\"q\",\"r\"],\"sp\":\"a b/c?d=e&f\",\"t\":true,\"u\":\"héllo wörld\",\"w\":\"日本\",\"z\":0}"},
	{"{{json .s}} {{json .o}} {{json .nil}} {{json .missing}} {{json .html}} {{json .f}} {{json .u}} {{json \"\\u2028\"}} {{json 1e21}} {{json 1e-7}} {{json nil}} {{json \"a\\tb\\x01\"}}", "[\"p\",\"q\",\"r\"] {\"b\":\"c\",\"k\":\"v\",\"n\":1} null null \"<a href=\\\"x\\\">&'</a>\" 2.5 \"héllo wörld\" \"\\u2028\" 1e+21 1e-7 null \"a\\tb\\u0001\""},
	{"{{.s | json}}", "[\"p\",\"q\",\"r\"]"},
	{"{{split \"a,b,c\" \",\"}} {{json (split \"a,b\" \",\")}} {{split \"\" \",\"}} {{split \"héy\" \"\"}} {{len (split \"a\" \",\")}} {{range split \"a b\" \" \"}}<{{.}}>{{end}}", "[a b c] [\"a\",\"b\"] [] [h é y] 1 <a><b>"},
	{"{{join (split \"a.b.c\" \".\") \"/\"}}", "a/b/c"},
	{"{{title \"hello wörld foo-bar it's a_b\"}} {{lower \"ÀBC Ж\"}} {{upper .u}} {{upper \"straße ÿ\"}}", "Hello Wörld Foo-Bar It'S A_b àbc ж HÉLLO WÖRLD STRAßE Ÿ"},
	{"{{pad \"x\" 2 3}}| {{pad \"\" 2 3}}| {{pad .a 1 0}}|", "  x   | |  x|"},
	{"{{truncate \"hello\" 3}} {{truncate \"hi\" 5}} {{truncate \"hello\" 5}} {{truncate \"x\" 0}}", "hel hi hello "},
	{"{{truncate \"abc\" 2.0}}", "ab"},
	{"{{\"x\" | upper | lower | printf \"%s!\"}}", "x!"},
	{"{{(\"x\")}} {{(1)}} {{(.a)}} {{((.n))}}", "x 1 x 5"},
	{"{{$}}", "map[a:x big:123456789 deep:map[a:map[b:map[c:deepv]]] e:[] em:map[] f:2.5 html:<a href=\"x\">&'</a> m:[map[n:one v:1] map[n:two v:2]] n:5 neg:-7 nil:<nil> no:false o:map[b:c k:v n:1] s:[p q r] sp:a b/c?d=e&f t:true u:héllo wörld w:日本 z:0]"},
	{"{{.a}}}", "x}"},
	{"}}", "}}"},
	{"{{9223372036854775807}} {{-9223372036854775808}}", "9223372036854775807 -9223372036854775808"},
	{"{{.a|}}", "x"},
	{"{{.a | }}", "x"},
	{"{{.é}}", "<no value>"},
	{"{{eq .a \"x\" | not}}", "false"},
	{"{{if and (eq .n 5) (or (eq .a \"y\") (gt .n 4))}}ok{{end}}", "ok"},
	{"{{$a := .s}}{{range $a}}{{$a = .}}{{.}}{{end}}{{$a}}", "pqrr"},
	{"{{$r := \"\"}}{{range .s}}{{$r = printf \"%s%s\" $r .}}{{end}}{{$r}}", "pqr"},
	{"{{with .o}}{{with .k}}{{.}}{{end}}{{end}}", "v"},
	{"{{- range .s -}} {{.}} {{- end -}} z", "pqrz"},
	{"{{range .s}}{{else}}{{end}}|", "|"},
	{"{{ .a|printf \"%q\" }}", "\"x\""},
	{"{{.w}}{{printf \"%5s|%-4s|\" .w .w}}", "日本   日本|日本  |"},
	{"{{printf \"%d %d\" 1}} {{printf \"%[1]d\" 1}}", "1 %!d(MISSING) 1"},
	{"{{0}}{{-0}}{{0.0}}{{'\\x41'}}{{'\\''}}", "0006539"},
	{"{{.n | printf \"%d %d\" 4 }} {{print \"a\" 1 2 \"b\"}} {{print 1.5 true}}", "4 5 a1 2b 1.5 true"},
	{"{{index .o \"n\" | printf \"%03d\"}}", "001"},
	{"{{$}}{{$.o.k}}{{$x := $}}{{$x.a}}", "map[a:x big:123456789 deep:map[a:map[b:map[c:deepv]]] e:[] em:map[] f:2.5 html:<a href=\"x\">&'</a> m:[map[n:one v:1] map[n:two v:2]] n:5 neg:-7 nil:<nil> no:false o:map[b:c k:v n:1] s:[p q r] sp:a b/c?d=e&f t:true u:héllo wörld w:日本 z:0]vx"},
	{"line1", "line1"},
	{"{{slice .u 0 2 | printf \"%q\"}}", "\"h\\xc3\""},
	{"{{printf \"%v %s\" true false}}{{printf \"%c%c\" 'a' \"b\"}}", "true %!s(bool=false)a%!c(string=b)"},
	{"{{js .nil}}{{urlquery .missing \"a b\"}}", "\\u003Cno value\\u003E%3Cno+value%3Ea+b"},
	{"{{println \"a\" \"b\" 1}}{{println nil}}", "a b 1\n<nil>\n"},
	{"{{ $x:=1 }}{{ $y := 2 }}{{$x}}{{$y}}", "12"},
	{"{{range $i := .s}}{{$i}}{{end}}{{range $i, $_ := .s}}{{$i}}{{end}}", "pqr012"},
	{"{{if .a}}\n{{with .o}}\n{{.k}}{{end}}{{end}}", "\n\nv"},
	{"{{`a\nb`}}", "a\nb"},
	{"{{.a |\n upper}}", "X"},
	{"a\n  {{- .a}}\n\n{{- .n -}}\n b", "ax5b"},
	{"{{range .s}}\n{{.}}\n{{end}}", "\np\n\nq\n\nr\n"},
	{"\t{{.a}}\t", "\tx\t"},
};
/* clang-format on */

static void prints_as_go_does(void **state)
{
	cleanup_json json_t *data = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(
		json_parse(TEMPLATE_DATA, strlen(TEMPLATE_DATA), 4096, "data", &data, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_template struct template *t = NULL;
		cleanup_str struct str out = STR_INIT;

		if (template_parse(rows[i].text, &t, &err) < 0 ||
		    template_execute(t, data, NULL, &out, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.msg);
		if (strcmp(str_get(&out), rows[i].expected) != 0)
			fail_msg("%s\n got: %s\nwant: %s", rows[i].text, str_get(&out),
				 rows[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_as_go_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
