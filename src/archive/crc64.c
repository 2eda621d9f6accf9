/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The portable CRC-64: eight tables, eight bytes at a step ("slicing by 8"), made at the first use.
 *
 * A run of zeros multiplies the register by x^8 for each byte, modulo the polynomial; squaring
 * makes x^16, x^32 ... of it, so that a hole of a terabyte costs as many multiplications as its
 * length has digits.
 */
#include "archive/crc64.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#define POLYNOMIAL UINT64_C(0xc96c5795d7870f42) /* reflected: bit 63 is x^0 */
#define ONE	   (UINT64_C(1) << 63)

enum { SLICES = 8 };

static uint64_t tables[SLICES][256];
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t r = i;

		for (int bit = 0; bit < 8; bit++)
			r = r >> 1 ^ (r & 1 ? POLYNOMIAL : 0);
		tables[0][i] = r;
	}
	for (unsigned i = 0; i < 256; i++)
		for (int s = 1; s < SLICES; s++)
			tables[s][i] = tables[s - 1][i] >> 8 ^ tables[0][tables[s - 1][i] & 0xff];
}

uint64_t crc64_update(uint64_t crc, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	pthread_once(&made, make_tables);
	crc = ~crc;
	for (; len >= SLICES; p += SLICES, len -= SLICES) {
		uint64_t word = 0;
		uint64_t next = 0;

		memcpy(&word, p, sizeof(word));
		word = le64toh(word) ^ crc;
		for (int s = 0; s < SLICES; s++)
			next ^= tables[SLICES - 1 - s][word >> 8 * s & 0xff];
		crc = next;
	}
	while (len--)
		crc = crc >> 8 ^ tables[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

/* A * B modulo the polynomial, both reflected. */
static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product = 0;

	for (; b; b <<= 1) {
		product ^= b & ONE ? a : 0;
		a = a >> 1 ^ (a & 1 ? POLYNOMIAL : 0); /* times x */
	}
	return product;
}

uint64_t crc64_update_zeros(uint64_t crc, uint64_t len)
{
	uint64_t power = ONE >> 8; /* x^8: one byte */

	crc = ~crc;
	for (; len; len >>= 1) {
		if (len & 1)
			crc = multiply(crc, power);
		power = multiply(power, power);
	}
	return ~crc;
}
