/* SPDX-License-Identifier: Apache-2.0 */
/* What may have been meant. */
#include "../unit.h"

#include "base/mem.h"
#include "dockerfile/suggest.h"

static void finds(void **state)
{
	static const char *const options[] = {"from", "chown", "chmod", "link", "parents"};
	static const struct {
		const char *typed, *found;
		bool ignores_case;
	} cases[] = {
		{"frm", "from", false},	      {"form", "from", false},	  {"fro", "from", false},
		{"chow", "chown", false},     {"chmown", "chown", false}, {"chmo", "chmod", false},
		{"lnk", "link", false},	      {"x", NULL, false},	  {"", NULL, false},
		{"fffrom", "from", false},    {"ffffrom", NULL, false},	  {"FROM", NULL, false},
		{"FRM", "from", true},	      {"From", NULL, true},	  {"from", NULL, false},
		{"parent", "parents", false},
	};
	char long_word[400];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *found = suggest_find(cases[i].typed, options, ARRAY_LEN(options),
						 cases[i].ignores_case);

		if (!cases[i].found)
			assert_null(found);
		else
			assert_string_equal(found, cases[i].found);
	}
	memset(long_word, 'a', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	assert_null(suggest_find(long_word, options, ARRAY_LEN(options), false));
}

/* The answer does not depend on the order of what is offered. */
static void is_stable(void **state)
{
	static const char *const one[] = {"bat", "cat"};
	static const char *const other[] = {"cat", "bat"};

	assert_string_equal(suggest_find("hat", one, 2, false), "bat");
	assert_string_equal(suggest_find("hat", other, 2, false), "bat");
}

static void appends(void **state)
{
	static const char *const options[] = {"mount"};
	cleanup_free char *some = suggest_text("mont", options, 1);
	cleanup_free char *none = suggest_text("zzzzz", options, 1);

	assert_string_equal(some, " (did you mean mount?)");
	assert_string_equal(none, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(is_stable),
		cmocka_unit_test(appends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
