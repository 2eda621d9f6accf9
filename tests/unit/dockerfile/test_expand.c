/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expansion: what words become in tests/data/dockerfile/expand.json, by BuildKit's rules; what is
 * reported; and that nothing grows without bounds.
 */
#include "dockerfile_data.h"

#include "base/clock.h"
#include "dockerfile/expand.h"

static const char *get_member(void *ctx, const char *name)
{
	return json_string_value(json_object_get(ctx, name));
}

static struct expand_scope scope_of(const json_t *row, json_t *env)
{
	return (struct expand_scope){
		.get = get_member,
		.ctx = env,
		.escape = *json_get_string(row, "escape", "\\"),
		.keeps_quotes = json_get_bool(row, "keeps_quotes", false),
		.keeps_escapes = json_get_bool(row, "keeps_escapes", false),
		.keeps_unset = json_get_bool(row, "keeps_unset", false),
		.ignores_quotes = json_get_bool(row, "ignores_quotes", false),
	};
}

/* Without "words" the word is the only one. */
static bool are_words(const struct strv *words, const json_t *row, const char *word)
{
	const json_t *expected = json_object_get(row, "words");

	if (expected)
		return is_list("words", words, expected);
	return is_number("words", (json_int_t)words->n, 1) &&
	       is_text("words", words->items[0], word);
}

static bool check(const json_t *row, json_t *env)
{
	cleanup_free char *word = NULL;
	cleanup_strv struct strv words = STRV_INIT;
	struct err err = ERR_INIT;
	struct expand_scope scope = scope_of(row, env);
	const char *text = json_get_string(row, "text", "");
	const char *expected = json_get_string(row, "word", NULL);
	int rc = expand_word(text, &scope, &word, &err);

	if (!expected)
		return is_number("outcome", rc, -ERR_INVALID) &&
		       is_text("error", err.msg, json_get_string(row, "error", NULL)) &&
		       expand_words(text, &scope, &words, &err) == -ERR_INVALID && !words.n;
	if (rc < 0)
		print_error("%s\n", err.msg);
	return rc == 0 && is_text("word", word, expected) &&
	       expand_words(text, &scope, &words, &err) == 0 && are_words(&words, row, expected);
}

static void answers_as_buildkit_does(void **state)
{
	cleanup_json json_t *data = load_data("expand.json");
	const json_t *row = NULL;
	size_t n_failed = 0;
	size_t i = 0;

	json_array_foreach (json_object_get(data, "cases"), i, row) {
		if (check(row, json_object_get(data, "env")))
			continue;
		print_error("case %zu: %s\n", i, json_get_string(row, "text", ""));
		n_failed++;
	}
	assert_true(i >= 380);
	assert_int_equal(n_failed, 0);
}

static void reports_names(void **state)
{
	cleanup_json json_t *env = json_pack("{s:s, s:s}", "a", "A", "b", "");
	cleanup_strv struct strv used = STRV_INIT;
	cleanup_strv struct strv unset = STRV_INIT;
	cleanup_free char *word = NULL;
	struct err err = ERR_INIT;
	struct expand_scope scope = {.get = get_member,
				     .ctx = env,
				     .escape = '\\',
				     .ret_unset = &unset,
				     .ret_used = &used};
	cleanup_json json_t *expected_used = json_pack("[s, s]", "a", "b");
	cleanup_json json_t *expected_unset = json_pack("[s, s, s]", "x", "y", "z");

	assert_int_equal(
		expand_word("$a $x ${y:-$a} '$q' \\$r ${b:+$z} $x $ ${a}", &scope, &word, &err), 0);
	assert_true(is_text("word", word, "A  A $q $r   $ A"));
	assert_true(is_list("used", &used, expected_used));
	assert_true(is_list("unset", &unset, expected_unset));
}

/* An owned text of N times PART. */
static char *repeat(const char *part, size_t n)
{
	struct str s = STR_INIT;

	for (size_t i = 0; i < n; i++)
		str_add(&s, part);
	return str_take(&s);
}

