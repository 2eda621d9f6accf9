/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H
/*
 * SHA-256 (FIPS 180-4) of image configurations, manifests, chain IDs, and of the files of a
 * context. Layers are hashed by the unpacking helper, which is fast on every processor.
 */
#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN     32
#define SHA256_HEX_LEN 64

struct sha256 {
	uint32_t state[8];
	uint64_t n_bytes;
	uint8_t block[64];
};

/* Starts a new digest. */
void sha256_init(struct sha256 *h);
/* Adds LEN bytes of P. */
void sha256_update(struct sha256 *h, const void *p, size_t len);
/* Writes the digest; H must be initialised again before another use. */
void sha256_final(struct sha256 *h, uint8_t digest[static SHA256_LEN]);
/* The digest of LEN bytes of P as 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(const void *p, size_t len, char hex[static SHA256_HEX_LEN + 1]);

#endif
