/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file of docker: where it is, its members, and those that are no such file. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/docker_config.h"

/* A directory with CONTENT as its config.json; NULL: without one. */
static char *make_dir(const char *content)
{
	char *dir = str_dup("/tmp/docker-config-XXXXXX");
	cleanup_free char *path = NULL;
	FILE *file = NULL;

	assert_non_null(mkdtemp(dir));
	path = str_printf("%s/config.json", dir);
	if (!content)
		return dir;
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
	return dir;
}

static void remove_dir(const char *dir)
{
	cleanup_free char *path = str_printf("%s/config.json", dir);

	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

static void test_members(void **state)
{
	cleanup_free char *dir = make_dir("{\"psFormat\":\"{{.ID}}\",\"imagesFormat\":\"\","
					  "\"detachKeys\":\"ctrl-a,b\",\"statsFormat\":3}");
	struct cli cli = {.config_dir = dir};

	assert_string_equal(docker_config_get_text(&cli, "psFormat"), "{{.ID}}");
	assert_null(docker_config_get_text(&cli, "imagesFormat"));
	assert_null(docker_config_get_text(&cli, "statsFormat"));
	assert_null(docker_config_get_text(&cli, "volumesFormat"));
	assert_string_equal(docker_config_detach_keys(&cli, NULL), "ctrl-a,b");
	assert_string_equal(docker_config_detach_keys(&cli, "ctrl-x"), "ctrl-x");
	docker_config_done(&cli);
	assert_null(cli.docker_config);
	remove_dir(dir);
}

static void test_where(void **state)
{
	cleanup_free char *by_option = make_dir("{\"psFormat\":\"option\"}");
	cleanup_free char *by_variable = make_dir("{\"psFormat\":\"variable\"}");
	struct cli cli = {.config_dir = by_option};

	setenv("DOCKER_CONFIG", by_variable, 1);
	assert_string_equal(docker_config_get_text(&cli, "psFormat"), "option");
	docker_config_done(&cli);
	cli.config_dir = NULL;
	assert_string_equal(docker_config_get_text(&cli, "psFormat"), "variable");
	docker_config_done(&cli);
	unsetenv("DOCKER_CONFIG");
	remove_dir(by_option);
	remove_dir(by_variable);
}

/* Nothing there, no JSON, no object: as if it were empty. */
static void test_unusable(void **state)
{
	static const char *const contents[] = {NULL, "", "{\"psFormat\"", "[\"psFormat\"]"};

	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		cleanup_free char *dir = make_dir(contents[i]);
		struct cli cli = {.config_dir = dir};

		assert_null(docker_config_get(&cli, "psFormat"));
		docker_config_done(&cli);
		remove_dir(dir);
	}
}

static void test_proxies(void **state)
{
	cleanup_free char *dir = make_dir(
		"{\"proxies\":{\"default\":{\"httpProxy\":\"http://p:1\",\"noProxy\":\"a,b\","
		"\"ftpProxy\":\"\"},\"tcp://elsewhere\":{\"allProxy\":\"x\"}}}");
	cleanup_strv struct strv env = STRV_INIT;
	cleanup_free char *all = NULL;
	struct cli cli = {.config_dir = dir};

	strv_add(&env, "HTTP_PROXY=mine");
	strv_add(&env, "no_proxy");
	docker_config_add_proxies(&cli, &env);
	all = strv_join(&env, " ");
	assert_string_equal(all, "HTTP_PROXY=mine no_proxy http_proxy=http://p:1 NO_PROXY=a,b");
	docker_config_done(&cli);
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_unusable),
		cmocka_unit_test(test_proxies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
