/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.json and repositories: what they say, and what is refused. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "transport/docker_archive.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void reads_images(void **state)
{
	static const char text[] =
		"[{\"Config\":\"a.json\",\"RepoTags\":[\"x:1\",\"docker.io/library/x:1\",\"team/"
		"y:2\"],"
		"\"Layers\":[\"1/layer.tar\",\"2/layer.tar\"]},"
		"{\"Config\":\"b.json\",\"RepoTags\":null,\"Layers\":[\"1/"
		"layer.tar\"],\"Parent\":\"x\"},"
		"{\"Config\":\"b.json\",\"RepoTags\":[\"z:3\"],\"Layers\":[\"1/layer.tar\"]}]";
	cleanup_docker_archive struct docker_archive a = DOCKER_ARCHIVE_INIT;
	struct err err = ERR_INIT;

	if (docker_manifest_parse(text, strlen(text), &a, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(a.n, 2);
	assert_string_equal(a.images[0].config, "a.json");
	assert_int_equal(a.images[0].names.n, 2); /* two spellings of one name */
	assert_string_equal(a.images[0].names.items[0], "x:1");
	assert_string_equal(a.images[0].names.items[1], "team/y:2");
	assert_int_equal(a.images[0].layers.n, 2);
	assert_int_equal(a.images[1].names.n, 1);
	assert_string_equal(a.images[1].names.items[0], "z:3");
	assert_int_equal(a.images[1].layers.n, 1);
}

static void refuses_manifests(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
		{"{}", "manifest.json is not a JSON list"},
		{"7", "manifest.json: line 1: '[' or '{' expected near '7'"},
		{"[7]", "manifest.json: image 0: not an object"},
		{"[{}]", "manifest.json: image 0: \"Config\" is missing"},
		{"[{\"Config\":7}]", "manifest.json: image 0: \"Config\" is not a string"},
		{"[{\"Config\":\"a\",\"Layers\":\"b\"}]",
		 "manifest.json: image 0: \"Layers\" is not a list"},
		{"[{\"Config\":\"a\",\"RepoTags\":[\"x\"]}]",
		 "manifest.json: image 0: invalid tag \"x\""},
		{"[{\"Config\":\"a\",\"RepoTags\":[\"../x:1\"]}]",
		 "manifest.json: image 0: invalid reference format"},
		{"[{\"Config\":\"a\"},{\"Config\":\"a\",\"Layers\":[\"b\"]}]",
		 "manifest.json: image 1: a is named twice with different layers"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_docker_archive struct docker_archive a = DOCKER_ARCHIVE_INIT;
		struct err err = ERR_INIT;

		assert_true(docker_manifest_parse(rows[i].text, strlen(rows[i].text), &a, &err) <
			    0);
		assert_string_equal(err.msg, rows[i].message);
	}
}

static void names_are_limited(void **state)
{
	cleanup_docker_archive struct docker_archive a = DOCKER_ARCHIVE_INIT;
	cleanup_str struct str text = STR_INIT;
	struct err err = ERR_INIT;

	str_add(&text, "[{\"Config\":\"a\",\"RepoTags\":[\"x:0\"");
	for (int i = 1; i <= DOCKER_MAX_NAMES; i++)
		str_addf(&text, ",\"x:%d\"", i);
	str_add(&text, "]}]");
	assert_int_equal(docker_manifest_parse(str_get(&text), text.len, &a, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "manifest.json: image 0: more than 1000 names");
}

static void reads_repositories(void **state)
{
	static const char text[] = "{\"x\":{\"1\":\"" ID "\",\"2\":\"" ID
				   "\"},\"team/y\":{\"z\":\"" ID "\"}}";
	cleanup_docker_archive struct docker_archive a = DOCKER_ARCHIVE_INIT;
	struct err err = ERR_INIT;

	if (docker_repositories_parse(text, strlen(text), &a, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.images[0].id, ID);
	assert_null(a.images[0].config);
	assert_int_equal(a.images[0].names.n, 3);
	assert_string_equal(a.images[0].names.items[2], "team/y:z");
}

static void refuses_repositories(void **state)
{
	static const char *const rows[] = {
		"[]",
		"{\"x\":7}",
		"{\"x\":{\"1\":7}}",
		"{\"x\":{\"1\":\"../../etc\"}}",
		"{\"x\":{\"1\":\"0123\"}}",
		"{\"X\":{\"1\":\"" ID "\"}}",
		"{\"x\":{\"a b\":\"" ID "\"}}",
		"{\"x\":{\"1@sha256:" ID "\":\"" ID "\"}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_docker_archive struct docker_archive a = DOCKER_ARCHIVE_INIT;
		struct err err = ERR_INIT;

		assert_true(docker_repositories_parse(rows[i], strlen(rows[i]), &a, &err) < 0);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_images),		cmocka_unit_test(refuses_manifests),
		cmocka_unit_test(names_are_limited),	cmocka_unit_test(reads_repositories),
		cmocka_unit_test(refuses_repositories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
