/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions: the input's first line is one, the rest is the text. Whatever they are, the
 * expression is refused or matched within its bounds.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *expression = str_ndup((const char *)data, size);
	char *text = strchr(expression, '\n');

	if (text)
		*text++ = '\0';
	pattern_matches(expression, text ? text : expression);
	return 0;
}
