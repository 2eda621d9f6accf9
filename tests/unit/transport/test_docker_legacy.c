/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of docker before 1.10 become a configuration, to the byte as docker makes it. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "oci/image_config.h"
#include "transport/docker_archive.h"

#define ID   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIFF "sha256:" ID

static const char base[] =
	"{\"id\":\"" ID "\",\"created\":\"2015-03-01T10:00:00Z\",\"container_config\":{\"Cmd\":"
	"[\"/bin/sh\",\"-c\",\"#(nop) ADD <x> &\"]},\"docker_version\":\"1.9.1\",\"Size\":5}";
static const char top[] =
	"{\"id\":\"" ID "\",\"parent\":\"" ID
	"\",\"created\":\"2015-03-02T10:00:00Z\",\"author\":\"me\","
	"\"os\":\"linux\",\"config\":{\"Env\":[\"B=1\"],\"Cmd\":null},\"architecture\":\"amd64\","
	"\"comment\":\"why\",\"layer_id\":\"x\",\"parent_id\":\"y\",\"throwaway\":true}";

static void makes_a_configuration(void **state)
{
	struct str texts[2] = {};
	cleanup_strv struct strv diff_ids = STRV_INIT;
	cleanup_image_config struct image_config parsed = IMAGE_CONFIG_INIT;
	cleanup_free char *config = NULL;
	struct err err = ERR_INIT;

	str_add(&texts[0], base);
	str_add(&texts[1], top);
	strv_add(&diff_ids, DIFF);
	strv_add(&diff_ids, DIFF);
	if (docker_legacy_config(texts, &diff_ids, &config, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(
		config,
		"{\"architecture\":\"amd64\",\"author\":\"me\",\"comment\":\"why\",\"config\":{"
		"\"Env\":[\"B=1\"],\"Cmd\":null},\"created\":\"2015-03-02T10:00:00Z\",\"history\":["
		"{"
		"\"created\":\"2015-03-01T10:00:00Z\",\"created_by\":\"/bin/sh -c #(nop) ADD "
		"\\u003cx\\u003e "
		"\\u0026\"},{\"created\":\"2015-03-02T10:00:00Z\",\"author\":\"me\","
		"\"comment\":\"why\"}],\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_"
		"ids\":[\"" DIFF "\",\"" DIFF "\"]}}");
	assert_int_equal(image_config_parse(config, strlen(config), &parsed, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		str_done(&texts[i]);
}

static void finds_parents(void **state)
{
	static const struct {
		const char *text;
		const char *parent; /* NULL: none */
		int rc;
	} rows[] = {
		{"{}", NULL, 0},
		{"{\"parent\":null}", NULL, 0},
		{"{\"parent\":\"\"}", NULL, 0},
		{"{\"parent\":\"" ID "\"}", ID, 0},
		{"{\"parent\":\"..\"}", NULL, -ERR_INVALID},
		{"{\"parent\":\"" ID "/../x\"}", NULL, -ERR_INVALID},
		{"{\"parent\":7}", NULL, -ERR_INVALID},
		{"x", NULL, -ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *parent = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(
			docker_legacy_parent(rows[i].text, strlen(rows[i].text), &parent, &err),
			rows[i].rc);
		assert_true(str_is_equal(parent, rows[i].parent));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_a_configuration),
		cmocka_unit_test(finds_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
