/* SPDX-License-Identifier: Apache-2.0 */
/* The values of --chmod. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "build/chmod.h"

#include <string.h>
#include <sys/stat.h>

#define DIR 0040000
#define REG 0100000

static const struct {
	const char *text;
	mode_t from, to;
} values[] = {
	{"644", REG | 0777, 0644},	    {"0755", DIR | 0700, 0755},
	{"7777", REG | 0, 07777},	    {"0", REG | 0777, 0},
	{"4711", REG | 0644, 04711},	    {"u+x", REG | 0644, 0744},
	{"+x", REG | 0644, 0755},	    {"a-x", REG | 0755, 0644},
	{"go-rwx", REG | 0755, 0700},	    {"u=rw,go=r", REG | 0777, 0644},
	{"=r", REG | 0777, 0444},	    {"u=", REG | 0777, 0077},
	{"g=u", REG | 0740, 0770},	    {"o=g", REG | 0750, 0755},
	{"u=g,g=o", REG | 0754, 0544},	    {"g+u", REG | 0710, 0770},
	{"a+X", REG | 0644, 0644},	    {"a+X", REG | 0744, 0755},
	{"a+X", DIR | 0600, 0711},	    {"u=rwX", DIR | 0400, 0700},
	{"u+s", REG | 0755, 04755},	    {"g+s", DIR | 0755, 02755},
	{"+s", REG | 0755, 06755},	    {"o+s", REG | 0755, 0755},
	{"+t", DIR | 0777, 01777},	    {"-t", DIR | 01777, 0777},
	{"u=rw", REG | 04755, 0655},	    {"u+rw-x", REG | 0500, 0600},
	{"ug+r,o-r,a+w", REG | 0004, 0662},
};

static const char *const bad[] = {"8",	 "10000", "abc", "",	 "u",	"u+q",	"u+r,", ",u+r",
				  "u+8", "0x1",	  "7 7", "+rw ", "z+r", "u+rg", "-8",	"6a"};

static void test_values(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct chmod_spec spec;
		struct err err = ERR_INIT;

		if (chmod_parse(values[i].text, &spec, &err) < 0)
			fail_msg("%s: %s", values[i].text, err.msg);
		if (chmod_apply(&spec, values[i].from) != values[i].to)
			fail_msg("%s of %o: %o", values[i].text, values[i].from,
				 chmod_apply(&spec, values[i].from));
	}
}

static void test_bad_ones(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct chmod_spec spec;
		struct err err = ERR_INIT;

		if (chmod_parse(bad[i], &spec, &err) != -ERR_INVALID)
			fail_msg("%s is a mode", bad[i]);
		assert_non_null(strstr(err.msg, "invalid chmod parameter"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
