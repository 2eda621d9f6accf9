/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: context outermost first, the cause never cut. */
#include "../unit.h"

#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static void context_grows_outwards(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(err_sys(&err, ENOENT, "open %s", "x"), -ERR_NOT_FOUND);
	assert_int_equal(err_wrap(&err, "import %s", "y"), -ERR_NOT_FOUND);
	assert_string_equal(err.msg, "import y: open x: no such file or directory");
	assert_int_equal(err.errnum, ENOENT);
}

static void the_cause_survives_a_long_context(void **state)
{
	struct err err = ERR_INIT;
	char context[4000];

	memset(context, 'c', sizeof(context) - 1);
	context[sizeof(context) - 1] = '\0';
	err_set(&err, ERR_INVALID, "the cause");
	err_wrap(&err, "%s", context);
	assert_non_null(strstr(err.msg, ": the cause"));
	assert_true(strlen(err.msg) < sizeof(err.msg));
}

/* Names come from archives: an escape sequence or a second line must not get through. */
static void control_characters_are_defused(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	err_sys(&err, ENOENT, "a\x1b[2J%s", "b\nc\x7f");
	err_wrap(&err, "%s", "d\re");
	err_hint(&err, "f%s", "\t\b");
	assert_string_equal(err.msg, "d?e: a?[2Jb?c?: no such file or directory");
	assert_string_equal(err.hint, "f\t?");
	err_set(&err, ERR_INVALID, "\xc3\xa9\x01");
	assert_string_equal(err.msg, "\xc3\xa9?");
}

static void crosses_a_pipe_in_one_write(void **state)
{
	assert_true(sizeof(struct err) <= PIPE_BUF);
}

static void statuses(void **state)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_NO_COMMAND, "x");
	assert_int_equal(err_run_status(&err), 127);
	err_set(&err, ERR_NO_EXEC, "x");
	assert_int_equal(err_run_status(&err), 126);
	err_set(&err, ERR_CONFLICT, "x");
	assert_int_equal(err_run_status(&err), 125);
	err_set(&err, ERR_DENIED, "chdir to /root: permission denied");
	assert_int_equal(err_run_status(&err), 126);
	err_set(&err, ERR_NOT_FOUND, "write net.x: no such file or directory");
	assert_int_equal(err_run_status(&err), 127);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(context_grows_outwards),
		cmocka_unit_test(the_cause_survives_a_long_context),
		cmocka_unit_test(control_characters_are_defused),
		cmocka_unit_test(crosses_a_pipe_in_one_write),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
