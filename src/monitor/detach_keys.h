/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_DETACH_KEYS_H
#define MONITOR_DETACH_KEYS_H
/*
 * The key sequence that leaves a container running and ends the command (docker's --detach-keys).
 * A prefix that does not complete the sequence is replayed, byte for byte, to the container.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DETACH_KEYS_MAX	    16
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct err;

struct detach_keys {
	uint8_t keys[DETACH_KEYS_MAX];
	size_t n;
	size_t n_matched; /* prefix held back so far */
};

/* Parses "ctrl-p,ctrl-q", "a,b": comma-separated single characters or ctrl- with one of a-z @ [ \ ]
 * ^ _. NULL and "" give the default. 0, or -code with docker's text. */
int detach_keys_parse(const char *text, struct detach_keys *ret, struct err *err);

/* Passes LEN typed bytes through the matcher: what is for the container goes to OUT, which has room
 * for LEN + DETACH_KEYS_MAX. True when the sequence was completed: what comes after it is dropped.
 */
bool detach_keys_filter(struct detach_keys *keys, const uint8_t *in, size_t len, uint8_t *out,
			size_t *ret_len);
/* Gives back the prefix that is held (at end of input); returns its length. */
size_t detach_keys_flush(struct detach_keys *keys, uint8_t out[static DETACH_KEYS_MAX]);

#endif
