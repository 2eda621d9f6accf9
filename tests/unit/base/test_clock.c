/* SPDX-License-Identifier: Apache-2.0 */
/* Times as docker prints and reads them. */
#include "../unit.h"

#include "base/clock.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>

static void rfc3339_round_trip(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00Z"},
		{1, "1970-01-01T00:00:00.000000001Z"},
		{1700000000500000000, "2023-11-14T22:13:20.5Z"},
		{-1, "1969-12-31T23:59:59.999999999Z"},
	};
	char buf[CLOCK_RFC3339_LEN];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t back = 7;

		clock_format_rfc3339(rows[i].ns, buf);
		assert_string_equal(buf, rows[i].text);
		assert_int_equal(clock_parse_rfc3339(buf, &back), 0);
		assert_int_equal(back, rows[i].ns);
	}
}

static void zones_and_nonsense(void **state)
{
	int64_t ns = 0;

	assert_int_equal(clock_parse_rfc3339("2023-11-14T23:13:20+01:00", &ns), 0);
	assert_int_equal(ns, 1700000000000000000);
	assert_int_equal(clock_parse_rfc3339("9999-12-31T23:59:59.5Z", &ns), 0);
	assert_true(ns == INT64_MAX - 1);
	assert_int_equal(clock_parse_rfc3339("0001-01-01T00:00:00Z", &ns), 0);
	assert_true(ns == INT64_MIN + 1);
	assert_int_equal(clock_parse_rfc3339_s(CLOCK_NEVER, &ns), 0);
	assert_true(ns == CLOCK_NEVER_S);
	assert_int_equal(clock_parse_rfc3339_s("9999-12-31T23:59:59.5Z", &ns), 0);
	assert_true(ns == 253402300799LL);
	assert_int_equal(clock_parse_rfc3339("2023-13-14T23:13:20Z", &ns), -EINVAL);
	assert_int_equal(clock_parse_rfc3339("yesterday", &ns), -EINVAL);
	assert_int_equal(clock_parse_rfc3339("2023-11-14T23:13:20Zx", &ns), -EINVAL);
}

static void human_durations(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{0, "Less than a second"}, {1, "1 second"},	     {59, "59 seconds"},
		{60, "About a minute"},	   {130, "2 minutes"},	     {3600, "About an hour"},
		{7200, "2 hours"},	   {86400 * 3, "3 days"},    {86400 * 20, "2 weeks"},
		{86400 * 90, "3 months"},  {86400 * 800, "2 years"},
	};
	char buf[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		clock_format_human(rows[i].seconds * 1000000000, buf, sizeof(buf));
		assert_string_equal(buf, rows[i].text);
	}
}

static void points(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{"0", 0},
		{"1", 1000000000},
		{"1700000000.123456789", 1700000000123456789},
		{"1700000000.5", 1700000000500000000},
		{"1700000000.1234567899", 1700000000123456789},
		{"10s", 1000000000000 - 10000000000},
		{"1h30m", 1000000000000 - 5400000000000},
		{"-5s", 1000000000000 + 5000000000},
		{"0s", 1000000000000},
		{"2023-11-14T22:13:20Z", 1700000000000000000},
		{"2023-11-14T23:13:20.5+01:00", 1700000000500000000},
	};
	static const char *const wrong[] = {"", "x", "1.", "1.x", "1.2.3", "10 s", "2023-13-14"};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ns = -1;

		assert_int_equal(clock_parse_point(rows[i].text, 1000000000000, &ns, &err), 0);
		assert_int_equal(ns, rows[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		int64_t ns = 0;

		assert_int_equal(clock_parse_point(wrong[i], 0, &ns, &err), -ERR_INVALID);
	}
	assert_int_equal(clock_parse_point("soon", 0, &(int64_t){0}, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "failed to parse value as time or duration: \"soon\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3339_round_trip),
		cmocka_unit_test(zones_and_nonsense),
		cmocka_unit_test(human_durations),
		cmocka_unit_test(points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
