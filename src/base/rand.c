/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random names and hexadecimal text.
 */
#include "base/rand.h"

#include "base/mem.h"

#include <sys/random.h>

void hex_format(const uint8_t *bytes, size_t n_bytes, char *buf)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n_bytes; i++) {
		buf[2 * i] = digits[bytes[i] >> 4];
		buf[2 * i + 1] = digits[bytes[i] & 15];
	}
	buf[2 * n_bytes] = '\0';
}

void rand_hex(size_t n_bytes, char *buf)
{
	uint8_t bytes[64];

	if (n_bytes > sizeof(bytes) || getrandom(bytes, n_bytes, 0) != (ssize_t)n_bytes)
		abort();
	hex_format(bytes, n_bytes, buf);
}

bool hex_is_valid(const char *s, size_t len)
{
	return strlen(s) == len && strspn(s, "0123456789abcdef") == len;
}
