/* SPDX-License-Identifier: Apache-2.0 */
/* Characters: decoding, widths, case, ellipsis. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/rune.h"

static void decodes(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t rune;
		size_t len;
	} rows[] = {
		{"a", 'a', 1},
		{"\xC3\xA9", 0xE9, 2},
		{"\xE2\x82\xAC", 0x20AC, 3},
		{"\xF0\x9F\x98\x80", 0x1F600, 4},
		{"\xC0\x80", RUNE_ERROR, 1},
		{"\xE0\x80\x80", RUNE_ERROR, 1},
		{"\xED\xA0\x80", RUNE_ERROR, 1},
		{"\xF4\x90\x80\x80", RUNE_ERROR, 1},
		{"\xC3", RUNE_ERROR, 1},
		{"\xC3x", RUNE_ERROR, 1},
		{"\x80", RUNE_ERROR, 1},
		{"\xEF\xBF\xBD", RUNE_ERROR, 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t r = 0;
		char again[4];

		assert_int_equal(rune_decode(rows[i].bytes, strlen(rows[i].bytes), &r),
				 rows[i].len);
		assert_int_equal(r, rows[i].rune);
		if (r == RUNE_ERROR)
			continue;
		assert_int_equal(rune_encode(r, again), rows[i].len);
		assert_memory_equal(again, rows[i].bytes, rows[i].len);
	}
}

static void widths(void **state)
{
	assert_int_equal(rune_text_width("abc", 3), 3);
	assert_int_equal(rune_text_width("日本", 6), 4);
	assert_int_equal(rune_text_width("é\xff", 3), 2);
	assert_int_equal(rune_count("日本\xff", 7), 3);
	assert_int_equal(rune_width(0x1F600), 2);
	assert_int_equal(rune_width(0x2026), 1);
	assert_int_equal(rune_width(0x3000), 2);
}

static void cases(void **state)
{
	static const uint32_t pairs[][2] = {
		{'A', 'a'},	{0xC9, 0xE9},	{0x178, 0xFF},	{0x141, 0x142}, {0x16, 0x16},
		{0x391, 0x3B1}, {0x416, 0x436}, {0x401, 0x451}, {'1', '1'},	{0xD7, 0xD7},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_int_equal(rune_to_lower(pairs[i][0]), pairs[i][1]);
		assert_int_equal(rune_to_upper(pairs[i][1]), pairs[i][0]);
	}
	assert_int_equal(rune_to_upper(0xF7), 0xF7);
	assert_int_equal(rune_to_upper(0xDF), 0xDF);
}

static void ellipsis(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		const char *out;
	} rows[] = {
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"},	 {"abc", 1, "…"},	 {"a", 1, "a"},
		{"abc", 0, ""},	   {"日本語", 4, "日…"}, {"日本語", 5, "日本…"}, {"", 5, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str s = STR_INIT;

		str_add_ellipsis(&s, rows[i].in, rows[i].max);
		assert_string_equal(str_get(&s), rows[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes),
		cmocka_unit_test(widths),
		cmocka_unit_test(cases),
		cmocka_unit_test(ellipsis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
