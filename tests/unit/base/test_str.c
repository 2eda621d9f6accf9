/* SPDX-License-Identifier: Apache-2.0 */
/* Growing strings, vectors, shell quoting. */
#include "../unit.h"

#include "base/mem.h"
#include "base/str.h"

static void grows_and_terminates(void **state)
{
	cleanup_str struct str s = STR_INIT;

	assert_string_equal(str_get(&s), "");
	for (int i = 0; i < 1000; i++)
		str_addf(&s, "%d,", i);
	assert_int_equal(s.len, 3890);
	assert_int_equal(s.buf[s.len], 0);
	str_truncate(&s, 2);
	assert_string_equal(str_get(&s), "0,");
}

static void vectors_are_null_terminated(void **state)
{
	cleanup_strv struct strv v = STRV_INIT;
	cleanup_free char *joined = NULL;

	strv_split(&v, "a,,b", ',');
	assert_int_equal(v.n, 3);
	assert_null(v.items[3]);
	joined = strv_join(&v, "|");
	assert_string_equal(joined, "a||b");
	assert_true(strv_has(&v, ""));
	assert_false(strv_has(&v, "c"));
}

static void shell_words(void **state)
{
	static const char *const rows[][2] = {
		{"plain-1.2/x", "plain-1.2/x"}, {"", "''"},	      {"a b", "'a b'"},
		{"it's", "'it'\\''s'"},		{"$HOME", "'$HOME'"}, {"~", "'~'"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str s = STR_INIT;

		str_add_shell(&s, rows[i][0]);
		assert_string_equal(str_get(&s), rows[i][1]);
	}
}

static void clean_paths(void **state)
{
	static const char *const rows[][3] = {
		{"/a", "b", "/a/b"},	      {"/a", "/b", "/b"},	{"", "b/./c//d/", "/b/c/d"},
		{"/a/b", "../../../c", "/c"}, {"/a", "..", "/"},	{"/", "", "/"},
		{"/a", "...", "/a/..."},      {"", "/../x/../y", "/y"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *clean = str_clean_path(rows[i][0], rows[i][1]);

		assert_string_equal(clean, rows[i][2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_terminates),
		cmocka_unit_test(vectors_are_null_terminated),
		cmocka_unit_test(shell_words),
		cmocka_unit_test(clean_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
