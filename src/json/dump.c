/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's encoding/json for a jansson tree. jansson's own dumper sorts or keeps order for the whole
 * tree, escapes other characters and prints doubles with 17 digits, so none of it fits.
 */
#include "json/dump.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/rune.h"

static const struct json_shape shape_slice = {SHAPE_SLICE, NULL, NULL, NULL};

const struct json_shape json_shape_any = {SHAPE_ANY, "interface {}", NULL, NULL};
const struct json_shape json_shape_struct = {SHAPE_STRUCT, NULL, NULL, NULL};
const struct json_shape json_shape_duration = {SHAPE_STRUCT, "time.Duration", NULL, NULL};
const struct json_shape json_shape_strings = {SHAPE_SLICE, "[]string", NULL, NULL};
const struct json_shape json_shape_structs = {SHAPE_SLICE, NULL, NULL, NULL};
const struct json_shape json_shape_string_map = {SHAPE_MAP, "map[string]string", NULL, NULL};
const struct json_shape json_shape_struct_map = {SHAPE_MAP, NULL, NULL, NULL};
const struct json_shape json_shape_slice_map = {SHAPE_MAP, NULL, &shape_slice, NULL};

const struct json_shape *json_shape_child(const struct json_shape *shape, const char *name)
{
	if (shape->kind == SHAPE_ANY)
		return shape;
	if (shape->kind != SHAPE_STRUCT)
		return shape->elem ? shape->elem : &json_shape_struct;
	for (const struct json_field *f = shape->fields; f && f->name && name; f++) {
		if (strcmp(f->name, name) == 0)
			return f->shape;
	}
	return &json_shape_struct;
}

static void dump_escape(struct str *out, uint32_t r)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *p = shorts; *p; p += 2) {
		if ((uint32_t)*p != r)
			continue;
		str_add_char(out, '\\');
		str_add_char(out, p[1]);
		return;
	}
	str_addf(out, "\\u%04x", r);
}

static bool needs_escape(uint32_t r, bool is_error, unsigned flags)
{
	if (r < 0x20 || r == '"' || r == '\\' || r == 0x2028 || r == 0x2029 || is_error)
		return true;
	return (flags & JSON_DUMP_HTML) && (r == '<' || r == '>' || r == '&');
}

/* What most text is made of: needs no decoding to be known as plain. */
static bool is_plain_ascii(unsigned char c, unsigned flags)
{
	if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
		return false;
	return !(flags & JSON_DUMP_HTML) || (c != '<' && c != '>' && c != '&');
}

void json_dump_string(struct str *out, const char *s, size_t len, unsigned flags)
{
	size_t plain = 0;
	uint32_t r = 0;

	str_add_char(out, '"');
	for (size_t i = 0; i < len;) {
		size_t n = 1;

		if (is_plain_ascii((unsigned char)s[i], flags)) {
			i++;
			continue;
		}
		n = rune_decode(s + i, len - i, &r);
		if (needs_escape(r, r == RUNE_ERROR && n == 1, flags)) {
			str_add_bytes(out, s + plain, i - plain);
			dump_escape(out, r);
			plain = i + n;
		}
		i += n;
	}
	str_add_bytes(out, s + plain, len - plain);
	str_add_char(out, '"');
}

/* Digits after the first that D needs in exponent form to be read back unchanged. */
static int shortest_precision(double d)
{
	char buf[40];

	for (int precision = 0; precision < 17; precision++) {
		snprintf(buf, sizeof(buf), "%.*e", precision, d);
		if (strtod(buf, NULL) == d)
			return precision;
	}
	return 17;
}

/* D in exponent form when its exponent lies outside LOW..HIGH-1, else as a plain decimal. */
static void dump_shortest(struct str *out, double d, int low, int high)
{
	int precision = shortest_precision(d), exponent = 0;
	char buf[40];

	snprintf(buf, sizeof(buf), "%.*e", precision, d);
	exponent = (int)strtod(strchr(buf, 'e') + 1, NULL);
	if (d != 0 && (exponent < low || exponent >= high))
		str_add(out, buf);
	else
		str_addf(out, "%.*f", precision > exponent ? precision - exponent : 0, d);
}

