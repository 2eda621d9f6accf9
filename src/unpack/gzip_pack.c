/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces are collected until there is one for each worker, and then compressed at the same time.
 * Each ends on a byte (Z_SYNC_FLUSH), so that one can follow the other; the last ends the stream.
 * isa-l would be several times faster, but gives other bytes on other processors.
 */
#include "unpack/gzip_pack.h"

#include "base/err.h"
#include "base/mem.h"
#include "unpack/output.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

/* They decide what the bytes are. */
enum { PIECE = 1 << 20, DICTIONARY = 32 << 10, LEVEL = 6 };

struct piece {
	uint8_t *in; /* owned; DICTIONARY bytes before it are the end of the piece before */
	size_t len, dictionary_len;
	uint8_t *out; /* owned */
	size_t out_cap, out_len;
	bool is_last;
	int rc; /* of zlib */
	uLong crc;
	pthread_t thread;
	bool is_running;
};

struct gzip_pack {
	struct output *to;
	struct piece pieces[GZIP_PACK_MAX];
	int n_workers, n;
	bool has_header;
	uLong crc;
	uint64_t size;
};

struct gzip_pack *gzip_pack_new(struct output *to, int n_workers)
{
	struct gzip_pack *g = mem_zalloc(sizeof(*g));

	g->to = to;
	g->n_workers = n_workers < 1 ? 1 : n_workers > GZIP_PACK_MAX ? GZIP_PACK_MAX : n_workers;
	for (int i = 0; i < g->n_workers; i++) {
		struct piece *p = &g->pieces[i];

		p->in = mem_alloc(DICTIONARY + PIECE);
		p->out_cap = compressBound(PIECE) + 64;
		p->out = mem_alloc(p->out_cap);
	}
	g->crc = crc32(0, NULL, 0);
	return g;
}

void gzip_pack_free(struct gzip_pack *g)
{
	if (!g)
		return;
	for (int i = 0; i < g->n_workers; i++) {
		free(g->pieces[i].in);
		free(g->pieces[i].out);
	}
	free(g);
}

static int deflate_piece(struct piece *p)
{
	z_stream z = {};
	/* Negative: no header, there is one for all. */
	int rc = deflateInit2(&z, LEVEL, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);

	if (rc != Z_OK)
		return rc;
	if (p->dictionary_len)
		rc = deflateSetDictionary(&z, p->in + DICTIONARY - p->dictionary_len,
					  (uInt)p->dictionary_len);
	z.next_in = p->in + DICTIONARY;
	z.avail_in = (uInt)p->len;
	z.next_out = p->out;
	z.avail_out = (uInt)p->out_cap;
	if (rc == Z_OK)
		rc = deflate(&z, p->is_last ? Z_FINISH : Z_SYNC_FLUSH);
	p->out_len = p->out_cap - z.avail_out;
	/* Room was enough for anything. */
	if (rc == Z_OK && (z.avail_in || z.avail_out == 0))
		rc = Z_BUF_ERROR;
	deflateEnd(&z);
	return rc == Z_STREAM_END ? Z_OK : rc;
}

static void *run_piece(void *arg)
{
	struct piece *p = arg;

	p->crc = crc32(crc32(0, NULL, 0), p->in + DICTIONARY, (uInt)p->len);
	p->rc = deflate_piece(p);
	return NULL;
}

static int write_header(struct gzip_pack *g, struct err *err)
{
	/* RFC 1952: deflate, no flags, no time, no hint, "unknown" system. */
	static const uint8_t header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};

	g->has_header = true;
	return output_write(g->to, header, sizeof(header), err);
}

/* Compresses what was collected, and writes it in order. */
static int flush(struct gzip_pack *g, struct err *err)
{
	if (!g->has_header && write_header(g, err) < 0)
		return -err->code;
	for (int i = 1; i < g->n; i++)
		g->pieces[i].is_running = pthread_create(&g->pieces[i].thread, NULL, run_piece,
							 &g->pieces[i]) == 0;
	for (int i = 0; i < g->n; i++)
		if (!g->pieces[i].is_running)
			run_piece(&g->pieces[i]);
	for (int i = 0; i < g->n; i++) {
		if (g->pieces[i].is_running)
			pthread_join(g->pieces[i].thread, NULL);
		g->pieces[i].is_running = false;
	}
	for (int i = 0; i < g->n; i++) {
		const struct piece *p = &g->pieces[i];

		if (p->rc != Z_OK)
			return err_set(err, ERR_SYSTEM, "compress: %s", zError(p->rc));
		g->crc = crc32_combine(g->crc, p->crc, (z_off_t)p->len);
		g->size += p->len;
		if (output_write(g->to, p->out, p->out_len, err) < 0)
			return -err->code;
	}
	return 0;
}

/* Makes room for a piece after N full ones, with the end of the last as its dictionary. */
static struct piece *next_piece(struct gzip_pack *g, struct err *err)
{
	const struct piece *before = g->n ? &g->pieces[g->n - 1] : NULL;
	struct piece *p = NULL;

	if (g->n == g->n_workers) {
		if (flush(g, err) < 0)
			return NULL;
		g->n = 0;
	}
	p = &g->pieces[g->n++];
	p->dictionary_len = 0;
	if (before) {
		/* Full ones are longer than a dictionary. */
		memmove(p->in, before->in + PIECE, DICTIONARY);
		p->dictionary_len = DICTIONARY;
	}
	p->len = 0;
	p->is_last = false;
	return p;
}

int gzip_pack_write(struct gzip_pack *g, const void *bytes, size_t len, struct err *err)
{
	const uint8_t *from = bytes;

	while (len) {
		struct piece *p = g->n ? &g->pieces[g->n - 1] : NULL;
		size_t n = 0;

		if (!p || p->len == PIECE)
			p = next_piece(g, err);
		if (!p)
			return -err->code;
		n = len < PIECE - p->len ? len : PIECE - p->len;
		memcpy(p->in + DICTIONARY + p->len, from, n);
		p->len += n;
		from += n;
		len -= n;
	}
	return 0;
}

int gzip_pack_finish(struct gzip_pack *g, struct err *err)
{
	uint8_t trailer[8];

	if (!g->n && !next_piece(g, err))
		return -err->code;
	g->pieces[g->n - 1].is_last = true;
	if (flush(g, err) < 0)
		return -err->code;
	for (int i = 0; i < 4; i++) {
		trailer[i] = (uint8_t)(g->crc >> (8 * i));
		trailer[4 + i] = (uint8_t)(g->size >> (8 * i));
	}
	return output_write(g->to, trailer, sizeof(trailer), err);
}
