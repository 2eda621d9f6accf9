/* SPDX-License-Identifier: Apache-2.0 */
/* A child's stream, and what becomes of its error. */
#include "../unit.h"

#include "sys/feeder.h"

#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char hello[] = "hello";

static int write_hello(int out_fd, void *data, struct err *err)
{
	int rc = fd_write_full(out_fd, data, strlen(data));

	return rc < 0 ? err_sys(err, -rc, "write") : 0;
}

static int write_and_fail(int out_fd, void *data, struct err *err)
{
	write_hello(out_fd, data, err);
	return err_set(err, ERR_CONFLICT, "the source is gone");
}

static int write_and_die(int out_fd, void *data, struct err *err)
{
	write_hello(out_fd, data, err);
	raise(SIGKILL);
	return 0;
}

static int write_for_ever(int out_fd, void *data, struct err *err)
{
	int rc = 0;

	while (rc == 0)
		rc = write_hello(out_fd, data, err);
	return rc;
}

static void read_hello(const struct feeder *f)
{
	char buf[8] = "";

	assert_int_equal(fd_read_full(f->data_fd, buf, 5), 5);
	assert_string_equal(buf, "hello");
}

static void test_whole(void **state)
{
	struct feeder f = FEEDER_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(feeder_start(&f, write_hello, hello, &err), 0);
	read_hello(&f);
	assert_int_equal(feeder_finish(&f, false, &err), 0);
	assert_int_equal(feeder_finish(&f, false, &err), 0);
}

static void test_error(void **state)
{
	struct feeder f = FEEDER_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(feeder_start(&f, write_and_fail, hello, &err), 0);
	read_hello(&f);
	assert_int_equal(feeder_finish(&f, false, &err), -ERR_CONFLICT);
	assert_string_equal(err.msg, "the source is gone");
}

/* The cause counts, also when the reader noticed it first. */
static void test_error_of_both(void **state)
{
	struct feeder f = FEEDER_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(feeder_start(&f, write_and_fail, hello, &err), 0);
	read_hello(&f);
	err_set(&err, ERR_INVALID, "the archive is truncated");
	assert_int_equal(feeder_finish(&f, true, &err), -ERR_CONFLICT);
	assert_string_equal(err.msg, "the source is gone");
}

static void test_killed(void **state)
{
	struct feeder f = FEEDER_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(feeder_start(&f, write_and_die, hello, &err), 0);
	read_hello(&f);
	assert_int_equal(feeder_finish(&f, false, &err), -ERR_SYSTEM);
}

/* Nobody reads: the child ends, and that is not its fault. */
static void test_reader_gone(void **state)
{
	struct feeder f = FEEDER_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(feeder_start(&f, write_for_ever, hello, &err), 0);
	err_set(&err, ERR_INVALID, "mine");
	assert_int_equal(feeder_finish(&f, true, &err), 0);
	assert_string_equal(err.msg, "mine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	      cmocka_unit_test(test_error),
		cmocka_unit_test(test_error_of_both), cmocka_unit_test(test_killed),
		cmocka_unit_test(test_reader_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
