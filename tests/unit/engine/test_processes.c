/* SPDX-License-Identifier: Apache-2.0 */
/* What ps printed, and what is printed where there is no ps. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/processes.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../unit.h"

/* The table as lines, cells parted by "|". */
static char *flat(const struct process_table *t)
{
	struct str out = STR_INIT;
	cleanup_free char *titles = strv_join(&t->titles, "|");

	str_add(&out, titles);
	for (size_t i = 0; i < t->n; i++) {
		cleanup_free char *line = strv_join(&t->rows[i].fields, "|");

		str_addf(&out, "\n%s", line);
	}
	return str_take(&out);
}

static void lines_of_the_container(void **state)
{
	static const pid_t pids[] = {12, 3373};
	const struct {
		const char *text, *flat;
	} cases[] = {
		{"UID   PID  PPID CMD\nroot  3373 1 sleep  3000\nroot 7 1 other\nroot 12 1 a b  "
		 "c\n",
		 "UID|PID|PPID|CMD\nroot|3373|1|sleep 3000\nroot|12|1|a b c"},
		/* as docker has it: words beyond the last column are the last's, wherever */
		{"    PID COMMAND                     USER\n   3373 sleep 3000                  "
		 "root\n",
		 "PID|COMMAND|USER\n3373|sleep|3000 root"},
		{"COMMAND PID\nsleep 3000 3373\n", "COMMAND|PID"},
		/* threads below their process, and those of another one */
		{"PID LWP CMD\n12 - a\n- 12 a\n- 13 b\n7 - x\n- 7 y\n",
		 "PID|LWP|CMD\n12|-|a\n-|12|a\n-|13|b"},
		{"PID\n12", "PID\n12"},
		{"PID\n\n12\n\n", "PID\n12"},
		{"A PID\nlonely\nx 12\n", "A|PID\nx|12"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_process_table struct process_table t = {};
		struct err err = ERR_INIT;

		assert_int_equal(processes_parse(cases[i].text, pids, 2, &t, &err), 0);
		cleanup_free char *got = flat(&t);

		assert_string_equal(got, cases[i].flat);
	}
}

static void what_ps_may_not_leave_out(void **state)
{
	const struct {
		const char *text, *message;
	} cases[] = {
		{"COMMAND\nsleep\n", "Couldn't find PID field in ps output"},
		{"", "Couldn't find PID field in ps output"},
		{"XPID\n12\n", "Couldn't find PID field in ps output"},
		{"PID\nx12\n",
		 "Unexpected pid 'x12': strconv.Atoi: parsing \"x12\": invalid syntax"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_process_table struct process_table t = {};
		struct err err = ERR_INIT;
		pid_t pid = 12;

		assert_true(processes_parse(cases[i].text, &pid, 1, &t, &err) < 0);
		assert_string_equal(err.msg, cases[i].message);
	}
}

static void no_other_column_is_called_pid(void **state)
{
	const struct {
		const char *words, *message; /* "" when docker takes them */
	} cases[] = {
		{"-o user=PIDx,pid", "specifying \"user=PIDx,pid\" is not allowed"},
		{"-e -o user=PID", "specifying \"user=PID\" is not allowed"},
		{"-o user= PID", "specifying \"user=PID\" is not allowed"},
		{"-o pid=PID", ""},
		{"-o pid=,user=x", ""},
		{"user=PID", ""}, /* docker looks behind blanks only */
		{"aux", ""},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_strv struct strv words = STRV_INIT;
		struct err err = ERR_INIT;
		int rc = 0;

		strv_split(&words, cases[i].words, ' ');
		rc = processes_check_args(&words, &err);
		assert_int_equal(rc < 0, *cases[i].message != '\0');
		assert_string_equal(err.msg, cases[i].message);
	}
}

/* "PID (NAME) STATE PPID ..." with these figures, as proc(5) has them. */
static char *stat_of(const char *name, char state, unsigned tty, unsigned cpu, unsigned start)
{
	return str_printf("42 (%s) %c 7 42 42 %u 42 4194560 1 0 0 0 %u 0 0 0 20 0 1 0 %u 1 1", name,
			  state, tty, cpu, start);
}

static void lines_of_our_own(void **state)
{
	/* noon of a day in 2025, UTC; the host is up for ten days */
	const struct process_clock clock = {1750248000, 864000, 100};
	const unsigned hour_ago = (864000 - 3600) * 100;
	const struct {
		const char *name;
		char state;
		unsigned tty, cpu, start;
		const char *cmdline;
		size_t len;
		const char *line;
	} cases[] = {
		{"sh", 'S', 0x8803, 100 * 36, hour_ago, "sh\0-c\0x", 7,
		 "root     42 7 1 11:00 pts/3 00:00:36 sh -c x\n"},
		{"a) b(", 'S', 0, 0, hour_ago, "", 0, "root     42 7 0 11:00 ? 00:00:00 [a) b(]\n"},
		{"z", 'Z', 0x401, 0, hour_ago, "", 0,
		 "root     42 7 0 11:00 tty1 00:00:00 [z] <defunct>\n"},
		{"x", 'R', 0, 100 * 90061, 0, "x\033[31m\n\xff\0\0", 9,
		 "root     42 7 10 Jun08 ? 1-01:01:01 x?[31m??\n"},
	};

	setenv("TZ", "UTC0", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *stat = stat_of(cases[i].name, cases[i].state, cases[i].tty,
						  cases[i].cpu, cases[i].start);
		cleanup_str struct str cmdline = STR_INIT;
		cleanup_str struct str out = STR_INIT;

		str_add_bytes(&cmdline, cases[i].cmdline, cases[i].len);
		assert_true(processes_format_own(&clock, stat, &cmdline, "root", &out));
		assert_string_equal(str_get(&out), cases[i].line);
	}
}

static void nonsense_is_no_process(void **state)
{
	static const char *const texts[] = {"", "42", "42 (sh", "42 (sh)", "42 (sh) S 1 2 3"};
	const struct process_clock clock = {1750248000, 864000, 100};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_str struct str cmdline = STR_INIT;
		cleanup_str struct str out = STR_INIT;

		assert_false(processes_format_own(&clock, texts[i], &cmdline, "root", &out));
		assert_string_equal(str_get(&out), "");
	}
}

static void our_own_of_this_process(void **state)
{
	cleanup_process_table struct process_table t = {};
	cleanup_str struct str out = STR_INIT;
	pid_t pids[] = {getpid(), 0x7ffffff0}; /* the second does not exist */
	struct err err = ERR_INIT;
	cleanup_free char *pid = str_printf("%d", getpid());

	processes_print_own(pids, 2, &out);
	assert_int_equal(processes_parse(str_get(&out), pids, 2, &t, &err), 0);
	assert_int_equal(t.titles.n, 8);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.rows[0].fields.items[1], pid);
	assert_non_null(strstr(t.rows[0].fields.items[7], "test_engine_processes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_container),
		cmocka_unit_test(what_ps_may_not_leave_out),
		cmocka_unit_test(no_other_column_is_called_pid),
		cmocka_unit_test(lines_of_our_own),
		cmocka_unit_test(nonsense_is_no_process),
		cmocka_unit_test(our_own_of_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
