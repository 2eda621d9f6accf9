/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's quoted literals, both ways: the value of a literal in a template, and the form in which
 * messages and %q show a string.
 */
#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "json/rune.h"
#include "json/template_lex.h"

/* N digits of BASE at *P; -EINVAL when one is missing. */
static int unquote_digits(const char **p, const char *end, int n, int base, uint32_t *ret)
{
	*ret = 0;
	for (int i = 0; i < n; i++) {
		int d = *p < end ? num_hex_digit(**p) : -1;

		if (d < 0 || d >= base)
			return -EINVAL;
		*ret = *ret * (uint32_t)base + (uint32_t)d;
		(*p)++;
	}
	return 0;
}

/* The escape after a backslash at *P. */
static int unquote_escape(const char **p, const char *end, char quote, struct str *out)
{
	static const char simple[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
	char c = *p < end ? *(*p)++ : '\0';
	uint32_t r = 0;
	int rc = -EINVAL;

	for (const char *s = simple; *s; s += 2) {
		if (*s == c) {
			str_add_char(out, s[1]);
			return 0;
		}
	}
	if (c == quote && c) {
		str_add_char(out, c);
		return 0;
	}
	if (c == 'x' || (c >= '0' && c <= '7')) {
		*p -= c != 'x';
		rc = unquote_digits(p, end, c == 'x' ? 2 : 3, c == 'x' ? 16 : 8, &r);
		if (rc < 0 || r > 255)
			return -EINVAL;
		str_add_char(out, (char)r);
		return 0;
	}
	if (c == 'u' || c == 'U')
		rc = unquote_digits(p, end, c == 'u' ? 4 : 8, 16, &r);
	if (rc < 0 || r > RUNE_MAX || (r >= 0xD800 && r <= 0xDFFF))
		return -EINVAL;
	str_add_rune(out, r);
	return 0;
}

static int unquote_raw(const char *text, size_t len, struct str *out)
{
	for (size_t i = 1; i + 1 < len; i++) {
		if (text[i] != '\r')
			str_add_char(out, text[i]);
	}
	return 0;
}

int token_unquote(const char *text, size_t len, struct str *out)
{
	const char *end = text + len - 1, *p = text + 1;
	size_t start = out->len;

	if (len < 2)
		return -EINVAL;
	if (text[0] == '`')
		return unquote_raw(text, len, out);
	while (p < end) {
		if (*p == '\n')
			return -EINVAL;
		if (*p != '\\') {
			str_add_char(out, *p++);
			continue;
		}
		p++;
		if (unquote_escape(&p, end, text[0], out) < 0)
			return -EINVAL;
	}
	if (text[0] != '\'')
		return 0;
	return out->len > start && (rune_count(out->buf + start, out->len - start) == 1) ? 0
											 : -EINVAL;
}

static void quote_rune(struct str *out, uint32_t r, bool is_ascii)
{
	static const char simple[] = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";

	for (const char *s = simple; *s; s += 2) {
		if ((uint32_t)*s == r) {
			str_add_char(out, '\\');
			str_add_char(out, s[1]);
			return;
		}
	}
	if (rune_is_print(r) && (r < 0x80 || !is_ascii))
		str_add_rune(out, r);
	else if (r < 0x80)
		str_addf(out, "\\x%02x", r);
	else
		str_addf(out, r < 0x10000 ? "\\u%04x" : "\\U%08x", r);
}

static void quote_text(struct str *out, const char *s, size_t len, bool is_ascii)
{
	uint32_t r = 0;

	str_add_char(out, '"');
	for (size_t i = 0; i < len;) {
		size_t n = rune_decode(s + i, len - i, &r);

		if (r == RUNE_ERROR && n == 1)
			str_addf(out, "\\x%02x", (unsigned char)s[i]);
		else
			quote_rune(out, r, is_ascii);
		i += n;
	}
	str_add_char(out, '"');
}

void str_add_quoted(struct str *out, const char *s, size_t len)
{
	quote_text(out, s, len, false);
}

void str_add_quoted_ascii(struct str *out, const char *s, size_t len)
{
	quote_text(out, s, len, true);
}

void str_add_code_point(struct str *out, unsigned r, bool with_glyph)
{
	if (r == UINT32_MAX) {
		/* Go's lexers mark the end of input as character -1. */
		str_add(out, "U+FFFFFFFFFFFFFFFF");
		return;
	}
	str_addf(out, "U+%04X", r);
	if (!with_glyph || !rune_is_print(r))
		return;
	str_add(out, " '");
	str_add_rune(out, r);
	str_add_char(out, '\'');
}

void token_format(const struct token *t, struct str *out)
{
	size_t cut = 0;
	uint32_t r = 0;

	if (t->type == TOKEN_EOF || t->type == TOKEN_ERROR) {
		str_add_bytes(out, t->type == TOKEN_EOF ? "EOF" : t->text,
			      t->type == TOKEN_EOF ? 3 : t->len);
		return;
	}
	if (t->type > TOKEN_KEYWORD) {
		str_addf(out, "<%.*s>", (int)t->len, t->text);
		return;
	}
	if (t->len <= 10) {
		str_add_quoted(out, t->text, t->len);
		return;
	}
	for (int i = 0; i < 10 && cut < t->len; i++)
		cut += rune_decode(t->text + cut, t->len - cut, &r);
	str_add_quoted(out, t->text, cut);
	str_add(out, "...");
}
