/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: one algorithm, one spelling; see image-spec descriptor.md#digests. */
#include "oci/digest.h"

#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "base/str.h"

bool digest_is_valid(const char *s)
{
	return s && str_has_prefix(s, DIGEST_PREFIX) &&
	       hex_is_valid(s + strlen(DIGEST_PREFIX), DIGEST_HEX_LEN);
}

int digest_parse(const char *s, char ret_hex[static DIGEST_HEX_LEN + 1], struct err *err)
{
	const char *colon = s ? strchr(s, ':') : NULL;

	if (!colon || colon == s)
		return err_set(err, ERR_INVALID, "invalid checksum digest format");
	if (!str_has_prefix(s, DIGEST_PREFIX))
		return err_set(err, ERR_INVALID, "unsupported digest algorithm");
	if (strlen(colon + 1) != DIGEST_HEX_LEN)
		return err_set(err, ERR_INVALID, "invalid checksum digest length");
	if (!hex_is_valid(colon + 1, DIGEST_HEX_LEN))
		return err_set(err, ERR_INVALID, "invalid checksum digest format");
	memcpy(ret_hex, colon + 1, DIGEST_HEX_LEN + 1);
	return 0;
}

bool digest_is_of(const char *hex, const void *p, size_t len)
{
	char actual[DIGEST_HEX_LEN + 1];

	sha256_hex(p, len, actual);
	return strcmp(actual, hex) == 0;
}

void digest_chain(const char *parent_hex, const char *diff_hex, char ret[static DIGEST_HEX_LEN + 1])
{
	char pair[2 * DIGEST_LEN + 2];

	if (!parent_hex) {
		memmove(ret, diff_hex, DIGEST_HEX_LEN + 1);
		return;
	}
	snprintf(pair, sizeof(pair), DIGEST_PREFIX "%s " DIGEST_PREFIX "%s", parent_hex, diff_hex);
	sha256_hex(pair, strlen(pair), ret);
}
