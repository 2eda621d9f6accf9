/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: readiness, plain files, removal from within a callback, timers, signals. */
#include "../unit.h"

#include "base/fd.h"
#include "event/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct counter {
	struct loop *loop;
	struct loop_source source;
	struct loop_source *victim;
	int fd;
	int n;
	int stop_after;
	int result;
};

static int count(void *data, uint32_t events)
{
	struct counter *c = data;
	char byte = 0;

	assert_true(events & EPOLLIN);
	assert_true(read(c->fd, &byte, 1) >= 0);
	c->n++;
	if (c->victim)
		loop_remove(c->loop, c->victim);
	if (c->n == c->stop_after)
		loop_stop(c->loop, c->result);
	return 0;
}

static void reports_what_is_readable(void **state)
{
	struct loop loop;
	int fds[2];

	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	struct counter c = {.loop = &loop, .fd = fds[0], .stop_after = 3, .result = 42};

	assert_int_equal(write(fds[1], "abc", 3), 3);
	assert_int_equal(loop_add(&loop, &c.source, fds[0], EPOLLIN, count, &c), 0);
	assert_int_equal(loop_run(&loop), 42);
	assert_int_equal(c.n, 3);
	loop_remove(&loop, &c.source);
	loop_remove(&loop, &c.source);
	assert_false(loop_has(&c.source));
	loop_done(&loop);
	close(fds[0]);
	close(fds[1]);
}

static void a_plain_file_is_always_ready(void **state)
{
	struct loop loop;
	cleanup_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(loop_init(&loop), 0);
	struct counter c = {.loop = &loop, .fd = fd, .stop_after = 5};

	assert_int_equal(loop_add(&loop, &c.source, fd, EPOLLIN, count, &c), 0);
	assert_true(c.source.is_file);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(c.n, 5);
	assert_int_equal(loop_modify(&loop, &c.source, 0), 0);
	assert_int_equal(loop_run_once(&loop, 0), 0);
	assert_int_equal(c.n, 5);
	loop_remove(&loop, &c.source);
	assert_null(loop.files);
	loop_done(&loop);
}

/* Two are ready in the same batch; whichever comes first removes the other, which must not be
 * called. */
static void a_removed_source_is_not_called(void **state)
{
	struct loop loop;
	int a[2];
	int b[2];

	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	struct counter x = {.loop = &loop, .fd = a[0]};
	struct counter y = {.loop = &loop, .fd = b[0]};

	x.victim = &y.source;
	y.victim = &x.source;
	assert_int_equal(write(a[1], "a", 1), 1);
	assert_int_equal(write(b[1], "b", 1), 1);
	assert_int_equal(loop_add(&loop, &x.source, a[0], EPOLLIN, count, &x), 0);
	assert_int_equal(loop_add(&loop, &y.source, b[0], EPOLLIN, count, &y), 0);
	assert_int_equal(loop_run_once(&loop, 0), 0);
	assert_int_equal(x.n + y.n, 1);
	loop_remove(&loop, &x.source);
	loop_remove(&loop, &y.source);
	loop_done(&loop);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static int refuse(void *data, uint32_t events)
{
	return -EBADMSG;
}

static void a_failing_callback_ends_the_loop(void **state)
{
	struct loop loop;
	struct loop_timer timer;

	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(loop_timer_add(&loop, &timer, refuse, NULL), 0);
	assert_int_equal(loop_timer_set(&timer, 1), 0);
	assert_int_equal(loop_run(&loop), -EBADMSG);
	/* Disarmed it stays silent. */
	assert_int_equal(loop_timer_set(&timer, 1000000000000ULL), 0);
	assert_int_equal(loop_timer_set(&timer, 0), 0);
	assert_int_equal(loop_run_once(&loop, 0), 0);
	loop_timer_remove(&loop, &timer);
	loop_done(&loop);
}

struct signal_test {
	struct loop *loop;
	struct loop_signals signals;
	int seen[4];
	int n;
};

static int take_signals(void *data, uint32_t events)
{
	struct signal_test *t = data;
	int number = 0;

	while ((number = loop_signals_next(&t->signals)) > 0)
		t->seen[t->n++] = number;
	if (t->n == 2)
		loop_stop(t->loop, 0);
	return number;
}

static void signals_arrive_as_events(void **state)
{
	struct loop loop;
	sigset_t set;
	sigset_t before;
	sigset_t after;

	assert_int_equal(loop_init(&loop), 0);
	struct signal_test t = {.loop = &loop};

	sigprocmask(SIG_SETMASK, NULL, &before);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	assert_int_equal(loop_signals_add(&loop, &t.signals, &set, take_signals, &t), 0);
	raise(SIGUSR1);
	raise(SIGTERM);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.seen[0] + t.seen[1], SIGUSR1 + SIGTERM);
	loop_signals_remove(&loop, &t.signals);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_memory_equal(&before, &after, 8);
	loop_done(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_what_is_readable),
		cmocka_unit_test(a_plain_file_is_always_ready),
		cmocka_unit_test(a_removed_source_is_not_called),
		cmocka_unit_test(a_failing_callback_ends_the_loop),
		cmocka_unit_test(signals_arrive_as_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
