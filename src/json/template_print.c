/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's fmt for JSON values: print, println and the %v of every {{action}}. One routine
 * formats a value by a verb; containers apply it to their elements, so %v is only one verb of many.
 */
#include "json/template_print.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/rune.h"
#include "json/template.h"
#include "json/template_func.h"
#include "json/template_lex.h"
#include "json/value.h"

static const struct conversion plain_v = {.width = -1, .precision = -1, .verb = 'v'};

static void add_repeat(struct str *out, char c, size_t n)
{
	memset(str_reserve(out, n), c, n);
	out->len += n;
	out->buf[out->len] = '\0';
}

void conversion_pad(struct str *out, const struct conversion *f, const char *s, size_t len)
{
	size_t have = rune_count(s, len), fill = 0;

	if (f->width > 0 && (size_t)f->width > have)
		fill = (size_t)f->width - have;
	if (!f->minus && fill > 0)
		add_repeat(out, f->zero ? '0' : ' ', fill);
	str_add_bytes(out, s, len);
	if (f->minus && fill > 0)
		add_repeat(out, ' ', fill);
}

/* What Go prints for a verb that does not fit: %!d(string=x). */
static void add_bad_verb(struct str *out, const struct conversion *f, const struct value *v)
{
	str_add(out, "%!");
	str_add_rune(out, f->verb);
	str_add_char(out, '(');
	if (v->json && !json_is_null(v->json))
		str_addf(out, "%s=", value_type(v));
	conversion_format(out, &plain_v, v);
	str_add_char(out, ')');
}

static void format_hex_bytes(struct str *out, const struct conversion *f, const char *s, size_t len)
{
	cleanup_str struct str hex = STR_INIT;
	const char *prefix = f->verb == 'x' ? "0x" : "0X";

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && f->space)
			str_add_char(&hex, ' ');
		if (f->sharp && (i == 0 || f->space))
			str_add(&hex, prefix);
		str_addf(&hex, f->verb == 'x' ? "%02x" : "%02X", (unsigned char)s[i]);
	}
	conversion_pad(out, f, str_get(&hex), hex.len);
}

static void format_string(struct str *out, const struct conversion *f, const struct value *v)
{
	const char *s = json_string_value(v->json);
	size_t len = json_string_length(v->json), cut = 0;
	cleanup_str struct str quoted = STR_INIT;
	uint32_t r = 0;

	if (f->verb == 'x' || f->verb == 'X') {
		if (f->precision >= 0 && (size_t)f->precision < len)
			len = (size_t)f->precision;
		format_hex_bytes(out, f, s, len);
		return;
	}
	for (int i = 0; f->precision >= 0 && i < f->precision && cut < len; i++)
		cut += rune_decode(s + cut, len - cut, &r);
	if (f->precision >= 0)
		len = cut;
	if (f->verb == 's' || f->verb == 'v') {
		conversion_pad(out, f, s, len);
	} else if (f->verb != 'q') {
		add_bad_verb(out, f, v);
	} else {
		if (f->sharp && !memchr(s, '`', len))
			str_addf(&quoted, "`%.*s`", (int)len, s);
		else
			str_add_quoted(&quoted, s, len);
		conversion_pad(out, f, str_get(&quoted), quoted.len);
	}
}

/* Digits of U from the end of BUF backwards; returns where they begin. */
static size_t write_digits(char *buf, size_t at, uint64_t u, unsigned base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	do {
		buf[--at] = digits[u % base];
		u /= base;
	} while (u > 0);
	return at;
}

