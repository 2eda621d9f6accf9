/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SHA extensions of x86 (Intel SDM volume 2: SHA256RNDS2, SHA256MSG1, SHA256MSG2). They keep
 * the eight words of state in the order A B E F and C D G H, and do two rounds at a time, of which
 * four take one vector of the message schedule.
 */
#include "base/sha256_ni.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))

bool sha256_ni_is_there(void)
{
	static int known = -1;
	unsigned a = 0;
	unsigned b = 0;
	unsigned c = 0;
	unsigned d = 0;
	bool has = false;

	if (known >= 0)
		return known;
	has = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1) &&
	      __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
	known = has;
	return has;
}

/* Words 4 * I to 4 * I + 3 of the schedule, of which M has the sixteen before, by number modulo
 * four. */
TARGET static inline __m128i schedule(const __m128i m[4], unsigned i)
{
	__m128i last = m[(i + 3) % 4];
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(m[i % 4], m[(i + 1) % 4]),
				    _mm_alignr_epi8(last, m[(i + 2) % 4], 4));

	return _mm_sha256msg2_epu32(sum, last);
}

TARGET static inline void add_block(__m128i *abef, __m128i *cdgh, const uint8_t *block,
				    const uint32_t constants[64])
{
	const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i s0 = *abef;
	__m128i s1 = *cdgh;
	__m128i m[4] = {};

#pragma GCC unroll 16
	for (unsigned i = 0; i < 16; i++) {
		const __m128i *k = (const __m128i *)(const void *)constants + i;
		const __m128i *from = (const __m128i *)(const void *)block + i % 4;
		__m128i t;

		m[i % 4] = i < 4 ? _mm_shuffle_epi8(_mm_loadu_si128(from), big_endian)
				 : schedule(m, i);
		t = _mm_add_epi32(m[i % 4], _mm_loadu_si128(k));
		s1 = _mm_sha256rnds2_epu32(s1, s0, t);
		s0 = _mm_sha256rnds2_epu32(s0, s1, _mm_shuffle_epi32(t, 0x0e));
	}
	*abef = _mm_add_epi32(s0, *abef);
	*cdgh = _mm_add_epi32(s1, *cdgh);
}

TARGET void sha256_ni_add_blocks(uint32_t state[8], const uint8_t *blocks, size_t n,
				 const uint32_t constants[64])
{
	__m128i *words = (__m128i *)(void *)state;
	__m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1b);
	__m128i abef = _mm_alignr_epi8(badc, hgfe, 8);
	__m128i cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
	__m128i feba;
	__m128i dchg;

	for (; n > 0; n--, blocks += 64)
		add_block(&abef, &cdgh, blocks, constants);
	feba = _mm_shuffle_epi32(abef, 0x1b);
	dchg = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128(words, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128(words + 1, _mm_alignr_epi8(dchg, feba, 8));
}

#else

bool sha256_ni_is_there(void)
{
	return false;
}

void sha256_ni_add_blocks(uint32_t state[8], const uint8_t *blocks, size_t n,
			  const uint32_t constants[64])
{
}

#endif
