/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: their words, their errors, and that nothing of them outlives their end. */
#include "../unit.h"

#include "build/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char digest[DIGEST_HEX_LEN + 1];

static int fine(int fd, void *data, struct err *err)
{
	(void)fd;
	(void)err;
	return *(int *)data == 42 ? 0 : err_set(err, ERR_SYSTEM, "no data");
}

static int fails(int fd, void *data, struct err *err)
{
	(void)fd;
	(void)data;
	err_set(err, ERR_NOT_FOUND, "it is not there");
	return err_hint(err, "look elsewhere");
}

static int dies(int fd, void *data, struct err *err)
{
	(void)fd;
	(void)data;
	(void)err;
	_exit(3);
}

static int reports(int fd, void *data, struct err *err)
{
	(void)data;
	return worker_report(fd, digest) ? err_set(err, ERR_INVALID, "went on") : 0;
}

static void run(worker_fn fn, struct worker_word *ret)
{
	struct worker w = WORKER_INIT;
	struct err err = ERR_INIT;
	int number = 42;

	assert_int_equal(worker_start(&w, fn, &number, &err), 0);
	worker_read(&w, ret);
	worker_finish(&w);
	assert_int_equal(w.pid, 0);
	assert_int_equal(w.fd, -1);
}

static void test_ends(void **state)
{
	struct worker_word word;

	(void)state;
	run(fine, &word);
	assert_int_equal(word.kind, WORKER_DONE);
	run(fails, &word);
	assert_int_equal(word.kind, WORKER_FAILED);
	assert_int_equal(word.err.code, ERR_NOT_FOUND);
	assert_string_equal(word.err.msg, "it is not there");
	assert_string_equal(word.err.hint, "look elsewhere");
	run(dies, &word);
	assert_int_equal(word.kind, WORKER_LOST);
}

static void test_digest_and_on(void **state)
{
	struct worker w = WORKER_INIT;
	struct worker_word word;
	struct err err = ERR_INIT;

	(void)state;
	memset(digest, 'd', DIGEST_HEX_LEN);
	assert_int_equal(worker_start(&w, reports, NULL, &err), 0);
	worker_read(&w, &word);
	assert_int_equal(word.kind, WORKER_DIGEST);
	assert_string_equal(word.digest, digest);
	worker_go(&w);
	worker_read(&w, &word);
	assert_int_equal(word.kind, WORKER_FAILED);
	assert_string_equal(word.err.msg, "went on");
	worker_finish(&w);
}

static void test_digest_and_no_more(void **state)
{
	struct worker w = WORKER_INIT;
	struct worker_word word;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(worker_start(&w, reports, NULL, &err), 0);
	worker_read(&w, &word);
	assert_int_equal(word.kind, WORKER_DIGEST);
	/* Its side of the socket says that nobody is interested. */
	worker_finish(&w);
	assert_int_equal(w.pid, 0);
}

static int has_child(int fd, void *data, struct err *err)
{
	(void)err;
	(void)fd;
	if (fork() == 0)
		pause();
	/* The pipe is open as long as one of them lives. */
	if (write(*(int *)data, "x", 1) == 1)
		pause();
	return 0;
}

static void test_kill_reaches_all(void **state)
{
	struct worker w = WORKER_INIT;
	struct err err = ERR_INIT;
	int ends[2];
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(worker_start(&w, has_child, &ends[1], &err), 0);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	worker_kill(&w);
	worker_kill(&w);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_digest_and_on),
		cmocka_unit_test(test_digest_and_no_more),
		cmocka_unit_test(test_kill_reaches_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
