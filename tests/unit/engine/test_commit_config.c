/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a commit to the container's configuration. */
#include "../unit.h"

#include "engine/commit_config.h"

#include "base/mem.h"

static char *json_of(const struct strv *v)
{
	cleanup_free char *words = strv_join(v, "|");

	return str_printf("%zu:%s", v->n, words);
}

static void test_commands(void **state)
{
	static const struct {
		const char *cmd, *entrypoint; /* of the container, "" for none */
		const char *changes[3];
		const char *want_cmd, *want_entrypoint;
	} cases[] = {
		{"echo", "", {"CMD [\"a\",\"b\"]"}, "2:a|b", "0:"},
		{"echo", "", {"ENTRYPOINT [\"e\"]"}, "0:", "1:e"},
		{"echo", "", {"CMD [\"a\"]", "ENTRYPOINT [\"e\"]"}, "1:a", "1:e"},
		{"echo", "", {"ENTRYPOINT [\"e\"]", "CMD [\"a\"]"}, "1:a", "1:e"},
		{"echo", "/e", {"ENTRYPOINT []"}, "1:echo", "1:/e"},
		{"echo", "/e", {"CMD []"}, "0:", "1:/e"},
		{"echo", "", {"CMD []"}, "1:echo", "0:"},
		{"echo", "/e", {"ENV A=b"}, "1:echo", "1:/e"},
		{"echo", "/e", {"entrypoint x"}, "0:", "3:/bin/sh|-c|x"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_image_run struct image_run run = {};
		cleanup_strv struct strv changes = STRV_INIT;
		cleanup_free char *cmd = NULL;
		cleanup_free char *entrypoint = NULL;
		struct err err = ERR_INIT;

		strv_add(&run.cmd, cases[i].cmd);
		if (*cases[i].entrypoint)
			strv_add(&run.entrypoint, cases[i].entrypoint);
		for (size_t k = 0; k < 3 && cases[i].changes[k]; k++)
			strv_add(&changes, cases[i].changes[k]);
		assert_int_equal(commit_apply_changes(&changes, &run, &err), 0);
		cmd = json_of(&run.cmd);
		entrypoint = json_of(&run.entrypoint);
		assert_string_equal(cmd, cases[i].want_cmd);
		assert_string_equal(entrypoint, cases[i].want_entrypoint);
	}
}

static void test_lines(void **state)
{
	cleanup_image_run struct image_run run = {};
	cleanup_strv struct strv changes = STRV_INIT;
	cleanup_free char *env = NULL;
	struct err err = ERR_INIT;

	strv_add(&run.env, "A=1");
	strv_add(&changes, "# first\n\nENV B=$A \\\n  C=3\n  env D=4  ");
	strv_add(&changes, "USER u");
	assert_int_equal(commit_apply_changes(&changes, &run, &err), 0);
	env = strv_join(&run.env, " ");
	assert_string_equal(env, "A=1 B=1 C=3 D=4");
	assert_string_equal(run.user, "u");
}

static void test_refused(void **state)
{
	static const struct {
		const char *change, *error;
	} cases[] = {
		{"", "file with no instructions"},
		{"# only a comment", "file with no instructions"},
		{"RUN true", "run is not a valid change command"},
		{"USER a\nFROM x", "from is not a valid change command"},
		{"ENV", "ENV requires at least one argument"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_image_run struct image_run run = {};
		cleanup_strv struct strv changes = STRV_INIT;
		struct err err = ERR_INIT;

		strv_add(&changes, cases[i].change);
		assert_int_equal(commit_apply_changes(&changes, &run, &err), -ERR_INVALID);
		assert_string_equal(err.msg, cases[i].error);
	}
}

static void test_created_by(void **state)
{
	cleanup_image_run struct image_run run = {};
	cleanup_free char *none = commit_created_by(&run);
	cleanup_free char *some = NULL;

	assert_string_equal(none, "");
	strv_add(&run.entrypoint, "/bin/sh");
	strv_add(&run.cmd, "-c");
	strv_add(&run.cmd, "echo \"a b\"");
	some = commit_created_by(&run);
	assert_string_equal(some, "-c echo \"a b\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_created_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
