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
	bool syntax;   /* %#v: as Go source */
	bool inside;   /* of a container */
	int width;     /* -1: none */
	int precision; /* -1: none */
	uint32_t verb;
};

/* Appends S filled to the width. */
void conversion_pad(struct str *out, const struct conversion *f, const char *s, size_t len);
/* Appends V; a verb that does not fit gives Go's "%!d(string=x)". */
void conversion_format(struct str *out, const struct conversion *f, const struct value *v);
/* Appends that for a verb which does not fit V. */
void conversion_refuse(struct str *out, const struct conversion *f, const struct value *v);
/* The same as conversion_format for values of one type. */
void conversion_format_string(struct str *out, const struct conversion *f, const struct value *v);
void conversion_format_integer(struct str *out, const struct conversion *f, const struct value *v);
void conversion_format_real(struct str *out, const struct conversion *f, const struct value *v);

#endif
