/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One loop feeds a decoder from the source until the caller's buffer is full; the decoder is a row
 * of a table. A file may consist of several gzip members, zstd frames, xz or bzip2 streams, one
 * after another (RFC 1952 2.2, RFC 8878 3.1, xz file format 2), and of zeros behind the last one,
 * as tapes and some tools leave them. The end of the source inside a member or frame is an error:
 * the archive was cut off.
 */
#include "archive/inflate.h"

#include "base/err.h"
#include "base/mem.h"

#include <bzlib.h>
#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <stdbool.h>
#include <zstd.h>

struct inflate {
	struct byte_source *src;
	enum inflate_format format;
	uint8_t head[INFLATE_HEAD_LEN]; /* the first bytes, taken to find the format */
	const uint8_t *in;
	size_t in_len;
	const uint8_t *held; /* the source's piece while `head` is being decoded */
	size_t held_len;
	bool inside;		    /* a member or frame has begun and not ended */
	bool begun;		    /* there was a member before this one */
	bool trailing;		    /* zeros behind the last one */
	struct inflate_state *gzip; /* owned, as the next three */
	ZSTD_DStream *zstd;
	lzma_stream *xz;
	bz_stream *bzip2;
};

/* Progress of one decoder step in the caller's buffer. */
struct output {
	uint8_t *buf;
	size_t len, used;
};

static int step_plain(struct inflate *z, struct output *out, struct err *err)
{
	size_t room = out->len - out->used;
	size_t n = z->in_len < room ? z->in_len : room;

	memcpy(out->buf + out->used, z->in, n);
	z->in += n;
	z->in_len -= n;
	out->used += n;
	return 0;
}

static const char *gzip_error(int rc)
{
	return rc == ISAL_INCORRECT_CHECKSUM ? "wrong checksum" : "damaged data";
}

/* Between members: zeros end the stream, anything else begins the next one: 1 when it does. */
static int is_member_next(struct inflate *z, const char *format, struct err *err)
{
	if (!z->in_len)
		return 0;
	if (!z->trailing && !(z->begun && *z->in == 0)) {
		z->begun = true;
		return 1;
	}
	z->trailing = true;
	while (z->in_len && *z->in == 0) {
		z->in++;
		z->in_len--;
	}
	if (z->in_len)
		return err_set(err, ERR_INVALID, "%s: garbage behind the end", format);
	return 0;
}

static unsigned clip(size_t n)
{
	return n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
}

/* What a step used up and brought. */
static void advance(struct inflate *z, struct output *out, size_t taken, size_t given)
{
	z->in += taken;
	z->in_len -= taken;
	out->used += given;
}

static int step_gzip(struct inflate *z, struct output *out, struct err *err)
{
	struct inflate_state *s = z->gzip;
	uint8_t *to = out->buf + out->used;
	int rc = z->inside ? 1 : is_member_next(z, "gzip", err);

	if (rc <= 0)
		return rc;
	if (!z->inside) {
		isal_inflate_reset(s);
		s->crc_flag = ISAL_GZIP;
		z->inside = true;
	}
	s->next_in = (uint8_t *)(uintptr_t)z->in; /* isa-l does not write to its input */
	s->avail_in = clip(z->in_len);
	s->next_out = to;
	s->avail_out = clip(out->len - out->used);
	rc = isal_inflate(s);
	if (rc < 0)
		return err_set(err, ERR_INVALID, "gzip: %s", gzip_error(rc));
	if (rc > 0)
		return err_set(err, ERR_INVALID, "gzip: a preset dictionary is needed");
	advance(z, out, (size_t)(s->next_in - z->in), (size_t)(s->next_out - to));
	z->inside = s->block_state != ISAL_BLOCK_FINISH;
	return 0;
}

static int step_zstd(struct inflate *z, struct output *out, struct err *err)
{
	ZSTD_inBuffer in = {z->in, z->in_len, 0};
	ZSTD_outBuffer o = {out->buf, out->len, out->used};
	size_t rc = 0;

	if (!z->inside && !z->in_len)
		return 0;
	rc = ZSTD_decompressStream(z->zstd, &o, &in);
	if (ZSTD_isError(rc))
		return err_set(err, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(rc));
	z->in += in.pos;
	z->in_len -= in.pos;
	out->used = o.pos;
	z->inside = rc != 0;
	return 0;
}

static const char *xz_error(lzma_ret rc)
{
	static const struct {
		lzma_ret rc;
		const char *text;
	} rows[] = {
		{LZMA_MEM_ERROR, "no memory"},
		{LZMA_MEMLIMIT_ERROR, "more memory is needed than is allowed"},
		{LZMA_OPTIONS_ERROR, "an option that is not supported"},
		{LZMA_UNSUPPORTED_CHECK, "a checksum that is not supported"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].rc == rc)
			return rows[i].text;
	return "damaged data";
}

