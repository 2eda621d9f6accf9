/* SPDX-License-Identifier: Apache-2.0 */
/* Each function looks at every byte once. */
#include "dockerfile/lexer.h"

#include <string.h>

#include "base/mem.h"

#define BLANKS "\t\v\f\r "

/* U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000. */
static size_t wide_space(const unsigned char *s)
{
	if (s[0] == 0xC2)
		return s[1] == 0x85 || s[1] == 0xA0 ? 2 : 0;
	if (s[0] == 0xE1)
		return s[1] == 0x9A && s[2] == 0x80 ? 3 : 0;
	if (s[0] == 0xE3)
		return s[1] == 0x80 && s[2] == 0x80 ? 3 : 0;
	if (s[0] != 0xE2)
		return 0;
	if (s[1] == 0x80)
		return (s[2] >= 0x80 && s[2] <= 0x8A) || s[2] == 0xA8 || s[2] == 0xA9 ||
				       s[2] == 0xAF
			       ? 3
			       : 0;
	return s[1] == 0x81 && s[2] == 0x9F ? 3 : 0;
}

size_t lexer_space(const char *s)
{
	unsigned char c = (unsigned char)*s;

	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	return wide_space((const unsigned char *)s);
}

size_t lexer_char_len(const char *s)
{
	size_t n = 1;

	while (n < 4 && ((unsigned char)s[n] & 0xC0) == 0x80)
		n++;
	return (unsigned char)s[0] < 0xC0 ? 1 : n;
}

const char *lexer_skip_space(const char *s)
{
	for (size_t n = lexer_space(s); n; n = lexer_space(s))
		s += n;
	return s;
}

/* The length of the white space that ends before END, looking no further back than START. */
static size_t space_before(const char *start, const char *end)
{
	for (size_t n = 1; n <= 3 && (size_t)(end - start) >= n; n++) {
		if (lexer_space(end - n) == n)
			return n;
	}
	return 0;
}

char *lexer_trim(const char *s, size_t len)
{
	const char *end = s + len;

	for (size_t n = s < end ? lexer_space(s) : 0; n && s + n <= end; n = lexer_space(s)) {
		s += n;
		if (s == end)
			break;
	}
	for (size_t n = space_before(s, end); n; n = space_before(s, end))
		end -= n;
	return str_ndup(s, (size_t)(end - s));
}

bool lexer_is_continued(const char *line, char escape, size_t *ret_len)
{
	size_t len = strlen(line);

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (!len || line[len - 1] != escape)
		return false;
	if (len >= 2 && line[len - 2] == escape)
		return false;
	*ret_len = len - 1;
	return true;
}

void lexer_split_blanks(const char *text, struct strv *ret)
{
	while (*text) {
		size_t len = strcspn(text, BLANKS);

		if (len)
			strv_add_take(ret, str_ndup(text, len));
		text += len;
		text += strspn(text, BLANKS);
	}
}

/* Where the word at P ends: at white space outside quotes, at the end, or before an escape that has
 * nothing behind it. */
static const char *word_end(const char *p, char escape)
{
	char quote = '\0';

	for (; *p && (quote || !lexer_space(p)); p++) {
		if (*p == escape && quote != '\'') {
			if (!p[1])
				return p;
			p++;
		} else if (quote) {
			quote = *p == quote ? '\0' : quote;
		} else if (*p == '\'' || *p == '"') {
			quote = *p;
		}
	}
	return p;
}

void lexer_split_words(const char *text, char escape, struct strv *ret)
{
	const char *p = lexer_skip_space(text);

	while (*p) {
		const char *end = word_end(p, escape);

		if (end > p)
			strv_add_take(ret, str_ndup(p, (size_t)(end - p)));
		p = lexer_skip_space(*end == escape ? end + 1 : end);
	}
}

/* Reads a flag up to white space outside quotes. */
static const char *read_flag(const char *p, struct str *flag)
{
	char quote = '\0';

	for (; *p && (quote || !lexer_space(p)); p++) {
		bool is_quote = quote ? *p == quote : *p == '\'' || *p == '"';

		if (is_quote) {
			quote = quote ? '\0' : *p;
			continue;
		}
		if (*p == '\\' && !*++p)
			break;
		str_add_char(flag, *p);
	}
	return p;
}

void lexer_take_flags(const char **text, struct strv *ret)
{
	for (;;) {
		struct str flag = STR_INIT;

		*text = lexer_skip_space(*text);
		if ((*text)[0] != '-' || (*text)[1] != '-')
			return;
		*text = read_flag(*text, &flag);
		if (strcmp(str_get(&flag), "--") == 0) {
			str_done(&flag);
			return;
		}
		strv_add_take(ret, str_take(&flag));
	}
}
