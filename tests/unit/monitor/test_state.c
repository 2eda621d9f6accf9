/* SPDX-License-Identifier: Apache-2.0 */
/* state.json and exit.json, byte for byte. */
#include "../unit.h"

#include "fixture.h"

#include "base/str.h"
#include "monitor/state.h"
#include "sys/process.h"

static void writes_state(void **state)
{
	struct fixture *f = *state;
	cleanup_str struct str got = STR_INIT;
	cleanup_free char *want = str_printf(
		"{\"ociVersion\":\"1.2.0\",\"id\":\"c1\",\"status\":\"running\",\"pid\":42,"
		"\"bundle\":\"/a\\\"b\",\"starttime\":77,\"bootId\":\"%s\","
		"\"monitor\":{\"pid\":41,\"starttime\":76},\"startedAt\":\"1970-01-01T00:00:01."
		"5Z\"}\n",
		process_boot_id());
	const struct monitor_state s = {.id = "c1",
					.bundle = "/a\"b",
					.status = "running",
					.pid = 42,
					.start_time = 77,
					.monitor_pid = 41,
					.monitor_start_time = 76,
					.started_ns = 1500000000};

	assert_int_equal(monitor_state_write(f->fd, &s), 0);
	assert_int_equal(fd_read_file_at(f->fd, MONITOR_STATE_NAME, 4096, &got), 0);
	assert_string_equal(str_get(&got), want);
}

static void writes_exit(void **state)
{
	struct fixture *f = *state;
	cleanup_str struct str got = STR_INIT;
	const struct monitor_exit e = {.code = 127, .finished_ns = 1000000000, .error = "a\nb"};

	assert_int_equal(monitor_exit_write(f->fd, &e), 0);
	assert_int_equal(fd_read_file_at(f->fd, MONITOR_EXIT_NAME, 4096, &got), 0);
	assert_string_equal(str_get(&got),
			    "{\"exitCode\":127,\"oomKilled\":false,"
			    "\"startedAt\":\"0001-01-01T00:00:00Z\","
			    "\"finishedAt\":\"1970-01-01T00:00:01Z\",\"error\":\"a\\nb\"}\n");
}

/* While it waits for its next run: the last one's end, and how often. */
static void writes_a_wait(void **state)
{
	struct fixture *f = *state;
	cleanup_str struct str got = STR_INIT;
	const struct monitor_exit last = {.code = 3,
					  .oom_killed = true,
					  .started_ns = 1000000000,
					  .finished_ns = 2000000000,
					  .history = {.count = 7, .delay_ns = 6400000000},
					  .marks = RESTART_MARK_STOPPED};
	const struct monitor_state s = {.id = "c1",
					.status = "restarting",
					.monitor_pid = 41,
					.monitor_start_time = 76,
					.started_ns = 1000000000,
					.restart_count = 7,
					.last = &last};

	assert_int_equal(monitor_state_write(f->fd, &s), 0);
	assert_int_equal(fd_read_file_at(f->fd, MONITOR_STATE_NAME, 4096, &got), 0);
	assert_non_null(strstr(str_get(&got), "\"startedAt\":\"1970-01-01T00:00:01Z\","
					      "\"restartCount\":7,\"exitCode\":3,"
					      "\"oomKilled\":true,"
					      "\"finishedAt\":\"1970-01-01T00:00:02Z\","
					      "\"error\":\"\",\"restartDelay\":6400000000,"
					      "\"stopped\":true}\n"));
	str_done(&got);
	assert_int_equal(monitor_exit_write(f->fd, &last), 0);
	assert_int_equal(fd_read_file_at(f->fd, MONITOR_EXIT_NAME, 4096, &got), 0);
	assert_non_null(strstr(str_get(&got), "\"error\":\"\",\"restartCount\":7,"
					      "\"restartDelay\":6400000000,\"stopped\":true}\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writes_exit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writes_a_wait, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
