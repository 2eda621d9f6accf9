/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors of 32 bytes with AVX2, of 16 with SSE2, which every x86-64 has. The last vector of a text
 * overlaps the one before it instead of leaving a rest to go through byte by byte: what it sees
 * again was plain, and is copied again as it was.
 *
 * As signed numbers, control characters and bytes that are not ASCII are those below 0x20. "<" and
 * ">" differ in one bit, and so do the quote and "&".
 */
#include "monitor/log_scan.h"

#include <stdbool.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

static bool is_special(uint8_t c)
{
	return c < 0x20 || c >= 0x80 || c == '\\' || (c | 2) == '>' || (c | 4) == '&';
}

static size_t copy_scalar(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t i = 0;

	for (; i < len && !is_special(in[i]); i++)
		out[i] = in[i];
	return i;
}

static size_t string_scalar(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

#ifdef __x86_64__

static unsigned specials_16(__m128i v)
{
	__m128i bad = _mm_cmpgt_epi8(_mm_set1_epi8(0x20), v);

	bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
	bad = _mm_or_si128(bad,
			   _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(2)), _mm_set1_epi8('>')));
	bad = _mm_or_si128(bad,
			   _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(4)), _mm_set1_epi8('&')));
	return (unsigned)_mm_movemask_epi8(bad);
}

static size_t copy_sse2(const uint8_t *in, size_t len, uint8_t *out)
{
	if (len < 16)
		return copy_scalar(in, len, out);
	for (size_t i = 0;; i = i + 32 <= len ? i + 16 : len - 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(in + i));
		unsigned bad = specials_16(v);

		_mm_storeu_si128((__m128i *)(void *)(out + i), v);
		if (bad)
			return i + (size_t)__builtin_ctz(bad);
		if (i + 16 == len)
			return len;
	}
}

static size_t string_sse2(const uint8_t *p, size_t len)
{
	if (len < 16)
		return string_scalar(p, len);
	for (size_t i = 0;; i = i + 32 <= len ? i + 16 : len - 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i end = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
					   _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
		unsigned bits = (unsigned)_mm_movemask_epi8(end);

		if (bits)
			return i + (size_t)__builtin_ctz(bits);
		if (i + 16 == len)
			return len;
	}
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static unsigned specials_32(__m256i v)
{
	__m256i bad = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v);

	bad = _mm256_or_si256(bad, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
	bad = _mm256_or_si256(bad, _mm256_cmpeq_epi8(_mm256_or_si256(v, _mm256_set1_epi8(2)),
						     _mm256_set1_epi8('>')));
	bad = _mm256_or_si256(bad, _mm256_cmpeq_epi8(_mm256_or_si256(v, _mm256_set1_epi8(4)),
						     _mm256_set1_epi8('&')));
	return (unsigned)_mm256_movemask_epi8(bad);
}

AVX2 static size_t copy_avx2(const uint8_t *in, size_t len, uint8_t *out)
{
	if (len < 32)
		return copy_sse2(in, len, out);
	for (size_t i = 0;; i = i + 64 <= len ? i + 32 : len - 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(in + i));
		unsigned bad = specials_32(v);

		_mm256_storeu_si256((__m256i *)(void *)(out + i), v);
		if (bad)
			return i + (size_t)__builtin_ctz(bad);
		if (i + 32 == len)
			return len;
	}
}

AVX2 static size_t string_avx2(const uint8_t *p, size_t len)
{
	if (len < 32)
		return string_sse2(p, len);
	for (size_t i = 0;; i = i + 64 <= len ? i + 32 : len - 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
		__m256i end = _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')),
					      _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
		unsigned bits = (unsigned)_mm256_movemask_epi8(end);

		if (bits)
			return i + (size_t)__builtin_ctz(bits);
		if (i + 32 == len)
			return len;
	}
}

#else
#define copy_sse2   copy_scalar
#define string_sse2 string_scalar
#define copy_avx2   copy_scalar
#define string_avx2 string_scalar
#endif

static const struct scan {
	size_t (*copy)(const uint8_t *, size_t, uint8_t *);
	size_t (*string)(const uint8_t *, size_t);
} scans[N_LOG_SCAN_KINDS] = {
	[LOG_SCAN_SCALAR] = {copy_scalar, string_scalar},
	[LOG_SCAN_SSE2] = {copy_sse2, string_sse2},
	[LOG_SCAN_AVX2] = {copy_avx2, string_avx2},
};

/* Chosen at the first use. */
static const struct scan *chosen;

enum log_scan_kind log_scan_best(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") ? LOG_SCAN_AVX2 : LOG_SCAN_SSE2;
#else
	return LOG_SCAN_SCALAR;
#endif
}

void log_scan_use(enum log_scan_kind kind)
{
	chosen = &scans[kind];
}

size_t log_scan_copy(const uint8_t *in, size_t len, uint8_t *out)
{
	if (!chosen)
		log_scan_use(log_scan_best());
	return chosen->copy(in, len, out);
}

size_t log_scan_string(const uint8_t *p, size_t len)
{
	if (!chosen)
		log_scan_use(log_scan_best());
	return chosen->string(p, len);
}
