/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of xterm and what imitates it: control sequences with a letter, or with a number and "~".
 */
#include "cli/view_keys.h"

#include "base/mem.h"

#include <string.h>

#define ESCAPE '\033'

/* What follows "ESC [" (or "ESC O"), modifiers left aside. */
static const struct {
	const char *text;
	int key;
} sequences[] = {
	{"A", VIEW_KEY_UP},	  {"B", VIEW_KEY_DOWN},	      {"C", VIEW_KEY_RIGHT},
	{"D", VIEW_KEY_LEFT},	  {"H", VIEW_KEY_HOME},	      {"F", VIEW_KEY_END},
	{"M", VIEW_KEY_ENTER},	  {"1~", VIEW_KEY_HOME},      {"4~", VIEW_KEY_END},
	{"7~", VIEW_KEY_HOME},	  {"8~", VIEW_KEY_END},	      {"3~", VIEW_KEY_DELETE},
	{"5~", VIEW_KEY_PAGE_UP}, {"6~", VIEW_KEY_PAGE_DOWN},
};

/* Length of a control sequence's body: parameters up to a final byte; 0 while it is not whole. */
static size_t body_len(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] >= 0x40 && data[i] <= 0x7E)
			return i + 1;
	return 0;
}

/* "1;5A" (with Control) is "A", "5;2~" is "5~". */
static int key_of(const char *body, size_t len)
{
	char text[8] = "";
	size_t n = 0;
	size_t digits = strspn(body, "0123456789");

	if (digits >= len || digits > 2)
		return VIEW_KEY_UNKNOWN;
	if (body[len - 1] == '~')
		for (; n < digits; n++)
			text[n] = body[n];
	text[n] = body[len - 1];
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++)
		if (strcmp(text, sequences[i].text) == 0)
			return sequences[i].key;
	return VIEW_KEY_UNKNOWN;
}

size_t view_key_next(const char *data, size_t len, int *ret_key)
{
	char first = data[0];
	size_t n = 0;

	*ret_key = (unsigned char)first;
	if (first == '\n')
		*ret_key = VIEW_KEY_ENTER;
	if (first == 0x7F)
		*ret_key = VIEW_KEY_BACKSPACE;
	if (first != ESCAPE || len < 2)
		return 1;
	if (data[1] != '[' && data[1] != 'O') {
		/* Alt with a key, or ESC and then another: neither means anything here. */
		return 1;
	}
	n = body_len(data + 2, len - 2);
	if (!n) {
		*ret_key = VIEW_KEY_UNKNOWN;
		return len;
	}
	*ret_key = key_of(data + 2, n);
	return 2 + n;
}
