/* SPDX-License-Identifier: Apache-2.0 */
/* The log reader: tail, times, timestamps, damage, and following a writer that rotates. */
#include "../unit.h"

#include "fixture.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/num.h"
#include "base/str.h"
#include "monitor/log_reader.h"
#include "monitor/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SECOND 1000000000LL

struct sink {
	struct str text[N_LOG_STREAMS];
	int dir_fd;
	size_t stop_at; /* bytes after which emit says no */
};

static void sink_done(struct sink *s)
{
	str_done(&s->text[0]);
	str_done(&s->text[1]);
}

static int open_writer(struct log_writer *log, int dir_fd, uint64_t max_size, unsigned max_files)
{
	const struct log_writer_config config = {.max_size = max_size, .max_files = max_files};

	return log_writer_open(log, dir_fd, &config);
}

static int emit(void *ctx, struct log_reader *reader, enum log_stream stream, const void *data,
		size_t len)
{
	struct sink *s = ctx;

	str_add_bytes(&s->text[stream], data, len);
	return s->stop_at && s->text[stream].len >= s->stop_at ? -ECANCELED : 0;
}

static void put(struct log_writer *log, enum log_stream stream, const char *text, int64_t seconds)
{
	log_writer_write(log, stream, text, strlen(text), seconds * SECOND);
}

/* Ten lines o0 … o9 at seconds 0 … 9, e5 on stderr at 5, in parts of a few lines each; the last one
 * without newline. */
static void write_sample(struct fixture *f, uint64_t max_size)
{
	struct log_writer log = LOG_WRITER_INIT;

	assert_int_equal(open_writer(&log, f->fd, max_size, 20), 0);
	for (int i = 0; i < 9; i++) {
		char line[8];

		snprintf(line, sizeof(line), "o%d\n", i);
		put(&log, LOG_STDOUT, line, i);
		if (i == 5)
			put(&log, LOG_STDERR, "e5\n", i);
	}
	put(&log, LOG_STDOUT, "o9", 9);
	log_writer_close(&log, 9 * SECOND);
}

static void selects(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int64_t since, until, tail;
		const char *out, *err;
	} cases[] = {
		{0, 0, -1, "o0\no1\no2\no3\no4\no5\no6\no7\no8\no9", "e5\n"},
		{0, 0, 0, "", ""},
		{0, 0, 1, "o9", ""},
		{0, 0, 2, "o8\no9", ""},
		{0, 0, 5, "o6\no7\no8\no9", "e5\n"},
		{0, 0, 6, "o5\no6\no7\no8\no9", "e5\n"},
		{0, 0, 100, "o0\no1\no2\no3\no4\no5\no6\no7\no8\no9", "e5\n"},
		{7, 0, -1, "o7\no8\no9", ""},
		{5, 6, -1, "o5\no6\n", "e5\n"},
		{0, 2, -1, "o0\no1\no2\n", ""},
		{99, 0, -1, "", ""},
		{8, 0, 5, "o8\no9", ""},
		{2, 0, 2, "o8\no9", ""},
		{0, 7, 3, "o7\n", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases) * 3; i++) {
		size_t n = i % ARRAY_LEN(cases);
		struct sink sink __attribute__((cleanup(sink_done))) = {};
		struct err err = ERR_INIT;
		const struct log_read read = {.since_ns = cases[n].since * SECOND,
					      .until_ns = cases[n].until * SECOND,
					      .tail = cases[n].tail,
					      .emit = emit,
					      .ctx = &sink};

		/* All in one part, two lines a part, one line a part. */
		if (n == 0) {
			assert_int_equal(fd_remove_tree_at(f->fd, LOG_DIR_NAME), 0);
			write_sample(f, i == 0 ? 0 : i == n + ARRAY_LEN(cases) ? 150 : 70);
		}
		assert_int_equal(log_read_run(&read, f->fd, &err), 0);
		assert_string_equal(str_get(&sink.text[LOG_STDOUT]), cases[n].out);
		assert_string_equal(str_get(&sink.text[LOG_STDERR]), cases[n].err);
	}
}

static void bisects_a_long_log(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;
	static const int64_t since[] = {1, 2, 500, 10001, 19999, 20000};

	assert_int_equal(open_writer(&log, f->fd, 0, 5), 0);
	for (int i = 1; i <= 20000; i++) {
		char line[16];

		snprintf(line, sizeof(line), "%d\n", i);
		put(&log, LOG_STDOUT, line, i);
	}
	log_writer_close(&log, 0);
	for (size_t i = 0; i < ARRAY_LEN(since); i++) {
		struct sink sink __attribute__((cleanup(sink_done))) = {};
		cleanup_free char *want = str_printf("%lld\n", (long long)since[i]);
		struct err err = ERR_INIT;
		const struct log_read read = {
			.since_ns = since[i] * SECOND, .tail = -1, .emit = emit, .ctx = &sink};

		assert_int_equal(log_read_run(&read, f->fd, &err), 0);
		assert_true(str_has_prefix(str_get(&sink.text[LOG_STDOUT]), want));
		assert_true(str_has_suffix(str_get(&sink.text[LOG_STDOUT]), "20000\n"));
	}
}

