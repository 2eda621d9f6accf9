/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming SHA-256 (EVP_DigestInit(3)). */
#include "archive/digest.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"

#include <openssl/evp.h>

struct digest {
	EVP_MD_CTX *ctx;
};

struct digest *digest_new(struct err *err)
{
	struct digest *d = mem_zalloc(sizeof(*d));

	d->ctx = EVP_MD_CTX_new();
	if (d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1)
		return d;
	digest_free(d);
	err_set(err, ERR_UNSUPPORTED, "the crypto library has no SHA-256");
	return NULL;
}

void digest_free(struct digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void digest_cleanup(struct digest **d)
{
	digest_free(*d);
	*d = NULL;
}

int digest_update(struct digest *d, const void *bytes, size_t len, struct err *err)
{
	if (EVP_DigestUpdate(d->ctx, bytes, len) != 1)
		return err_set(err, ERR_SYSTEM, "SHA-256 of the stream");
	return 0;
}

int digest_final(struct digest *d, char ret[static DIGEST_TEXT_LEN], struct err *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_DigestFinal_ex(d->ctx, sum, &len) != 1 || len != 32)
		return err_set(err, ERR_SYSTEM, "SHA-256 of the stream");
	memcpy(ret, "sha256:", sizeof("sha256:"));
	hex_format(sum, len, ret + 7);
	return 0;
}
