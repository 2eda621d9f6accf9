/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a compressed stream. The first byte chooses the pieces that the source
 * hands out and those that are asked for; the rest is the stream. What comes out must not depend on
 * either: it is read twice, in other pieces.
 */
#include "archive/inflate.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A small stream may hold a large one: more of it is not read. */
#define READ_MAX (256 << 10)

#define require(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

struct outcome {
	enum inflate_format format;
	bool failed, stopped;
	uint64_t len;
	uint8_t digest[SHA256_LEN];
};

static void read_stream(struct inflate *z, size_t step, struct outcome *ret)
{
	struct sha256 h;
	struct err err = ERR_INIT;
	char buf[9000];
	ssize_t n = 0;

	sha256_init(&h);
	while (ret->len < READ_MAX && (n = inflate_read(z, buf, step, &err)) > 0) {
		require((size_t)n <= step);
		sha256_update(&h, buf, (size_t)n);
		ret->len += (uint64_t)n;
		/* Fewer than were asked for: it was the end. */
		if ((size_t)n < step)
			require(inflate_read(z, buf, step, &err) <= 0);
	}
	ret->stopped = ret->len >= READ_MAX;
	ret->failed = n < 0;
	require(n >= 0 || (err.code && *err.msg));
	sha256_final(&h, ret->digest);
}

static struct outcome inflate_all(const uint8_t *data, size_t size, size_t source_step, size_t step)
{
	struct outcome got = {.format = N_INFLATE_FORMATS};
	struct mem_source src;
	struct err err = ERR_INIT;

	mem_source_init(&src, data, size, source_step);
	cleanup_inflate struct inflate *z = inflate_new(&src.base, &err);

	if (!z) {
		require(err.code && *err.msg);
		return got;
	}
	got.format = inflate_format(z);
	require(got.format < N_INFLATE_FORMATS && *inflate_format_name(got.format));
	read_stream(z, step, &got);
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;

	if (!size)
		return 0;
	whole = inflate_all(data + 1, size - 1, 0, 9000);
	pieces = inflate_all(data + 1, size - 1, 1 + (data[0] & 0x3f), data[0] & 0x80 ? 4096 : 700);
	require(whole.format == pieces.format);
	if (whole.stopped || pieces.stopped)
		return 0;
	require(whole.failed == pieces.failed);
	require(whole.failed ||
		(whole.len == pieces.len && memcmp(whole.digest, pieces.digest, SHA256_LEN) == 0));
	return 0;
}
