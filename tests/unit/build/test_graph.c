/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of Dockerfiles: the cases of tests/data/build-graph. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "graph_case.h"
#include "oci/platform.h"

static void check_case(const struct graph_case *c, size_t *failed)
{
	cleanup_strv struct strv lines = STRV_INIT;
	size_t wrong = 0;

	graph_case_describe(c, &lines);
	strv_foreach (i, &c->expected) {
		const char *line = c->expected.items[i];
		bool unwanted = *line == '!';

		if (strv_has(&lines, line + unwanted) != unwanted)
			continue;
		fprintf(stderr, "case \"%s\": %s \"%s\"\n", c->name,
			unwanted ? "there is" : "there is no", line + unwanted);
		wrong++;
	}
	if (!wrong && c->expected.n)
		return;
	strv_foreach (i, &lines)
		fprintf(stderr, "    %s\n", lines.items[i]);
	(*failed)++;
}

static void check_file(const char *name, size_t least)
{
	cleanup_free char *path = str_printf("%s/%s", DATA_DIR, name);
	struct graph_cases cases = {};
	struct platform host = {};
	size_t failed = 0;

	/* The cases name the platform that they are built on. */
	platform_get_host(&host);
	if (strcmp(host.arch, "amd64") != 0)
		skip();
	graph_cases_load(path, &cases);
	for (size_t i = 0; i < cases.n; i++)
		check_case(cases.items[i], &failed);
	/* A file that lost its cases must not pass. */
	assert_true(cases.n >= least);
	graph_cases_done(&cases);
	assert_int_equal(failed, 0);
}

static void test_arguments(void **state)
{
	check_file("arguments.txt", 40);
}

static void test_configurations(void **state)
{
	check_file("configurations.txt", 40);
}

static void test_stages(void **state)
{
	check_file("stages.txt", 30);
}

static void test_steps(void **state)
{
	check_file("steps.txt", 30);
}

static void test_errors(void **state)
{
	check_file("errors.txt", 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments), cmocka_unit_test(test_configurations),
		cmocka_unit_test(test_stages),	  cmocka_unit_test(test_steps),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
