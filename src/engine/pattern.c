/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From RE2 syntax to POSIX extended. Both share alternation, groups, classes, repetition and
 * anchors, so that only Perl's abbreviations need rewriting; glibc leaves \b \B \w \W \s \S in
 * place, but knows none of them inside brackets, and no \d at all.
 */
#include "engine/pattern.h"

#include <regex.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const struct {
	char letter;
	const char *outside, *inside; /* NULL: not possible there */
} escapes[] = {
	{'d', "[0-9]", "0-9"},
	{'D', "[^0-9]", NULL},
	{'w', "[[:alnum:]_]", "[:alnum:]_"},
	{'W', "[^[:alnum:]_]", NULL},
	{'s', "[[:space:]]", "[:space:]"},
	{'S', "[^[:space:]]", NULL},
	{'A', "^", NULL},
	{'z', "$", NULL},
	{'b', "\\b", NULL},
	{'B', "\\B", NULL},
	{'t', "\t", "\t"},
	{'n', "\n", "\n"},
};

/* What follows a backslash. In brackets POSIX has no escapes: a class member stands for itself. */
static bool translate_escape(char c, bool in_class, struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		const char *text = in_class ? escapes[i].inside : escapes[i].outside;

		if (escapes[i].letter != c)
			continue;
		if (text)
			str_add(out, text);
		return text;
	}
	if (c == '\0' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return false;
	if (in_class && strchr("]^-", c))
		return false;
	if (!in_class)
		str_add_char(out, '\\');
	str_add_char(out, c);
	return true;
}

/* The characters of "[...]" after the bracket; returns what follows them, NULL on failure. */
static const char *translate_class(const char *p, struct str *out)
{
	str_add_char(out, '[');
	if (*p == '^')
		str_add_char(out, *p++);
	if (*p == ']')
		str_add_char(out, *p++);
	for (; *p && *p != ']'; p++) {
		if (p[0] == '[' && p[1] == ':') {
			const char *end = strstr(p, ":]");

			if (!end)
				return NULL;
			str_add_bytes(out, p, (size_t)(end + 2 - p));
			p = end + 1;
		} else if (*p != '\\') {
			str_add_char(out, *p);
		} else if (!translate_escape(*++p, true, out)) {
			return NULL;
		}
	}
	str_add_char(out, ']');
	return *p ? p + 1 : NULL;
}

bool pattern_translate(const char *pattern, struct str *out, bool *ret_ignore_case)
{
	const char *p = pattern;

	*ret_ignore_case = str_has_prefix(p, "(?i)");
	if (*ret_ignore_case)
		p += 4;
	while (p && *p) {
		bool after_repeat = out->len && strchr("*+?}", out->buf[out->len - 1]) &&
				    p > pattern && p[-1] != '\\' &&
				    (out->len < 2 || out->buf[out->len - 2] != '\\');

		if (*p == '[') {
			p = translate_class(p + 1, out);
		} else if (*p == '\\') {
			if (!translate_escape(p[1], false, out))
				return false;
			p += 2;
		} else if (p[0] == '(' && p[1] == '?') {
			if (p[2] != ':')
				return false;
			str_add_char(out, '(');
			p += 3;
		} else if (*p == '?' && after_repeat) {
			p++;
		} else {
			str_add_char(out, *p++);
		}
	}
	return p;
}

bool pattern_matches(const char *pattern, const char *text)
{
	cleanup_str struct str posix = STR_INIT;
	bool ignore_case = false;
	regex_t compiled;
	bool found = false;

	/* The usual case, without a compiler. */
	if (!pattern[strcspn(pattern, "\\.+*?()|[]{}^$")])
		return strstr(text, pattern);
	if (!pattern_translate(pattern, &posix, &ignore_case) ||
	    regcomp(&compiled, str_get(&posix),
		    REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0)) != 0)
		return false;
	found = regexec(&compiled, text, 0, NULL, 0) == 0;
	regfree(&compiled);
	return found;
}