static int begin_xz(struct inflate *z, struct err *err)
{
	/* Called again it reuses what it has allocated. */
	lzma_ret rc = lzma_stream_decoder(z->xz, INFLATE_MAX_XZ_MEMORY,
					  LZMA_TELL_UNSUPPORTED_CHECK);

	z->inside = true;
	return rc == LZMA_OK ? 0 : err_set(err, ERR_SYSTEM, "xz: %s", xz_error(rc));
}

static int step_xz(struct inflate *z, struct output *out, struct err *err)
{
	lzma_stream *s = z->xz;
	uint8_t *to = out->buf + out->used;
	int next = z->inside ? 1 : is_member_next(z, "xz", err);
	lzma_ret rc = LZMA_OK;

	if (next <= 0)
		return next;
	if (!z->inside && begin_xz(z, err) < 0)
		return -err->code;
	s->next_in = z->in;
	s->avail_in = z->in_len;
	s->next_out = to;
	s->avail_out = out->len - out->used;
	rc = lzma_code(s, LZMA_RUN);
	/* LZMA_BUF_ERROR: nothing to do without more input. */
	if (rc != LZMA_OK && rc != LZMA_STREAM_END && rc != LZMA_BUF_ERROR)
		return err_set(err, ERR_INVALID, "xz: %s", xz_error(rc));
	advance(z, out, (size_t)(s->next_in - z->in), (size_t)(s->next_out - to));
	z->inside = rc != LZMA_STREAM_END;
	return 0;
}

static int begin_bzip2(struct inflate *z, struct err *err)
{
	int rc = BZ_OK;

	BZ2_bzDecompressEnd(z->bzip2);
	*z->bzip2 = (bz_stream){};
	rc = BZ2_bzDecompressInit(z->bzip2, 0, 0);
	z->inside = true;
	return rc == BZ_OK ? 0 : err_set(err, ERR_SYSTEM, "bzip2: no memory");
}

static int step_bzip2(struct inflate *z, struct output *out, struct err *err)
{
	bz_stream *s = z->bzip2;
	uint8_t *to = out->buf + out->used;
	int rc = z->inside ? 1 : is_member_next(z, "bzip2", err);
	const uint8_t *end = NULL;

	if (rc <= 0)
		return rc;
	if (!z->inside && begin_bzip2(z, err) < 0)
		return -err->code;
	s->next_in = (char *)(uintptr_t)z->in; /* libbz2 does not write to its input */
	s->avail_in = clip(z->in_len);
	s->next_out = (char *)to;
	s->avail_out = clip(out->len - out->used);
	rc = BZ2_bzDecompress(s);
	if (rc != BZ_OK && rc != BZ_STREAM_END)
		return err_set(err, ERR_INVALID, "bzip2: %s",
			       rc == BZ_MEM_ERROR ? "no memory" : "damaged data");
	end = (const uint8_t *)s->next_in;
	advance(z, out, (size_t)(end - z->in), (size_t)((uint8_t *)s->next_out - to));
	z->inside = rc != BZ_STREAM_END;
	return 0;
}

static int start_plain(struct inflate *z, struct err *err)
{
	return 0;
}

static int start_gzip(struct inflate *z, struct err *err)
{
	z->gzip = mem_zalloc(sizeof(*z->gzip));
	isal_inflate_init(z->gzip);
	return 0;
}

static int start_zstd(struct inflate *z, struct err *err)
{
	z->zstd = ZSTD_createDStream();
	if (!z->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax,
							    INFLATE_MAX_WINDOW_LOG)))
		return err_set(err, ERR_SYSTEM, "zstd: no memory");
	return 0;
}

static int start_xz(struct inflate *z, struct err *err)
{
	z->xz = mem_alloc(sizeof(*z->xz));
	*z->xz = (lzma_stream)LZMA_STREAM_INIT;
	return 0;
}

static int start_bzip2(struct inflate *z, struct err *err)
{
	z->bzip2 = mem_zalloc(sizeof(*z->bzip2));
	return 0;
}

static const struct decoder {
	const char *name;
	int (*start)(struct inflate *z, struct err *err);
	/* Consumes input or produces output or both. */
	int (*step)(struct inflate *z, struct output *out, struct err *err);
} decoders[N_INFLATE_FORMATS] = {
	[INFLATE_PLAIN] = {"plain", start_plain, step_plain},
	[INFLATE_GZIP] = {"gzip", start_gzip, step_gzip},
	[INFLATE_ZSTD] = {"zstd", start_zstd, step_zstd},
	[INFLATE_XZ] = {"xz", start_xz, step_xz},
	[INFLATE_BZIP2] = {"bzip2", start_bzip2, step_bzip2},
};

static const struct magic {
	const char *bytes;
	size_t len;
	enum inflate_format format; /* N_INFLATE_FORMATS: known and refused */
	const char *name;
} magics[] = {
	{"\x1f\x8b", 2, INFLATE_GZIP, "gzip"},
	{"\x28\xb5\x2f\xfd", 4, INFLATE_ZSTD, "zstd"},
	{"BZh?1A", 6, INFLATE_BZIP2, "bzip2"},	     /* ?: any byte, the block size */
	{"BZh?\x17\x72", 6, INFLATE_BZIP2, "bzip2"}, /* nothing, compressed */
	{"\xfd"
	 "7zXZ",
	 6, INFLATE_XZ, "xz"},
	{"LZIP\x01", 5, N_INFLATE_FORMATS, "lzip"},
	{"\x04\x22\x4d\x18", 4, N_INFLATE_FORMATS, "lz4"},
	{"\x1f\x9d", 2, N_INFLATE_FORMATS, "compress"},
	{"PK\x03\x04", 4, N_INFLATE_FORMATS, "zip"},
	{"7z\xbc\xaf\x27\x1c", 6, N_INFLATE_FORMATS, "7z"},
};