static void format_base(struct str *out, const struct conversion *f, int64_t i, unsigned base)
{
	cleanup_str struct str s = STR_INIT;
	struct conversion padding = *f;
	uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
	int precision = f->precision;
	char buf[72];
	size_t at = write_digits(buf, sizeof(buf), u, base, f->verb == 'X');
	size_t n = sizeof(buf) - at;

	padding.zero = false;
	if (precision < 0 && f->zero && f->width > 0)
		precision = f->width - (i < 0 || f->plus || f->space ? 1 : 0);
	if (f->precision == 0 && u == 0) {
		conversion_pad(out, &padding, "", 0);
		return;
	}
	str_add(&s, i < 0 ? "-" : f->plus ? "+" : f->space ? " " : "");
	if (f->verb == 'O' || (f->sharp && base == 2))
		str_add(&s, base == 2 ? "0b" : "0o");
	else if (f->sharp && base == 16)
		str_add(&s, f->verb == 'X' ? "0X" : "0x");
	else if (f->sharp && base == 8 && buf[at] != '0' && precision <= (int)n)
		str_add_char(&s, '0');
	if (precision > (int)n)
		add_repeat(&s, '0', (size_t)precision - n);
	str_add_bytes(&s, buf + at, n);
	conversion_pad(out, &padding, str_get(&s), s.len);
}

static void format_rune(struct str *out, const struct conversion *f, int64_t i)
{
	uint32_t r = i < 0 || i > RUNE_MAX ? RUNE_ERROR : (uint32_t)i;
	cleanup_str struct str s = STR_INIT, quoted = STR_INIT;
	char buf[4];
	size_t n = rune_encode(r, buf);

	if (f->verb == 'c') {
		conversion_pad(out, f, buf, n);
		return;
	}
	if (f->verb == 'U') {
		str_add_code_point(&s, (unsigned)i, f->sharp);
	} else if (r == '\'') {
		str_add(&s, "'\\''");
	} else {
		str_add_quoted(&quoted, buf, n);
		str_addf(&s, "'%.*s'", (int)quoted.len - 2, r == '"' ? "\"" : quoted.buf + 1);
	}
	conversion_pad(out, f, str_get(&s), s.len);
}

static void format_integer(struct str *out, const struct conversion *f, const struct value *v)
{
	int64_t i = json_integer_value(v->json);

	switch (f->verb) {
	case 'v':
	case 'd':
		format_base(out, f, i, 10);
		return;
	case 'b':
		format_base(out, f, i, 2);
		return;
	case 'o':
	case 'O':
		format_base(out, f, i, 8);
		return;
	case 'x':
	case 'X':
		format_base(out, f, i, 16);
		return;
	case 'c':
	case 'q':
	case 'U':
		format_rune(out, f, i);
		return;
	default:
		add_bad_verb(out, f, v);
	}
}

static void add_real_digits(struct str *s, const struct conversion *f, double d)
{
	int precision = f->precision < 0 ? 6 : f->precision;

	switch (f->verb) {
	case 'e':
		str_addf(s, "%.*e", precision, d);
		return;
	case 'E':
		str_addf(s, "%.*E", precision, d);
		return;
	case 'f':
	case 'F':
		str_addf(s, "%.*f", precision, d);
		return;
	default:
		if (f->precision < 0)
			json_dump_real(s, d);
		else
			str_addf(s, "%.*g", precision > 0 ? precision : 1, d);
	}
}

static void format_real(struct str *out, const struct conversion *f, const struct value *v)
{
	double d = json_real_value(v->json);
	cleanup_str struct str s = STR_INIT;
	bool fits = f->verb < 0x80 && strchr("veEfFgG", (int)f->verb);
	struct conversion padding = *f;

	if (!fits) {
		add_bad_verb(out, f, v);
		return;
	}
	add_real_digits(&s, f, d < 0 ? -d : d);
	if (f->verb == 'G') {
		char *e = memchr(s.buf, 'e', s.len);

		if (e)
			*e = 'E';
	}
	const char *sign = d < 0 ? "-" : f->plus ? "+" : f->space ? " " : "";

	if (f->zero && f->width > 0) {
		/* The sign goes before the zeros. */
		str_add(out, sign);
		padding.width -= (int)strlen(sign);
		conversion_pad(out, &padding, str_get(&s), s.len);
		return;
	}
	cleanup_str struct str whole = STR_INIT;

	str_addf(&whole, "%s%s", sign, str_get(&s));
	conversion_pad(out, f, str_get(&whole), whole.len);
}

