/* SPDX-License-Identifier: Apache-2.0 */
/* Sources made of blobs in memory: verification, the way to a manifest, what belongs to an image.
 */
#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "transport/closure.h"
#include "transport/source.h"

static int open_blob(struct source *source, const struct descriptor *d, struct blob_at *ret,
		     struct err *err)
{
	int rc = source_open_made(source, d, ret, err);

	return rc == 0 ? err_set(err, ERR_NOT_FOUND, "no") : rc < 0 ? rc : 0;
}

static const struct source_ops ops = {.open_blob = open_blob};

/* Adds TEXT and describes it; free the text. */
static char *blob(struct source *s, const char *text, const char *type, const char *more)
{
	char hex[DIGEST_HEX_LEN + 1];

	source_add_text(s, text, strlen(text), hex);
	return str_printf("{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu%s}", type,
			  hex, strlen(text), more);
}

#define PLATFORM(arch) ",\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"}"

static char *manifest(struct source *s, const char *layer, const char *more)
{
	cleanup_free char *config = blob(s, "{}", MEDIA_CONFIG, "");
	cleanup_free char *l = blob(s, layer, MEDIA_LAYER, "");
	cleanup_free char *text = str_printf("{\"config\":%s,\"layers\":[%s,%s]}", config, l, l);

	return blob(s, text, MEDIA_MANIFEST, more);
}

static char *indexed(struct source *s, const char *entries)
{
	cleanup_free char *text = str_printf("{\"manifests\":[%s]}", entries);

	return blob(s, text, MEDIA_INDEX, "");
}

static void to_descriptor(const char *text, struct descriptor *ret)
{
	json_t *doc = json_loads(text, 0, NULL);
	struct err err = ERR_INIT;

	assert_int_equal(descriptor_parse(doc, ret, &err), 0);
	json_decref(doc);
}

/* An index of two platforms. */
static void make_index(struct source *s, struct descriptor *ret)
{
	cleanup_free char *amd = manifest(s, "AMD", PLATFORM("amd64"));
	cleanup_free char *arm = manifest(s, "ARM", PLATFORM("arm64"));
	cleanup_free char *both = str_printf("%s,%s", amd, arm);
	cleanup_free char *index = indexed(s, both);

	s->ops = &ops;
	to_descriptor(index, ret);
}

