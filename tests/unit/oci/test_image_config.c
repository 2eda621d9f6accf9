/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations: round trips, what is dropped, what is refused. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "oci/document.h"
#include "oci/image_config.h"

#define DIFF   "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIFF "\"]}"

/* Parsed and formatted again, the bytes are the same. */
static void round_trips(void **state)
{
	static const char *const texts[] = {
		"{\"architecture\":\"amd64\",\"config\":{},\"os\":\"linux\"," ROOTFS "}",
		"{\"architecture\":\"arm64\",\"author\":\"me\",\"comment\":\"c\",\"config\":{"
		"\"User\":\"1:2\",\"ExposedPorts\":{\"53/udp\":{},\"80/"
		"tcp\":{}},\"Env\":[\"A=b\",\"C=\"],"
		"\"Cmd\":[\"x\"],\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"t\"],\"Interval\":5,"
		"\"Retries\":3},"
		"\"ArgsEscaped\":true,\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/"
		"w\",\"Entrypoint\":[\"e\"],"
		"\"OnBuild\":[\"RUN "
		"x\"],\"Labels\":{\"a\":\"1\",\"b\":\"\"},\"StopSignal\":\"SIGINT\","
		"\"Shell\":[\"/bin/"
		"ash\",\"-c\"]},\"created\":\"2026-01-02T03:04:05Z\",\"docker_version\":\"1\","
		"\"history\":[{\"created\":\"2026-01-02T03:04:05Z\",\"created_by\":\"b\","
		"\"author\":\"a\","
		"\"comment\":\"c\",\"empty_layer\":true},{}],\"os\":\"linux\"," ROOTFS
		",\"variant\":\"v8\"}",
		"{\"architecture\":\"amd64\",\"config\":{\"Cmd\":[],\"Entrypoint\":[]},\"os\":"
		"\"linux\"," ROOTFS "}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
		cleanup_free char *again = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(image_config_parse(texts[i], strlen(texts[i]), &config, &err), 0);
		again = image_config_format(&config);
		assert_string_equal(again, texts[i]);
	}
}

/* Metadata is data: nothing that we do not honour gets through, nor a label that is the engine's.
 */
static void drops_what_it_does_not_know(void **state)
{
	static const char text[] =
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"runtime\":\"/bin/"
		"evil\",\"config\":{\"Labels\":"
		"{\"io.tare.x\":\"1\",\"ok\":\"2\"},\"Hooks\":[\"x\"],\"Env\":null}," ROOTFS "}";
	static const char expected[] =
		"{\"architecture\":\"amd64\",\"config\":{\"Labels\":{\"ok\":\"2\"}},"
		"\"os\":\"linux\"," ROOTFS "}";
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_free char *again = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(image_config_parse(text, strlen(text), &config, &err), 0);
	again = image_config_format(&config);
	assert_string_equal(again, expected);
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		const char *message; /* part of it */
	} rows[] = {
		{"", "line 1"},
		{"[]", "not a JSON object"},
		{"{", "line 1"},
		{"{\"os\":\"linux\",\"os\":\"linux\"}", "duplicate"},
		{"{}", "\"os\" is missing"},
		{"{\"os\":\"linux\"," ROOTFS "}", "\"architecture\" is missing"},
		{"{\"os\":1}", "\"os\" is not a string"},
		{"{\"os\":\"linux\",\"architecture\":\"a\"}", "\"rootfs\" is missing"},
		{"{\"os\":\"linux\",\"architecture\":\"a\",\"rootfs\":{}}", "not of type layers"},
		{"{\"os\":\"linux\",\"architecture\":\"a\",\"rootfs\":{\"type\":\"layers\",\"diff_"
		 "ids\":"
		 "[\"sha256:../x\"]}}",
		 "diff ID 0: invalid checksum"},
		{"{\"os\":\"linux\",\"architecture\":\"a\",\"config\":{\"Env\":\"x\"}," ROOTFS "}",
		 "\"Env\" is not a list"},
		{"{\"os\":\"linux\",\"architecture\":\"a\",\"config\":{\"Env\":[1]}," ROOTFS "}",
		 "\"Env\" is not a list of strings"},
		{"{\"os\":\"linux\",\"architecture\":\"a\",\"config\":{\"Cmd\":[\"a\\u0000b\"]}"
		 "," ROOTFS "}",
		 "line 1"},
		{"{\"os\":\"linux\",\"architecture\":\"a\",\"config\":{\"Labels\":{\"a\":1}}"
		 "," ROOTFS "}",
		 "label \"a\" is not a string"},
		{"{\"os\":\"linux\",\"architecture\":\"a\",\"config\":{\"Healthcheck\":{"
		 "\"Interval\":-1}}," ROOTFS "}",
		 "\"Interval\" is negative"},
		{"{\"os\":\"linux\",\"architecture\":\"a\",\"history\":[1]," ROOTFS "}", "history"},
		{"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
		 "nested deeper than 32"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image_config config = IMAGE_CONFIG_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(
			image_config_parse(rows[i].text, strlen(rows[i].text), &config, &err),
			-ERR_INVALID);
		if (!strstr(err.msg, rows[i].message))
			fail_msg("row %zu: \"%s\" not in \"%s\"", i, rows[i].message, err.msg);
	}
}

