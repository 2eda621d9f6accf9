/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser: the files of tests/data/dockerfile/parse.json and what they say by BuildKit's rules.
 * There, "a{60000}" in a line stands for so many letters; what a case does not name is empty, but
 * for `word` (the keyword) and `original` (one of the lines). Of a text too long to be shown there
 * is the length.
 */
#include "dockerfile_data.h"

#include "dockerfile/syntax.h"

static const char *expand_letters(const char *line, struct str *out)
{
	const char *brace = strstr(line, "a{");
	unsigned n = 0;

	if (!brace || sscanf(brace, "a{%u}", &n) != 1)
		return line;
	str_add_bytes(out, line, (size_t)(brace - line));
	for (unsigned i = 0; i < n; i++)
		str_add_char(out, 'a');
	str_add(out, strchr(brace, '}') + 1);
	return out->buf;
}

static void add_text(const json_t *row, struct str *out)
{
	const json_t *line = NULL;
	size_t i = 0;

	json_array_foreach (json_object_get(row, "text"), i, line) {
		cleanup_str struct str expanded = STR_INIT;

		str_addf(out, "%s%s", i ? "\n" : "",
			 expand_letters(json_string_value(line), &expanded));
	}
}

static bool are_heredocs(const struct dockerfile_instruction *i, const json_t *expected)
{
	bool is_same = is_number("heredocs", (json_int_t)i->n_heredocs,
				 (json_int_t)json_array_size(expected));

	for (size_t k = 0; is_same && k < i->n_heredocs; k++) {
		const struct dockerfile_heredoc *doc = &i->heredocs[k];
		const json_t *e = json_array_get(expected, k);

		is_same = is_text("name", doc->name, json_get_string(e, "name", "")) &&
			  is_text("content", doc->content, json_get_string(e, "content", "")) &&
			  is_number("fd", doc->fd, json_get_int(e, "fd", 0)) &&
			  is_number("expands", doc->expands, json_get_bool(e, "expands", true)) &&
			  is_number("chomps", doc->chomps, json_get_bool(e, "chomps", false));
	}
	return is_same;
}

static bool is_rest(const struct dockerfile_instruction *i, const json_t *expected)
{
	json_int_t len = json_get_int(expected, "rest_len", 0);

	if (len)
		return is_number("length of rest", (json_int_t)strlen(i->rest), len);
	return is_text("rest", i->rest, json_get_string(expected, "rest", ""));
}

static bool is_original(const struct dockerfile_instruction *i, const json_t *expected,
			const char *text)
{
	const char *original = json_get_string(expected, "original", NULL);

	if (original)
		return is_text("original", i->original, original);
	return json_get_int(expected, "rest_len", 0) || strstr(text, i->original);
}

static bool is_instruction(const struct dockerfile_instruction *i, const json_t *expected,
			   const char *text)
{
	const char *keyword = json_get_string(expected, "keyword", "");
	const json_t *list = json_object_get(expected, "json");
	const json_t *trigger = json_object_get(expected, "trigger");

	return is_text("keyword", dockerfile_keyword_name(i->keyword), keyword) &&
	       is_text("word", i->word, json_get_string(expected, "word", keyword)) &&
	       is_original(i, expected, text) && is_rest(i, expected) &&
	       is_list("flags", &i->flags, json_object_get(expected, "flags")) &&
	       is_list("words", &i->words, json_object_get(expected, "words")) &&
	       is_number("is_json", i->is_json, list != NULL) && is_list("json", &i->json, list) &&
	       is_number("is_legacy", i->is_legacy, json_get_bool(expected, "legacy", false)) &&
	       is_text("doc", i->doc, json_get_string(expected, "doc", "")) &&
	       are_heredocs(i, json_object_get(expected, "heredocs")) &&
	       is_number("trigger", i->trigger != NULL, trigger != NULL) &&
	       (!trigger || is_instruction(i->trigger, trigger, text));
}

static bool are_lines(const struct dockerfile_lines *lines, const json_t *expected)
{
	return is_number("first line", lines->first,
			 json_integer_value(json_array_get(expected, 0))) &&
	       is_number("last line", lines->last, json_integer_value(json_array_get(expected, 1)));
}

static bool are_empty_lines(const struct dockerfile *file, const json_t *expected)
{
	bool is_same = is_number("empty continuations", (json_int_t)file->n_empty_continuations,
				 (json_int_t)json_array_size(expected));

	for (size_t i = 0; is_same && i < file->n_empty_continuations; i++)
		is_same = is_number("empty continuation", file->empty_continuations[i].last,
				    json_integer_value(json_array_get(expected, i)));
	return is_same;
}

