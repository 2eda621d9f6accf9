/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of names: 400 of them on many names, and paths made clean, with what Go said
 * (tests/data/globs.json, whose characters are bytes).
 */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "dockerfile/glob.h"
#include "json/rune.h"
#include "json/value.h"

/* Owned: the bytes that the characters of ITEM stand for. */
static char *bytes_of(const json_t *item)
{
	const char *s = json_string_value(item);
	size_t len = strlen(s);
	cleanup_str struct str out = STR_INIT;

	for (size_t at = 0; at < len;) {
		uint32_t r = 0;

		at += rune_decode(s + at, len - at, &r);
		str_add_char(&out, (char)r);
	}
	return str_take(&out);
}

static json_t *load(void)
{
	json_error_t error;
	json_t *file = json_load_file(DATA_DIR "/globs.json", 0, &error);

	if (!file)
		fail_msg("%s:%d: %s", error.source, error.line, error.text);
	return file;
}

static size_t check(const char *pattern, const char *expected, const json_t *names)
{
	const json_t *item = NULL;
	size_t n_failed = 0;
	size_t i = 0;

	json_array_foreach (names, i, item) {
		cleanup_free char *name = bytes_of(item);
		int rc = glob_match(pattern, name);
		char found = rc < 0 ? 'e' : rc ? '1' : '0';

		if (found == expected[i])
			continue;
		print_error("%s on \"%s\": %c, not %c\n", pattern, name, found, expected[i]);
		n_failed++;
	}
	return n_failed;
}

static void matches_as_go_does(void **state)
{
	cleanup_json json_t *file = load();
	const json_t *row = NULL;
	size_t n_failed = 0;
	size_t i = 0;

	json_array_foreach (json_object_get(file, "cases"), i, row) {
		cleanup_free char *pattern = bytes_of(json_array_get(row, 0));

		n_failed += check(pattern, json_string_value(json_array_get(row, 1)),
				  json_object_get(file, "names"));
	}
	assert_true(i >= 300);
	assert_int_equal(n_failed, 0);
}

static void cleans_as_go_does(void **state)
{
	cleanup_json json_t *file = load();
	const json_t *row = NULL;
	size_t i = 0;

	json_array_foreach (json_object_get(file, "clean"), i, row) {
		cleanup_free char *path = bytes_of(json_array_get(row, 0));
		cleanup_free char *expected = bytes_of(json_array_get(row, 1));
		cleanup_free char *clean = glob_clean(path);

		assert_string_equal(clean, expected);
	}
	assert_true(i >= 30);
}

static void knows_patterns(void **state)
{
	static const char *const patterns[] = {"*", "a?", "[a]", "a/*/b", "\\a*", "\\\\*"};
	static const char *const texts[] = {"", "a", "a]", "\\*", "a\\?b", "\\[a]", "a\\"};

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		assert_true(glob_is_pattern(patterns[i]));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(glob_is_pattern(texts[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_as_go_does),
		cmocka_unit_test(cleans_as_go_does),
		cmocka_unit_test(knows_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
