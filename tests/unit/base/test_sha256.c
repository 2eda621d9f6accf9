/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256: the examples of FIPS 180-4's companion, and every length around the blocks' borders in
 * pieces of every size, by the same sum. On a processor with instructions for it these are tested,
 * on others the plain rounds.
 */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/sha256.h"

static void has_the_known_answers(void **state)
{
	static const struct {
		const char *text, *digest;
	} rows[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqk"
		 "lmnopqrlmnopqrsmnopqrstnopqrstu",
		 "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
	};
	char hex[SHA256_HEX_LEN + 1];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sha256_hex(rows[i].text, strlen(rows[i].text), hex);
		assert_string_equal(hex, rows[i].digest);
	}
}

static void counts_a_million(void **state)
{
	static const size_t len = 1000000;
	cleanup_free char *text = mem_alloc(len);
	char hex[SHA256_HEX_LEN + 1];

	memset(text, 'a', len);
	sha256_hex(text, len, hex);
	assert_string_equal(hex,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void does_not_care_for_pieces(void **state)
{
	unsigned char bytes[300];
	unsigned char whole[SHA256_LEN];
	unsigned char pieces[SHA256_LEN];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 + 1);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct sha256 h;

		sha256_init(&h);
		sha256_update(&h, bytes, len);
		sha256_final(&h, whole);
		for (size_t step = 1; step < 130; step += 13) {
			sha256_init(&h);
			for (size_t at = 0; at < len; at += step)
				sha256_update(&h, bytes + at, len - at < step ? len - at : step);
			sha256_final(&h, pieces);
			assert_memory_equal(whole, pieces, SHA256_LEN);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_known_answers),
		cmocka_unit_test(counts_a_million),
		cmocka_unit_test(does_not_care_for_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
