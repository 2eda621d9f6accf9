/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions: 2,000 of them on many texts with what Go's regexp said
 * (tests/data/patterns.json; null for one that it refuses), and that none of them is slow.
 */
#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/pattern.h"
#include "json/value.h"

static bool check(const char *text, const char *expected, const json_t *texts)
{
	struct pattern *p = pattern_new(text);
	bool is_same = !p == !expected;

	if (!is_same)
		print_error("%s: %s\n", text, p ? "compiles" : "does not compile");
	for (size_t i = 0; is_same && p && i < json_array_size(texts); i++) {
		const char *subject = json_string_value(json_array_get(texts, i));

		is_same = pattern_occurs(p, subject) == (expected[i] == '1');
		if (!is_same)
			print_error("%s on \"%s\": not %c\n", text, subject, expected[i]);
	}
	pattern_free(p);
	return is_same;
}

static void answers_as_go_does(void **state)
{
	json_error_t error;
	cleanup_json json_t *file = json_load_file(DATA_DIR "/patterns.json", 0, &error);
	const json_t *row = NULL;
	size_t n_failed = 0;
	size_t i = 0;

	if (!file)
		fail_msg("%s:%d: %s", error.source, error.line, error.text);
	json_array_foreach (json_object_get(file, "cases"), i, row)
		n_failed += !check(json_string_value(json_array_get(row, 0)),
				   json_string_value(json_array_get(row, 1)),
				   json_object_get(file, "texts"));
	assert_true(i >= 2000);
	assert_int_equal(n_failed, 0);
}

/* What Go learnt after the version of the record. */
static void newer_syntax(void **state)
{
	assert_true(pattern_matches("^(?<name>a)$", "a"));
	assert_true(pattern_matches("^(?<name>a)(?<name>a)$", "aa"));
	assert_false(pattern_matches("^(?<na", "^(?<n"));
	assert_true(pattern_matches("\\p{Kawi}|a", "a"));
}

/* Backtracking would take longer than the universe has existed. */
static void nothing_explodes(void **state)
{
	static const char *const texts[] = {"(a*)*$",		"(a|a)*$",	    "(a|aa)+$",
					    "((a?){50}){20}b$", "(a?){500}a{500}$", "(((a*)*)*)*b"};
	char subject[201];
	uint64_t start = clock_mono_ns();

	memset(subject, 'a', sizeof(subject) - 2);
	subject[sizeof(subject) - 2] = '!';
	subject[sizeof(subject) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		pattern_matches(texts[i], subject);
	/* Milliseconds; the margin is for sanitizers on a busy machine. */
	assert_true(clock_mono_ns() - start < 20 * CLOCK_NS_PER_S);
}

/* Nests, sizes and copies beyond what is allowed are refused, not tried. */
static void bounds(void **state)
{
	cleanup_str struct str deep = STR_INIT;
	cleanup_str struct str large = STR_INIT;

	for (int i = 0; i < 100000; i++)
		str_add_char(&deep, '(');
	assert_null(pattern_new(str_get(&deep)));
	for (int i = 0; i < 2000; i++)
		str_add(&large, "(?:abc){1000}");
	assert_null(pattern_new(str_get(&large)));
}

static void values_of_filters(void **state)
{
	struct pattern_set *set = pattern_set_new();

	assert_false(pattern_set_matches(set, "a"));
	pattern_set_add(set, "we");
	pattern_set_add(set, "^a+$");
	pattern_set_add(set, "b[");
	assert_true(pattern_set_matches(set, "web"));
	assert_true(pattern_set_matches(set, "aaa"));
	assert_false(pattern_set_matches(set, "aab"));
	/* No expression, but the very text. */
	assert_true(pattern_set_matches(set, "b["));
	assert_false(pattern_set_matches(set, "xb["));
	pattern_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_as_go_does), cmocka_unit_test(newer_syntax),
		cmocka_unit_test(nothing_explodes),   cmocka_unit_test(bounds),
		cmocka_unit_test(values_of_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
