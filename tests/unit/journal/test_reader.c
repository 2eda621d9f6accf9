/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: from a time on, over damage, and what a reader that stood still has missed. */
#include "journal/reader.h"

#include "base/fd.h"
#include "base/mem.h"
#include "json/value.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"

struct place {
	char dir[64];
	struct journal_reader reader;
	struct str seen; /* the ids */
};

static int see(const struct journal_record *record, void *data)
{
	str_addf(data, "%s ", json_get_string(record->event, "ID", "?"));
	return 0;
}

static int setup(void **state)
{
	struct place *p = mem_zalloc(sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "%s", "/tmp/tare-journal.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->reader = (struct journal_reader)JOURNAL_READER_INIT;
	p->reader.dir = p->dir;
	p->reader.fn = see;
	p->reader.data = &p->seen;
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	journal_reader_done(&p->reader);
	fd_remove_tree_at(AT_FDCWD, p->dir);
	str_done(&p->seen);
	free(p);
	return 0;
}

static void put(const struct place *p, const char *name, const void *text, size_t len)
{
	char path[128];
	cleanup_close int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, len), len);
}

static void add_event(struct str *text, const char *id, int64_t time_ns)
{
	const struct journal_event event = {
		.time_ns = time_ns, .type = "t", .action = "a", .id = id};

	journal_add(text, &event);
}

static void write_event(const struct place *p, uint64_t part_max, const char *id, int64_t time_ns)
{
	const struct journal journal = {.dir = p->dir, .part_max = part_max};
	cleanup_str struct str text = STR_INIT;

	add_event(&text, id, time_ns);
	assert_int_equal(journal_write(&journal, &text), 0);
}

static void test_nothing(void **state)
{
	struct place *p = *state;

	assert_int_equal(journal_reader_open(&p->reader, true, false), 0);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	assert_string_equal(str_get(&p->seen), "");
}

static void test_since(void **state)
{
	struct place *p = *state;

	write_event(p, 0, "one", 100);
	write_event(p, 0, "two", 200);
	write_event(p, 0, "three", 300);
	p->reader.since_ns = 200;
	assert_int_equal(journal_reader_open(&p->reader, true, false), 0);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	assert_string_equal(str_get(&p->seen), "two three ");
}

static void test_from_now_on(void **state)
{
	struct place *p = *state;
	struct pollfd poll_fd = {.events = POLLIN};

	write_event(p, 0, "before", 100);
	assert_int_equal(journal_reader_open(&p->reader, false, true), 0);
	poll_fd.fd = p->reader.notify_fd;
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	write_event(p, 0, "after", 200);
	assert_int_equal(poll(&poll_fd, 1, 0), 1);
	journal_reader_acknowledge(&p->reader);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	assert_string_equal(str_get(&p->seen), "after ");
}

/* Each event fills a file here. */
static void test_across_files(void **state)
{
	struct place *p = *state;

	write_event(p, 32, "one", 100);
	write_event(p, 32, "two", 200);
	assert_int_equal(journal_reader_open(&p->reader, true, false), 0);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	write_event(p, 32, "three", 300);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	write_event(p, 32, "four", 400);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	assert_string_equal(str_get(&p->seen), "two three four ");
	assert_int_equal(p->reader.n_missed, 0);
}

static void test_missed(void **state)
{
	struct place *p = *state;

	write_event(p, 0, "one", 100);
	assert_int_equal(journal_reader_open(&p->reader, true, false), 0);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	for (int i = 0; i < 5; i++)
		write_event(p, 32, "x", 200);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	assert_int_equal(p->reader.n_missed, 4);
	assert_string_equal(str_get(&p->seen), "one x ");
}

/* A record that a full disk cut off, bytes that are none, and a line longer than any record. */
static void test_damage(void **state)
{
	struct place *p = *state;
	cleanup_str struct str text = STR_INIT;
	size_t cut = 0;

	journal_add_part(&text, 1);
	add_event(&text, "one", 100);
	cut = text.len;
	add_event(&text, "torn", 200);
	str_truncate(&text, cut + 20);
	add_event(&text, "two", 300);
	str_add_bytes(&text, "\0\0\0\n\n\n\xff\x1e\n", 9);
	add_event(&text, "three", 400);
	for (int i = 0; i < 3 * JOURNAL_RECORD_MAX; i++)
		str_add_char(&text, 'x');
	str_add_char(&text, '\n');
	add_event(&text, "four", 500);
	cut = text.len;
	add_event(&text, "incomplete", 600);
	put(p, JOURNAL_CURRENT, text.buf, text.len - 1);
	assert_int_equal(journal_reader_open(&p->reader, true, false), 0);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	assert_string_equal(str_get(&p->seen), "one two three four ");
	put(p, JOURNAL_CURRENT, "\n", 1);
	assert_int_equal(journal_reader_drain(&p->reader), 0);
	assert_string_equal(str_get(&p->seen), "one two three four incomplete ");
}

static int refuse(const struct journal_record *record, void *data)
{
	return -7;
}

static void test_callback_ends_it(void **state)
{
	struct place *p = *state;

	write_event(p, 0, "one", 100);
	p->reader.fn = refuse;
	assert_int_equal(journal_reader_open(&p->reader, true, false), 0);
	assert_int_equal(journal_reader_drain(&p->reader), -7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_since, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_now_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_across_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callback_ends_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
