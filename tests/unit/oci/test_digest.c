/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 against FIPS 180-4's examples, digests as text, chain IDs. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "oci/digest.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void hashes_the_vectors(void **state)
{
	static const struct {
		const char *text;
		const char *hex;
	} rows[] = {
		{"", EMPTY},
		{"abc", ABC},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqk"
		 "lmnopqr"
		 "lmnopqrsmnopqrstnopqrstu",
		 "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char hex[SHA256_HEX_LEN + 1];

		sha256_hex(rows[i].text, strlen(rows[i].text), hex);
		assert_string_equal(hex, rows[i].hex);
	}
}

/* A million times "a", in pieces of every size from 1 to 130. */
static void hashes_in_pieces(void **state)
{
	cleanup_free char *a = mem_alloc(130);
	uint8_t digest[SHA256_LEN];
	struct sha256 h;
	size_t left = 1000000;

	memset(a, 'a', 130);
	sha256_init(&h);
	for (size_t n = 1; left > 0; n = n % 130 + 1) {
		size_t take = n < left ? n : left;

		sha256_update(&h, a, take);
		left -= take;
	}
	sha256_final(&h, digest);
	assert_int_equal(digest[0], 0xcd);
	assert_int_equal(digest[1], 0xc7);
	assert_int_equal(digest[31], 0xd0);
}

static void accepts_one_spelling(void **state)
{
	static const struct {
		const char *digest;
		const char *message; /* NULL: valid */
	} rows[] = {
		{"sha256:" EMPTY, NULL},
		{EMPTY, "invalid checksum digest format"},
		{"", "invalid checksum digest format"},
		{":" EMPTY, "invalid checksum digest format"},
		{"sha256:", "invalid checksum digest length"},
		{"sha256:" EMPTY "0", "invalid checksum digest length"},
		{"sha256:../../../../../../../../../../../../../../../../../../etc/passwd0",
		 "invalid checksum digest length"},
		{"sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 "invalid checksum digest format"},
		{"sha256:/3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 "invalid checksum digest format"},
		{"sha512:" EMPTY, "unsupported digest algorithm"},
		{"SHA256:" EMPTY, "unsupported digest algorithm"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char hex[DIGEST_HEX_LEN + 1];
		struct err err = ERR_INIT;
		int rc = digest_parse(rows[i].digest, hex, &err);

		assert_int_equal(digest_is_valid(rows[i].digest), !rows[i].message);
		assert_int_equal(rc, rows[i].message ? -ERR_INVALID : 0);
		assert_string_equal(rows[i].message ? err.msg : hex,
				    rows[i].message ? rows[i].message : EMPTY);
	}
	assert_false(digest_is_valid(NULL));
	assert_true(digest_is_of(ABC, "abc", 3));
	assert_false(digest_is_of(ABC, "abd", 3));
}

/* The chain of two layers is the digest of "sha256:A sha256:B". */
static void chains(void **state)
{
	char chain[DIGEST_HEX_LEN + 1];
	char expected[DIGEST_HEX_LEN + 1];
	static const char pair[] = "sha256:" EMPTY " sha256:" ABC;

	digest_chain(NULL, EMPTY, chain);
	assert_string_equal(chain, EMPTY);
	digest_chain(chain, ABC, chain);
	sha256_hex(pair, strlen(pair), expected);
	assert_string_equal(chain, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_the_vectors),
		cmocka_unit_test(hashes_in_pieces),
		cmocka_unit_test(accepts_one_spelling),
		cmocka_unit_test(chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
