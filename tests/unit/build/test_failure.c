/* SPDX-License-Identifier: Apache-2.0 */
/* The last lines of a command, and the sentence about its end. */
#include "../unit.h"

#include "base/mem.h"
#include "build/build_private.h"

#include <string.h>

static void test_tail(void **state)
{
	struct log_tail tail = {};
	cleanup_free char *text = NULL;
	cleanup_free char *empty = log_tail_format(&tail);

	(void)state;
	assert_null(empty);
	log_tail_add(&tail, 1500000000, "one\r\ntw", 7);
	log_tail_add(&tail, 2000000000, "o\n\nno end", 9);
	text = log_tail_format(&tail);
	assert_string_equal(text, "1.500 one\n1.500 two\n2.000 \n2.000 no end\n");
	log_tail_done(&tail);
}

static void test_tail_forgets_the_first(void **state)
{
	struct log_tail tail = {};
	char line[32];

	(void)state;
	for (int i = 0; i < 25; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		log_tail_add(&tail, 0, line, strlen(line));
	}
	cleanup_free char *text = log_tail_format(&tail);

	assert_true(str_has_prefix(text, "0.000 line 15\n"));
	assert_true(str_has_suffix(text, "0.000 line 24\n"));
	log_tail_done(&tail);
}

static void test_a_line_without_end(void **state)
{
	struct log_tail tail = {};
	char *chunk = mem_alloc(100000);

	(void)state;
	memset(chunk, 'x', 100000);
	log_tail_add(&tail, 0, chunk, 100000);
	cleanup_free char *text = log_tail_format(&tail);

	assert_true(strlen(text) < 5000);
	log_tail_done(&tail);
	free(chunk);
}

static const struct {
	const char *command;
	int code;
	bool is_oom;
	const char *said;
} sentences[] = {
	{"exit 7", 7, false,
	 "process \"/bin/sh -c exit 7\" did not complete successfully: exit code: 7"},
	{"a \"b\"\nc", 1, false,
	 "process \"/bin/sh -c a \\\"b\\\"\\nc\" did not complete successfully: exit code: 1"},
	{"eat", 137, true,
	 "process \"/bin/sh -c eat\" did not complete successfully: exit code: 137: cannot "
	 "allocate memory"},
};

static void test_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
		cleanup_strv struct strv argv = STRV_INIT;
		struct err err = ERR_INIT;

		strv_add(&argv, "/bin/sh");
		strv_add(&argv, "-c");
		strv_add(&argv, sentences[i].command);
		assert_true(failure_of_process(&argv, sentences[i].code, sentences[i].is_oom,
					       &err) < 0);
		assert_string_equal(err.msg, sentences[i].said);
	}
}

static void test_a_long_command_keeps_its_end(void **state)
{
	cleanup_strv struct strv argv = STRV_INIT;
	struct err err = ERR_INIT;
	char *command = mem_zalloc(10001);

	(void)state;
	memset(command, 'y', 10000);
	strv_add_take(&argv, command);
	failure_of_process(&argv, 9, false, &err);
	assert_true(str_has_suffix(err.msg, "exit code: 9"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_tail_forgets_the_first),
		cmocka_unit_test(test_a_line_without_end),
		cmocka_unit_test(test_sentence),
		cmocka_unit_test(test_a_long_command_keeps_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
