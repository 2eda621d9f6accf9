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

#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct err;

struct detach_keys {
	uint8_t *keys; /* owned */
	size_t n;
	size_t n_matched; /* prefix held back so far */
};

/* Frees what it owns; one that is all zero is fine. */
void detach_keys_done(struct detach_keys *keys);
#define cleanup_detach_keys __attribute__((cleanup(detach_keys_done)))

/* Parses "ctrl-p,ctrl-q", "a,b": comma-separated single characters or ctrl- with one of a-z @ [ \ ]
 * ^ _. NULL and "" give the default; a sequence may have any length. 0, or -code with docker's
 * text. RET is to be empty and needs detach_keys_done. */
int detach_keys_parse(const char *text, struct detach_keys *ret, struct err *err);

/* Passes LEN typed bytes through the matcher: what is for the container goes to OUT, which has room
 * for LEN + KEYS->n. True when the sequence was completed: what comes after it is dropped.
 */
bool detach_keys_filter(struct detach_keys *keys, const uint8_t *in, size_t len, uint8_t *out,
			size_t *ret_len);
/* Gives back the prefix that is held (at end of input); returns its length, less than KEYS->n. */
size_t detach_keys_flush(struct detach_keys *keys, uint8_t *out);

#endif
