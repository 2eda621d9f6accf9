/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_KEYS_H
#define CLI_VIEW_KEYS_H
/*
 * Keys from the bytes that a terminal sends. A sequence may come in pieces; a lone ESC is told from
 * the beginning of one by what follows in the same read, which is how terminals send them.
 */
#include <stddef.h>

/* Characters are themselves (bytes of UTF-8 one by one); the rest are above. */
enum view_key {
	VIEW_KEY_NONE = 0,
	VIEW_KEY_CTRL_C = 3,
	VIEW_KEY_BACKSPACE = 8, /* also DEL */
	VIEW_KEY_ENTER = 13,	/* also line feed */
	VIEW_KEY_CTRL_L = 12,
	VIEW_KEY_CTRL_U = 21,
	VIEW_KEY_CTRL_Z = 26,
	VIEW_KEY_ESCAPE = 27,
	VIEW_KEY_UP = 256,
	VIEW_KEY_DOWN,
	VIEW_KEY_LEFT,
	VIEW_KEY_RIGHT,
	VIEW_KEY_PAGE_UP,
	VIEW_KEY_PAGE_DOWN,
	VIEW_KEY_HOME,
	VIEW_KEY_END,
	VIEW_KEY_DELETE,
	VIEW_KEY_UNKNOWN, /* a sequence that means nothing here */
};

/* The next key of LEN > 0 bytes; returns how many of them it took. */
size_t view_key_next(const char *data, size_t len, int *ret_key);

#endif
