/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: the layout of Go's text/tabwriter, and terminal widths. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/table.h"

struct table_row {
	const char *text;
	const char *expected;
};

/* clang-format off */
static const struct table_row rows[] = {
	{"",
	 ""},
	{"a",
	 "a\n"},
	{"a\n",
	 "a\n"},
	{"a\tb\n",
	 "a         b\n"},
	{"a\tb\nlongercellthanten\tb\n",
	 "a                   b\nlongercellthanten   b\n"},
	{"a\tb\tc\nd\te\tf\n",
	 "a         b         c\nd         e         f\n"},
	{"a\tb\tc\nx\nd\te\tf\n",
	 "a         b         c\nx\nd         e         f\n"},
	{"a\tbbbbbbbbbbbbbbbbbbb\tc\nlonglonglonglong\tx\nd\te\tf\n",
	 "a                  bbbbbbbbbbbbbbbbbbb   c\nlonglonglonglong   x\nd                  e         f\n"},
	{"\t\tx\na\tb\tc\n",
	 "                    x\na         b         c\n"},
	{"a\t\n",
	 "a         \n"},
	{"a\tb",
	 "a         b\n"},
	{"a\tb\t",
	 "a         b         \n"},
	{"\n\n",
	 "\n\n"},
	{"a\n\nb\tc\n",
	 "a\n\nb         c\n"},
	{"héllo wörld!\tx\nb\tc\n",
	 "héllo wörld!   x\nb              c\n"},
	{"NAME\tSTATUS\nx\tUp 3 minutes\nyy\tExited (0) 2 hours ago\n",
	 "NAME      STATUS\nx         Up 3 minutes\nyy        Exited (0) 2 hours ago\n"},
	{"a\tb\tc\td\na\tb\nlonglonglonglong\tb\tc\td\n",
	 "a                  b         c         d\na                  b\nlonglonglonglong   b         c         d\n"},
	{"\t\n\t\n",
	 "          \n          \n"},
	{"a\t\tb\n\tc\td\n",
	 "a                   b\n          c         d\n"},
	{" a \t b \n",
	 " a         b \n"},
	{"1234567\tx\n12345678\tx\n",
	 "1234567    x\n12345678   x\n"},
	{"a\tb\nlonglonglongl\tb\tlonglonglonglonglong\td\na\tb\tc\td\n",
	 "a               b\nlonglonglongl   b         longlonglonglonglong   d\na               b         c                      d\n"},
	/* Wide characters take two columns, an invalid byte one. */
	{"日本語\tx\nabcdefghij\ty\n", "日本語       x\nabcdefghij   y\n"},
	{"\xff\tx\n", "\xff         x\n"},
};
/* clang-format on */

static void aligns_as_tabwriter(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_table struct table t = TABLE_INIT;
		cleanup_str struct str out = STR_INIT;

		table_add_text(&t, rows[i].text, strlen(rows[i].text));
		table_format(&t, &out);
		assert_string_equal(str_get(&out), rows[i].expected);
	}
}

static void cells_one_by_one(void **state)
{
	cleanup_table struct table t = TABLE_INIT;
	cleanup_str struct str out = STR_INIT;

	t.min_width = TABLE_MIN_WIDTH_TOP;
	for (int i = 0; i < 2; i++) {
		str_truncate(&out, 0);
		table_add_cell(&t, "UID");
		table_add_cell(&t, "PID");
		table_end_line(&t);
		table_end_line(&t);
		table_add_cell(&t, "root");
		table_add_cell(&t, "");
		table_format(&t, &out);
		assert_string_equal(str_get(&out),
				    "UID                 PID\n\nroot                \n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns_as_tabwriter),
		cmocka_unit_test(cells_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
