/* SPDX-License-Identifier: Apache-2.0 */
/* A build's progress as lines, on a terminal and as JSON: events in, what standard error got out.
 */
#include "base/base64.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/build_show.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"

#define MS 1000000ULL

struct said {
	enum build_event_type type;
	size_t vertex;
	const char *name;
	uint64_t ms;
	const char *text;
};

/* Standard error while EVENTS are shown; owned. */
static char *play(void (*open)(struct build_show *ret), const struct said *events, size_t n)
{
	int file = memfd_create("stderr", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
	struct build_show show = {};
	struct str out = STR_INIT;

	assert_true(file >= 0 && saved >= 0);
	fflush(stderr);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	open(&show);
	for (size_t i = 0; i < n; i++) {
		const struct build_event e = {
			.type = events[i].type,
			.vertex = events[i].vertex,
			.name = events[i].name,
			.ns = 1000 * MS + events[i].ms * MS,
			.text = events[i].text,
			.len = events[i].text ? strlen(events[i].text) : 0,
		};

		show.progress.event(show.progress.ctx, &e);
	}
	build_show_close(&show);
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	lseek(file, 0, SEEK_SET);
	assert_true(fd_read_all(file, 1 << 20, &out) >= 0);
	close(file);
	return str_take(&out);
}

#define A "[1/2] RUN one"
#define B "[2/2] RUN two"

static const struct said two_steps[] = {
	{BUILD_EVENT_STEP_BEGAN, 1, A, 0},
	{BUILD_EVENT_STEP_LOG, 1, A, 100, "first\nhal"},
	{BUILD_EVENT_STEP_BEGAN, 2, B, 150},
	{BUILD_EVENT_STEP_LOG, 2, B, 200, "second\r\n"},
	{BUILD_EVENT_STEP_LOG, 1, A, 300, "f\nrest"},
	{BUILD_EVENT_STEP_DONE, 1, A, 400},
	{BUILD_EVENT_STEP_FAILED, 2, B, 500, "exit code: 7"},
	{BUILD_EVENT_STEP_CACHED, 3, "[3/3] COPY x y", 600},
};

static void test_plain(void **state)
{
	cleanup_free char *out = play(build_show_plain, two_steps, ARRAY_LEN(two_steps));

	assert_string_equal(out, "#1 [1/2] RUN one\n#1 0.100 first\n#1 ...\n\n#2 [2/2] RUN two\n"
				 "#2 0.050 second\n#2 ...\n\n#1 [1/2] RUN one\n#1 0.300 half\n"
				 "#1 0.400 rest\n#1 DONE 0.4s\n\n#2 [2/2] RUN two\n"
				 "#2 ERROR: exit code: 7\n\n#3 [3/3] COPY x y\n#3 CACHED\n");
}

static void test_rawjson(void **state)
{
	cleanup_free char *out = play(build_show_rawjson, two_steps, ARRAY_LEN(two_steps));
	size_t n_lines = 0, n_logs = 0, n_errors = 0;

	for (char *at = out, *end; (end = strchr(at, '\n')); at = end + 1) {
		json_t *object = json_loadb(at, (size_t)(end - at), 0, NULL);
		const json_t *vertex = json_array_get(json_object_get(object, "vertexes"), 0);

		assert_non_null(object);
		n_lines++;
		n_logs += json_object_get(object, "logs") != NULL;
		n_errors += json_object_get(vertex, "error") != NULL;
		json_decref(object);
	}
	assert_int_equal(n_lines, ARRAY_LEN(two_steps));
	assert_int_equal(n_logs, 3);
	assert_int_equal(n_errors, 1);
}

/* The last picture stays: one line for each step, no output of those that ended. */
static void test_terminal(void **state)
{
	cleanup_free char *out = play(build_show_tty, two_steps, ARRAY_LEN(two_steps));
	const char *last = strstr(out, "FINISHED");

	assert_non_null(last);
	assert_non_null(strstr(last, " => [1/2] RUN one"));
	assert_non_null(strstr(last, " => ERROR [2/2] RUN two"));
	assert_non_null(strstr(last, " => CACHED [3/3] COPY x y"));
	assert_null(strstr(last, "# second"));
}

/* What a command prints cannot move the cursor. */
static void test_terminal_escapes(void **state)
{
	static const struct said events[] = {
		{BUILD_EVENT_STEP_BEGAN, 1, A, 0},
		{BUILD_EVENT_STEP_LOG, 1, A, 10, "\033[2J\033[31mred\033[0m\a\n50%\r100%\n"},
		{BUILD_EVENT_TICK, 0, NULL, 200},
	};
	cleanup_free char *out = play(build_show_tty, events, ARRAY_LEN(events));

	assert_non_null(strstr(out, "=> => # red\033[K\n"));
	assert_non_null(strstr(out, "=> => # 100%\033[K\n"));
	assert_null(strstr(out, "\033[2J"));
}

static void test_ways(void **state)
{
	struct err err = ERR_INIT;
	struct build_show show = {};

	assert_int_equal(build_show_open("plain", false, &show, &err), 0);
	build_show_close(&show);
	assert_int_equal(build_show_open("plain", true, &show, &err), 0);
	assert_true(show.is_quiet);
	build_show_close(&show);
	assert_int_equal(build_show_open("shiny", false, &show, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "invalid progress value \"shiny\"");
}

static void test_base64(void **state)
{
	static const char *const pairs[][2] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		cleanup_free char *text = base64_encode(pairs[i][0], strlen(pairs[i][0]));

		assert_string_equal(text, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	 cmocka_unit_test(test_rawjson),
		cmocka_unit_test(test_terminal), cmocka_unit_test(test_terminal_escapes),
		cmocka_unit_test(test_ways),	 cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
