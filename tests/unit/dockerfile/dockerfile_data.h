/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_DATA_H
#define DOCKERFILE_DATA_H
/* Cases from tests/data/dockerfile, and what tests of Dockerfiles compare. */
#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/value.h"

/* The file NAME of the data; a new reference. */
static inline json_t *load_data(const char *name)
{
	json_error_t error;
	cleanup_free char *path = str_printf(DATA_DIR "/%s", name);
	json_t *data = json_load_file(path, 0, &error);

	if (!data)
		fail_msg("%s:%d: %s", error.source, error.line, error.text);
	return data;
}

/* Whether ACTUAL is EXPECTED (NULL: ""); says so when not. */
static inline bool is_text(const char *what, const char *actual, const char *expected)
{
	if (strcmp(actual ? actual : "", expected ? expected : "") == 0)
		return true;
	print_error("%s: \"%s\", not \"%s\"\n", what, actual ? actual : "", expected);
	return false;
}

static inline bool is_number(const char *what, json_int_t actual, json_int_t expected)
{
	if (actual != expected)
		print_error("%s: %lld, not %lld\n", what, (long long)actual, (long long)expected);
	return actual == expected;
}

/* Whether ACTUAL has the strings of the array EXPECTED (NULL: none). */
static inline bool is_list(const char *what, const struct strv *actual, const json_t *expected)
{
	bool is_same = is_number(what, (json_int_t)actual->n,
				 (json_int_t)json_array_size(expected));

	for (size_t i = 0; is_same && i < actual->n; i++)
		is_same = is_text(what, actual->items[i],
				  json_string_value(json_array_get(expected, i)));
	return is_same;
}

#endif
