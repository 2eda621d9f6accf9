/* SPDX-License-Identifier: Apache-2.0 */
/* Writing: by many processes at once across many renamings, to directories that refuse, and after
 * writers that died. */
#include "journal/journal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/reader.h"
#include "journal/record.h"
#include "json/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"

#define N_WRITERS 8
#define N_EACH	  2000

struct place {
	char parent[64];
	char dir[80];
};

static int setup(void **state)
{
	struct place *p = mem_zalloc(sizeof(*p));

	snprintf(p->parent, sizeof(p->parent), "%s", "/tmp/tare-journal.XXXXXX");
	assert_non_null(mkdtemp(p->parent));
	snprintf(p->dir, sizeof(p->dir), "%s/events", p->parent);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	fd_remove_tree_at(AT_FDCWD, p->parent);
	free(p);
	return 0;
}

static int write_one(const struct journal *journal, const char *action, const char *id)
{
	cleanup_str struct str text = STR_INIT;
	const struct journal_event event = {.type = "container", .action = action, .id = id};

	journal_add(&text, &event);
	return journal_write(journal, &text);
}

/* ---- what a reader of everything sees ---- */

struct seen {
	int next[N_WRITERS]; /* the number that each writer's next event must have */
	int n, n_wrong;
};

static int see(const struct journal_record *record, void *data)
{
	struct seen *seen = data;
	int writer = 0;
	int number = 0;

	seen->n++;
	if (sscanf(json_get_string(record->event, "ID", ""), "%d.%d", &writer, &number) != 2 ||
	    number != seen->next[writer])
		seen->n_wrong++;
	else
		seen->next[writer]++;
	return 0;
}

static void write_many(const struct journal *journal, int writer)
{
	for (int i = 0; i < N_EACH; i++) {
		char id[32];

		snprintf(id, sizeof(id), "%d.%d", writer, i);
		int rc = write_one(journal, "x", id);

		if (rc < 0)
			_exit(-rc & 127);
	}
	_exit(0);
}

static int count_running(pid_t *pids)
{
	int n = 0;

	for (int i = 0; i < N_WRITERS; i++) {
		int status = 0;

		if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
			assert_int_equal(status, 0);
			pids[i] = 0;
		}
		n += pids[i] != 0;
	}
	return n;
}

/* Whether every event that was not missed with a whole file was seen once and in order. */
static void check_seen(const struct seen *seen, const struct journal_reader *reader)
{
	if (reader->n_missed == 0) {
		assert_int_equal(seen->n, N_WRITERS * N_EACH);
		assert_int_equal(seen->n_wrong, 0);
	}
	assert_true(seen->n <= N_WRITERS * N_EACH);
}

/* A follower beside eight writers. With small files it may fall behind, and must know it then. */
static void follow_writers(const struct place *p, uint64_t part_max, uint64_t ret_numbers[2])
{
	const struct journal journal = {.dir = p->dir, .part_max = part_max};
	struct seen seen = {};
	struct journal_reader reader = JOURNAL_READER_INIT;
	pid_t pids[N_WRITERS] = {};

	reader.dir = p->dir;
	reader.fn = see;
	reader.data = &seen;
	assert_int_equal(journal_reader_open(&reader, false, true), 0);
	for (int i = 0; i < N_WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			write_many(&journal, i);
	}
	while (count_running(pids))
		assert_int_equal(journal_reader_drain(&reader), 0);
	assert_int_equal(journal_reader_drain(&reader), 0);
	check_seen(&seen, &reader);
	ret_numbers[0] = reader.part;
	ret_numbers[1] = reader.n_missed;
	journal_reader_done(&reader);
}

static void test_many_writers(void **state)
{
	uint64_t numbers[2];

	follow_writers(*state, 600 * 1024, numbers);
	assert_true(numbers[0] > 2);
	assert_int_equal(numbers[1], 0);
}

static void test_many_writers_small(void **state)
{
	uint64_t numbers[2];

	follow_writers(*state, 32 * 1024, numbers);
	assert_true(numbers[0] > 20);
}

