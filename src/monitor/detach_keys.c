/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detach keys: docker's syntax, and a matcher that holds back no more than a true prefix.
 */
#include "monitor/detach_keys.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

void detach_keys_done(struct detach_keys *keys)
{
	free(keys->keys);
	*keys = (struct detach_keys){};
}

/* The byte of one key name, or -1. ctrl-@ is 0. */
static int parse_key(const char *name, size_t len)
{
	int c = 0;

	if (len == 1)
		return (unsigned char)name[0];
	if (len != 6 || memcmp(name, "ctrl-", 5) != 0)
		return -1;
	c = (unsigned char)name[5];
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 1;
	if (c == '@' || (c >= '[' && c <= '_'))
		return c - '@';
	return -1;
}

int detach_keys_parse(const char *text, struct detach_keys *ret, struct err *err)
{
	cleanup_detach_keys struct detach_keys keys = {};
	const char *p = text && *text ? text : DETACH_KEYS_DEFAULT;
	const char *whole = p;

	keys.keys = mem_alloc(strlen(p) / 2 +
			      1); /* a key and a comma are two characters at least */
	for (;;) {
		size_t len = strcspn(p, ",");
		int key = parse_key(p, len);

		if (key < 0)
			return err_set(err, ERR_INVALID, "Invalid detach keys (%s) provided",
				       whole);
		keys.keys[keys.n++] = (uint8_t)key;
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	*ret = keys;
	keys.keys = NULL;
	return 0;
}

/* How many of the N bytes held in KEYS followed by B still form a prefix once the front is given
 * up. */
static size_t longest_prefix(const struct detach_keys *k, size_t n, uint8_t b)
{
	for (size_t len = n; len > 0; len--) {
		/* The last LEN bytes of keys[0..n) b against keys[0..len). */
		if (k->keys[len - 1] == b && memcmp(k->keys, k->keys + n - (len - 1), len - 1) == 0)
			return len;
	}
	return 0;
}

bool detach_keys_filter(struct detach_keys *keys, const uint8_t *in, size_t len, uint8_t *out,
			size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		size_t held = keys->n_matched;
		size_t kept = 0;

		if (in[i] == keys->keys[held]) {
			if (++keys->n_matched < keys->n)
				continue;
			keys->n_matched = 0;
			*ret_len = n;
			return true;
		}
		kept = longest_prefix(keys, held, in[i]);
		/* held + 1 bytes are known; all but the last KEPT belong to the container. */
		for (size_t j = 0; j < held + 1 - kept; j++)
			out[n++] = j < held ? keys->keys[j] : in[i];
		keys->n_matched = kept;
	}
	*ret_len = n;
	return false;
}

size_t detach_keys_flush(struct detach_keys *keys, uint8_t *out)
{
	size_t n = keys->n_matched;

	if (n > 0)
		memcpy(out, keys->keys, n);
	keys->n_matched = 0;
	return n;
}
