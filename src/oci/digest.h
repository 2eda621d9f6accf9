/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_DIGEST_H
#define OCI_DIGEST_H
/*
 * Digests of content: "sha256:" and 64 lower-case hexadecimal digits, nothing else. A digest from
 * outside passes through digest_parse before any part of it may become a path.
 */
#include "base/err.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_PREFIX  "sha256:"
#define DIGEST_LEN     (7 + SHA256_HEX_LEN) /* characters of the text form */
#define DIGEST_HEX_LEN SHA256_HEX_LEN

/* Whether S is a digest of the one form we use. NULL is not. */
bool digest_is_valid(const char *s);
/* Checks S and copies its 64 digits. ERR_INVALID with the words of Go's digest library
 * ("invalid checksum digest format", "... length", "unsupported digest algorithm"). */
int digest_parse(const char *s, char ret_hex[static DIGEST_HEX_LEN + 1], struct err *err);
/* Hashes LEN bytes of P and compares with the 64 digits HEX. */
bool digest_is_of(const char *hex, const void *p, size_t len);

/* The chain ID of a layer (image-spec config.md#layer-chainid) as 64 digits: the digest of
 * "PARENT DIFF", both in text form; the diff ID itself when PARENT_HEX is NULL. RET may be the
 * buffer that PARENT_HEX points to. */
void digest_chain(const char *parent_hex, const char *diff_hex,
		  char ret[static DIGEST_HEX_LEN + 1]);

#endif
