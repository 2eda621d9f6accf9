/* SPDX-License-Identifier: Apache-2.0 */
/* Characters, words, continuations, flags. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/lexer.h"

static void knows_white_space(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{" ", 1},
		{"\t", 1},
		{"\n", 1},
		{"\v", 1},
		{"\f", 1},
		{"\r", 1},
		{"\xC2\x85", 2},
		{"\xC2\xA0", 2},
		{"\xE1\x9A\x80", 3},
		{"\xE2\x80\x80", 3},
		{"\xE2\x80\x8A", 3},
		{"\xE2\x80\xA8", 3},
		{"\xE2\x80\xA9", 3},
		{"\xE2\x80\xAF", 3},
		{"\xE2\x81\x9F", 3},
		{"\xE3\x80\x80", 3},
		{"", 0},
		{"a", 0},
		{"\x08", 0},
		{"\x1f", 0},
		{"\xC2", 0},
		{"\xC2\xA1", 0},
		{"\xE2\x80", 0},
		{"\xE2\x80\x8B", 0},
		{"\xE2\x81\xA0", 0},
		{"\xE3\x80\x81", 0},
		{"\x85", 0},
		{"\xA0", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(lexer_space(cases[i].text), cases[i].len);
}

static void measures_characters(void **state)
{
	assert_int_equal(lexer_char_len("ab"), 1);
	assert_int_equal(lexer_char_len("\xC3\xA9x"), 2);
	assert_int_equal(lexer_char_len("\xE2\x82\xACx"), 3);
	assert_int_equal(lexer_char_len("\xF0\x9F\x98\x80\x80"), 4);
	/* What is cut off or stands alone is as long as it is there. */
	assert_int_equal(lexer_char_len("\xE2\x82"), 2);
	assert_int_equal(lexer_char_len("\x80\x80"), 1);
}

static void trims_both_ends(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{" ", ""},
		{" \t a b \n", "a b"},
		{"a", "a"},
		{"\xC2\xA0"
		 "a\xC2\xA0",
		 "a"},
		{"\xE3\x80\x80", ""},
		{"\xC2", "\xC2"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *text = lexer_trim(cases[i][0], strlen(cases[i][0]));

		assert_string_equal(text, cases[i][1]);
	}
}

static void trims_within_its_length(void **state)
{
	cleanup_free char *blank = lexer_trim("   x", 2);
	cleanup_free char *half = lexer_trim("a\xC2\xA0", 2);

	assert_string_equal(blank, "");
	assert_string_equal(half, "a\xC2");
}

static void finds_continuations(void **state)
{
	static const struct {
		const char *line;
		int len; /* -1: none */
	} cases[] = {
		{"a \\", 2}, {"a\\", 1},    {"\\", 0},	  {"a\\ \t ", 1}, {"\\ ", 0},
		{"a", -1},   {"", -1},	    {"\\\\", -1}, {"a\\\\", -1},  {"a\\\\\\", -1},
		{"\\a", -1}, {"a\\\f", -1}, {"`", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = 99;

		assert_int_equal(lexer_is_continued(cases[i].line, '\\', &len), cases[i].len >= 0);
		if (cases[i].len >= 0)
			assert_int_equal(len, cases[i].len);
	}
}

/* Words joined with "|". */
static void assert_words(char *joined, const char *expected)
{
	assert_string_equal(joined, expected);
	free(joined);
}

static void splits_at_blanks(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"a", "a"},
		{"a  b\t\v\f\rc", "a|b|c"},
		{"\"a b\" 'c", "\"a|b\"|'c"},
		{"a\\ b", "a\\|b"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_strv struct strv words = STRV_INIT;

		lexer_split_blanks(cases[i][0], &words);
		assert_words(strv_join(&words, "|"), cases[i][1]);
	}
}

static void splits_with_quotes(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{" \t", ""},
		{"a b", "a|b"},
		{"'a b' \"c d\"", "'a b'|\"c d\""},
		{"a\\ b c", "a\\ b|c"},
		{"a\"b c\"d", "a\"b c\"d"},
		{"\"a\\\" b\" c", "\"a\\\" b\"|c"},
		{"'a\\' b", "'a\\'|b"},
		{"\"a b", "\"a b"},
		{"a\\", "a"},
		{"a \\", "a"},
		{"\"a\\", "\"a"},
		{"'a\\", "'a\\"},
		{"\"\" ''", "\"\"|''"},
		{"a\xC2\xA0"
		 "b",
		 "a|b"},
		{"a\\\xC2\xA0"
		 "b",
		 "a\\\xC2\xA0"
		 "b"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_strv struct strv words = STRV_INIT;

		lexer_split_words(cases[i][0], '\\', &words);
		assert_words(strv_join(&words, "|"), cases[i][1]);
	}
}

static void takes_flags(void **state)
{
	static const char *const cases[][3] = {
		{"a", "", "a"},
		{"", "", ""},
		{"--a", "--a", ""},
		{"--a b", "--a", "b"},
		{"  --a=b  --c d --e", "--a=b|--c", "d --e"},
		{"--a=\"b c\" d", "--a=b c", "d"},
		{"--a='b'\"c\"d e", "--a=bcd", "e"},
		{"--a=b\\ c d", "--a=b c", "d"},
		{"--a='b\\'c' d", "--a=b'c", "d"},
		{"-- --b", "", " --b"},
		{"--a -- b", "--a", " b"},
		{"--", "", ""},
		{"-a --b", "", "-a --b"},
		{"---a b", "---a", "b"},
		{"--a\\", "--a", ""},
		{"--a=\"b c", "--a=b c", ""},
		{"\"--a\" b", "", "\"--a\" b"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_strv struct strv flags = STRV_INIT;
		const char *text = cases[i][0];

		lexer_take_flags(&text, &flags);
		assert_words(strv_join(&flags, "|"), cases[i][1]);
		assert_string_equal(text, cases[i][2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_white_space),   cmocka_unit_test(measures_characters),
		cmocka_unit_test(trims_both_ends),     cmocka_unit_test(trims_within_its_length),
		cmocka_unit_test(finds_continuations), cmocka_unit_test(splits_at_blanks),
		cmocka_unit_test(splits_with_quotes),  cmocka_unit_test(takes_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
