/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting that a signal ends, when somebody has blocked it. */
#include "../unit.h"

#include "base/mem.h"
#include "build/interrupt.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static pid_t start_endless(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void test_what_comes_first(void **state)
{
	int pipe_ends[2];
	sigset_t saved;
	int status = 0;

	assert_int_equal(pipe(pipe_ends), 0);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		pid_t pid = start_endless();

		interrupt_block(&saved);
		assert_int_equal(interrupt_get_pending(), 0);
		raise(signals[i]);
		assert_int_equal(interrupt_wait(pipe_ends[0]), -EINTR);
		assert_int_equal(interrupt_wait_child(pid, &status), -EINTR);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		/* Nobody has taken it. */
		assert_int_equal(interrupt_get_pending(), signals[i]);
		interrupt_ignore();
		sigprocmask(SIG_SETMASK, &saved, NULL);
		assert_int_equal(interrupt_get_pending(), 0);
		for (size_t k = 0; k < ARRAY_LEN(signals); k++)
			signal(signals[k], SIG_DFL);
	}
	assert_int_equal(write(pipe_ends[1], "x", 1), 1);
	assert_int_equal(interrupt_wait(pipe_ends[0]), 0);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void test_a_child_that_ends(void **state)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	assert_int_equal(interrupt_wait_child(pid, &status), 0);
	assert_int_equal(WEXITSTATUS(status), 3);
}

static void test_what_was_ignored_stays_so(void **state)
{
	sigset_t set;
	sigset_t saved;

	signal(SIGHUP, SIG_IGN);
	interrupt_fill(&set);
	assert_true(sigismember(&set, SIGINT) == 1 && sigismember(&set, SIGHUP) == 0);
	interrupt_block(&saved);
	raise(SIGHUP);
	assert_int_equal(interrupt_get_pending(), 0);
	sigprocmask(SIG_SETMASK, &saved, NULL);
	signal(SIGHUP, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes_first),
		cmocka_unit_test(test_a_child_that_ends),
		cmocka_unit_test(test_what_was_ignored_stays_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