/* Skippable frames 0x184D2A50 to 5F may stand before the first real one (RFC 8878 3.1.2). */
static bool is_skippable_frame(const uint8_t *head, size_t len)
{
	return len >= 4 && (head[0] & 0xf0) == 0x50 && memcmp(head + 1, "\x2a\x4d\x18", 3) == 0;
}

static bool is_magic(const struct magic *m, const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < m->len; i++)
		if (i >= len || (m->bytes[i] != '?' && (uint8_t)m->bytes[i] != head[i]))
			return false;
	return true;
}

static const struct magic *lookup_magic(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		if (is_magic(&magics[i], head, len))
			return &magics[i];
	return NULL;
}

enum inflate_format inflate_probe(const uint8_t *head, size_t len)
{
	const struct magic *m = lookup_magic(head, len);

	if (m)
		return m->format;
	return is_skippable_frame(head, len) ? INFLATE_ZSTD : INFLATE_PLAIN;
}

static int find_format(struct inflate *z, size_t len, struct err *err)
{
	z->format = inflate_probe(z->head, len);
	if (z->format != N_INFLATE_FORMATS)
		return 0;
	err_set(err, ERR_UNSUPPORTED, "the archive is compressed with %s",
		lookup_magic(z->head, len)->name);
	return err_hint(err, "use a plain tar archive, gzip, zstd, xz or bzip2");
}

/* Collects the first bytes, however small the source's pieces are. */
static int read_head(struct inflate *z, struct err *err)
{
	size_t have = 0;

	while (have < INFLATE_HEAD_LEN) {
		const uint8_t *bytes = NULL;
		ssize_t n = z->src->next(z->src, &bytes, err);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		size_t part = (size_t)n < INFLATE_HEAD_LEN - have ? (size_t)n
								  : INFLATE_HEAD_LEN - have;

		memcpy(z->head + have, bytes, part);
		have += part;
		z->held = bytes + part;
		z->held_len = (size_t)n - part;
	}
	if (!have)
		return err_set(err, ERR_INVALID, "the archive is empty");
	z->in = z->head;
	z->in_len = have;
	return find_format(z, have, err);
}

struct inflate *inflate_new(struct byte_source *src, struct err *err)
{
	cleanup_inflate struct inflate *z = mem_zalloc(sizeof(*z));

	z->src = src;
	if (read_head(z, err) < 0 || decoders[z->format].start(z, err) < 0)
		return NULL;
	return take_ptr(z);
}

void inflate_free(struct inflate *z)
{
	if (!z)
		return;
	free(z->gzip);
	ZSTD_freeDStream(z->zstd);
	if (z->xz)
		lzma_end(z->xz);
	free(z->xz);
	if (z->bzip2)
		BZ2_bzDecompressEnd(z->bzip2);
	free(z->bzip2);
	free(z);
}

void inflate_cleanup(struct inflate **z)
{
	inflate_free(*z);
	*z = NULL;
}

/* More input: 1, or 0 at the end of the source. */
static int refill(struct inflate *z, struct err *err)
{
	ssize_t n = 0;

	if (z->held_len) {
		z->in = z->held;
		z->in_len = z->held_len;
		z->held_len = 0;
		return 1;
	}
	n = z->src->next(z->src, &z->in, err);
	if (n < 0)
		return (int)n;
	z->in_len = (size_t)n;
	return n > 0;
}

ssize_t inflate_read(struct inflate *z, void *buf, size_t len, struct err *err)
{
	const char *name = decoders[z->format].name;
	struct output out = {.buf = buf, .len = len};

	while (out.used < out.len) {
		const struct inflate before = *z;
		size_t used_before = out.used;
		int rc = decoders[z->format].step(z, &out, err);

		if (rc < 0)
			return rc;
		if (out.used > used_before)
			continue;
		/* A step without input may still bring out what the decoder holds; this did not. */
		if (z->in_len && z->in_len == before.in_len && z->inside == before.inside)
			return err_set(err, ERR_INVALID, "%s: damaged data", name);
		if (z->in_len)
			continue;
		rc = refill(z, err);
		if (rc == 0 && z->inside)
			return err_set(err, ERR_INVALID, "%s: the archive is truncated", name);
		if (rc <= 0)
			return rc < 0 ? rc : (ssize_t)out.used;
	}
	return (ssize_t)out.used;
}

enum inflate_format inflate_format(const struct inflate *z)
{
	return z->format;
}

const char *inflate_format_name(enum inflate_format format)
{
	return decoders[format].name;
}
