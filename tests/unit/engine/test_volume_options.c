/* SPDX-License-Identifier: Apache-2.0 */
/* What the local driver's options become, and mappings of ids. */
#include "../unit.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/volume.h"
#include "engine/volume_options.h"

static const struct {
	const char *options; /* JSON */
	const char *want;    /* type source volume options, or the error */
} mounts[] = {
	{"null", "bind /data vol rbind,rprivate"},
	{"{}", "bind /data vol rbind,rprivate"},
	{"{\"type\":\"tmpfs\",\"device\":\"tmpfs\"}", "tmpfs tmpfs vol "},
	{"{\"type\":\"tmpfs\",\"device\":\"tmpfs\",\"o\":\"size=1m,mode=700\"}",
	 "tmpfs tmpfs vol size=1m,mode=700"},
	{"{\"type\":\"none\",\"device\":\"/x\",\"o\":\"bind\"}", "bind /x - bind,rprivate"},
	{"{\"type\":\"\",\"device\":\"/x\",\"o\":\"rbind,ro\"}", "bind /x - rbind,rprivate,ro"},
	{"{\"type\":\"nfs\",\"device\":\":/x\",\"o\":\"addr=10.0.0.1,vers=4\"}",
	 "nfs :/x - addr=10.0.0.1,vers=4"},
	{"{\"type\":\"none\",\"device\":\"x\",\"o\":\"bind\"}",
	 "volume vol: the device of a bind must be an absolute path, not \"x\""},
};

static void options_become_mounts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
		struct oci_mount m = {};
		struct err err = ERR_INIT;
		int rc = volume_set_mount("vol", mounts[i].options, "/data", &m, &err);
		cleanup_free char *joined = strv_join(&m.options, ",");
		cleanup_free char *got = rc < 0 ? str_dup(err.msg)
						: str_printf("%s %s %s %s", m.type, m.source,
							     m.volume ? m.volume : "-", joined);

		assert_string_equal(got, mounts[i].want);
		oci_mount_done(&m);
	}
}

static const struct {
	const char *user, *idmap, *want;
} maps[] = {
	{NULL, "1000:1001", "idmap=1000:1001:0:0"},
	{"7:8", "5", "idmap=5:5:7:8"},
	{"7", "5:6", "idmap=5:6:7:0"},
	{NULL, "x", "invalid mode: idmap=x"},
	{NULL, "1:y", "invalid mode: idmap=1:y"},
	{NULL, "4294967295", "invalid mode: idmap=4294967295"},
	{"name", "1",
	 "idmap: the container's user \"name\" is a name, which only the image can look "
	 "up"},
};

static void ids_are_mapped(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		struct container_spec spec = {.user = str_dup(maps[i].user)};
		struct mount_spec asked = {.idmap = str_dup(maps[i].idmap)};
		struct oci_mount m = {.type = str_dup("bind")};
		struct err err = ERR_INIT;
		int rc = volume_add_idmap(&spec, &asked, "/x", &m, &err);

		assert_string_equal(rc < 0 ? err.msg : m.options.items[0], maps[i].want);
		free(spec.user);
		mount_spec_done(&asked);
		oci_mount_done(&m);
	}
}

static const struct {
	const char *name, *driver, *options, *want;
} requests[] = {
	{"vol", NULL, "", NULL},
	{"vol", "local", "type=tmpfs|device=tmpfs|o=size=1m", NULL},
	{"vol", "foo", "",
	 "create vol: error looking up volume plugin foo: plugin \"foo\" not found"},
	{"vol", NULL, "foo=1", "create vol: invalid option: \"foo\""},
	{"vol", NULL, "type=tmpfs", "create vol: missing required option: \"device\""},
	{"vol", NULL, "device=x", "create vol: missing required option: \"type\""},
	{"vol", NULL, "o=bind", "create vol: missing required option: \"device\""},
	{"vol", NULL, "size=1m", "create vol: quota size requested but no quota support"},
};

static void requests_are_checked(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		cleanup_strv struct strv options = STRV_INIT;
		const struct volume_request request = {.name = requests[i].name,
						       .driver = requests[i].driver,
						       .options = &options};
		struct err err = ERR_INIT;

		if (*requests[i].options)
			strv_split(&options, requests[i].options, '|');
		if (engine_check_volume(&request, &err) < 0)
			assert_string_equal(err.msg, requests[i].want);
		else
			assert_null(requests[i].want);
	}
}

static void labels_are_found(void **state)
{
	static char labels[] = "{\"a\":\"1\",\"b\":\"\"}";
	static char none[] = "null";
	const struct volume volume = {.labels = labels};
	const struct volume bare = {.labels = none};
	cleanup_free char *text = volume_labels_text(&volume);

	assert_true(volume_has_label(&volume, "a") && volume_has_label(&volume, "a=1"));
	assert_true(volume_has_label(&volume, "b") && !volume_has_label(&volume, "a=2"));
	assert_false(volume_has_label(&bare, "a"));
	assert_string_equal(text, "a=1,b=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_become_mounts),
		cmocka_unit_test(ids_are_mapped),
		cmocka_unit_test(requests_are_checked),
		cmocka_unit_test(labels_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
