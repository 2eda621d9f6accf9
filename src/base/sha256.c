/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 as FIPS 180-4 section 6.2 states it: a message schedule of 64 words, 64 rounds, eight
 * words of state; big-endian words and a 64 bit length at the end. No tables beyond the round
 * constants (section 4.2.2). Processors with instructions for it use those (base/sha256_ni.c).
 */
#include "base/sha256.h"

#include "base/rand.h"
#include "base/sha256_ni.h"

#include <string.h>

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate_right(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void make_schedule(const uint8_t *block, uint32_t w[64])
{
	for (size_t i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (size_t i = 16; i < 64; i++) {
		uint32_t a = w[i - 15];
		uint32_t b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3) +
		       (rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10);
	}
}

static void add_block(uint32_t state[8], const uint8_t *block)
{
	uint32_t w[64];
	uint32_t v[8]; /* a b c d e f g h of the standard */

	make_schedule(block, w);
	memcpy(v, state, sizeof(v));
	for (size_t i = 0; i < 64; i++) {
		uint32_t big1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^
				rotate_right(v[4], 25);
		uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t t1 = v[7] + big1 + choice + round_constants[i] + w[i];
		uint32_t big0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^
				rotate_right(v[0], 22);
		uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + big0 + majority;
	}
	for (size_t i = 0; i < 8; i++)
		state[i] += v[i];
}

static void add_blocks(uint32_t state[8], const uint8_t *blocks, size_t n)
{
	if (sha256_ni_is_there()) {
		sha256_ni_add_blocks(state, blocks, n, round_constants);
		return;
	}
	for (; n > 0; n--, blocks += 64)
		add_block(state, blocks);
}

void sha256_init(struct sha256 *h)
{
	static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	memcpy(h->state, initial, sizeof(initial));
	h->n_bytes = 0;
}

void sha256_update(struct sha256 *h, const void *p, size_t len)
{
	const uint8_t *from = p;
	size_t used = h->n_bytes % sizeof(h->block);

	h->n_bytes += len;
	if (used > 0) {
		size_t n = sizeof(h->block) - used;

		if (n > len)
			n = len;
		memcpy(h->block + used, from, n);
		from += n;
		len -= n;
		if (used + n < sizeof(h->block))
			return;
		add_blocks(h->state, h->block, 1);
	}
	add_blocks(h->state, from, len / sizeof(h->block));
	memcpy(h->block, from + (len - len % sizeof(h->block)), len % sizeof(h->block));
}

void sha256_final(struct sha256 *h, uint8_t digest[static SHA256_LEN])
{
	static const uint8_t padding[64] = {0x80};
	uint64_t n_bits = h->n_bytes * 8;
	size_t used = h->n_bytes % sizeof(h->block);
	uint8_t length[8];

	for (size_t i = 0; i < 8; i++)
		length[i] = (uint8_t)(n_bits >> (56 - 8 * i));
	sha256_update(h, padding, used < 56 ? 56 - used : 120 - used);
	sha256_update(h, length, sizeof(length));
	for (size_t i = 0; i < SHA256_LEN; i++)
		digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_hex(const void *p, size_t len, char hex[static SHA256_HEX_LEN + 1])
{
	struct sha256 h;
	uint8_t digest[SHA256_LEN];

	sha256_init(&h);
	sha256_update(&h, p, len);
	sha256_final(&h, digest);
	hex_format(digest, sizeof(digest), hex);
}