static void limits_its_size(void **state)
{
	size_t len = DOCUMENT_MAX_SIZE + 1;
	cleanup_free char *text = mem_alloc(len);
	struct image_config config = IMAGE_CONFIG_INIT;
	struct err err = ERR_INIT;

	memset(text, ' ', len);
	assert_int_equal(image_config_parse(text, len, &config, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "larger than 4194304 bytes"));
}

/* Commas in strings are no values; one more value than allowed is refused before it costs memory.
 */
static void limits_its_values(void **state)
{
	static const char head[] = "{\"architecture\":\"a\",\"os\":\"l\",\"author\":\",[,{\","
				   "\"config\":{\"Env\":[\"\"";
	static const char tail[] = "]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
	const size_t others = 10; /* brackets and commas of both */
	struct err err = ERR_INIT;

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct image_config config = IMAGE_CONFIG_INIT;
		cleanup_str struct str text = STR_INIT;

		str_add(&text, head);
		for (size_t i = 0; i < DOCUMENT_MAX_VALUES - others + more; i++)
			str_add(&text, ",\"\"");
		str_add(&text, tail);
		assert_int_equal(image_config_parse(text.buf, text.len, &config, &err),
				 more ? -ERR_INVALID : 0);
		image_config_done(&config);
	}
	assert_string_equal(err.msg, "image configuration has more than 100000 values");
}

static void edits(void **state)
{
	cleanup_image_run struct image_run run = {};

	image_run_set_env(&run, "A", "1");
	image_run_set_env(&run, "AB", "2");
	image_run_set_env(&run, "A", "3");
	assert_int_equal(run.env.n, 2);
	assert_string_equal(run.env.items[0], "A=3");
	image_run_set_label(&run, "z", "1");
	image_run_set_label(&run, "a", "2");
	image_run_set_label(&run, "z", "3");
	assert_int_equal(run.label_keys.n, 2);
	assert_string_equal(run.label_keys.items[0], "a");
	assert_string_equal(run.label_values.items[1], "3");
	image_set_add(&run.volumes, "/b");
	image_set_add(&run.volumes, "/a");
	image_set_add(&run.volumes, "/b");
	assert_int_equal(run.volumes.n, 2);
	assert_string_equal(run.volumes.items[0], "/a");
	assert_null(run.volumes.items[2]);
}

/* What came from a command line need not be UTF-8; the result always is. */
static void survives_bad_utf8(void **state)
{
	cleanup_image_run struct image_run run = {};
	cleanup_json json_t *o = NULL;

	image_run_set_label(&run, "k\xff", "v\xfe");
	image_set_add(&run.volumes, "/\xc3");
	o = image_run_to_json(&run);
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "Labels"), "k?")),
			    "v?");
	assert_non_null(json_object_get(json_object_get(o, "Volumes"), "/?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),	     cmocka_unit_test(drops_what_it_does_not_know),
		cmocka_unit_test(refuses),	     cmocka_unit_test(limits_its_size),
		cmocka_unit_test(limits_its_values), cmocka_unit_test(edits),
		cmocka_unit_test(survives_bad_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
