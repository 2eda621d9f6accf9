/* SPDX-License-Identifier: Apache-2.0 */
/* Places as they are typed. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "transport/transport.h"

static void takes_places_apart(void **state)
{
	static const struct {
		const char *text;
		const char *transport;
		const char *path;
		const char *image;
	} rows[] = {
		{"oci:/a/b", "oci", "/a/b", NULL},
		{"oci:/a/b:", "oci", "/a/b", NULL},
		{"oci:a:latest", "oci", "a", "latest"},
		{"oci:a:localhost:5000/x:1", "oci", "a", "localhost:5000/x:1"},
		{"oci-archive:x.tar:busybox", "oci-archive", "x.tar", "busybox"},
		{"docker-archive:x.tar:busybox:1", "docker-archive", "x.tar", "busybox:1"},
		{"dir:d", "dir", "d", NULL},
		{"tare:busybox:1", "tare", NULL, "busybox:1"},
		{"tare:localhost:5000/x", "tare", NULL, "localhost:5000/x"},
		{"tare:", "tare", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_place struct place place = PLACE_INIT;
		struct err err = ERR_INIT;

		if (place_parse(rows[i].text, &place, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_string_equal(place.transport->name, rows[i].transport);
		assert_true(str_is_equal(place.path, rows[i].path));
		assert_true(str_is_equal(place.image, rows[i].image));
	}
}

static void refuses_other_text(void **state)
{
	static const char *const rows[] = {
		"",
		"oci",
		":x",
		"busybox",
		"busybox:latest",
		"docker://x",
		"oci:",
		"oci::x",
		"dir:",
		"oci-archive:",
		"OCI:x",
		"oc:x",
		"ocix:/a",
		"oci:a:b\tc",
		"oci:a:\n",
		"oci:a:\xff\xfe",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_place struct place place = PLACE_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(place_parse(rows[i], &place, &err), -ERR_INVALID);
		assert_null(place.path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_places_apart),
		cmocka_unit_test(refuses_other_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
