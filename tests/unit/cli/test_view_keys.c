/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a terminal and the keys that they are. */
#include "base/mem.h"
#include "cli/view_keys.h"

#include <string.h>

#include "../unit.h"

static void keys_of_bytes(void **state)
{
	const struct {
		const char *bytes;
		size_t taken;
		int key;
	} cases[] = {
		{"q", 1, 'q'},
		{"jk", 1, 'j'},
		{"\r", 1, VIEW_KEY_ENTER},
		{"\n", 1, VIEW_KEY_ENTER},
		{"\x7f", 1, VIEW_KEY_BACKSPACE},
		{"\b", 1, VIEW_KEY_BACKSPACE},
		{"\x03", 1, VIEW_KEY_CTRL_C},
		{"\033", 1, VIEW_KEY_ESCAPE},
		{"\033x", 1, VIEW_KEY_ESCAPE},
		{"\033[A", 3, VIEW_KEY_UP},
		{"\033OA", 3, VIEW_KEY_UP},
		{"\033[Bq", 3, VIEW_KEY_DOWN},
		{"\033[1;5A", 6, VIEW_KEY_UP},
		{"\033[5~", 4, VIEW_KEY_PAGE_UP},
		{"\033[6;2~", 6, VIEW_KEY_PAGE_DOWN},
		{"\033[H", 3, VIEW_KEY_HOME},
		{"\033[1~", 4, VIEW_KEY_HOME},
		{"\033OF", 3, VIEW_KEY_END},
		{"\033[3~", 4, VIEW_KEY_DELETE},
		{"\033[24~", 5, VIEW_KEY_UNKNOWN},
		{"\033[200~", 6, VIEW_KEY_UNKNOWN},
		{"\033[I", 3, VIEW_KEY_UNKNOWN},
		{"\033[?1;2c", 7, VIEW_KEY_UNKNOWN},
		{"\033[", 2, VIEW_KEY_UNKNOWN},
		{"\033[12", 4, VIEW_KEY_UNKNOWN},
		{"\303\251", 1, 0xC3},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int key = -1;

		assert_int_equal(view_key_next(cases[i].bytes, strlen(cases[i].bytes), &key),
				 cases[i].taken);
		assert_int_equal(key, cases[i].key);
	}
}

/* Whatever comes, each step takes something and no more than there is. */
static void any_bytes_come_to_an_end(void **state)
{
	char bytes[64];
	unsigned seed = 1;

	for (int round = 0; round < 20000; round++) {
		size_t at = 0;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1103515245 + 12345;
			bytes[i] = seed >> 16 & 1 ? "\033[O;1~A"[seed >> 17 & 7]
						  : (char)(seed >> 20);
		}
		while (at < sizeof(bytes)) {
			int key = -1;
			size_t n = view_key_next(bytes + at, sizeof(bytes) - at, &key);

			assert_in_range(n, 1, sizeof(bytes) - at);
			assert_true(key >= 0);
			at += n;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_bytes),
		cmocka_unit_test(any_bytes_come_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
