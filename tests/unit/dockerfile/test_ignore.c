/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ignore files: 140 of them over one tree with the files that docker's own command line left in
 * (tests/data/ignore.json; where BuildKit looks into more directories than that, what BuildKit
 * leaves), bad patterns, and that none of them is slow.
 */
#include "../unit.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "dockerfile/ignore.h"
#include "json/value.h"

static struct ignore *parse(const char *text)
{
	struct ignore *ig = NULL;
	struct err err = ERR_INIT;

	if (ignore_parse(text, strlen(text), &ig, &err) < 0)
		fail_msg("\"%s\": %s", text, err.msg);
	return ig;
}

/* As a walk does it: from the top, and not into a directory in which nothing can be left. */
static bool is_left(const struct ignore *ig, const char *path)
{
	struct ignore_state state = {};
	bool excluded = false;

	for (const char *slash = strchr(path, '/'); slash && !excluded;
	     slash = strchr(slash + 1, '/')) {
		cleanup_free char *dir = str_ndup(path, (size_t)(slash - path));
		struct ignore_state next = {};

		excluded = ignore_match(ig, dir, &state, &next) && !ignore_may_take_back(ig, dir);
		ignore_state_done(&state);
		state = next;
	}
	excluded = excluded || ignore_match(ig, path, &state, NULL);
	ignore_state_done(&state);
	return !excluded;
}

static bool has(const json_t *list, const char *path)
{
	const json_t *item = NULL;
	size_t i = 0;

	json_array_foreach (list, i, item)
		if (strcmp(json_string_value(item), path) == 0)
			return true;
	return false;
}

static size_t check(const json_t *row, const json_t *tree)
{
	const char *text = json_string_value(json_object_get(row, "ignore"));
	cleanup_ignore struct ignore *ig = parse(text);
	const json_t *item = NULL;
	size_t n_failed = 0;
	size_t i = 0;

	json_array_foreach (tree, i, item) {
		const char *path = json_string_value(item);
		bool expected = has(json_object_get(row, "left"), path);

		if (is_left(ig, path) == expected)
			continue;
		print_error("\"%s\": %s: should be %s\n", text, path,
			    expected ? "left" : "ignored");
		n_failed++;
	}
	return n_failed;
}

static void leaves_what_docker_leaves(void **state)
{
	json_error_t error;
	cleanup_json json_t *file = json_load_file(DATA_DIR "/ignore.json", 0, &error);
	const json_t *row = NULL;
	size_t n_failed = 0;
	size_t i = 0;

	if (!file)
		fail_msg("%s:%d: %s", error.source, error.line, error.text);
	json_array_foreach (json_object_get(file, "cases"), i, row)
		n_failed += check(row, json_object_get(file, "tree"));
	assert_true(i >= 130);
	assert_int_equal(n_failed, 0);
}

/* A path alone: what is above it is asked for each pattern anew. */
static void answers_for_paths_alone(void **state)
{
	static const struct {
		const char *text, *path;
		bool expected;
	} rows[] = {
		{"d\n", "d/e/f", true},
		{"d/e\n", "d/e/f", true},
		{"d/e\n", "d/f", false},
		{"*/f\n", "d/f/g", true},
		{"d\n!d/e\n", "d/e/f", false},
		{"d\n!d/e\n", "d/f", true},
		/* Walked to, it would be ignored: "!d" had nothing to take back at "d". */
		{"d/e\n!d\n", "d/e/f", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_ignore struct ignore *ig = parse(rows[i].text);

		if (ignore_match(ig, rows[i].path, NULL, NULL) != rows[i].expected)
			fail_msg("\"%s\": %s", rows[i].text, rows[i].path);
	}
}

/* As a walk would come to them: each directory's answer holds for what is in it. */
static void answers_for_the_way_to_a_path(void **state)
{
	static const struct {
		const char *text, *path;
		bool expected;
	} rows[] = {
		{"d/e\n", "d/e/f", true},
		{"d/e\n", "d/f", false},
		{"d\n!d/e\n", "d/e/f", false},
		{"d/e\n!d\n", "d/e/f", true},
		{"a\n", "", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_ignore struct ignore *ig = parse(rows[i].text);
		struct ignore_state state_of_path = {};

		assert_int_equal(ignore_match_way(ig, rows[i].path, NULL), rows[i].expected);
		assert_int_equal(ignore_match_way(ig, rows[i].path, &state_of_path),
				 rows[i].expected);
		assert_int_equal(state_of_path.excluded, rows[i].expected);
		ignore_state_done(&state_of_path);
	}
}

static void refuses_bad_patterns(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"a\n!\n", "line 2: illegal exclusion pattern: \"!\""},
		{"! \n", "line 1: illegal exclusion pattern: \"!\""},
		{"[\n", "line 1: [: syntax error in pattern"},
		{"a\nb\nx[a-\n", "line 3: x[a-: syntax error in pattern"},
		{"[]\n", "line 1: []: syntax error in pattern"},
		{"a\\\n", "line 1: a\\: syntax error in pattern"},
		/* Fine as a name's pattern, no expression. */
		{"[b-a]\n", "line 1: [b-a]: syntax error in pattern"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ignore *ig = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(ignore_parse(rows[i].text, strlen(rows[i].text), &ig, &err),
				 -ERR_INVALID);
		assert_string_equal(err.msg, rows[i].expected);
		assert_null(ig);
	}
}

static void lines_have_limits(void **state)
{
	cleanup_str struct str text = STR_INIT;
	struct ignore *ig = NULL;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 65536; i++)
		str_add_char(&text, 'a');
	assert_int_equal(ignore_parse(text.buf, text.len, &ig, &err), -ERR_INVALID);
	assert_int_equal(ignore_parse(text.buf, text.len - 1, &ig, &err), 0);
	ignore_free(ig);
	/* A line that no name can match is no reason to complain. */
	assert_int_equal(ignore_parse("a\0b\nc", 5, &ig, &err), 0);
	assert_false(ignore_match(ig, "a", NULL, NULL));
	assert_true(ignore_match(ig, "c", NULL, NULL));
	ignore_free(ig);
}

