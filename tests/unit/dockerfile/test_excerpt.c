/* SPDX-License-Identifier: Apache-2.0 */
/* Excerpts: how many lines, which are marked, and what a terminal must not get. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/syntax.h"

#define RULE "--------------------\n"

static void assert_excerpt(const char *text, unsigned first, unsigned last, const char *expected)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	/* Whether it can be parsed does not matter: excerpts are for files that cannot. */
	dockerfile_parse("Dockerfile", text, strlen(text), &file, NULL, &err);
	dockerfile_excerpt(&file, (struct dockerfile_lines){first, last}, &out);
	assert_string_equal(str_get(&out), expected);
}

static void shows_two_lines_on_each_side(void **state)
{
	assert_excerpt("FROM a\nRUN b\nRUN c\nRUN d\nRUN e\nRUN f\nRUN g\n", 4, 4,
		       "Dockerfile:4\n" RULE "   2 |     RUN b\n"
		       "   3 |     RUN c\n"
		       "   4 | >>> RUN d\n"
		       "   5 |     RUN e\n"
		       "   6 |     RUN f\n" RULE);
}

static void shows_one_line_around_several(void **state)
{
	assert_excerpt("FROM a\nRUN b\nRUN c \\\n d\nRUN e\nRUN f\n", 3, 4,
		       "Dockerfile:3\n" RULE "   2 |     RUN b\n"
		       "   3 | >>> RUN c \\\n"
		       "   4 | >>>  d\n"
		       "   5 |     RUN e\n" RULE);
}

static void ends_at_the_edges(void **state)
{
	assert_excerpt("FROM a\nRUM b\n", 2, 2,
		       "Dockerfile:2\n" RULE "   1 |     FROM a\n"
		       "   2 | >>> RUM b\n"
		       "   3 |     \n" RULE);
	assert_excerpt("RUM b", 1, 1, "Dockerfile:1\n" RULE "   1 | >>> RUM b\n" RULE);
	assert_excerpt("RUN <<E\na\nb", 1, 3,
		       "Dockerfile:1\n" RULE "   1 | >>> RUN <<E\n"
		       "   2 | >>> a\n"
		       "   3 | >>> b\n" RULE);
}

static void shows_nothing_outside(void **state)
{
	assert_excerpt("FROM a\n", 0, 0, "");
	assert_excerpt("FROM a\n", 7, 7, "");
	assert_excerpt("FROM a\n", 2, 1,
		       "Dockerfile:2\n" RULE "   1 |     FROM a\n"
		       "   2 | >>> \n" RULE);
	assert_excerpt("FROM a", 1, 9, "Dockerfile:1\n" RULE "   1 | >>> FROM a\n" RULE);
}

static void control_characters_stay_here(void **state)
{
	assert_excerpt("RUN \x1b[31m\tx\x7f\r\r\n", 1, 1,
		       "Dockerfile:1\n" RULE "   1 | >>> RUN ?[31m\tx??\n"
		       "   2 |     \n" RULE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_two_lines_on_each_side),
		cmocka_unit_test(shows_one_line_around_several),
		cmocka_unit_test(ends_at_the_edges),
		cmocka_unit_test(shows_nothing_outside),
		cmocka_unit_test(control_characters_stay_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
