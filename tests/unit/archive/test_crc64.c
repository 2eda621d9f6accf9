/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-64/XZ: its check value, that both ways of computing it agree however the bytes are cut, and
 * that holes count as zeros. */
#include "../unit.h"

#include "archive/crc64.h"
#include "base/mem.h"

enum { LEN = 5000 };

static uint8_t *make_bytes(void)
{
	uint8_t *bytes = mem_alloc(LEN);
	uint32_t x = 7;

	for (size_t i = 0; i < LEN; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
	return bytes;
}

static void check_value(void **state)
{
	/* Catalogue of parametrised CRC algorithms, CRC-64/XZ. */
	assert_int_equal(crc64_update(0, "123456789", 9), 0x995dc9bbdf1939fa);
	assert_int_equal(crc64_update_fast(0, "123456789", 9), 0x995dc9bbdf1939fa);
	assert_int_equal(crc64_update(0, "", 0), 0);
	assert_int_equal(crc64_update_fast(0, "", 0), 0);
}

static void fast_is_portable(void **state)
{
	cleanup_free uint8_t *bytes = make_bytes();

	for (size_t len = 0; len < 300; len++)
		assert_int_equal(crc64_update(len, bytes + len % 13, len),
				 crc64_update_fast(len, bytes + len % 13, len));
	assert_int_equal(crc64_update(0, bytes, LEN), crc64_update_fast(0, bytes, LEN));
}

static void continues(void **state)
{
	cleanup_free uint8_t *bytes = make_bytes();
	uint64_t whole = crc64_update(0, bytes, LEN);

	for (size_t cut = 0; cut < LEN; cut += 331) {
		assert_int_equal(crc64_update(crc64_update(0, bytes, cut), bytes + cut, LEN - cut),
				 whole);
		assert_int_equal(
			crc64_update_fast(crc64_update_fast(0, bytes, cut), bytes + cut, LEN - cut),
			whole);
	}
}

static void zeros(void **state)
{
	cleanup_free uint8_t *none = mem_zalloc(LEN);

	for (size_t len = 0; len < LEN; len += len < 20 ? 1 : 237)
		assert_int_equal(crc64_update_zeros(0x123456789abcdef, len),
				 crc64_update(0x123456789abcdef, none, len));
	/* 2^40 + 3 zeros at once, and as two runs. */
	assert_int_equal(crc64_update_zeros(5, (UINT64_C(1) << 40) + 3),
			 crc64_update_zeros(crc64_update_zeros(5, UINT64_C(1) << 40), 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_value),
		cmocka_unit_test(fast_is_portable),
		cmocka_unit_test(continues),
		cmocka_unit_test(zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
