/* SPDX-License-Identifier: Apache-2.0 */
/* The log writer: what stands in the file for what was written, rotation, and a full disk. */
#include "../unit.h"

#include "fixture.h"

#include "base/str.h"
#include "monitor/log_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SECOND 1000000000LL

static void expect_file(struct fixture *f, const char *name, const char *want)
{
	cleanup_str struct str got = STR_INIT;
	cleanup_free char *path = str_printf(LOG_DIR_NAME "/%s", name);

	assert_int_equal(fd_read_file_at(f->fd, path, 1 << 22, &got), 0);
	assert_string_equal(str_get(&got), want);
}

#define OUT(text, s) \
	"{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:0" s "Z\"}\n"
#define ERR(text, s) \
	"{\"log\":\"" text "\",\"stream\":\"stderr\",\"time\":\"1970-01-01T00:00:0" s "Z\"}\n"

static void put(struct log_writer *log, enum log_stream stream, const char *text, int64_t ns)
{
	log_writer_write(log, stream, text, strlen(text), ns);
}

static int open_writer(struct log_writer *log, int dir_fd, uint64_t max_size, unsigned max_files)
{
	const struct log_writer_config config = {.max_size = max_size, .max_files = max_files};

	return log_writer_open(log, dir_fd, &config);
}

static void cuts_at_newlines(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;

	assert_int_equal(open_writer(&log, f->fd, 0, 5), 0);
	put(&log, LOG_STDOUT, "one\ntwo\nthr", SECOND);
	put(&log, LOG_STDERR, "err\n", SECOND * 2);
	put(&log, LOG_STDOUT, "ee\n\nend", SECOND * 3 / 2);
	log_writer_close(&log, SECOND * 4);
	log_writer_write(&log, LOG_STDOUT, "x", 1, 0); /* closed: nothing */
	expect_file(f, LOG_FILE_NAME,
		    OUT("one\\n", "1") OUT("two\\n", "1") ERR("err\\n", "2") OUT("three\\n", "1.5")
			    OUT("\\n", "1.5") OUT("end", "4"));
}

static void cuts_long_lines(void **state)
{
	struct fixture *f = *state;
	/* Lengths of the two entries that LEN bytes and a newline become; with a character across
	 * the cut it goes to the second. */
	static const struct {
		size_t len, step, first, second;
		bool wide;
	} cases[] = {
		{16383, 100000, 16384, 0, false},    {16384, 100000, 16384, 1, false},
		{20000, 100000, 16384, 3617, false}, {20000, 1000, 16384, 3617, false},
		{20001, 100000, 16383, 3619, true},  {20001, 7, 16383, 3619, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct log_writer log = LOG_WRITER_INIT;
		cleanup_str struct str in = STR_INIT;
		cleanup_str struct str got = STR_INIT;
		size_t first = 0;

		/* "a" and then two-byte characters, so that byte 16384 is in the middle of one. */
		if (cases[i].wide)
			str_add_char(&in, 'a');
		while (in.len < cases[i].len)
			str_add(&in, cases[i].wide ? "\xc3\xa4" : "b");
		str_add_char(&in, '\n');
		assert_int_equal(open_writer(&log, f->fd, 0, 5), 0);
		for (size_t at = 0; at < in.len; at += cases[i].step) {
			size_t n = in.len - at < cases[i].step ? in.len - at : cases[i].step;

			log_writer_write(&log, LOG_STDOUT, in.buf + at, n, SECOND);
		}
		log_writer_close(&log, SECOND);
		assert_int_equal(
			fd_read_file_at(f->fd, LOG_DIR_NAME "/" LOG_FILE_NAME, 1 << 20, &got), 0);
		assert_null(strstr(got.buf, "ufffd"));
		first = strcspn(got.buf + 8, "\"");
		/* "\n" is two bytes in the file. */
		assert_int_equal(first, cases[i].first + (cases[i].second ? 0 : 1));
		if (cases[i].second) {
			const char *second = strchr(got.buf, '\n') + 1 + 8;

			assert_int_equal(strcspn(second, "\""), cases[i].second + 1);
		}
		assert_int_equal(fd_remove_tree_at(f->fd, LOG_DIR_NAME), 0);
	}
}

static void rotates(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;
	struct stat st;
	const size_t entry = sizeof(OUT("line 0\\n", "1")) - 1;

	assert_int_equal(open_writer(&log, f->fd, entry * 2, 3), 0);
	put(&log, LOG_STDOUT, "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\n", SECOND);
	log_writer_close(&log, SECOND);
	expect_file(f, "json.log", OUT("line 6\\n", "1"));
	expect_file(f, "json.log.3", OUT("line 4\\n", "1") OUT("line 5\\n", "1"));
	expect_file(f, "json.log.2", OUT("line 2\\n", "1") OUT("line 3\\n", "1"));
	assert_int_equal(fstatat(f->fd, LOG_DIR_NAME "/json.log.1", &st, 0), -1);
	/* Opened again it goes on where it was. */
	assert_int_equal(open_writer(&log, f->fd, entry * 2, 3), 0);
	put(&log, LOG_STDOUT, "line 7\nline 8\n", SECOND);
	log_writer_close(&log, SECOND);
	expect_file(f, "json.log.4", OUT("line 6\\n", "1") OUT("line 7\\n", "1"));
	assert_int_equal(fstatat(f->fd, LOG_DIR_NAME "/json.log.2", &st, 0), -1);
	expect_file(f, "json.log", OUT("line 8\\n", "1"));
}

/* What a helper that compresses left, and parts beyond a bound that was larger once. */
static void removes_what_is_too_old(void **state)
{
	struct fixture *f = *state;
	static const char *const before[] = {"json.log.1.gz", "json.log.7", "json.log.7.gz",
					     "json.log.8.gz", "json.log.9", "json.log.x"};
	static const char *const after[] = {"json.log.9", "json.log.10", "json.log", "json.log.x"};
	struct log_writer log = LOG_WRITER_INIT;
	struct stat st;

	assert_int_equal(mkdirat(f->fd, LOG_DIR_NAME, 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		cleanup_free char *path = str_printf(LOG_DIR_NAME "/%s", before[i]);

		assert_int_equal(fd_write_file_at(f->fd, path, "", 0, 0600), 0);
	}
	assert_int_equal(open_writer(&log, f->fd, 10, 3), 0);
	put(&log, LOG_STDOUT, "a\nb\n", SECOND);
	log_writer_close(&log, SECOND);
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		cleanup_free char *path = str_printf(LOG_DIR_NAME "/%s", before[i]);
		bool is_left = strcmp(before[i], "json.log.9") == 0 ||
			       strcmp(before[i], "json.log.x") == 0;

		assert_int_equal(fstatat(f->fd, path, &st, 0), is_left ? 0 : -1);
	}
	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		cleanup_free char *path = str_printf(LOG_DIR_NAME "/%s", after[i]);

		assert_int_equal(fstatat(f->fd, path, &st, 0), 0);
	}
}

