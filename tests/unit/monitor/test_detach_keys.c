/* SPDX-License-Identifier: Apache-2.0 */
/* Detach keys: docker's syntax, and replay of prefixes that come to nothing. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "monitor/detach_keys.h"

#include <string.h>

static void parses_what_docker_parses(void **state)
{
	static const struct {
		const char *text;
		const char *keys; /* NULL: refused */
	} cases[] = {
		{NULL, "\x10\x11"},
		{"", "\x10\x11"},
		{"ctrl-p,ctrl-q", "\x10\x11"},
		{"a", "a"},
		{"a,b,Z,~", "abZ~"},
		{"ctrl-a,ctrl-z", "\x01\x1a"},
		{"ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", "\x1b\x1c\x1d\x1e\x1f"},
		{"ctrl-A", NULL},
		{"ctrl-1", NULL},
		{"ab", NULL},
		{"a,", NULL},
		{",", NULL},
		{"ctrl-", NULL},
		{"a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", "aaaaaaaaaaaaaaaaa"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_detach_keys struct detach_keys keys = {};
		struct err err = ERR_INIT;
		int rc = detach_keys_parse(cases[i].text, &keys, &err);

		if (!cases[i].keys) {
			assert_int_equal(rc, -ERR_INVALID);
			assert_non_null(strstr(err.msg, "Invalid detach keys ("));
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(keys.n, strlen(cases[i].keys));
		assert_memory_equal(keys.keys, cases[i].keys, keys.n);
	}
	cleanup_detach_keys struct detach_keys at = {};
	struct err err = ERR_INIT;

	assert_int_equal(detach_keys_parse("ctrl-@", &at, &err), 0);
	assert_int_equal(at.keys[0], 0);
}

static void replays_prefixes(void **state)
{
	static const struct {
		const char *keys, *in, *out;
		bool detached;
		const char *held;
	} cases[] = {
		{"a,b", "ab", "", true, ""},
		{"a,b", "xyab", "xy", true, ""},
		{"a,b", "ax", "ax", false, ""},
		{"a,b", "aab", "a", true, ""},
		{"a,b", "a", "", false, "a"},
		{"a,a,b", "aaab", "a", true, ""},
		{"a,a,b", "aaxaab", "aax", true, ""},
		{"a,b,a,c", "ababac", "ab", true, ""},
		{"a,b,a,c", "abab", "ab", false, "ab"},
		{"q", "abcq", "abc", true, ""},
		{"q", "abc", "abc", false, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* In one piece, and byte by byte. */
		for (size_t step = 1; step <= 2; step++) {
			cleanup_detach_keys struct detach_keys keys = {};
			struct err err = ERR_INIT;
			uint8_t out[64] = {};
			uint8_t held[64];
			size_t n_out = 0;
			size_t len = strlen(cases[i].in);
			bool detached = false;

			assert_int_equal(detach_keys_parse(cases[i].keys, &keys, &err), 0);
			for (size_t at = 0; at < len && !detached;) {
				size_t n = 0;
				size_t piece = step == 1 ? 1 : len;

				detached = detach_keys_filter(&keys,
							      (const uint8_t *)cases[i].in + at,
							      piece, out + n_out, &n);
				n_out += n;
				at += piece;
			}
			assert_int_equal(detached, cases[i].detached);
			assert_int_equal(n_out, strlen(cases[i].out));
			assert_memory_equal(out, cases[i].out, n_out);
			assert_int_equal(detach_keys_flush(&keys, held), strlen(cases[i].held));
			assert_memory_equal(held, cases[i].held, strlen(cases[i].held));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_what_docker_parses),
		cmocka_unit_test(replays_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
