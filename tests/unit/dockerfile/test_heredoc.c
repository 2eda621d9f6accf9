/* SPDX-License-Identifier: Apache-2.0 */
/* Which words are here-documents, and where these end. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/heredoc.h"

static void finds_their_parts(void **state)
{
	static const struct {
		const char *word, *name;
		unsigned fd;
		bool expands, chomps;
	} cases[] = {
		{"<<EOF", "EOF", 0, true, false},
		{"<<-EOF", "EOF", 0, true, true},
		{"3<<EOF", "EOF", 3, true, false},
		{"12<<-\"E\"", "E", 12, false, true},
		{"<<'a b'", "a b", 0, false, false},
		{"<<E'O'F", "EOF", 0, false, false},
		{"<<\\E", "E", 0, true, false},
		{"<<--", "-", 0, true, true},
		{"<<$x", "$x", 0, true, false},
		{"<<${x:-y}", "${x:-y}", 0, true, false},
		{"<<E>/x", "E>/x", 0, true, false},
		{"4294967296<<E", "E", UINT32_MAX, true, false},
		{"0<<\"it's\"", "it's", 0, false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dockerfile_heredoc doc = {};

		assert_true(dockerfile_parse_heredoc(cases[i].word, &doc));
		assert_string_equal(doc.name, cases[i].name);
		assert_int_equal(doc.fd, cases[i].fd);
		assert_int_equal(doc.expands, cases[i].expands);
		assert_int_equal(doc.chomps, cases[i].chomps);
		assert_null(doc.content);
		heredoc_done(&doc);
	}
}

static void other_words_are_none(void **state)
{
	static const char *const words[] = {
		"",	  "EOF",  "<EOF",  "<<",   "<<-",   "<<<EOF", "x<<EOF", "<<a<b",   "<<a b",
		"<<\"\"", "<<'a", "<<\"a", "-<<E", "3 <<E", "<<${",   "/<<E",	"<< EOF b"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct dockerfile_heredoc doc = {};

		assert_false(dockerfile_parse_heredoc(words[i], &doc));
		assert_null(doc.name);
	}
}

static void ends_are_whole_lines(void **state)
{
	char name[] = "EOF";
	struct dockerfile_heredoc doc = {.name = name};

	assert_true(heredoc_is_end(&doc, "EOF"));
	assert_true(heredoc_is_end(&doc, "EOF\r"));
	assert_false(heredoc_is_end(&doc, "EOF "));
	assert_false(heredoc_is_end(&doc, "\tEOF"));
	assert_false(heredoc_is_end(&doc, "EO"));
	assert_false(heredoc_is_end(&doc, "EOFF"));
	assert_false(heredoc_is_end(&doc, ""));
	doc.chomps = true;
	assert_true(heredoc_is_end(&doc, "\t\tEOF\r"));
	assert_false(heredoc_is_end(&doc, " \tEOF"));
}

static void tabs_go_where_they_should(void **state)
{
	struct dockerfile_heredoc doc = {.chomps = true};

	heredoc_set(&doc, "\ta\n\t\tb\tc\n\n \td\n\t\n");
	assert_string_equal(doc.content, "a\nb\tc\n\n \td\n\n");
	assert_string_equal(doc.raw, "\ta\n\t\tb\tc\n\n \td\n\t\n");
	doc.chomps = false;
	heredoc_set(&doc, "\ta\n");
	assert_string_equal(doc.content, "\ta\n");
	heredoc_done(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_their_parts),
		cmocka_unit_test(other_words_are_none),
		cmocka_unit_test(ends_are_whole_lines),
		cmocka_unit_test(tabs_go_where_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
