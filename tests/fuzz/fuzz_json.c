/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: no input may crash the reader, and what it accepts survives printing and reading. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/dump.h"
#include "json/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* V printed and read again; NULL where that cannot be: a real from 2^63 on prints as an integer
 * that the reader refuses. */
static json_t *round_trip(const json_t *v, unsigned indent, struct str *text)
{
	json_t *back = NULL;
	struct err err = ERR_INIT;

	json_dump_docker(text, v, NULL, indent, indent ? JSON_DUMP_HTML : 0);
	if (json_parse(text->buf, text->len, SIZE_MAX, "again", &back, &err) == 0)
		return back;
	if (!strstr(err.msg, "too big"))
		abort();
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned indents[] = {0, 4};
	cleanup_json json_t *value = NULL;
	struct err err = ERR_INIT;

	if (json_parse((const char *)data, size, 1 << 20, "input", &value, &err) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(indents); i++) {
		cleanup_str struct str first = STR_INIT, second = STR_INIT, third = STR_INIT;
		cleanup_json json_t *once = round_trip(value, indents[i], &first);
		cleanup_json json_t *twice = once ? round_trip(once, indents[i], &second) : NULL;
		cleanup_json json_t *again = twice ? round_trip(twice, indents[i], &third) : NULL;

		/* The first print may turn -0.0 into 0; from then on nothing changes. */
		if (again && !str_is_equal(second.buf, third.buf))
			abort();
	}
	return 0;
}