static bool is_file(const struct dockerfile *file, const json_t *row, const char *text)
{
	const json_t *items = json_object_get(row, "items");
	char escape[] = {file->escape, '\0'};
	bool is_same = is_text("escape", escape, json_get_string(row, "escape", "\\")) &&
		       is_text("syntax", file->syntax, json_get_string(row, "syntax", "")) &&
		       is_text("check", file->check, json_get_string(row, "check", "")) &&
		       are_empty_lines(file, json_object_get(row, "empty")) &&
		       is_number("instructions", (json_int_t)file->n,
				 (json_int_t)json_array_size(items));

	for (size_t i = 0; is_same && i < file->n; i++)
		is_same = are_lines(&file->items[i].lines,
				    json_object_get(json_array_get(items, i), "lines")) &&
			  is_instruction(&file->items[i], json_array_get(items, i), text);
	return is_same;
}

static bool check(const json_t *row)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_str struct str text = STR_INIT;
	struct dockerfile_lines where = {};
	struct err err = ERR_INIT;
	const char *error = json_get_string(row, "error", NULL);
	int rc = 0;

	add_text(row, &text);
	rc = dockerfile_parse("Dockerfile", str_get(&text), text.len, &file, &where, &err);
	if (error)
		return is_number("outcome", rc, -ERR_INVALID) && is_text("error", err.msg, error) &&
		       are_lines(&where, json_object_get(row, "where"));
	if (rc < 0)
		print_error("%s\n", err.msg);
	return rc == 0 && is_file(&file, row, str_get(&text));
}

static void answers_as_buildkit_does(void **state)
{
	cleanup_json json_t *data = load_data("parse.json");
	const json_t *row = NULL;
	size_t n_failed = 0;
	size_t i = 0;

	json_array_foreach (data, i, row) {
		if (check(row))
			continue;
		print_error("case %zu: %s\n", i, json_get_string(row, "name", ""));
		n_failed++;
	}
	assert_true(i >= 270);
	assert_int_equal(n_failed, 0);
}

static int parse(const char *text, size_t len, struct err *err)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;

	return dockerfile_parse("Dockerfile", text, len, &file, NULL, err);
}

static void refuses_what_is_no_text(void **state)
{
	static const char utf16[] = "\xff\xfe"
				    "F\0R\0O\0M\0";
	struct err err = ERR_INIT;

	assert_int_equal(parse(utf16, sizeof(utf16) - 1, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "dockerfile parse error on line 1: it holds a NUL byte");
	assert_int_equal(parse("FROM a\nRUN b\0c\n", 15, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "dockerfile parse error on line 2: it holds a NUL byte");
}

static void has_a_limit(void **state)
{
	cleanup_free char *text = mem_alloc(DOCKERFILE_MAX_SIZE + 1);
	struct err err = ERR_INIT;

	memset(text, '\n', DOCKERFILE_MAX_SIZE + 1);
	memcpy(text, "FROM a", 6);
	assert_int_equal(parse(text, DOCKERFILE_MAX_SIZE, &err), 0);
	assert_int_equal(parse(text, DOCKERFILE_MAX_SIZE + 1, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "the Dockerfile is larger than 4194304 bytes");
}

static void names_the_frontend_of_a_foreign_file(void **state)
{
	static const char text[] = "// syntax=example/foo:1\nbuild: x\n";
	struct err err = ERR_INIT;

	assert_int_equal(parse(text, strlen(text), &err), -ERR_INVALID);
	assert_string_equal(err.hint, "the file asks for the frontend example/foo:1; frontends are "
				      "not run");
}

static void parses_single_lines(void **state)
{
	static const char heredoc[] = "COPY <<-a.txt /x/\n\thello\n\ta.txt";
	struct dockerfile_instruction i = {};
	struct err err = ERR_INIT;

	assert_int_equal(dockerfile_parse_line("ENV a=b` c", '`', &i, &err), 0);
	assert_int_equal(i.keyword, KEYWORD_ENV);
	assert_string_equal(i.words.items[1], "b` c");
	dockerfile_instruction_done(&i);
	assert_int_equal(dockerfile_parse_line(heredoc, '\\', &i, &err), 0);
	assert_int_equal(i.n_heredocs, 1);
	assert_string_equal(i.heredocs[0].content, "hello\n");
	assert_string_equal(i.heredocs[0].raw, "\thello\n");
	dockerfile_instruction_done(&i);
}

static void refuses_lines_that_are_not_one(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "the Dockerfile cannot be empty"},
		{"# a", "file with no instructions"},
		{"RUM x", "unknown instruction: RUM (did you mean RUN?)"},
		{"run x\nruns y", "unknown instruction: runs (did you mean run?)"},
		{"ENV a", "ENV must have two arguments"},
		{"RUN a\nRUN b", "2 instructions where there should be one"},
		{"RUN <<E\na", "unterminated heredoc"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dockerfile_instruction instruction = {};
		struct err err = ERR_INIT;

		assert_int_equal(dockerfile_parse_line(cases[i].text, '\\', &instruction, &err),
				 -ERR_INVALID);
		assert_string_equal(err.msg, cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_as_buildkit_does),
		cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(has_a_limit),
		cmocka_unit_test(names_the_frontend_of_a_foreign_file),
		cmocka_unit_test(parses_single_lines),
		cmocka_unit_test(refuses_lines_that_are_not_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
