/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, sizes and durations: tables of what docker accepts and refuses. */
#include "../unit.h"

#include "base/mem.h"
#include "base/num.h"

#include <errno.h>

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
		int rc;
	} rows[] = {
		{"32", 32, 0},
		{"32b", 32, 0},
		{"32B", 32, 0},
		{"32k", 32 * 1024, 0},
		{"32KB", 32 * 1024, 0},
		{"32kib", 32 * 1024, 0},
		{"64 MiB", 64LL << 20, 0},
		{"1.5g", 3LL << 29, 0},
		{"1p", 1LL << 50, 0},
		{"", 0, -EINVAL},
		{"k", 0, -EINVAL},
		{"-1", 0, -EINVAL},
		{"12x", 0, -EINVAL},
		{"1 k b", 0, -EINVAL},
		{"99999p", 0, -ERANGE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t v = 0;

		assert_int_equal(num_parse_size(rows[i].text, &v), rows[i].rc);
		assert_int_equal(v, rows[i].bytes);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
		int rc;
	} rows[] = {
		{"0", 0, 0},
		{"1s", 1000000000, 0},
		{"1h30m", 5400000000000, 0},
		{"1.5s", 1500000000, 0},
		{"-2ms", -2000000, 0},
		{"10", 0, -EINVAL},
		{"", 0, -EINVAL},
		{"1d", 0, -EINVAL},
		{"s", 0, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t v = 0;

		assert_int_equal(num_parse_duration(rows[i].text, &v), rows[i].rc);
		assert_int_equal(v, rows[i].ns);
	}
}

static void integers(void **state)
{
	uint64_t u = 0;
	int64_t s = 0;
	int i = 0;

	assert_int_equal(num_parse_u64("18446744073709551615", &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(num_parse_u64("18446744073709551616", &u), -ERANGE);
	assert_int_equal(num_parse_u64("-1", &u), -EINVAL);
	assert_int_equal(num_parse_u64(" 1", &u), -EINVAL);
	assert_int_equal(num_parse_u64("1e3", &u), -EINVAL);
	assert_int_equal(num_parse_i64("-9223372036854775808", &s), 0);
	assert_true(s == INT64_MIN);
	assert_int_equal(num_parse_int("2147483648", &i), -ERANGE);
}

static void printing(void **state)
{
	static const struct {
		double bytes;
		const char *decimal;
		const char *binary;
	} rows[] = {
		{0, "0B", "0B"},
		{999, "999B", "999B"},
		{1024, "1.02kB", "1KiB"},
		{1234567, "1.23MB", "1.177MiB"},
		{187e6, "187MB", "178.3MiB"},
	};
	char buf[32];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		num_format_size(rows[i].bytes, 3, buf, sizeof(buf));
		assert_string_equal(buf, rows[i].decimal);
		num_format_size_binary(rows[i].bytes, 4, buf, sizeof(buf));
		assert_string_equal(buf, rows[i].binary);
	}
}

/* As Go prints them. */
static void durations_in_words(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{0, "0s"},
		{1, "1ns"},
		{1100, "1.1\xc2\xb5s"},
		{2200000, "2.2ms"},
		{300000000, "300ms"},
		{1000000000, "1s"},
		{1500000000, "1.5s"},
		{3300000000, "3.3s"},
		{60000000000, "1m0s"},
		{90000000000, "1m30s"},
		{245001000000, "4m5.001s"},
		{3600000000000, "1h0m0s"},
		{18367001000000, "5h6m7.001s"},
		{-1500000000, "-1.5s"},
		{INT64_MAX, "2562047h47m16.854775807s"},
		{INT64_MIN, "-2562047h47m16.854775808s"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[NUM_DURATION_LEN];

		num_format_duration(rows[i].ns, buf);
		assert_string_equal(buf, rows[i].text);
	}
}

static void hexadecimal_digits(void **state)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++) {
		assert_int_equal(num_hex_digit(digits[i]), i);
		assert_int_equal(num_hex_digit((char)(i < 10 ? digits[i] : digits[i] - 32)), i);
	}
	for (const char *p = "/:@G`g \x10\xb0"; *p; p++)
		assert_int_equal(num_hex_digit(*p), -1);
	assert_int_equal(num_hex_digit('\0'), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(durations),
		cmocka_unit_test(durations_in_words),
		cmocka_unit_test(integers),
		cmocka_unit_test(printing),
		cmocka_unit_test(hexadecimal_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
