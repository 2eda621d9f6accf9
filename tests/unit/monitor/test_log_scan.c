/* SPDX-License-Identifier: Apache-2.0 */
/* The scanners: every kind against the plain one, at every length and place. */
#include "../unit.h"

#include "base/mem.h"
#include "monitor/log_scan.h"

#include <stdbool.h>
#include <string.h>

#define LEN 200

/* Byte C at place AT of plain text of N bytes, exactly as long as that, so that a sanitizer sees
 * any step past it. */
static void check(size_t n, size_t at, uint8_t c, bool is_special, bool ends_string)
{
	cleanup_free uint8_t *in = mem_alloc(n + 1);
	cleanup_free uint8_t *out = mem_alloc(n + 1);

	memset(in, 'a', n);
	if (at < n)
		in[at] = c;
	assert_int_equal(log_scan_copy(in, n, out), is_special && at < n ? at : n);
	assert_memory_equal(in, out, is_special && at < n ? at : n);
	assert_int_equal(log_scan_string(in, n), ends_string && at < n ? at : n);
}

static void every_kind_agrees(void **state)
{
	for (int kind = 0; kind <= (int)log_scan_best(); kind++) {
		log_scan_use((enum log_scan_kind)kind);
		for (int c = 0; c < 256; c++) {
			bool is_special = c < 0x20 || c >= 0x80 || strchr("\"\\<>&", c);
			bool ends_string = c == '"' || c == '\\';

			for (size_t at = 0; at < 70; at++)
				check(70, at, (uint8_t)c, is_special, ends_string);
		}
		for (size_t n = 0; n < LEN; n++)
			for (size_t at = 0; at <= n; at += at < 3 ? 1 : 7)
				check(n, at, '"', true, true);
	}
	log_scan_use(log_scan_best());
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_agrees)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
