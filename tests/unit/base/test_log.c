/* SPDX-License-Identifier: Apache-2.0 */
/* The program's own log: levels, both forms, and a file that stays small. */
#include "base/log.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"

#define NAME "log"

static char dir_path[] = "/tmp/tare-log.XXXXXX";
static int dir_fd = -1;

static int setup(void **state)
{
	snprintf(dir_path, sizeof(dir_path), "/tmp/tare-log.XXXXXX");
	if (!mkdtemp(dir_path))
		return -1;
	dir_fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	log_set_file(dir_fd, NAME);
	log_set_level("warn");
	log_set_format("text");
	log_set_context("test", "");
	return 0;
}

static int teardown(void **state)
{
	fd_cleanup_close(&dir_fd);
	return fd_remove_tree_at(AT_FDCWD, dir_path);
}

/* What was written since the last look. */
static void read_log(struct str *ret)
{
	str_truncate(ret, 0);
	fd_read_file_at(dir_fd, NAME, 1 << 20, ret);
	unlinkat(dir_fd, NAME, 0);
}

static void test_levels(void **state)
{
	static const char *const names[] = {"fatal", "error", "warn", "notice",
					    "info",  "debug", "trace"};
	cleanup_str struct str text = STR_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = 0;

		assert_int_equal(log_set_level(names[i]), 0);
		assert_int_equal(log_get_level(), i);
		for (int level = 0; level < N_LOG_LEVELS; level++)
			log_message((enum log_level)level, "said");
		read_log(&text);
		for (const char *p = strstr(str_get(&text), "said"); p; p = strstr(p + 1, "said"))
			n++;
		assert_int_equal(n, i + 1);
	}
	assert_int_equal(log_set_level("loud"), -EINVAL);
	assert_int_equal(log_set_format("xml"), -EINVAL);
}

static void test_text(void **state)
{
	cleanup_str struct str text = STR_INIT;

	log_failure(LOG_LEVEL_WARN, "no\nreason", "what\x1b[2J");
	read_log(&text);
	assert_true(str_has_prefix(text.buf, "tare: warn: 20"));
	assert_true(str_has_suffix(text.buf, "Z: what?[2J: no?reason\n"));
}

static void test_json(void **state)
{
	cleanup_str struct str text = STR_INIT;

	log_set_format("json");
	log_set_context("rm", "abc");
	log_failure(LOG_LEVEL_ERROR, "a \"b\" \\", "line\n\x01\xff");
	read_log(&text);
	assert_true(str_has_prefix(text.buf, "{\"ts\":\"20"));
	assert_non_null(strstr(text.buf,
			       "\"level\":\"error\",\"msg\":\"line\\u000a\\u0001\\u00ff\","
			       "\"op\":\"rm\",\"id\":\"abc\",\"err\":\"a \\\"b\\\" \\\\\"}\n"));
}

static void test_long_lines(void **state)
{
	static char longest[20000];
	cleanup_str struct str text = STR_INIT;

	memset(longest, '\n', sizeof(longest) - 1);
	for (int i = 0; i < 2; i++) {
		log_set_format(i ? "json" : "text");
		log_failure(LOG_LEVEL_ERROR, longest, "%s", longest);
		read_log(&text);
		assert_true(text.len > 1000 && text.len <= 8192);
		assert_ptr_equal(strchr(text.buf, '\n'), text.buf + text.len - 1);
		assert_true(!i || str_has_suffix(text.buf, "\"}\n"));
	}
}

static void test_file_is_bounded(void **state)
{
	struct stat st;

	for (int i = 0; i < 3000; i++)
		log_warn("%0100d", i);
	assert_int_equal(fstatat(dir_fd, NAME, &st, 0), 0);
	assert_true(st.st_size < LOG_FILE_MAX + 200);
	assert_int_equal(fstatat(dir_fd, NAME ".1", &st, 0), 0);
	assert_true(st.st_size < LOG_FILE_MAX + 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_is_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