static int expand_with(const char *text, json_t *env, struct err *err)
{
	cleanup_free char *word = NULL;
	cleanup_strv struct strv unset = STRV_INIT;
	struct expand_scope scope = {
		.get = get_member, .ctx = env, .escape = '\\', .ret_unset = &unset};

	return expand_word(text, &scope, &word, err);
}

static void bounds_nesting(void **state)
{
	cleanup_free char *open = repeat("${a:-", 500000);
	cleanup_free char *quoted = repeat("\"${a:-", 500000);
	cleanup_free char *replaced = repeat("${a/", 500000);
	cleanup_free char *fine = repeat("${a:-", 60);
	cleanup_free char *close = repeat("}", 60);
	cleanup_free char *nested = str_printf("%s%s", fine, close);
	struct err err = ERR_INIT;

	assert_int_equal(expand_with(open, NULL, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "more than 64 nested ${}"));
	assert_int_equal(expand_with(quoted, NULL, &err), -ERR_INVALID);
	assert_int_equal(expand_with(replaced, NULL, &err), -ERR_INVALID);
	assert_int_equal(expand_with(nested, NULL, &err), 0);
}

static void bounds_length(void **state)
{
	cleanup_free char *value = repeat("x", 100000);
	cleanup_free char *many = repeat("$a", 5000);
	cleanup_json json_t *env = json_pack("{s:s}", "a", value);
	struct err err = ERR_INIT;

	assert_int_equal(expand_with("$a$a$a", env, &err), 0);
	assert_int_equal(expand_with(many, env, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "result is longer than"));
	assert_int_equal(expand_with("\"$a$a$a$a$a$a$a$a$a$a$a\"", env, &err), -ERR_INVALID);
	assert_int_equal(expand_with("${a//x/$a}", env, &err), -ERR_INVALID);
	assert_int_equal(expand_with("${u:-$a$a$a$a$a$a$a$a$a$a$a}", env, &err), -ERR_INVALID);
}

static void bounds_patterns(void **state)
{
	cleanup_free char *value = repeat("a", 100000);
	cleanup_free char *stars = repeat("a*", 100);
	cleanup_free char *long_stars = repeat("*a", 30000);
	cleanup_free char *slow = str_printf("${a##%sb}${a%%%%b%s}${a//%sb/x}", stars, stars,
					     stars);
	cleanup_free char *too_long = str_printf("${a#%s}", long_stars);
	cleanup_json json_t *env = json_pack("{s:s}", "a", value);
	uint64_t start = clock_mono_ns();
	struct err err = ERR_INIT;

	assert_int_equal(expand_with(slow, env, &err), 0);
	assert_int_equal(expand_with(too_long, env, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "too long for a value of 100000"));
	/* A tenth of a second; the margin is for sanitizers on a busy machine. */
	assert_true(clock_mono_ns() - start < 30 * CLOCK_NS_PER_S);
}

static void bounds_names(void **state)
{
	cleanup_strv struct strv unset = STRV_INIT;
	cleanup_str struct str text = STR_INIT;
	cleanup_free char *word = NULL;
	struct err err = ERR_INIT;
	struct expand_scope scope = {.get = get_member, .escape = '\\', .ret_unset = &unset};

	for (unsigned i = 0; i < 100000; i++)
		str_addf(&text, "$a%u ", i);
	assert_int_equal(expand_word(text.buf, &scope, &word, &err), 0);
	assert_int_equal(unset.n, 200);
}

static void long_words_leave_room_for_the_reason(void **state)
{
	cleanup_free char *word = repeat("x", 5000);
	cleanup_free char *text = str_printf("%s'", word);
	struct err err = ERR_INIT;

	assert_int_equal(expand_with(text, NULL, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "...: unexpected end of statement while looking for "
					"matching single-quote"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_as_buildkit_does),
		cmocka_unit_test(reports_names),
		cmocka_unit_test(bounds_nesting),
		cmocka_unit_test(bounds_length),
		cmocka_unit_test(bounds_patterns),
		cmocka_unit_test(bounds_names),
		cmocka_unit_test(long_words_leave_room_for_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
