/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One conversion of a scalar: strings, integers, characters and floats by Go's verbs, flags, width
 * and precision.
 */
#include "json/template_print.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "json/dump.h"
#include "json/rune.h"
#include "json/template_func.h"
#include "json/template_lex.h"

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

/* Flags and width stay in force for the value, as in Go. */
void conversion_refuse(struct str *out, const struct conversion *f, const struct value *v)
{
	struct conversion plain = *f;

	str_add(out, "%!");
	str_add_rune(out, f->verb);
	str_add_char(out, '(');
	plain.verb = 'v';
	if (value_is_untyped_nil(v)) {
		str_add(out, "<nil>");
	} else {
		str_addf(out, "%s=", value_type(v));
		conversion_format(out, &plain, v);
	}
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

/* Whether S can stand between back quotes: valid text without control characters but tabs. */
static bool can_backquote(const char *s, size_t len)
{
	uint32_t r = 0;

	for (size_t i = 0; i < len;) {
		size_t n = rune_decode(s + i, len - i, &r);

		if ((r == RUNE_ERROR && n == 1) || r == 0xfeff || r == '`' || r == 0x7f ||
		    (r < ' ' && r != '\t'))
			return false;
		i += n;
	}
	return true;
}

void conversion_format_string(struct str *out, const struct conversion *f, const struct value *v)
{
	const char *s = json_string_value(v->json);
	size_t len = json_string_length(v->json), cut = 0;
	void (*add_quoted)(struct str *, const char *, size_t) = f->plus ? str_add_quoted_ascii
									 : str_add_quoted;
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
	if (f->verb == 's' || (f->verb == 'v' && !f->syntax)) {
		conversion_pad(out, f, s, len);
	} else if (f->verb != 'q' && f->verb != 'v') {
		conversion_refuse(out, f, v);
	} else {
		if (f->sharp && can_backquote(s, len))
			str_addf(&quoted, "`%.*s`", (int)len, s);
		else
			add_quoted(&quoted, s, len);
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
		if (i < 0)
			str_addf(&s, "U+%016llX", (unsigned long long)i);
		else
			str_add_code_point(&s, (unsigned)i, f->sharp);
	} else if (r == '\'') {
		str_add(&s, "'\\''");
	} else {
		if (f->plus)
			str_add_quoted_ascii(&quoted, buf, n);
		else
			str_add_quoted(&quoted, buf, n);
		str_addf(&s, "'%.*s'", (int)quoted.len - 2, r == '"' ? "\"" : quoted.buf + 1);
	}
	conversion_pad(out, f, str_get(&s), s.len);
}

void conversion_format_integer(struct str *out, const struct conversion *f, const struct value *v)
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
		conversion_refuse(out, f, v);
	}
}

/* D as mantissa and binary exponent, "%b": 4503599627370496p-52. */
static void add_real_binary(struct str *s, double d)
{
	int exponent = 0;
	double mantissa = ldexp(frexp(d, &exponent), DBL_MANT_DIG);

	exponent -= DBL_MANT_DIG;
	if (d == 0)
		exponent = DBL_MIN_EXP - DBL_MANT_DIG;
	str_addf(s, "%.0fp%+d", mantissa, exponent);
}

/* C's "%a", with the two digits that Go's exponents have at least. */
static void add_real_hex(struct str *s, const struct conversion *f, double d)
{
	char text[64];
	char *p = NULL;

	if (f->precision < 0)
		snprintf(text, sizeof(text), f->verb == 'x' ? "%a" : "%A", d);
	else
		snprintf(text, sizeof(text), f->verb == 'x' ? "%.*a" : "%.*A",
			 f->precision < 32 ? f->precision : 32, d);
	p = strpbrk(text, "pP");
	str_add_bytes(s, text, (size_t)(p + 2 - text));
	if (!p[3])
		str_add_char(s, '0');
	str_add(s, p + 2);
}

static void add_real_digits(struct str *s, const struct conversion *f, double d)
{
	int precision = f->precision < 0 ? 6 : f->precision;

	switch (f->verb) {
	case 'b':
		add_real_binary(s, d);
		return;
	case 'x':
	case 'X':
		add_real_hex(s, f, d);
		return;
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

/* The flag # gives the number TEXT a point, and the verbs that drop zeros as many digits as the
 * precision says. Go counts the x of a hexadecimal number among them. */
static void add_sharp_real(struct str *out, const struct conversion *f, const char *text)
{
	bool is_hex = f->verb == 'x' || f->verb == 'X';
	size_t len = strcspn(text, is_hex ? "pP" : "eE");
	bool has_point = memchr(text, '.', len);
	bool seen = false;
	int missing = 0;

	if (!strchr("eEfFb", (int)f->verb))
		missing = f->precision < 0 ? 6 : f->precision;
	for (size_t i = 0; i < len; i++) {
		seen = seen || (text[i] != '0' && text[i] != '.');
		missing -= seen && text[i] != '.';
	}
	str_add_bytes(out, text, len);
	if (!has_point) {
		missing -= len == 1 && text[0] == '0';
		str_add_char(out, '.');
	}
	if (missing > 0)
		add_repeat(out, '0', (size_t)missing);
	str_add(out, text + len);
}

void conversion_format_real(struct str *out, const struct conversion *f, const struct value *v)
{
	double d = json_real_value(v->json);
	cleanup_str struct str s = STR_INIT;
	bool fits = f->verb < 0x80 && strchr("vbeEfFgGxX", (int)f->verb);
	struct conversion padding = *f;

	if (!fits) {
		conversion_refuse(out, f, v);
		return;
	}
	add_real_digits(&s, f, d < 0 ? -d : d);
	if (f->sharp && f->verb != 'b') {
		cleanup_str struct str plain = s;

		s = (struct str)STR_INIT;
		add_sharp_real(&s, f, str_get(&plain));
	}
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
