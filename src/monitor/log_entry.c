/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log entries: an escaper that copies what is plain as vectors, and a decoder in place, which knows
 * the form that our own writer gives an entry and has another way for what anybody else wrote.
 *
 * What is escaped follows docker's jsonlog writer: the quote, the backslash, control characters,
 * < > & and U+2028/U+2029. The decoder takes all of JSON's string syntax.
 */
#include "monitor/log_entry.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "monitor/log_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* 0: copied; 'u': as \u00XX; 'm': begins a multi-byte sequence; else the letter after a backslash.
 */
static const uint8_t escapes[256] = {
	[0 ... 8] = 'u', ['\t'] = 't',	    ['\n'] = 'n',  [11 ... 12] = 'u',
	['\r'] = 'r',	 [14 ... 31] = 'u', ['"'] = '"',   ['&'] = 'u',
	['<'] = 'u',	 ['>'] = 'u',	    ['\\'] = '\\', [128 ... 255] = 'm',
};

/* Length of the UTF-8 sequence at P (RFC 3629: no overlong forms, no surrogates), 0 when invalid.
 */
static size_t utf8_len(const uint8_t *p, size_t len)
{
	/* 0x80 to 0xC1 and 0xF5 on never begin one. */
	size_t n = p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
	uint8_t low = 0x80;
	uint8_t high = 0xBF;

	if (n == 0 || len < n)
		return 0;
	if (p[0] == 0xE0)
		low = 0xA0;
	else if (p[0] == 0xED)
		high = 0x9F;
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return n;
}

/* Escapes the special character or sequence at IN; returns how much of it was consumed. */
static size_t escape_one(const uint8_t *in, size_t len, uint8_t **out)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t how = escapes[in[0]];
	size_t n = 1;

	if (how == 'm') {
		n = utf8_len(in, len);
		if (n == 3 && in[0] == 0xE2 && in[1] == 0x80 && (in[2] | 1) == 0xA9) {
			memcpy(*out, in[2] == 0xA8 ? "\\u2028" : "\\u2029", 6);
			*out += 6;
		} else if (n > 0) {
			memcpy(*out, in, n);
			*out += n;
		} else {
			memcpy(*out, "\\ufffd", 6);
			*out += 6;
		}
		return n > 0 ? n : 1;
	}
	*(*out)++ = '\\';
	*(*out)++ = how;
	if (how == 'u') {
		*(*out)++ = '0';
		*(*out)++ = '0';
		*(*out)++ = (uint8_t)hex[in[0] >> 4];
		*(*out)++ = (uint8_t)hex[in[0] & 15];
	}
	return 1;
}

size_t log_entry_escape(const uint8_t *in, size_t len, uint8_t *out)
{
	const uint8_t *end = in + len;
	uint8_t *start = out;

	while (in < end) {
		size_t n = log_scan_copy(in, (size_t)(end - in), out);

		in += n;
		out += n;
		/* Text in another alphabet has few plain bytes between the others. */
		while (in < end && escapes[*in] != 0)
			in += escape_one(in, (size_t)(end - in), &out);
	}
	return (size_t)(out - start);
}

size_t log_entry_incomplete(const uint8_t *in, size_t len)
{
	for (size_t n = 1; n <= 3 && n <= len; n++) {
		uint8_t b = in[len - n];
		size_t want = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : b >= 0xC0 ? 2 : 1;

		if ((b & 0xC0) != 0x80)
			return want > n ? n : 0;
	}
	return 0;
}

struct cursor {
	uint8_t *p;
	uint8_t *end;
};

