/* SPDX-License-Identifier: Apache-2.0 */
/* Log options: what they set, by driver. What is refused is in tests/e2e/test_logs.py, in docker's
 * words. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/log_options.h"

#define MIB (1024 * 1024)

static void sets_bounds_by_driver(void **state)
{
	static const struct {
		const char *driver, *options; /* separated by blanks */
		int64_t size, files;
		bool compress;
	} cases[] = {
		{"", "", 0, 5, false},
		{"json-file", "max-size=1m", MIB, 1, false},
		{"json-file", "max-file=3", 0, 3, false},
		{"json-file", "max-size=1m max-file=3 compress=true", MIB, 3, true},
		{"json-file", "max-size=1m max-file=3 max-size=2m", 2 * MIB, 3, false},
		{"local", "", 0, 5, true},
		{"local", "compress=false max-file=1", 0, 1, false},
		{"syslog", "", 0, 5, true},
		{"syslog", "cache-max-size=1m cache-max-file=1", MIB, 1, false},
		{"journald", "cache-compress=false", 0, 5, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_strv struct strv options = STRV_INIT;
		struct log_options got;
		struct err err = ERR_INIT;

		if (*cases[i].options)
			strv_split(&options, cases[i].options, ' ');
		assert_int_equal(log_options_parse(cases[i].driver, &options, &got, &err), 0);
		assert_int_equal(got.max_size, cases[i].size);
		assert_int_equal(got.max_files, cases[i].files);
		assert_int_equal(got.compress, cases[i].compress);
	}
}

static void sets_what_senders_need(void **state)
{
	cleanup_strv struct strv options = STRV_INIT;
	struct log_options got;
	struct err err = ERR_INIT;

	strv_split(
		&options,
		"mode=non-blocking max-buffer-size=2m syslog-facility=local7 syslog-format=rfc5424 "
		"syslog-address=udp://10.0.0.1 cache-disabled=1 tag={{.Name}} labels=a,b "
		"env-regex=^E",
		' ');
	assert_int_equal(log_options_parse("syslog", &options, &got, &err), 0);
	assert_int_equal(got.kind, LOG_TO_SYSLOG);
	assert_true(got.non_blocking && got.has_no_cache);
	assert_int_equal(got.max_buffer, 2 * MIB);
	assert_int_equal(got.facility, 23 << 3);
	assert_int_equal(got.format, LOG_FORMAT_5424);
	assert_string_equal(got.address, "udp://10.0.0.1");
	assert_string_equal(got.tag, "{{.Name}}");
	assert_string_equal(got.labels, "a,b");
	assert_string_equal(got.env_regex, "^E");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_bounds_by_driver),
		cmocka_unit_test(sets_what_senders_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
