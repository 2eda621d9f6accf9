/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ages and sizes at the borders of their units, as docker's command line printed them: `ps --format
 * {{.RunningFor}}`, `images --format {{.Size}}` and the sizes of `system df -v`.
 */
#include "../unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

/* clang-format off */
static const struct {
	int64_t seconds;
	const char *text;
} ages[] = {
	{0, "Less than a second"},
	{1, "1 second"},
	{2, "2 seconds"},
	{59, "59 seconds"},
	{60, "About a minute"},
	{61, "About a minute"},
	{119, "About a minute"},
	{120, "2 minutes"},
	{121, "2 minutes"},
	{1800, "30 minutes"},
	{3599, "59 minutes"},
	{3600, "About an hour"},
	{5399, "About an hour"},
	{5400, "2 hours"},
	{5401, "2 hours"},
	{7198, "2 hours"},
	{7199, "2 hours"},
	{7200, "2 hours"},
	{170999, "47 hours"},
	{171000, "2 days"},
	{172800, "2 days"},
	{255600, "2 days"},
	{259200, "3 days"},
	{360000, "4 days"},
	{1207799, "13 days"},
	{1207800, "2 weeks"},
	{1209600, "2 weeks"},
	{1728000, "2 weeks"},
	{1814400, "3 weeks"},
	{2592000, "4 weeks"},
	{5182199, "8 weeks"},
	{5182200, "2 months"},
	{5184000, "2 months"},
	{5184001, "2 months"},
	{7689600, "2 months"},
	{7776000, "3 months"},
	{63070199, "24 months"},
	{63070200, "1 years"},
	{63071999, "1 years"},
	{63072000, "2 years"},
	{94606200, "2 years"},
	{94607999, "2 years"},
	{94608000, "3 years"},
	{129600000, "4 years"},
	{630720000, "20 years"},
};

static const struct {
	int64_t bytes;
	const char *three_digits, *four_digits;
} sizes[] = {
	{0, "0B", "0B"},
	{1, "1B", "1B"},
	{9, "9B", "9B"},
	{10, "10B", "10B"},
	{99, "99B", "99B"},
	{100, "100B", "100B"},
	{512, "512B", "512B"},
	{995, "995B", "995B"},
	{999, "999B", "999B"},
	{1000, "1kB", "1kB"},
	{1001, "1kB", "1.001kB"},
	{1004, "1kB", "1.004kB"},
	{1005, "1kB", "1.005kB"},
	{1024, "1.02kB", "1.024kB"},
	{1049, "1.05kB", "1.049kB"},
	{1050, "1.05kB", "1.05kB"},
	{1234, "1.23kB", "1.234kB"},
	{1500, "1.5kB", "1.5kB"},
	{4095, "4.09kB", "4.095kB"},
	{4096, "4.1kB", "4.096kB"},
	{9950, "9.95kB", "9.95kB"},
	{9994, "9.99kB", "9.994kB"},
	{9995, "9.99kB", "9.995kB"},
	{9999, "10kB", "9.999kB"},
	{10000, "10kB", "10kB"},
	{12345, "12.3kB", "12.35kB"},
	{15000, "15kB", "15kB"},
	{99500, "99.5kB", "99.5kB"},
	{99949, "99.9kB", "99.95kB"},
	{99950, "100kB", "99.95kB"},
	{99999, "100kB", "100kB"},
	{100000, "100kB", "100kB"},
	{123456, "123kB", "123.5kB"},
	{150000, "150kB", "150kB"},
	{995000, "995kB", "995kB"},
	{999499, "999kB", "999.5kB"},
	{999500, "1e+03kB", "999.5kB"},
	{999949, "1e+03kB", "999.9kB"},
	{999950, "1e+03kB", "1000kB"},
	{999999, "1e+03kB", "1000kB"},
	{1000000, "1MB", "1MB"},
	{1000001, "1MB", "1MB"},
	{1005000, "1MB", "1.005MB"},
	{1048576, "1.05MB", "1.049MB"},
	{1234567, "1.23MB", "1.235MB"},
	{12345678, "12.3MB", "12.35MB"},
	{123456789, "123MB", "123.5MB"},
	{999999999, "1e+03MB", "1000MB"},
	{1000000000, "1GB", "1GB"},
	{1073741824, "1.07GB", "1.074GB"},
	{1234567890, "1.23GB", "1.235GB"},
	{12345678901, "12.3GB", "12.35GB"},
	{999999999999, "1e+03GB", "1000GB"},
	{1000000000000, "1TB", "1TB"},
	{1234567890123, "1.23TB", "1.235TB"},
	{1000000000000000, "1PB", "1PB"},
	{1234567890123456, "1.23PB", "1.235PB"},
	{1000000000000000000, "1EB", "1EB"},
	{9223372036854775807, "9.22EB", "9.223EB"},
};
/* clang-format on */

static void ages_at_borders(void **state)
{
	char text[48];

	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		clock_format_human(ages[i].seconds * CLOCK_NS_PER_S, text, sizeof(text));
		assert_string_equal(text, ages[i].text);
	}
}

static void sizes_at_borders(void **state)
{
	char text[32];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		num_format_size((double)sizes[i].bytes, 3, text, sizeof(text));
		assert_string_equal(text, sizes[i].three_digits);
		num_format_size((double)sizes[i].bytes, 4, text, sizeof(text));
		assert_string_equal(text, sizes[i].four_digits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ages_at_borders),
		cmocka_unit_test(sizes_at_borders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