static void finds_the_manifest_of_a_platform(void **state)
{
	cleanup_source struct source s = SOURCE_INIT;
	cleanup_descriptor struct descriptor top = DESCRIPTOR_INIT;
	cleanup_descriptor struct descriptor found = DESCRIPTOR_INIT;
	struct platform want = {};
	struct err err = ERR_INIT;

	make_index(&s, &top);
	platform_set(&want, "linux", "arm64", NULL);
	assert_int_equal(source_find_manifest(&s, &top, &want, &found, &err), 0);
	assert_string_equal(found.platform.arch, "arm64");
	platform_set(&want, "linux", "s390x", NULL);
	assert_int_equal(source_find_manifest(&s, &top, &want, &found, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.msg, "no image for linux/s390x in it");
}

static void a_closure_has_each_blob_once(void **state)
{
	cleanup_source struct source s = SOURCE_INIT;
	cleanup_descriptor struct descriptor top = DESCRIPTOR_INIT;
	cleanup_closure struct closure c = CLOSURE_INIT;
	struct err err = ERR_INIT;

	make_index(&s, &top);
	if (closure_read(&s, &top, NULL, &c, &err) < 0)
		fail_msg("%s", err.msg);
	/* One configuration, two layers, two manifests, the index. */
	assert_int_equal(c.n, 6);
	assert_string_equal(closure_get_target(&c)->hex, top.hex);
	for (size_t i = 0; i < c.n; i++)
		assert_int_equal(c.blobs[i].is_document, i == 2 || i >= 4);
}

static void a_missing_blob_is_named(void **state)
{
	cleanup_source struct source s = SOURCE_INIT;
	cleanup_descriptor struct descriptor top = DESCRIPTOR_INIT;
	cleanup_closure struct closure c = CLOSURE_INIT;
	struct err err = ERR_INIT;
	char hex[DIGEST_HEX_LEN + 1];

	make_index(&s, &top);
	sha256_hex("ARM", 3, hex);
	for (size_t i = 0; i < s.n_made; i++)
		if (strcmp(s.made[i].hex, hex) == 0)
			s.made[i].hex[0] = 'x';
	cleanup_free char *message = str_printf("blob sha256:%s is missing", hex);

	assert_int_equal(closure_read(&s, &top, NULL, &c, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.msg, message);
}

static void what_is_not_as_promised_is_refused(void **state)
{
	cleanup_source struct source s = SOURCE_INIT;
	cleanup_descriptor struct descriptor d = DESCRIPTOR_INIT;
	cleanup_free char *text = blob(&s, "text", "x", "");
	cleanup_str struct str got = STR_INIT;
	struct err err = ERR_INIT;

	s.ops = &ops;
	to_descriptor(text, &d);
	assert_int_equal(source_read_blob(&s, &d, &got, &err), 0);
	assert_string_equal(str_get(&got), "text");
	s.made[0].text.buf[0] = 'T';
	str_truncate(&got, 0);
	assert_int_equal(source_read_blob(&s, &d, &got, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "is damaged: its digest is another"));
	str_add(&s.made[0].text, "!");
	assert_int_equal(source_read_blob(&s, &d, &got, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "has 5 bytes, not the 4 of its descriptor"));
}

/* A blob that is a layer here and a manifest there would be copied without what it names. */
static void nothing_is_two_things(void **state)
{
	cleanup_source struct source s = SOURCE_INIT;
	cleanup_descriptor struct descriptor top = DESCRIPTOR_INIT;
	cleanup_closure struct closure c = CLOSURE_INIT;
	cleanup_free char *inner = manifest(&s, "L", "");
	cleanup_free char *config = blob(&s, "{}", MEDIA_CONFIG, "");
	cleanup_free char *outer_text = str_printf("{\"config\":%s,\"layers\":[%s]}", config,
						   inner);
	cleanup_free char *outer = blob(&s, outer_text, MEDIA_MANIFEST, "");
	cleanup_free char *both = str_printf("%s,%s", outer, inner);
	cleanup_free char *index = indexed(&s, both);
	struct err err = ERR_INIT;

	s.ops = &ops;
	to_descriptor(index, &top);
	assert_int_equal(closure_read(&s, &top, NULL, &c, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "is named as two things"));
}

static void indexes_have_a_limited_depth(void **state)
{
	cleanup_source struct source s = SOURCE_INIT;
	cleanup_free char *entry = manifest(&s, "L", "");
	struct platform host = {};

	s.ops = &ops;
	platform_get_host(&host);
	for (int depth = 1; depth <= MANIFEST_MAX_DEPTH + 1; depth++) {
		cleanup_descriptor struct descriptor top = DESCRIPTOR_INIT;
		cleanup_descriptor struct descriptor found = DESCRIPTOR_INIT;
		cleanup_closure struct closure c = CLOSURE_INIT;
		char *index = indexed(&s, entry);
		struct err err = ERR_INIT;
		int expected = depth <= MANIFEST_MAX_DEPTH ? 0 : -ERR_INVALID;

		free(entry);
		entry = index;
		to_descriptor(entry, &top);
		assert_int_equal(closure_read(&s, &top, NULL, &c, &err), expected);
		assert_int_equal(source_find_manifest(&s, &top, &host, &found, &err), expected);
	}
}

/* An image named NAME (NULL: none) for ARCH. */
static void add_image(struct source *s, const char *name, const char *arch)
{
	struct source_image *image = source_add_image(s);

	if (name)
		strv_add(&image->names, name);
	image->target.has_platform = arch;
	platform_set(&image->target.platform, "linux", arch, NULL);
}

static void chooses_among_images(void **state)
{
	cleanup_source struct source s = SOURCE_INIT;
	struct platform amd = {};
	struct err err = ERR_INIT;

	platform_set(&amd, "linux", "amd64", NULL);
	add_image(&s, "x:1", "arm64");
	add_image(&s, "x:1", "amd64");
	add_image(&s, "y:latest", "arm64");
	assert_int_equal(source_filter_platform(&s, &amd, &err), 0);
	assert_int_equal(s.n_images, 2); /* y is alone and stays */
	assert_int_equal(source_choose(&s, NULL, &amd, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "there are 2 images in it");
	assert_int_equal(source_choose(&s, "docker.io/library/y", &amd, &err), 0);
	assert_int_equal(s.n_images, 1);
	assert_int_equal(s.images[0].number, 2);
	assert_int_equal(source_choose(&s, "x:1", &amd, &err), -ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_manifest_of_a_platform),
		cmocka_unit_test(a_closure_has_each_blob_once),
		cmocka_unit_test(a_missing_blob_is_named),
		cmocka_unit_test(what_is_not_as_promised_is_refused),
		cmocka_unit_test(nothing_is_two_things),
		cmocka_unit_test(indexes_have_a_limited_depth),
		cmocka_unit_test(chooses_among_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
