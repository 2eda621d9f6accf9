/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_RECOMPRESS_H
#define UNPACK_RECOMPRESS_H
/*
 * What came plain, or as xz or bzip2, compressed with zstd or gzip on its way into the store.
 *
 * The same bytes go in, the same bytes come out, on every machine: one image has one blob, whoever
 * imported it. So nothing that shapes the output depends on the number of processors or on how the
 * input was cut into pieces.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct output;
struct recompress;

/* Compresses to TO (borrowed). Owned; NULL with ERR filled when there is no memory or no thread. */
struct recompress *recompress_new(struct output *to, bool with_gzip, struct err *err);
void recompress_free(struct recompress *r);
/* Takes LEN bytes; writes what has become ready. */
int recompress_write(struct recompress *r, const void *bytes, size_t len, struct err *err);
/* Ends the frame and writes the rest. */
int recompress_finish(struct recompress *r, struct err *err);

#endif
