/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TEMPLATE_PRINT_H
#define JSON_TEMPLATE_PRINT_H
/* Internal to json: one conversion of Go's printf, %[flags][width][.precision]verb. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str;
struct value;

struct conversion {
	bool minus, plus, sharp, space, zero;
	bool names;    /* %+v: structs show the names of their members */
	int width;     /* -1: none */
	int precision; /* -1: none */
	uint32_t verb;
};

/* Appends S filled to the width. */
void conversion_pad(struct str *out, const struct conversion *f, const char *s, size_t len);
/* Appends V; a verb that does not fit gives Go's "%!d(string=x)". */
void conversion_format(struct str *out, const struct conversion *f, const struct value *v);

#endif