static void stamps_each_line_once(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;
	struct sink sink __attribute__((cleanup(sink_done))) = {};
	cleanup_str struct str longline = STR_INIT;
	struct err err = ERR_INIT;
	const struct log_read read = {.tail = -1, .timestamps = true, .emit = emit, .ctx = &sink};
	const char *stamp = "1970-01-01T00:00:01.500000000Z ";

	while (longline.len < 40000)
		str_add(&longline, "0123456789");
	str_add(&longline, "\n");
	assert_int_equal(open_writer(&log, f->fd, 0, 5), 0);
	log_writer_write(&log, LOG_STDOUT, longline.buf, longline.len, SECOND * 3 / 2);
	put(&log, LOG_STDERR, "x\n", 2);
	log_writer_close(&log, 0);
	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	assert_int_equal(sink.text[LOG_STDOUT].len, longline.len + strlen(stamp));
	assert_memory_equal(sink.text[LOG_STDOUT].buf, stamp, strlen(stamp));
	assert_string_equal(sink.text[LOG_STDOUT].buf + strlen(stamp), longline.buf);
	assert_string_equal(str_get(&sink.text[LOG_STDERR]), "1970-01-01T00:00:02.000000000Z x\n");
}

/* A tail never begins in the middle of a line, nor is fooled by text that looks like its end. */
static void tail_counts_lines_not_entries(void **state)
{
	struct fixture *f = *state;
	struct log_writer log = LOG_WRITER_INIT;
	struct sink sink __attribute__((cleanup(sink_done))) = {};
	cleanup_str struct str text = STR_INIT;
	struct err err = ERR_INIT;
	const struct log_read read = {.tail = 1, .emit = emit, .ctx = &sink};

	while (text.len < LOG_LINE_MAX - 2)
		str_add_char(&text, 'b');
	str_add(&text, "\\nrest of the line\n");
	assert_int_equal(open_writer(&log, f->fd, 0, 5), 0);
	put(&log, LOG_STDOUT, "before\n", 1);
	log_writer_write(&log, LOG_STDOUT, text.buf, text.len, SECOND);
	log_writer_close(&log, 0);
	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	assert_string_equal(str_get(&sink.text[LOG_STDOUT]), text.buf);
}

static void passes_over_damage(void **state)
{
	struct fixture *f = *state;
	struct sink sink __attribute__((cleanup(sink_done))) = {};
	cleanup_str struct str file = STR_INIT;
	struct err err = ERR_INIT;
	const struct log_read read = {.tail = -1, .emit = emit, .ctx = &sink};

	str_add(&file, "{\"log\":\"a\\n\"}\nnonsense\n");
	for (int i = 0; i < 300000; i++)
		str_add_char(&file, 'z'); /* longer than any entry */
	str_add(&file, "\n{\"log\":\"b\\n\"}\n{\"log\":\"torn");
	assert_int_equal(mkdirat(f->fd, LOG_DIR_NAME, 0700), 0);
	assert_int_equal(
		fd_write_file_at(f->fd, LOG_DIR_NAME "/" LOG_FILE_NAME, file.buf, file.len, 0600),
		0);
	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	assert_string_equal(str_get(&sink.text[LOG_STDOUT]), "a\nb\n");
}

static void no_log_is_empty(void **state)
{
	struct fixture *f = *state;
	struct sink sink __attribute__((cleanup(sink_done))) = {};
	struct err err = ERR_INIT;
	struct log_read read = {.tail = 10, .since_ns = 5, .emit = emit, .ctx = &sink};

	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	assert_int_equal(mkdirat(f->fd, LOG_DIR_NAME, 0700), 0);
	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	write_sample(f, 0);
	read = (struct log_read){.tail = -1, .emit = emit, .ctx = &sink};
	sink.stop_at = 4;
	assert_int_equal(log_read_run(&read, f->fd, &err), -ECANCELED);
}

#define N_LINES 20000