/* Four hexadecimal digits, or -1. */
static int take_hex4(struct cursor *c)
{
	int v = 0;

	if (c->end - c->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = num_hex_digit((char)*c->p++);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t rune)
{
	if (rune < 0x80) {
		*to++ = (uint8_t)rune;
		return to;
	}
	if (rune >= 0x10000) {
		*to++ = (uint8_t)(0xF0 | rune >> 18);
		*to++ = (uint8_t)(0x80 | (rune >> 12 & 63));
		*to++ = (uint8_t)(0x80 | (rune >> 6 & 63));
	} else if (rune >= 0x800) {
		*to++ = (uint8_t)(0xE0 | rune >> 12);
		*to++ = (uint8_t)(0x80 | (rune >> 6 & 63));
	} else {
		*to++ = (uint8_t)(0xC0 | rune >> 6);
	}
	*to++ = (uint8_t)(0x80 | (rune & 63));
	return to;
}

/* The code point after "\u"; a lone surrogate becomes U+FFFD. -1 when malformed. */
static int64_t take_unicode(struct cursor *c)
{
	int high = take_hex4(c);
	struct cursor ahead = *c;
	int low = 0;

	if (high < 0xD800 || high > 0xDFFF)
		return high;
	if (high > 0xDBFF || ahead.end - ahead.p < 6 || ahead.p[0] != '\\' || ahead.p[1] != 'u')
		return 0xFFFD;
	ahead.p += 2;
	low = take_hex4(&ahead);
	if (low < 0xDC00 || low > 0xDFFF)
		return 0xFFFD;
	*c = ahead;
	return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* Decodes the character after a backslash; NULL when malformed. */
static uint8_t *take_escape(struct cursor *c, uint8_t *to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char into[] = "\"\\/\b\f\n\r\t";
	uint8_t letter = c->p < c->end ? *c->p++ : 0;
	const char *known = letter ? strchr(from, letter) : NULL;
	int64_t rune = 0;

	if (known) {
		*to++ = (uint8_t)into[known - from];
		return to;
	}
	if (letter != 'u')
		return NULL;
	rune = take_unicode(c);
	/* Never longer than the escape it replaces: 6 bytes give at most 3, 12 give 4. */
	return rune < 0 ? NULL : put_utf8(to, (uint32_t)rune);
}

/* A string, decoded over itself; the cursor stands after the opening quote. */
static int take_string(struct cursor *c, uint8_t **ret, size_t *ret_len)
{
	uint8_t *start = c->p;
	uint8_t *to = c->p;

	while (c->p < c->end && *c->p != '"') {
		if (*c->p != '\\') {
			size_t n = log_scan_string(c->p, (size_t)(c->end - c->p));

			if (to != c->p)
				memmove(to, c->p, n);
			c->p += n;
			to += n;
			continue;
		}
		c->p++;
		to = take_escape(c, to);
		if (!to)
			return -EINVAL;
	}
	if (c->p == c->end)
		return -EINVAL;
	c->p++;
	*ret = start;
	*ret_len = (size_t)(to - start);
	return 0;
}

static bool take_char(struct cursor *c, char want)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
	if (c->p == c->end || *c->p != (uint8_t)want)
		return false;
	c->p++;
	return true;
}

/* Passes over a string without decoding it; the cursor stands at its opening quote, then at the
 * closing one. */
static int skip_string(struct cursor *c)
{
	for (c->p++; c->p < c->end; c->p++) {
		c->p += log_scan_string(c->p, (size_t)(c->end - c->p));
		if (c->p < c->end && *c->p == '"')
			return 0;
		c->p++;
	}
	return -EINVAL;
}

/* Passes over a value that is no string: everything up to the comma or brace that ends it. */
static int skip_value(struct cursor *c)
{
	int depth = 0;

	for (; c->p < c->end; c->p++) {
		uint8_t b = *c->p;

		if (depth == 0 && (b == ',' || b == '}'))
			return 0;
		if (b == '{' || b == '[')
			depth++;
		else if (b == '}' || b == ']')
			depth--;
		if (b == '"' && skip_string(c) < 0)
			return -EINVAL;
	}
	return -EINVAL;
}

static bool is_text(const uint8_t *p, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(p, text, len) == 0;
}

/* Digits of a number at P; -1 when one of them is none. */
static int64_t digits(const uint8_t *p, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

/* Days since 1970 of a date in the Gregorian calendar: years begin in March, so that the leap day
 * is the last of one. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

/* "2006-01-02T15:04:05.999999999Z" with 0 to 9 digits of a fraction, which is what writers write;
 * false for another form. */
static bool read_utc(const uint8_t *p, size_t len, int64_t *ret)
{
	int64_t part[6];
	static const struct {
		uint8_t at, n;
		char before;
	} at[6] = {{0, 4, 0}, {5, 2, '-'}, {8, 2, '-'}, {11, 2, 'T'}, {14, 2, ':'}, {17, 2, ':'}};
	int64_t ns = 0;

	if (len < 20 || len > 30 || len == 21 || p[len - 1] != 'Z' || (len > 20 && p[19] != '.'))
		return false;
	for (size_t i = 0; i < 6; i++) {
		part[i] = digits(p + at[i].at, at[i].n);
		if (part[i] < 0 || (i > 0 && p[at[i].at - 1] != (uint8_t)at[i].before))
			return false;
	}
	if (len > 20)
		ns = digits(p + 20, len - 21);
	for (size_t i = len > 20 ? len - 21 : 9; i < 9; i++)
		ns *= 10;
	if (ns < 0 || part[0] < 1970 || part[0] > 2261 || part[1] < 1 || part[1] > 12 ||
	    part[2] < 1 || part[2] > 31 || part[3] > 23 || part[4] > 59 || part[5] > 59)
		return false;
	*ret = (days_of(part[0], part[1], part[2]) * 86400 + part[3] * 3600 + part[4] * 60 +
		part[5]) *
		       CLOCK_NS_PER_S +
	       ns;
	return true;
}

int log_entry_time(const struct log_entry *entry, int64_t *ret_ns)
{
	char text[64];

	if (read_utc(entry->time, entry->time_len, ret_ns))
		return 0;
	if (entry->time_len >= sizeof(text))
		return -EINVAL;
	*ret_ns = 0;
	if (!entry->time)
		return 0;
	memcpy(text, entry->time, entry->time_len);
	text[entry->time_len] = '\0';
	return clock_parse_rfc3339(text, ret_ns);
}

/* Stores the string value of KEY. */
static void store_field(const uint8_t *key, size_t key_len, uint8_t *value, size_t len,
			struct log_entry *e)
{
	if (is_text(key, key_len, "log")) {
		e->text = value;
		e->len = len;
	} else if (is_text(key, key_len, "stream")) {
		e->stream = is_text(value, len, "stderr") ? LOG_STDERR : LOG_STDOUT;
	} else if (is_text(key, key_len, "time")) {
		e->time = value;
		e->time_len = len;
	}
}

static int take_field(struct cursor *c, struct log_entry *e)
{
	uint8_t *key = NULL;
	uint8_t *value = NULL;
	size_t key_len = 0;
	size_t len = 0;

	if (!take_char(c, '"') || take_string(c, &key, &key_len) < 0 || !take_char(c, ':'))
		return -EINVAL;
	if (take_char(c, '"')) {
		if (take_string(c, &value, &len) < 0)
			return -EINVAL;
		store_field(key, key_len, value, len, e);
		return 0;
	}
	value = c->p;
	if (skip_value(c) < 0)
		return -EINVAL;
	if (is_text(key, key_len, "attrs")) {
		e->attrs = value;
		e->attrs_len = (size_t)(c->p - value);
	}
	return 0;
}

static bool take_text(struct cursor *c, const char *text, size_t len)
{
	if ((size_t)(c->end - c->p) < len || memcmp(c->p, text, len) != 0)
		return false;
	c->p += len;
	return true;
}

#define TAKE(c, literal) take_text(c, literal, sizeof(literal) - 1)

/* What follows the text of an entry of our own writer, without attributes. Nothing is decoded
 * before it is known to be one: the other way can still be gone. */
static bool take_own_end(struct cursor *c, struct log_entry *e)
{
	struct cursor at = *c;
	bool is_err = false;

	if (!TAKE(&at, ",\"stream\":\"std"))
		return false;
	is_err = TAKE(&at, "err\",\"time\":\"");
	if (!is_err && !TAKE(&at, "out\",\"time\":\""))
		return false;
	e->time = at.p;
	e->time_len = log_scan_string(at.p, (size_t)(at.end - at.p));
	at.p += e->time_len;
	if (!TAKE(&at, "\"}") || at.p != at.end)
		return false;
	e->stream = is_err ? LOG_STDERR : LOG_STDOUT;
	*c = at;
	return true;
}

int log_entry_parse(uint8_t *line, size_t len, struct log_entry *ret)
{
	struct cursor c = {.p = line, .end = line + len};
	struct log_entry e = {};

	if (!take_char(&c, '{'))
		return -EINVAL;
	do {
		if (take_field(&c, &e) < 0)
			return -EINVAL;
		if (e.text && !e.time && take_own_end(&c, &e)) {
			*ret = e;
			return 0;
		}
	} while (take_char(&c, ','));
	if (!take_char(&c, '}') || c.p != c.end || !e.text)
		return -EINVAL;
	*ret = e;
	return 0;
}

/* Go's url.QueryEscape. */
static void add_query(struct str *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = p[i];
		bool is_letter = (c | 32) >= 'a' && (c | 32) <= 'z';

		if (is_letter || (c >= '0' && c <= '9') || (c && strchr("-_.~", c)))
			str_add_char(out, (char)c);
		else if (c == ' ')
			str_add_char(out, '+');
		else
			str_addf(out, "%%%02X", c);
	}
}

int log_entry_details(const uint8_t *attrs, size_t len, struct str *out)
{
	cleanup_str struct str copy = STR_INIT;
	struct cursor c;
	size_t begin = out->len;

	str_add_bytes(&copy, attrs, len);
	c = (struct cursor){.p = (uint8_t *)copy.buf, .end = (uint8_t *)copy.buf + copy.len};
	if (!take_char(&c, '{'))
		return -EINVAL;
	do {
		uint8_t *key = NULL;
		uint8_t *value = NULL;
		size_t key_len = 0;
		size_t value_len = 0;

		if (!take_char(&c, '"') || take_string(&c, &key, &key_len) < 0 ||
		    !take_char(&c, ':') || !take_char(&c, '"') ||
		    take_string(&c, &value, &value_len) < 0)
			return -EINVAL;
		if (out->len > begin)
			str_add_char(out, ',');
		add_query(out, key, key_len);
		str_add_char(out, '=');
		add_query(out, value, value_len);
	} while (take_char(&c, ','));
	return take_char(&c, '}') ? 0 : -EINVAL;
}
