/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, as it is written into JSON. */
#include "base/base64.h"

#include "base/mem.h"

#include <stdint.h>

char *base64_encode(const void *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = bytes;
	char *text = mem_alloc((len + 2) / 3 * 4 + 1), *out = text;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)in[i] << 16;

		if (n > 1)
			group |= (uint32_t)in[i + 1] << 8;
		if (n > 2)
			group |= in[i + 2];
		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = n > 1 ? digits[group >> 6 & 63] : '=';
		*out++ = n > 2 ? digits[group & 63] : '=';
	}
	*out = '\0';
	return text;
}
