/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_DIGEST_H
#define ARCHIVE_DIGEST_H
/* SHA-256 of a stream by OpenSSL, which uses the processor's SHA instructions. Not for `tare`
 * itself: it is linked dynamically, into the helpers that carry bulk data. */
#include <stddef.h>

struct err;
struct digest; /* one stream; any thread, one at a time */

#define DIGEST_TEXT_LEN 72 /* "sha256:", 64 digits and the NUL */

/* Owned; NULL with ERR filled when the library has no SHA-256. */
struct digest *digest_new(struct err *err);
void digest_free(struct digest *d);
void digest_cleanup(struct digest **d);
#define cleanup_digest __attribute__((cleanup(digest_cleanup)))

/* Adds LEN bytes to the stream; 0, or -code of the library. Not after digest_final. */
int digest_update(struct digest *d, const void *bytes, size_t len, struct err *err);
/* Ends the stream and writes "sha256:<hex>". */
int digest_final(struct digest *d, char ret[static DIGEST_TEXT_LEN], struct err *err);

#endif
