/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of options on a small table of its own: where values end, where options end, what
 * each kind stores.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/option.h"

#include "../unit.h"

struct target {
	bool all, tty;
	char *name;
	struct strv env;
	int64_t shares, weight, memory, wait;
};

static const struct option table[] = {
	{"all", 'a', OPT_BOOL, offsetof(struct target, all)},
	{"tty", 't', OPT_BOOL, offsetof(struct target, tty)},
	{"name", 'n', OPT_STRING, offsetof(struct target, name)},
	{"env", 'e', OPT_LIST, offsetof(struct target, env)},
	{"shares", 'c', OPT_INT, offsetof(struct target, shares)},
	{"weight", 0, OPT_UINT16, offsetof(struct target, weight)},
	{"memory", 'm', OPT_BYTES, offsetof(struct target, memory)},
	{"wait", 0, OPT_DURATION, offsetof(struct target, wait)},
	{"later", 0, OPT_BOOL, offsetof(struct target, all), .missing = "not built"},
	{},
};

/* LINE is split at single blanks; RESULT is "all tty name env.. / arguments", or the error. */
static const struct {
	const char *line;
	bool stop;
	const char *result;
} rows[] = {
	{"", false, "- - NULL [] / []"},
	{"x y", false, "- - NULL [] / [x y]"},
	{"-a x", false, "a - NULL [] / [x]"},
	{"-at x", false, "a t NULL [] / [x]"},
	{"-ta", false, "a t NULL [] / []"},
	{"-a=false x", false, "- - NULL [] / [x]"},
	{"-at=0", false, "a - NULL [] / []"},
	{"--all=false --tty=True", false, "- t NULL [] / []"},
	{"--all false", false, "a - NULL [] / [false]"},
	{"-nfoo", false, "- - foo [] / []"},
	{"-n=foo", false, "- - foo [] / []"},
	{"-n foo", false, "- - foo [] / []"},
	{"-n -a", false, "- - -a [] / []"},
	{"-n -- x", false, "- - -- [] / [x]"},
	{"--name foo", false, "- - foo [] / []"},
	{"--name=foo", false, "- - foo [] / []"},
	{"--name= x", false, "- -  [] / [x]"},
	{"--name --all", false, "- - --all [] / []"},
	{"--name=a=b", false, "- - a=b [] / []"},
	{"--name a --name b", false, "- - b [] / []"},
	{"-n=", false, "- - = [] / []"},
	{"-atnfoo", false, "a t foo [] / []"},
	{"-atn foo", false, "a t foo [] / []"},
	{"-eA=b -e C", false, "- - NULL [A=b C] / []"},
	{"-e=A=b", false, "- - NULL [A=b] / []"},
	{"x -a y", false, "a - NULL [] / [x y]"},
	{"x -a y", true, "- - NULL [] / [x -a y]"},
	{"-a x -t y", true, "a - NULL [] / [x -t y]"},
	{"-- -a", false, "- - NULL [] / [-a]"},
	{"x -- -a --", false, "- - NULL [] / [x -a --]"},
	{"-- x -- y", true, "- - NULL [] / [x -- y]"},
	{"- -a", false, "a - NULL [] / [-]"},
	{"- -a", true, "- - NULL [] / [- -a]"},
	{"-a --help --nosuch", false, "unknown flag: --nosuch"},
	{"--help x -a", false, "help"},
	{"-ah", false, "help"},
	{"-h", false, "help"},
	{"--help=false x", false, "- - NULL [] / [x]"},
	{"--later", false, "refused"},
	{"--later=false", false, "- - NULL [] / []"},
	{"--nosuch", false, "unknown flag: --nosuch"},
	{"--nosuch=3", false, "unknown flag: --nosuch"},
	{"--al", false, "unknown flag: --al"},
	{"--alll", false, "unknown flag: --alll"},
	{"--a", false, "unknown flag: --a"},
	{"-x", false, "unknown shorthand flag: 'x' in -x"},
	{"-axt", false, "unknown shorthand flag: 'x' in -xt"},
	{"-=a", false, "unknown shorthand flag: '=' in -=a"},
	{"-a=", false, "unknown shorthand flag: '=' in -="},
	{"--=a", false, "bad flag syntax: --=a"},
	{"---", false, "bad flag syntax: ---"},
	{"--name", false, "flag needs an argument: --name"},
	{"-n", false, "flag needs an argument: 'n' in -n"},
	{"-an", false, "flag needs an argument: 'n' in -n"},
	{"--all=", false,
	 "invalid argument \"\" for \"-a, --all\" flag: strconv.ParseBool: parsing \"\": invalid "
	 "syntax"},
	{"-a=x", false,
	 "invalid argument \"x\" for \"-a, --all\" flag: strconv.ParseBool: parsing \"x\": invalid "
	 "syntax"},
	{"--weight 65536", false,
	 "invalid argument \"65536\" for \"--weight\" flag: strconv.ParseUint: parsing \"65536\": "
	 "value "
	 "out of range"},
	{"--wait 5", false,
	 "invalid argument \"5\" for \"--wait\" flag: time: missing unit in duration \"5\""},
	{"-m x", false, "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'"},
};

/* "" has no words; a trailing blank does not make an empty one. */
static void split(struct strv *v, const char *line)
{
	if (*line)
		strv_split(v, line, ' ');
}

static char *describe(const char *line, bool stop)
{
	const struct option *tables[OPTION_TABLES_MAX] = {table};
	cleanup_strv struct strv args = STRV_INIT;
	cleanup_strv struct strv rest = STRV_INIT;
	cleanup_free char *env = NULL;
	cleanup_free char *left = NULL;
	struct target t = {};
	struct option_parse p = {
		.tables = {table},
		.target = &t,
		.stop_at_first = stop,
		.ret_args = &rest,
	};
	struct err err = ERR_INIT;
	char *ret = NULL;

	split(&args, line);
	if (option_parse(&p, args.items, args.n, &err) < 0)
		ret = str_dup(err.msg);
	else if (p.help || p.refused)
		ret = str_dup(p.help ? "help" : "refused");
	env = strv_join(&t.env, " ");
	left = strv_join(&rest, " ");
	if (!ret)
		ret = str_printf("%s %s %s [%s] / [%s]", t.all ? "a" : "-", t.tty ? "t" : "-",
				 t.name ? t.name : "NULL", env, left);
	option_free(tables, &t);
	return ret;
}

static void grammar(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *got = describe(rows[i].line, rows[i].stop);

		if (strcmp(got, rows[i].result) != 0)
			fail_msg("\"%s\": got %s, want %s", rows[i].line, got, rows[i].result);
	}
}

static void integers_as_go_reads_them(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} numbers[] = {
		{"0", true, 0},
		{"17", true, 17},
		{"-5", true, -5},
		{"+5", true, 5},
		{"0x1F", true, 31},
		{"0b11", true, 3},
		{"0o17", true, 15},
		{"017", true, 15},
		{"1_000", true, 1000},
		{"0x_1f", true, 31},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"", false, 0},
		{"-", false, 0},
		{"_1", false, 0},
		{"1_", false, 0},
		{"1__0", false, 0},
		{"08", false, 0},
		{"0x", false, 0},
		{" 1", false, 0},
		{"1 ", false, 0},
		{"--1", false, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct err err = ERR_INIT;
		int64_t got = 0;
		bool ok = option_parse_int(numbers[i].text, &got, &err) == 0;

		if (ok != numbers[i].ok || (ok && got != numbers[i].value))
			fail_msg("\"%s\": ok %d, %lld", numbers[i].text, ok, (long long)got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(integers_as_go_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