/* The writer's process: lines in batches, parts of 32 KiB, then the mark of the end. */
static void write_and_end(struct fixture *f, int go_fd)
{
	struct log_writer log = LOG_WRITER_INIT;
	char byte = 0;

	if (read(go_fd, &byte, 1) != 1)
		_exit(1);
	if (open_writer(&log, f->fd, 32768, 64) < 0)
		_exit(2);
	for (int i = 0; i < N_LINES; i += 20) {
		char text[20 * 8];
		size_t n = 0;

		for (int j = 0; j < 20; j++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%d\n", i + j);
		log_writer_write(&log, LOG_STDOUT, text, n, clock_real_ns());
	}
	log_writer_close(&log, clock_real_ns());
	_exit(fd_replace_file_at(f->fd, "exit.json", "{}", 2, 0600, false) < 0);
}

static bool is_over(void *ctx)
{
	struct sink *s = ctx;

	return faccessat(s->dir_fd, "exit.json", F_OK, 0) == 0;
}

/* Followers that come before the first line see every line once, whatever is renamed meanwhile. */
static void follows_through_rotation(void **state)
{
	struct fixture *f = *state;
	struct sink sink __attribute__((cleanup(sink_done))) = {.dir_fd = f->fd};
	struct err err = ERR_INIT;
	struct log_read read = {
		.tail = -1, .follow = true, .is_over = is_over, .emit = emit, .ctx = &sink};
	int go[2];
	int status = 0;
	int line = 0;
	pid_t pid = -1;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		write_and_end(f, go[0]);
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (const char *p = str_get(&sink.text[LOG_STDOUT]); *p; line++) {
		char want[16];

		snprintf(want, sizeof(want), "%d\n", line);
		assert_true(str_has_prefix(p, want));
		p += strlen(want);
	}
	assert_int_equal(line, N_LINES);
	close(go[0]);
	close(go[1]);
}

/* A follower that does not read for a while has opened what it has not read: the writer removes
 * most parts meanwhile, and nothing is lost. */
static int emit_slowly(void *ctx, struct log_reader *reader, enum log_stream stream,
		       const void *data, size_t len)
{
	struct sink *s = ctx;

	if (s->stop_at++ == 0)
		for (int i = 0; i < 30; i++) {
			struct pollfd p = {.fd = log_reader_watch_fd(reader), .events = POLLIN};

			poll(&p, 1, 10);
			log_reader_hold(reader);
		}
	str_add_bytes(&s->text[stream], data, len);
	return 0;
}

static void write_slowly(struct fixture *f)
{
	struct log_writer log = LOG_WRITER_INIT;

	if (open_writer(&log, f->fd, 300, 3) < 0)
		_exit(2);
	for (int i = 0; i < 200; i++) {
		char text[16];

		log_writer_write(&log, LOG_STDOUT, text,
				 (size_t)snprintf(text, sizeof(text), "%d\n", i), clock_real_ns());
		poll(NULL, 0, 1);
	}
	log_writer_close(&log, clock_real_ns());
	_exit(fd_replace_file_at(f->fd, "exit.json", "{}", 2, 0600, false) < 0);
}

static void holds_what_it_has_not_read(void **state)
{
	struct fixture *f = *state;
	struct sink sink __attribute__((cleanup(sink_done))) = {.dir_fd = f->fd};
	cleanup_str struct str want = STR_INIT;
	struct err err = ERR_INIT;
	struct log_read read = {
		.tail = -1, .follow = true, .is_over = is_over, .emit = emit_slowly, .ctx = &sink};
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		write_slowly(f);
	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 200; i++)
		str_addf(&want, "%d\n", i);
	assert_string_equal(str_get(&sink.text[LOG_STDOUT]), str_get(&want));
}

/* The writer of a log, in this process: it fills several files before the reader looks again. */
struct ahead {
	struct sink sink; /* first: emit's context */
	struct log_writer log;
	bool is_over;
};

static pid_t write_ahead(void *ctx)
{
	struct ahead *a = ctx;

	for (int i = 0; i < 100 && !a->is_over; i++) {
		char text[16];

		log_writer_write(&a->log, LOG_STDOUT, text,
				 (size_t)snprintf(text, sizeof(text), "%d\n", i), SECOND);
	}
	a->is_over = true;
	return getpid();
}

static bool is_written(void *ctx)
{
	return ((const struct ahead *)ctx)->is_over;
}

/* Who follows from before the first output has it from the first line on, also when the first files
 * have lost their names by the time it looks. */
static void follows_from_the_first_line(void **state)
{
	struct fixture *f = *state;
	struct ahead ahead = {.log = LOG_WRITER_INIT};
	const struct log_read read = {.tail = -1,
				      .follow = true,
				      .is_over = is_written,
				      .writer = write_ahead,
				      .emit = emit,
				      .ctx = &ahead};
	cleanup_str struct str want = STR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(open_writer(&ahead.log, f->fd, 300, 3), 0);
	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	log_writer_close(&ahead.log, SECOND);
	log_writer_release(&ahead.log);
	for (int i = 0; i < 100; i++)
		str_addf(&want, "%d\n", i);
	assert_string_equal(str_get(&ahead.sink.text[LOG_STDOUT]), str_get(&want));
	sink_done(&ahead.sink);
}

static void follow_ends_at_until(void **state)
{
	struct fixture *f = *state;
	struct sink sink __attribute__((cleanup(sink_done))) = {};
	struct err err = ERR_INIT;
	const struct log_read read = {.tail = -1,
				      .follow = true,
				      .until_ns = clock_real_ns() + SECOND / 50,
				      .emit = emit,
				      .ctx = &sink};

	assert_int_equal(log_read_run(&read, f->fd, &err), 0);
	assert_true(clock_real_ns() >= read.until_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(selects, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bisects_a_long_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stamps_each_line_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tail_counts_lines_not_entries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(passes_over_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_log_is_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_through_rotation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holds_what_it_has_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_from_the_first_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follow_ends_at_until, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
