/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd cuts the stream into jobs of a fixed size, each of which begins with the end of the one
 * before as its dictionary. How many threads work on them changes nothing in the output, as long as
 * there is at least one: without any, zstd does not cut.
 */
#include "unpack/recompress.h"

#include "base/err.h"
#include "base/mem.h"
#include "unpack/gzip_pack.h"
#include "unpack/output.h"

#include <sched.h>
#include <zstd.h>

/* LEVEL and the two below it decide what the bytes are: to change one of them is to give every
 * plain archive another blob. Level 1 compresses twice as fast as 3 and makes a tenth more. */
enum { LEVEL = 1, JOB_SIZE = 1 << 20, OVERLAP_LOG = 6 };
enum { MAX_WORKERS = 4 };

struct recompress {
	struct output *to;
	struct gzip_pack *gzip; /* owned; NULL: zstd */
	ZSTD_CCtx *ctx;		/* owned */
	uint8_t *buf;		/* owned */
	size_t buf_len;
};

static int count_workers(void)
{
	cpu_set_t set;
	/* Not sysconf(3), which would look into /sys. */
	int n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

	return n > MAX_WORKERS ? MAX_WORKERS : n;
}

static int set_parameters(struct recompress *r)
{
	const struct {
		ZSTD_cParameter name;
		int value;
	} rows[] = {
		{ZSTD_c_compressionLevel, LEVEL}, {ZSTD_c_nbWorkers, count_workers()},
		{ZSTD_c_jobSize, JOB_SIZE},	  {ZSTD_c_overlapLog, OVERLAP_LOG},
		{ZSTD_c_checksumFlag, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (ZSTD_isError(ZSTD_CCtx_setParameter(r->ctx, rows[i].name, rows[i].value)))
			return -1;
	return 0;
}

struct recompress *recompress_new(struct output *to, bool with_gzip, struct err *err)
{
	struct recompress *r = mem_zalloc(sizeof(*r));

	r->to = to;
	if (with_gzip) {
		r->gzip = gzip_pack_new(to, count_workers());
		return r;
	}
	r->buf_len = ZSTD_CStreamOutSize();
	r->buf = mem_alloc(r->buf_len);
	r->ctx = ZSTD_createCCtx();
	if (r->ctx && set_parameters(r) == 0)
		return r;
	recompress_free(r);
	err_set(err, ERR_SYSTEM, "zstd cannot compress with these parameters");
	return NULL;
}

void recompress_free(struct recompress *r)
{
	if (!r)
		return;
	gzip_pack_free(r->gzip);
	ZSTD_freeCCtx(r->ctx);
	free(r->buf);
	free(r);
}

/* One step; RET_LEFT is what zstd still has to give out. */
static int step(struct recompress *r, ZSTD_inBuffer *in, ZSTD_EndDirective end, size_t *ret_left,
		struct err *err)
{
	ZSTD_outBuffer out = {r->buf, r->buf_len, 0};

	*ret_left = ZSTD_compressStream2(r->ctx, &out, in, end);
	if (ZSTD_isError(*ret_left))
		return err_set(err, ERR_SYSTEM, "compress: %s", ZSTD_getErrorName(*ret_left));
	return output_write(r->to, r->buf, out.pos, err);
}

int recompress_write(struct recompress *r, const void *bytes, size_t len, struct err *err)
{
	ZSTD_inBuffer in = {bytes, len, 0};
	size_t left = 0;

	if (r->gzip)
		return gzip_pack_write(r->gzip, bytes, len, err);
	while (in.pos < in.size)
		if (step(r, &in, ZSTD_e_continue, &left, err) < 0)
			return -err->code;
	return 0;
}

int recompress_finish(struct recompress *r, struct err *err)
{
	/* Without input: a last piece given together with the end could be compressed uncut. */
	ZSTD_inBuffer in = {};
	size_t left = 0;

	if (r->gzip)
		return gzip_pack_finish(r->gzip, err);
	do {
		if (step(r, &in, ZSTD_e_end, &left, err) < 0)
			return -err->code;
	} while (left);
	return 0;
}
