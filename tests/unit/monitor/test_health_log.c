/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of the last checks: what is kept, how hostile output looks in it, and that it is found
 * again.
 */
#include "../unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "monitor/health_log.h"

#include <string.h>

static void add(struct health_log *log, int code, const char *output, size_t len)
{
	health_log_add(log, &(struct health_entry){.start_ns = 1,
						   .end_ns = 2000000000,
						   .exit_code = code,
						   .output = output,
						   .len = len});
}

static char *format(const struct health_log *log)
{
	const struct health_state state = {.status = HEALTH_UNHEALTHY, .streak = 7};
	struct str text = STR_INIT;

	health_log_format(log, &state, &text);
	return str_take(&text);
}

static void layout(void **state)
{
	static const char bytes[] = "a\"\\\n\x01\xff\xc3\xa9\0z";
	struct health_log log = {};
	cleanup_free char *empty = format(&log);
	cleanup_free char *full = NULL;

	add(&log, -1, bytes, sizeof(bytes) - 1);
	full = format(&log);
	assert_string_equal(empty, "{\"Status\":\"unhealthy\",\"FailingStreak\":7,\"Log\":[\n]}\n");
	assert_string_equal(full, "{\"Status\":\"unhealthy\",\"FailingStreak\":7,\"Log\":[\n"
				  "{\"Start\":\"1970-01-01T00:00:00.000000001Z\",\"End\":"
				  "\"1970-01-01T00:00:02Z\",\"ExitCode\":-1,\"Output\":"
				  "\"a\\\"\\\\\\n\\u0001\\ufffd\xc3\xa9\\u0000z\"}\n]}\n");
	health_log_done(&log);
}

static void five_are_kept(void **state)
{
	struct health_log log = {};

	for (int i = 1; i <= 7; i++)
		add(&log, i, "", 0);
	assert_int_equal(log.n, HEALTH_LOG_MAX);
	assert_non_null(strstr(log.entries[0], "\"ExitCode\":3,"));
	assert_non_null(strstr(log.entries[4], "\"ExitCode\":7,"));
	health_log_done(&log);
	assert_int_equal(log.n, 0);
}

static void found_again(void **state)
{
	static const char forged[] = "x\n{\"Start\":\"1\",\"Output\":\"forged\"}\n";
	struct health_log log = {};
	struct health_log again = {};
	cleanup_free char *text = NULL;
	cleanup_free char *text_again = NULL;

	add(&log, 0, forged, strlen(forged));
	add(&log, 1, "two", 3);
	add(&log, 2, "", 0);
	text = format(&log);
	health_log_parse(&again, text);
	assert_int_equal(again.n, 3);
	text_again = format(&again);
	assert_string_equal(text, text_again);
	health_log_done(&log);
	health_log_done(&again);
}

static void what_is_no_log_has_no_entries(void **state)
{
	static const char *const texts[] = {
		"", "\n", "{}", "{\"Start\":", "{\"Start\":\"x\"", "\n\n,\n", "]}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct health_log log = {};

		health_log_parse(&log, texts[i]);
		assert_int_equal(log.n, 0);
	}
}

/* Every byte of the longest output escaped: the file is still read whole. */
static void the_largest_file(void **state)
{
	static char output[HEALTH_OUTPUT_MAX + sizeof(HEALTH_CUT_MARK)];
	struct health_log log = {};
	cleanup_free char *text = NULL;

	memset(output, 1, sizeof(output));
	for (int i = 0; i < HEALTH_LOG_MAX; i++)
		add(&log, 0, output, sizeof(output));
	text = format(&log);
	assert_in_range(strlen(text), HEALTH_LOG_MAX * HEALTH_OUTPUT_MAX * 6, HEALTH_FILE_MAX);
	health_log_done(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout),	    cmocka_unit_test(five_are_kept),
		cmocka_unit_test(found_again),	    cmocka_unit_test(what_is_no_log_has_no_entries),
		cmocka_unit_test(the_largest_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
