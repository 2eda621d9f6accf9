/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's %q, because docker's error messages quote what the user typed with it. Printable characters
 * of any script stay as they are; what a terminal could act on is escaped.
 */
#include "cli/quote.h"

#include "base/str.h"
#include "json/rune.h"

#include <stdint.h>
#include <string.h>

static void add_ascii(struct str *out, unsigned char c)
{
	static const char names[] = "abtnvfr"; /* from 0x07 */

	if (c == '"' || c == '\\')
		str_addf(out, "\\%c", c);
	else if (c >= 0x07 && c <= 0x0d)
		str_addf(out, "\\%c", names[c - 0x07]);
	else if (c < 0x20 || c == 0x7f)
		str_addf(out, "\\x%02x", c);
	else
		str_add_char(out, (char)c);
}

void str_add_go_quoted(struct str *out, const char *s)
{
	size_t left = strlen(s);

	str_add_char(out, '"');
	while (left > 0) {
		uint32_t c = 0;
		size_t n = rune_decode(s, left, &c);

		if (c == RUNE_ERROR && n == 1)
			str_addf(out, "\\x%02x", (unsigned char)*s);
		else if (n == 1)
			add_ascii(out, (unsigned char)*s);
		else if (!rune_is_print(c))
			str_addf(out, "\\%c%0*x", c > 0xffff ? 'U' : 'u', c > 0xffff ? 8 : 4, c);
		else
			str_add_bytes(out, s, n);
		s += n;
		left -= n;
	}
	str_add_char(out, '"');
}

char *str_printable(const char *s)
{
	size_t left = strlen(s);
	struct str out = STR_INIT;

	while (left > 0) {
		uint32_t c = 0;
		size_t n = rune_decode(s, left, &c);

		if ((c == RUNE_ERROR && n == 1) || !rune_is_print(c))
			for (size_t i = 0; i < n; i++)
				str_addf(&out, "\\%03o", (unsigned char)s[i]);
		else
			str_add_bytes(&out, s, n);
		s += n;
		left -= n;
	}
	str_add(&out, "");
	return str_take(&out);
}

char *str_go_quote(const char *s)
{
	struct str out = STR_INIT;

	str_add_go_quoted(&out, s);
	return str_take(&out);
}