void json_dump_real(struct str *out, double d)
{
	if (isnan(d) || isinf(d))
		str_add(out, isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
	else
		dump_shortest(out, d, -4, 6);
}

/* JSON: exponents from 1e-7 and 1e21 on, without a leading zero in a negative one. */
static void dump_json_real(struct str *out, double d)
{
	size_t start = out->len;
	char *e = NULL;

	dump_shortest(out, d, -6, 21);
	e = memchr(out->buf + start, 'e', out->len - start);
	if (e && e[1] == '-' && e[2] == '0') {
		e[2] = e[3];
		str_truncate(out, out->len - 1);
	}
}

static int key_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **object_keys(const json_t *obj, size_t *ret_n)
{
	const char **keys = mem_zalloc((json_object_size(obj) + 1) * sizeof(*keys));
	size_t n = 0;

	for (void *i = json_object_iter((json_t *)(uintptr_t)obj); i;
	     i = json_object_iter_next((json_t *)(uintptr_t)obj, i))
		keys[n++] = json_object_iter_key(i);
	*ret_n = n;
	return keys;
}

const char **json_sorted_keys(const json_t *obj, size_t *ret_n)
{
	const char **keys = object_keys(obj, ret_n);

	qsort(keys, *ret_n, sizeof(*keys), key_compare);
	return keys;
}

struct dump {
	struct str *out;
	unsigned indent, flags;
};

static void dump_value(const struct dump *d, const json_t *v, const struct json_shape *shape,
		       unsigned level);

static void dump_newline(const struct dump *d, unsigned level)
{
	if (d->indent)
		str_addf(d->out, "\n%*s", (int)(d->indent * level), "");
}

static void dump_array(const struct dump *d, const json_t *v, const struct json_shape *shape,
		       unsigned level)
{
	const struct json_shape *elem = shape ? json_shape_child(shape, NULL) : NULL;
	size_t n = json_array_size(v);

	str_add_char(d->out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			str_add_char(d->out, ',');
		dump_newline(d, level + 1);
		dump_value(d, json_array_get(v, i), elem, level + 1);
	}
	if (n > 0)
		dump_newline(d, level);
	str_add_char(d->out, ']');
}

json_t *json_omitted_value(enum json_omit omit)
{
	switch (omit) {
	case OMIT_TEXT:
		return json_string("");
	case OMIT_FALSE:
		return json_false();
	case OMIT_ZERO:
		return json_integer(0);
	case OMIT_NIL:
	case OMIT_NEVER:
		break;
	}
	return json_null();
}

static bool is_omitted(const struct json_shape *shape, const char *key, const json_t *v)
{
	const struct json_field *f = shape && shape->kind == SHAPE_STRUCT ? shape->fields : NULL;

	while (f && f->name && strcmp(f->name, key) != 0)
		f++;
	if (!f || !f->name || f->omit == OMIT_NEVER)
		return false;
	if (json_is_integer(v))
		return f->omit == OMIT_ZERO && json_integer_value(v) == 0;
	return json_is_null(v) || json_is_false(v) || (json_is_string(v) && !json_string_length(v));
}

static void dump_object(const struct dump *d, const json_t *v, const struct json_shape *shape,
			unsigned level)
{
	size_t n = 0;
	size_t n_shown = 0;
	cleanup_free const char **keys = object_keys(v, &n);

	if ((d->flags & JSON_DUMP_SORT) || (shape && shape->kind != SHAPE_STRUCT))
		qsort(keys, n, sizeof(*keys), key_compare);
	str_add_char(d->out, '{');
	for (size_t i = 0; i < n; i++) {
		const json_t *member = json_object_get(v, keys[i]);

		if (is_omitted(shape, keys[i], member))
			continue;
		if (n_shown++ > 0)
			str_add_char(d->out, ',');
		dump_newline(d, level + 1);
		json_dump_string(d->out, keys[i], strlen(keys[i]), d->flags);
		str_add(d->out, d->indent ? ": " : ":");
		dump_value(d, member, shape ? json_shape_child(shape, keys[i]) : NULL, level + 1);
	}
	if (n_shown > 0)
		dump_newline(d, level);
	str_add_char(d->out, '}');
}

static void dump_value(const struct dump *d, const json_t *v, const struct json_shape *shape,
		       unsigned level)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_OBJECT:
		dump_object(d, v, shape, level);
		return;
	case JSON_ARRAY:
		dump_array(d, v, shape, level);
		return;
	case JSON_STRING:
		json_dump_string(d->out, json_string_value(v), json_string_length(v), d->flags);
		return;
	case JSON_INTEGER:
		str_addf(d->out, "%lld", (long long)json_integer_value(v));
		return;
	case JSON_REAL:
		dump_json_real(d->out, json_real_value(v));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		str_add(d->out, json_is_true(v) ? "true" : "false");
		return;
	case JSON_NULL:
		str_add(d->out, "null");
		return;
	}
}

void json_dump_docker(struct str *out, const json_t *v, const struct json_shape *shape,
		      unsigned indent, unsigned flags)
{
	const struct dump d = {out, indent, flags};

	dump_value(&d, v, shape, 0);
}
