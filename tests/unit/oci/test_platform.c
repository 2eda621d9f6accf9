/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms as they are typed, and which image is good for which. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "oci/layout.h"
#include "oci/platform.h"

static void parses(void **state)
{
	cleanup_free char *host = str_printf("linux/%s", layout_host_arch());
	const struct {
		const char *text;
		const char *shown; /* NULL: refused */
	} rows[] = {
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"Linux/ARM64", "linux/arm64"},
		{"aarch64", "linux/arm64"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/v6", "linux/arm/v6"},
		{"linux", host},
		{"windows/amd64", "windows/amd64"},
		{"s390x", "linux/s390x"},
		{"toaster", NULL},
		{"", NULL},
		{"/", NULL},
		{"linux/", NULL},
		{"linux/amd64/v1/x", NULL},
		{"linux/amd 64", NULL},
		{"linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct platform p = {};
		struct err err = ERR_INIT;
		char shown[PLATFORM_LEN];
		int rc = platform_parse(rows[i].text, &p, &err);

		if (!rows[i].shown)
			assert_int_equal(rc, -ERR_INVALID);
		else
			assert_string_equal(platform_format(&p, shown), rows[i].shown);
	}
}

static void matches(void **state)
{
	static const struct {
		const char *want[3];
		const char *have[3];
		bool is_match;
	} rows[] = {
		{{"linux", "amd64", NULL}, {"linux", "amd64", NULL}, true},
		{{"linux", "amd64", NULL}, {"linux", "x86_64", "v1"}, true},
		{{"linux", "arm64", NULL}, {"linux", "arm64", "v8"}, true},
		{{"linux", "arm64", "v8"}, {"linux", "arm64", NULL}, true},
		{{"linux", "arm", "v7"}, {"linux", "arm", "v6"}, false},
		{{"linux", "amd64", NULL}, {"windows", "amd64", NULL}, false},
		{{"linux", "amd64", NULL}, {"unknown", "unknown", NULL}, false},
		{{"linux", "amd64", NULL}, {NULL, NULL, NULL}, false},
		{{NULL, NULL, NULL}, {"linux", "s390x", NULL}, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct platform want = {};
		struct platform have = {};

		platform_set(&want, rows[i].want[0], rows[i].want[1], rows[i].want[2]);
		platform_set(&have, rows[i].have[0], rows[i].have[1], rows[i].have[2]);
		assert_int_equal(platform_matches(&want, &have), rows[i].is_match);
	}
}

/* What does not fit into a platform must not be taken for one that is cut. */
static void long_words_match_nothing(void **state)
{
	struct platform want = {};
	struct platform have = {};

	platform_set(&want, "linux", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL);
	platform_set(&have, "linux", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaXYZ", NULL);
	assert_false(platform_matches(&want, &have));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(matches),
		cmocka_unit_test(long_words_match_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
