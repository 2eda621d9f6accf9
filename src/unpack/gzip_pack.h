/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_GZIP_PACK_H
#define UNPACK_GZIP_PACK_H
/*
 * One gzip member, made by several threads. As with recompress.h, the same bytes go in and the same
 * bytes come out, however many processors there are: the stream is cut into pieces of a fixed size,
 * each compressed by itself with the end of the one before as its dictionary. No name and no time
 * are in the header.
 */
#include <stddef.h>

struct err;
struct gzip_pack;
struct output;

/* Compresses to TO (borrowed), N_WORKERS (at most GZIP_PACK_MAX) pieces at a time. Owned. */
#define GZIP_PACK_MAX 8
struct gzip_pack *gzip_pack_new(struct output *to, int n_workers);
/* NULL is fine. */
void gzip_pack_free(struct gzip_pack *g);
int gzip_pack_write(struct gzip_pack *g, const void *bytes, size_t len, struct err *err);
int gzip_pack_finish(struct gzip_pack *g, struct err *err);

#endif