/* Those of COPY --exclude are not lines: neither a "#" nor a "/" in front means anything. */
static void patterns_are_no_lines(void **state)
{
	cleanup_strv struct strv patterns = STRV_INIT;
	cleanup_ignore struct ignore *ig = NULL;
	struct err err = ERR_INIT;

	strv_add(&patterns, "#x");
	strv_add(&patterns, " b ");
	strv_add(&patterns, "/c");
	strv_add(&patterns, "d/");
	strv_add(&patterns, "!d/e");
	assert_int_equal(ignore_compile(&patterns, &ig, &err), 0);
	assert_true(ignore_match(ig, "#x", NULL, NULL));
	assert_true(ignore_match(ig, "b", NULL, NULL));
	assert_false(ignore_match(ig, "c", NULL, NULL));
	assert_true(ignore_match(ig, "d/f", NULL, NULL));
	assert_false(ignore_match(ig, "d/e/f", NULL, NULL));
}

static void knows_where_to_look(void **state)
{
	static const struct {
		const char *text, *dir;
		bool expected;
	} rows[] = {
		{"*\n", "a", false},
		{"*\n!a/b\n", "a", true},
		{"*\n!a/b\n", "ab", false},
		{"*\n!a/b\n", "a/b", false},
		{"*\n!a/b/c\n", "a/b", true},
		{"*\n!ab\n", "a", false},
		{"*\n!**/x\n", "a", true},
		{"*\n!a/*.c\n", "a", true},
		{"*\n!a/*.c\n", "b", false},
		{"*\n!a/b*/c\n", "a/bc", true},
		{"*\n!a/b*/c\n", "a/x", false},
		{"", "a", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_ignore struct ignore *ig = parse(rows[i].text);

		if (ignore_may_take_back(ig, rows[i].dir) != rows[i].expected)
			fail_msg("\"%s\" below %s", rows[i].text, rows[i].dir);
	}
	assert_true(ignore_is_empty(NULL));
	assert_false(ignore_match(NULL, "a", NULL, NULL));
	assert_false(ignore_may_take_back(NULL, "a"));
}

/* Trying one way after the other would take longer than anybody waits. */
static void nothing_explodes(void **state)
{
	cleanup_ignore struct ignore *ig = parse(
		"**/a*/**/a*/**/a*/**/a*/**/a*/**/a*/**/a*/**/a*/**/b\n*a*a*a*a*a*a*a*a*a*a*b\n");
	cleanup_str struct str path = STR_INIT;
	uint64_t start = clock_mono_ns();

	for (size_t i = 0; i < 800; i++)
		str_add(&path, i % 2 ? "a/" : "aaa");
	str_add_char(&path, 'c');
	assert_false(ignore_match(ig, path.buf, NULL, NULL));
	/* Seconds at the most; the margin is for sanitizers on a busy machine. */
	assert_true(clock_mono_ns() - start < 60 * CLOCK_NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_what_docker_leaves),
		cmocka_unit_test(answers_for_paths_alone),
		cmocka_unit_test(answers_for_the_way_to_a_path),
		cmocka_unit_test(refuses_bad_patterns),
		cmocka_unit_test(lines_have_limits),
		cmocka_unit_test(patterns_are_no_lines),
		cmocka_unit_test(knows_where_to_look),
		cmocka_unit_test(nothing_explodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
