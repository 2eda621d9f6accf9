/* SPDX-License-Identifier: Apache-2.0 */
/* Logs as lines: sequences go, in one piece or in many. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/view_text.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"

/* All lines, joined by "|". */
static char *joined(const struct view_text *t)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < view_text_count(t); i++)
		str_addf(&out, "%s%s", i ? "|" : "", view_text_line(t, i));
	return str_take(&out);
}

static const struct {
	const char *in, *lines;
} cases[] = {
	{"a\nb\n", "a|b"},
	{"a\n\nb", "a||b"},
	{"", ""},
	{"\033[31mred\033[0m\n", "red"},
	{"\033[38;2;1;2;3mx\033[K\033[2Jy\n", "xy"},
	{"\033]0;title\007x\033]8;;http://e\033\\link\n", "xlink"},
	{"\033P1$r\033\\a\033_b\033\\c\033^d\033\\e\n", "ace"},
	{"\033(Ba\033=b\033cc\n", "abc"},
	{"a\tb\n12345678\tc\n", "a       b|12345678        c"},
	{"50%\r75%\r100%\nnext\n", "100%|next"},
	{"dos\r\nunix\n", "dos|unix"},
	{"a\b\a\x7f\x01z\n", "az"},
	{"caf\303\251\n", "caf\303\251"},
	/* a torn sequence ends with its line */
	{"x\033[31\ny\n", "x|y"},
	{"x\033]0;never ended\ny\n", "x|y"},
	{"\033\033[1mz\n", "z"},
};

static void sequences_are_left_out(void **state)
{
	static struct view_text t;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *got = NULL;

		view_text_add(&t, cases[i].in, strlen(cases[i].in));
		got = joined(&t);
		assert_string_equal(got, cases[i].lines);
		view_text_clear(&t);
	}
}

static void in_pieces_it_is_the_same(void **state)
{
	static struct view_text t;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *got = NULL;

		for (const char *p = cases[i].in; *p; p++)
			view_text_add(&t, p, 1);
		got = joined(&t);
		assert_string_equal(got, cases[i].lines);
		view_text_clear(&t);
	}
}

static void old_lines_go_and_long_ones_are_cut(void **state)
{
	static struct view_text t;
	char line[32];

	for (int i = 0; i < VIEW_TEXT_LINES + 5; i++) {
		int n = snprintf(line, sizeof(line), "%d\n", i);

		view_text_add(&t, line, (size_t)n);
	}
	assert_int_equal(view_text_count(&t), VIEW_TEXT_LINES);
	assert_int_equal(t.n_dropped, 5);
	assert_string_equal(view_text_line(&t, 0), "5");
	view_text_clear(&t);
	for (int i = 0; i < VIEW_TEXT_LINE_LEN * 2; i++)
		view_text_add(&t, "x", 1);
	assert_int_equal(strlen(view_text_line(&t, 0)), VIEW_TEXT_LINE_LEN);
	view_text_clear(&t);
	assert_int_equal(view_text_count(&t), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_are_left_out),
		cmocka_unit_test(in_pieces_it_is_the_same),
		cmocka_unit_test(old_lines_go_and_long_ones_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