static void format_null(struct str *out, const struct conversion *f, const struct value *v)
{
	enum json_shape_kind kind = v->json ? v->shape->kind : SHAPE_ANY;

	if (kind == SHAPE_SLICE || kind == SHAPE_MAP)
		str_add(out, kind == SHAPE_SLICE ? "[]" : "map[]");
	else if (f->verb == 'v')
		conversion_pad(out, f, "<nil>", 5);
	else
		add_bad_verb(out, f, v);
}

static void format_array(struct str *out, const struct conversion *f, const struct value *v)
{
	str_add_char(out, '[');
	for (size_t i = 0; i < json_array_size(v->json); i++) {
		struct value elem = value_child(v, json_array_get(v->json, i), NULL);

		if (i > 0)
			str_add_char(out, ' ');
		conversion_format(out, f, &elem);
	}
	str_add_char(out, ']');
}

static void format_map(struct str *out, const struct conversion *f, const struct value *v)
{
	size_t n = 0;
	cleanup_free const char **keys = json_sorted_keys(v->json, &n);

	str_add(out, "map[");
	for (size_t i = 0; i < n; i++) {
		struct value elem = value_child(v, json_object_get(v->json, keys[i]), keys[i]);
		cleanup_json json_t *name = json_string_nocheck(keys[i]);
		struct value key = {name, &json_shape_any};

		if (i > 0)
			str_add_char(out, ' ');
		conversion_format(out, f, &key);
		str_add_char(out, ':');
		conversion_format(out, f, &elem);
	}
	str_add_char(out, ']');
}

static void format_struct(struct str *out, const struct conversion *f, const struct value *v)
{
	const char *name = NULL;
	json_t *member = NULL;
	bool first = true;

	str_add_char(out, '{');
	json_object_foreach (v->json, name, member) {
		struct value elem = value_child(v, member, name);

		str_add(out, first ? "" : " ");
		if (f->names)
			str_addf(out, "%s:", name);
		conversion_format(out, f, &elem);
		first = false;
	}
	str_add_char(out, '}');
}

void conversion_format(struct str *out, const struct conversion *f, const struct value *v)
{
	switch (v->json ? json_typeof(v->json) : JSON_NULL) {
	case JSON_STRING:
		format_string(out, f, v);
		return;
	case JSON_INTEGER:
		format_integer(out, f, v);
		return;
	case JSON_REAL:
		format_real(out, f, v);
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		if (f->verb == 't' || f->verb == 'v')
			conversion_pad(out, f, json_is_true(v->json) ? "true" : "false",
				       json_is_true(v->json) ? 4 : 5);
		else
			add_bad_verb(out, f, v);
		return;
	case JSON_ARRAY:
		format_array(out, f, v);
		return;
	case JSON_OBJECT:
		if (v->shape->kind == SHAPE_STRUCT)
			format_struct(out, f, v);
		else
			format_map(out, f, v);
		return;
	case JSON_NULL:
		format_null(out, f, v);
		return;
	}
}

void value_print(struct str *out, const struct value *v)
{
	conversion_format(out, &plain_v, v);
}

/* The arguments as print (spaces between two that are no strings) or println (always). */
static int print_all(struct call *c, bool always)
{
	cleanup_str struct str s = STR_INIT;
	bool was_string = true;

	for (size_t i = 0; i < c->n_args; i++) {
		bool is_string = json_is_string(c->args[i].json);

		if (i > 0 && (always || (!is_string && !was_string)))
			str_add_char(&s, ' ');
		value_print(&s, &c->args[i]);
		was_string = is_string;
		if (s.len > TEMPLATE_MAX_OUTPUT)
			return call_fail(c, "result too large");
	}
	if (always)
		str_add_char(&s, '\n');
	return call_return_str(c, &s);
}

int template_print(struct call *c)
{
	return print_all(c, false);
}

int template_println(struct call *c)
{
	return print_all(c, true);
}