static void adds_attributes(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;
	const struct log_writer_config config = {.attrs = "{\"tag\":\"a\\nb\"}"};

	assert_int_equal(log_writer_open(&log, f->fd, &config), 0);
	put(&log, LOG_STDERR, "x\n", SECOND);
	log_writer_close(&log, SECOND);
	expect_file(f, LOG_FILE_NAME,
		    "{\"log\":\"x\\n\",\"stream\":\"stderr\",\"attrs\":{\"tag\":\"a\\nb\"},"
		    "\"time\":\"1970-01-01T00:00:01Z\"}\n");
}

static void count_entry(void *ctx, const struct log_line *line)
{
	struct str *s = ctx;

	str_addf(s, "%d:%.*s|", line->stream, (int)line->len, (const char *)line->text);
}

static void tells_entries_without_a_file(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;
	cleanup_str struct str got = STR_INIT;
	const struct log_writer_config config = {
		.has_no_file = true, .entry = count_entry, .ctx = &got};
	struct stat st;

	assert_int_equal(log_writer_open(&log, f->fd, &config), 0);
	put(&log, LOG_STDOUT, "a\nb", SECOND);
	put(&log, LOG_STDERR, "e\n", SECOND);
	log_writer_close(&log, SECOND);
	assert_string_equal(str_get(&got), "0:a\n|1:e\n|0:b|");
	assert_int_equal(fstatat(f->fd, LOG_DIR_NAME, &st, 0), -1);
}

static void one_file_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;

	assert_int_equal(open_writer(&log, f->fd, 10, 1), 0);
	put(&log, LOG_STDOUT, "a\nb\n", SECOND);
	log_writer_close(&log, SECOND);
	expect_file(f, "json.log", OUT("b\\n", "1"));
}

static void repairs_a_torn_end(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;
	static const char torn[] = OUT("whole\\n", "1") "{\"log\":\"ha";

	assert_int_equal(mkdirat(f->fd, LOG_DIR_NAME, 0700), 0);
	assert_int_equal(fd_write_file_at(f->fd, LOG_DIR_NAME "/" LOG_FILE_NAME, torn,
					  sizeof(torn) - 1, 0600),
			 0);
	assert_int_equal(open_writer(&log, f->fd, 0, 5), 0);
	put(&log, LOG_STDOUT, "next\n", SECOND);
	log_writer_close(&log, SECOND);
	expect_file(f, LOG_FILE_NAME, OUT("whole\\n", "1") OUT("next\\n", "1"));
}

/* A file size limit stands for a full disk: writes fail, then there is room again. */
static void a_full_disk_drops_whole_entries(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;
	struct rlimit old;
	struct rlimit small;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(open_writer(&log, f->fd, 0, 5), 0);
	put(&log, LOG_STDOUT, "first\n", SECOND);
	small = (struct rlimit){.rlim_cur = sizeof(OUT("first\\n", "1")) - 1 + 10,
				.rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put(&log, LOG_STDOUT, "lost\n", SECOND);
	put(&log, LOG_STDERR, "gone\nen", SECOND);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	put(&log, LOG_STDERR, "d\n", SECOND);
	log_writer_close(&log, SECOND);
	expect_file(f, LOG_FILE_NAME,
		    OUT("first\\n", "1") ERR("tare: 10 bytes of output lost: log not writable\\n",
					     "1") ERR("end\\n", "1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cuts_at_newlines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cuts_long_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rotates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removes_what_is_too_old, set_up, tear_down),
		cmocka_unit_test_setup_teardown(adds_attributes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_entries_without_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_file_begins_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(repairs_a_torn_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_drops_whole_entries, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
