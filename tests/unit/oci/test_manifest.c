/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes: what is refused, the choice of a platform, and the one form of writing. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "oci/manifest.h"

#define HEX	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST	"\"digest\":\"sha256:" HEX "\""
#define BLOB	"{" DIGEST ",\"size\":7}"
#define CONFIG	"\"config\":" BLOB
#define LAYERS	"\"layers\":[" BLOB "]"
#define ENTRIES "\"manifests\":[" BLOB "]"

static int parse(const char *text, const char *expected, struct manifest *ret, struct err *err)
{
	return manifest_parse(text, strlen(text), expected, "it", ret, err);
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
		const char *message;
	} rows[] = {
		{"[]", NULL, "it is not a JSON object"},
		{"{}", NULL, "ambiguous manifest"},
		{"{" CONFIG "," LAYERS "," ENTRIES "}", NULL, "ambiguous manifest"},
		{"{" CONFIG "," LAYERS "}", MEDIA_INDEX, "ambiguous manifest"},
		{"{" ENTRIES "}", MEDIA_MANIFEST, "ambiguous manifest"},
		{"{" ENTRIES "}", MEDIA_DOCKER, "ambiguous manifest"},
		{"{\"mediaType\":\"" MEDIA_DOCKER "\"," CONFIG "," LAYERS "}", MEDIA_MANIFEST,
		 "ambiguous manifest"},
		{"{\"mediaType\":\"" MEDIA_CONFIG "\"," CONFIG "," LAYERS "}", NULL,
		 "ambiguous manifest"},
		{"{\"mediaType\":\"x\"," CONFIG "," LAYERS "}", "x", "ambiguous manifest"},
		{"{" ENTRIES "}", "x", "ambiguous manifest"},
		{"{\"mediaType\":7," CONFIG "," LAYERS "}", NULL, "\"mediaType\" is not a string"},
		{"{" LAYERS "}", NULL, "config: a descriptor is missing"},
		{"{" CONFIG ",\"layers\":{}}", NULL, "\"layers\" is not a list"},
		{"{" CONFIG ",\"layers\":[7]}", NULL, "layer 0: a descriptor is missing"},
		{"{" CONFIG ",\"layers\":[{\"size\":1}]}", NULL,
		 "layer 0: invalid checksum digest format"},
		{"{" CONFIG ",\"layers\":[{\"digest\":\"sha256:../x\"}]}", NULL,
		 "layer 0: invalid checksum digest length"},
		{"{" CONFIG ",\"layers\":[{" DIGEST ",\"size\":-1}]}", NULL,
		 "layer 0: \"size\" is negative"},
		{"{" CONFIG ",\"layers\":[{" DIGEST ",\"size\":1,\"urls\":[\"http://x\"]}]}", NULL,
		 "layer 0: layers that live at other places are not taken"},
		{"{\"manifests\":[{" DIGEST ",\"annotations\":{\"" ANNOTATION_REF_NAME "\":1}}]}",
		 NULL, "manifest 0: \"" ANNOTATION_REF_NAME "\" is not a string"},
		{"{\"fsLayers\":[]}", NULL, "manifests of docker's schema 1 are not supported"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_manifest struct manifest m = MANIFEST_INIT;
		struct err err = ERR_INIT;

		assert_true(parse(rows[i].text, rows[i].expected, &m, &err) < 0);
		assert_string_equal(err.msg, rows[i].message);
	}
}

/* N entries BLOB under KEY, with more text before the list. */
static char *many(const char *before, const char *key, size_t n)
{
	cleanup_str struct str text = STR_INIT;

	str_addf(&text, "{%s\"%s\":[" BLOB, before, key);
	for (size_t i = 1; i < n; i++)
		str_add(&text, "," BLOB);
	str_add(&text, "]}");
	return str_take(&text);
}

static void counts_are_limited(void **state)
{
	const struct {
		const char *before;
		const char *key;
		size_t max;
	} rows[] = {
		{CONFIG ",", "layers", 500},
		{"", "manifests", MANIFEST_MAX_ENTRIES},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *good = many(rows[i].before, rows[i].key, rows[i].max);
		cleanup_free char *bad = many(rows[i].before, rows[i].key, rows[i].max + 1);
		cleanup_manifest struct manifest m = MANIFEST_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(parse(good, NULL, &m, &err), 0);
		assert_int_equal(m.n_entries, rows[i].max);
		manifest_done(&m);
		assert_int_equal(parse(bad, NULL, &m, &err), -ERR_INVALID);
	}
}

static void chooses_by_platform(void **state)
{
	static const char text[] =
		"{\"manifests\":["
		"{" DIGEST
		",\"size\":1,\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}},"
		"{" DIGEST ",\"size\":2,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\","
		"\"variant\":\"v8\"}},"
		"{" DIGEST
		",\"size\":3,\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
		"{" DIGEST ",\"size\":4}]}";
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_manifest struct manifest one = MANIFEST_INIT;
	struct platform want = {};
	struct err err = ERR_INIT;

	assert_int_equal(parse(text, NULL, &m, &err), 0);
	platform_set(&want, "linux", "amd64", NULL);
	assert_int_equal(manifest_choose(&m, &want)->size, 3);
	platform_set(&want, "linux", "arm64", NULL);
	assert_int_equal(manifest_choose(&m, &want)->size, 2);
	platform_set(&want, "linux", "s390x", NULL);
	assert_null(manifest_choose(&m, &want));
	/* One that says nothing is taken when there is no other. */
	assert_int_equal(parse("{" ENTRIES "}", NULL, &one, &err), 0);
	assert_int_equal(manifest_choose(&one, &want)->size, 7);
}

static void writes_what_it_reads(void **state)
{
	static const char index[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX
		"\",\"manifests\":[{\"mediaType\":"
		"\"" MEDIA_MANIFEST "\"," DIGEST ",\"size\":7,\"annotations\":{\"" ANNOTATION_IMAGE
		"\":\"docker.io/library/x:1\",\"" ANNOTATION_REF_NAME "\":\"1\"},\"platform\":"
		"{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}}]}";
	static const char image[] = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_MANIFEST
				    "\",\"config\":{\"mediaType\":"
				    "\"" MEDIA_CONFIG "\"," DIGEST ",\"size\":7},\"layers\":[" BLOB
				    "," BLOB "]}";
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(parse(index, NULL, &m, &err), 0);
	cleanup_free char *index_again = manifest_format_index(m.entries, m.n_entries);

	assert_string_equal(index_again, index);
	manifest_done(&m);
	assert_int_equal(parse(image, NULL, &m, &err), 0);
	assert_true(manifest_is_image(&m));
	cleanup_free char *image_again = manifest_format(&m.config, m.entries, m.n_entries);

	assert_string_equal(image_again, image);
}

static void artifacts_are_no_images(void **state)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(
		parse("{\"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json\"," DIGEST
		      "},\"layers\":[]}",
		      NULL, &m, &err),
		0);
	assert_false(manifest_is_image(&m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(counts_are_limited),
		cmocka_unit_test(chooses_by_platform),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(artifacts_are_no_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
