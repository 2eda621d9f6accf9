/* SPDX-License-Identifier: Apache-2.0 */
/* Events as text: what is written is read back, and what is no record is passed over. */
#include "journal/record.h"

#include "base/str.h"
#include "json/value.h"

#include <errno.h>
#include <string.h>

#include "../unit.h"

static const struct journal_container container = {
	.id = "c1", .name = "web", .image = "busybox", .labels = "{\"k\":\"v\"}"};

/* The one event in TEXT, which must be one line. */
static json_t *read_one(const struct str *text)
{
	struct journal_record record = {};

	assert_int_equal(text->buf[0], '\x1e');
	assert_ptr_equal(strchr(text->buf, '\n'), text->buf + text->len - 1);
	assert_int_equal(journal_parse(text->buf, text->len - 1, 0, &record), JOURNAL_LINE_EVENT);
	assert_non_null(record.event);
	return record.event;
}

static void test_container(void **state)
{
	const struct journal_pair pair = {"exitCode", "3"};
	cleanup_str struct str text = STR_INIT;
	cleanup_json json_t *event = NULL;

	assert_int_equal(journal_add_container(&text, &container, "die", &pair, 1), 0);
	event = read_one(&text);
	assert_string_equal(json_get_string(event, "Type", ""), "container");
	assert_string_equal(json_get_string(event, "Action", ""), "die");
	assert_string_equal(json_get_string(event, "ID", ""), "c1");
	assert_string_equal(json_get_string(event, "Attributes.k", ""), "v");
	assert_string_equal(json_get_string(event, "Attributes.image", ""), "busybox");
	assert_string_equal(json_get_string(event, "Attributes.name", ""), "web");
	assert_string_equal(json_get_string(event, "Attributes.exitCode", ""), "3");
	assert_true(json_get_int(event, "timeNano", 0) > 1000000000000000000);
}

static void test_labels_do_not_lie(void **state)
{
	const struct journal_container liar = {
		.id = "c1",
		.name = "web",
		.image = "busybox",
		.labels = "{\"exitCode\":\"0\",\"name\":\"other\",\"image\":\"x\"}"};
	const struct journal_pair pair = {"exitCode", "137"};
	cleanup_str struct str text = STR_INIT;
	cleanup_json json_t *event = NULL;

	journal_add_container(&text, &liar, "die", &pair, 1);
	event = read_one(&text);
	assert_string_equal(json_get_string(event, "Attributes.exitCode", ""), "137");
	assert_string_equal(json_get_string(event, "Attributes.name", ""), "web");
	assert_string_equal(json_get_string(event, "Attributes.image", ""), "busybox");
}

static void test_hostile_text(void **state)
{
	static const char *const texts[] = {
		"a\nb",
		"a\x1e{\"timeNano\":1}",
		"\"},\"x\":{\"",
		"\\",
		"\xff\xfe",
		"\x01\x7f",
		"",
		"a, name=b) 2026-01-01 container start",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct journal_pair pair = {texts[i], texts[i]};
		cleanup_str struct str text = STR_INIT;
		cleanup_json json_t *event = NULL;
		const struct journal_event given = {.time_ns = 7,
						    .type = "volume",
						    .action = texts[i],
						    .id = texts[i],
						    .pairs = &pair,
						    .n_pairs = 1};

		assert_int_equal(journal_add(&text, &given), 0);
		event = read_one(&text);
		assert_int_equal(json_object_size(json_get(event, "Attributes")), 1);
		if (strcmp(texts[i], "\xff\xfe") != 0)
			assert_string_equal(json_get_string(event, "Action", "?"), texts[i]);
	}
}

static void test_labels_that_cannot_be_pasted(void **state)
{
	static const char *const labels[] = {NULL, "", "{}", "[1]", "{\"a\":\n\"b\"}", "{"};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		const struct journal_container c = {
			.id = "c1", .name = "web", .image = "busybox", .labels = labels[i]};
		cleanup_str struct str text = STR_INIT;
		cleanup_json json_t *event = NULL;

		journal_add_container(&text, &c, "start", NULL, 0);
		event = read_one(&text);
		assert_int_equal(json_object_size(json_get(event, "Attributes")), 2);
	}
}

static void test_too_large(void **state)
{
	cleanup_str struct str labels = STR_INIT;
	cleanup_str struct str text = STR_INIT;
	cleanup_json json_t *event = NULL;
	struct journal_container large = container;

	str_add(&labels, "{\"big\":\"");
	for (int i = 0; i < JOURNAL_RECORD_MAX; i++)
		str_add_char(&labels, 'x');
	str_add(&labels, "\"}");
	large.labels = labels.buf;
	assert_int_equal(journal_add_container(&text, &large, "start", NULL, 0), 0);
	event = read_one(&text);
	assert_int_equal(json_object_size(json_get(event, "Attributes")), 2);
	large.name = labels.buf;
	str_add(&text, "kept");
	assert_int_equal(journal_add_container(&text, &large, "start", NULL, 0), -E2BIG);
	assert_string_equal(text.buf + text.len - 4, "kept");
}

static void test_lines(void **state)
{
	static const struct {
		const char *line;
		enum journal_line kind;
		bool has_event;
	} cases[] = {
		{"", JOURNAL_LINE_GARBAGE},
		{"{\"timeNano\":5}", JOURNAL_LINE_GARBAGE},
		{"\x1e", JOURNAL_LINE_GARBAGE},
		{"\x1e{\"timeNano\":}", JOURNAL_LINE_GARBAGE},
		{"\x1e{\"timeNano\":99999999999999999999,\"Type\":\"x\"}", JOURNAL_LINE_GARBAGE},
		{"\x1e{\"timeNano\":50,\"Type\":\"a\",\"Action\":\"b\",\"ID\":\"c\"}",
		 JOURNAL_LINE_GARBAGE},
		{"\x1e{\"timeNano\":50,\"Type\":\"a\",\"Action\":\"b\",\"ID\":\"c\",\"Attributes\":"
		 "{"
		 "\"n\":1}}",
		 JOURNAL_LINE_GARBAGE},
		{"\x1e{\"timeNano\":50,\"Type\":\"a\",\"Act\x1e{\"timeNano\":50,\"Type\":\"a\","
		 "\"Action\":\"b\",\"ID\":\"c\",\"Attributes\":{}}",
		 JOURNAL_LINE_EVENT, true},
		{"\x1e{\"timeNano\":9,\"Type\":\"a\",\"Action\":\"b\",\"ID\":\"c\",\"Attributes\":{"
		 "}}",
		 JOURNAL_LINE_EVENT, false},
		{"\x1e{\"journal\":1,\"part\":12}", JOURNAL_LINE_PART},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct journal_record record = {};

		assert_int_equal(journal_parse(cases[i].line, strlen(cases[i].line), 10, &record),
				 cases[i].kind);
		assert_int_equal(record.event != NULL, cases[i].has_event);
		if (cases[i].kind == JOURNAL_LINE_PART)
			assert_int_equal(record.part, 12);
		journal_record_done(&record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_labels_do_not_lie),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_labels_that_cannot_be_pasted),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
