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

/* ---- what is too much ---- */

/* The description of a file of FIRST, then N times what REPEAT gives, and LAST. */
static char *describe_many(const char *first, size_t n, char *(*repeat)(size_t), const char *last)
{
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_str struct str file = STR_INIT;
	struct graph_case c = {.name = str_dup("many")};
	char *joined = NULL;

	build_request_init(&c.request);
	str_add(&file, first);
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *line = repeat(i);

		str_add(&file, line);
	}
	str_add(&file, last);
	c.file = str_take(&file);
	graph_case_describe(&c, &lines);
	joined = strv_join(&lines, "\n");
	free(c.name);
	free(c.file);
	build_request_done(&c.request);
	return joined;
}

static char *repeat_double(size_t i)
{
	return str_dup("ENV A=$A$A\n");
}

static char *repeat_run(size_t i)
{
	return str_printf("RUN %zu\n", i);
}

static char *repeat_env(size_t i)
{
	return str_printf("ENV A=%zu\n", i);
}

static char *repeat_stage(size_t i)
{
	return str_printf("FROM s%zu AS s%zu\n", i, i + 1);
}

static void test_limits(void **state)
{
	const struct {
		const char *first, *last;
		size_t n;
		char *(*repeat)(size_t i);
		const char *expected;
	} cases[] = {
		{"FROM scratch\nENV A=0123456789\n", "", 40, repeat_double,
		 "error failed to process"},
		{"FROM scratch\n", "", 500, repeat_run, "steps 501"},
		{"FROM scratch\n", "", 501, repeat_run, "error more than 500 layers"},
		{"FROM scratch\n", "", 2000, repeat_env, "steps 1\n"},
		{"FROM scratch\n", "", 2001, repeat_env, "error more than 2000 instructions"},
		{"FROM scratch AS s0\n", "", 1999, repeat_stage, "steps 1\n"},
		{"FROM scratch AS s0\n", "", 2000, repeat_stage, "error more than 2000 stages"},
		/* 1 MiB of environment for each command. */
		{"FROM scratch\nENV A=0123456789abcdef\nENV A=$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A\n"
		 "ENV A=$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A\nENV A=$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A\n"
		 "ENV A=$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A\n",
		 "", 300, repeat_run, "error the Dockerfile comes to more than 256 MiB of text"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *got = describe_many(cases[i].first, cases[i].n, cases[i].repeat,
						       cases[i].last);

		if (!strstr(got, cases[i].expected))
			fail_msg("no \"%s\" in \"%.200s\"", cases[i].expected, got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments), cmocka_unit_test(test_configurations),
		cmocka_unit_test(test_stages),	  cmocka_unit_test(test_steps),
		cmocka_unit_test(test_errors),	  cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