static void test_is_bounded(void **state)
{
	const struct place *p = *state;
	const struct journal journal = {.dir = p->dir, .part_max = 4096};
	char path[128];
	struct stat st;
	int n = 0;

	for (int i = 0; i < 500; i++)
		assert_int_equal(write_one(&journal, "x", "0.0"), 0);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, i ? JOURNAL_OLDER : JOURNAL_CURRENT);
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_size < 4096 + 256);
		n += st.st_nlink == 1;
	}
	assert_int_equal(n, 2);
	assert_int_equal(stat(p->dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

/* A writer that was stopped in the middle holds the lock for ever: the others go on. */
static void test_stuck_writer(void **state)
{
	const struct place *p = *state;
	const struct journal journal = {.dir = p->dir, .part_max = 1024};
	cleanup_close int stuck = -1;
	char path[128];
	struct stat st;
	int n_refused = 0;

	assert_int_equal(write_one(&journal, "x", "0.0"), 0);
	snprintf(path, sizeof(path), "%s/" JOURNAL_CURRENT, p->dir);
	stuck = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(stuck, LOCK_SH), 0);
	for (int i = 0; i < 100 && !n_refused; i++)
		n_refused += write_one(&journal, "x", "0.0") == -EFBIG;
	assert_true(n_refused > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 4 * 1024 + 256);
	flock(stuck, LOCK_EX);
	assert_int_not_equal(write_one(&journal, "x", "0.0"), 0);
	flock(stuck, LOCK_UN);
}

/* One that renames and was stopped: events go into the file nevertheless. */
static void test_stuck_rename(void **state)
{
	const struct place *p = *state;
	const struct journal journal = {.dir = p->dir};
	cleanup_close int stuck = -1;
	char path[128];
	struct stat before, after;

	assert_int_equal(write_one(&journal, "x", "0.0"), 0);
	snprintf(path, sizeof(path), "%s/" JOURNAL_CURRENT, p->dir);
	stuck = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(stuck, LOCK_EX), 0);
	stat(path, &before);
	assert_int_equal(write_one(&journal, "x", "0.1"), 0);
	stat(path, &after);
	assert_true(after.st_size > before.st_size);
}

/* One that died between the two names. */
static void test_no_current(void **state)
{
	const struct place *p = *state;
	const struct journal journal = {.dir = p->dir};
	struct journal_reader reader = JOURNAL_READER_INIT;
	struct seen seen = {};
	char from[128];
	char to[128];

	assert_int_equal(write_one(&journal, "x", "0.0"), 0);
	snprintf(from, sizeof(from), "%s/" JOURNAL_CURRENT, p->dir);
	snprintf(to, sizeof(to), "%s/" JOURNAL_OLDER, p->dir);
	assert_int_equal(rename(from, to), 0);
	reader.dir = p->dir;
	reader.fn = see;
	reader.data = &seen;
	assert_int_equal(journal_reader_open(&reader, true, false), 0);
	assert_int_equal(journal_reader_drain(&reader), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(write_one(&journal, "x", "0.1"), 0);
	assert_int_equal(journal_reader_drain(&reader), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.n_wrong, 0);
	assert_int_equal(reader.part, 2);
	journal_reader_done(&reader);
}

/* Gives the file TO the number of the file FROM, which is in their first lines. */
static int copy_number(const char *from, const char *to)
{
	cleanup_str struct str a = STR_INIT, b = STR_INIT;
	const char *rest = NULL;

	if (fd_read_file_at(AT_FDCWD, from, 4096, &a) < 0 ||
	    fd_read_file_at(AT_FDCWD, to, 4096, &b) < 0)
		return -1;
	rest = strchr(str_get(&b), '\n');
	str_truncate(&a, (size_t)(strchr(str_get(&a), '\n') - str_get(&a)));
	str_add(&a, rest);
	return fd_write_file_at(AT_FDCWD, to, a.buf, a.len, 0600);
}

/* Two files with one number, which writers may leave that did not wait for a stuck one. */
static void test_one_number_twice(void **state)
{
	const struct place *p = *state;
	const struct journal journal = {.dir = p->dir};
	cleanup_free char *current = str_printf("%s/" JOURNAL_CURRENT, p->dir);
	cleanup_free char *older = str_printf("%s/" JOURNAL_OLDER, p->dir);
	struct journal_reader reader = JOURNAL_READER_INIT;
	struct seen seen = {};

	assert_int_equal(write_one(&journal, "x", "0.0"), 0);
	assert_int_equal(rename(current, older), 0);
	reader.dir = p->dir;
	reader.fn = see;
	reader.data = &seen;
	assert_int_equal(write_one(&journal, "x", "0.1"), 0);
	assert_int_equal(unlink(older), 0);
	assert_int_equal(rename(current, older), 0);
	assert_int_equal(write_one(&journal, "x", "0.2"), 0);
	assert_int_equal(copy_number(older, current), 0);
	assert_int_equal(journal_reader_open(&reader, true, false), 0);
	assert_int_equal(journal_reader_drain(&reader), 0);
	assert_int_equal(seen.n, 2);
	journal_reader_done(&reader);
}

static void test_places_that_refuse(void **state)
{
	const struct place *p = *state;
	const struct journal nowhere = {.dir = "/proc/nowhere/events"};
	const struct journal file = {.dir = p->dir};
	cleanup_close int fd = open(p->dir, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_one(&nowhere, "x", "0.0"), -ENOENT);
	assert_int_equal(write_one(&file, "x", "0.0"), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_writers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_writers_small, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stuck_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stuck_rename, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_current, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_number_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places_that_refuse, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
