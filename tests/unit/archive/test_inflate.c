/* SPDX-License-Identifier: Apache-2.0 */
/* Decompression: framing of gzip, zstd, xz and bzip2, cuts, damage, formats that are refused; and
 * the digest. */
#include "../unit.h"

#include "archive/digest.h"
#include "archive/inflate.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#include <bzlib.h>
#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <zstd.h>

enum { CONTENT_LEN = 300 * 1000, PACKED_MAX = 400 * 1000 };

/* Content that compresses, but not to nothing. */
static uint8_t *make_content(void)
{
	uint8_t *bytes = mem_alloc(CONTENT_LEN);
	uint32_t x = 1;

	for (size_t i = 0; i < CONTENT_LEN; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24 & 0x1f) + 'A';
	}
	return bytes;
}

static void add_gzip(struct str *out, const uint8_t *bytes, size_t len)
{
	struct isal_zstream z;

	isal_deflate_stateless_init(&z);
	z.gzip_flag = IGZIP_GZIP;
	z.end_of_stream = 1;
	z.next_in = (uint8_t *)(uintptr_t)bytes;
	z.avail_in = (uint32_t)len;
	z.next_out = (uint8_t *)str_reserve(out, PACKED_MAX);
	z.avail_out = PACKED_MAX;
	assert_int_equal(isal_deflate_stateless(&z), COMP_OK);
	out->len += z.total_out;
}

static void add_zstd(struct str *out, const uint8_t *bytes, size_t len)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	char *to = str_reserve(out, PACKED_MAX);
	size_t n = 0;

	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(c, to, PACKED_MAX, bytes, len);
	assert_false(ZSTD_isError(n));
	out->len += n;
	ZSTD_freeCCtx(c);
}

static void add_xz_with(struct str *out, const uint8_t *bytes, size_t len, lzma_check check)
{
	uint8_t *to = (uint8_t *)str_reserve(out, PACKED_MAX);
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(1, check, NULL, bytes, len, to, &n, PACKED_MAX),
			 LZMA_OK);
	out->len += n;
}

static void add_xz(struct str *out, const uint8_t *bytes, size_t len)
{
	add_xz_with(out, bytes, len, LZMA_CHECK_CRC64);
}

static void add_bzip2(struct str *out, const uint8_t *bytes, size_t len)
{
	char *to = str_reserve(out, PACKED_MAX);
	unsigned n = PACKED_MAX;

	assert_int_equal(
		BZ2_bzBuffToBuffCompress(to, &n, (char *)(uintptr_t)bytes, (unsigned)len, 1, 0, 0),
		BZ_OK);
	out->len += n;
}

static void add_plain(struct str *out, const uint8_t *bytes, size_t len)
{
	str_add_bytes(out, bytes, len);
}

static const struct packer {
	const char *name;
	void (*add)(struct str *out, const uint8_t *bytes, size_t len);
} packers[] = {{"plain", add_plain},
	       {"gzip", add_gzip},
	       {"zstd", add_zstd},
	       {"xz", add_xz},
	       {"bzip2", add_bzip2}};

/* Unpacks all of IN, input in pieces of STEP, output in pieces of OUT_STEP: 0 or -code. */
static int unpack(const struct str *in, size_t step, size_t out_step, struct str *out,
		  struct err *err)
{
	struct mem_source src;
	cleanup_inflate struct inflate *z = NULL;
	ssize_t n = 0;

	mem_source_init(&src, str_get(in), in->len, step);
	z = inflate_new(&src.base, err);
	if (!z)
		return -err->code;
	do {
		n = inflate_read(z, str_reserve(out, out_step), out_step, err);
		out->len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return (int)n;
}

static void round_trips(void **state)
{
	static const struct {
		size_t in, out;
	} steps[] = {{0, 1 << 20}, {1, 4096}, {7, 100000}, {4096, 1}, {65536, 65536}};
	cleanup_free uint8_t *content = make_content();

	for (size_t p = 0; p < ARRAY_LEN(packers); p++) {
		cleanup_str struct str packed = STR_INIT;

		packers[p].add(&packed, content, CONTENT_LEN);
		for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
			cleanup_str struct str got = STR_INIT;
			struct err err = ERR_INIT;

			assert_int_equal(unpack(&packed, steps[s].in, steps[s].out, &got, &err), 0);
			assert_int_equal(got.len, CONTENT_LEN);
			assert_memory_equal(got.buf, content, CONTENT_LEN);
		}
	}
}

static void several_members(void **state)
{
	cleanup_free uint8_t *content = make_content();

	for (size_t p = 1; p < ARRAY_LEN(packers); p++) {
		for (size_t step = 0; step < 3; step++) {
			cleanup_str struct str packed = STR_INIT, got = STR_INIT;
			struct err err = ERR_INIT;

			packers[p].add(&packed, content, 1000);
			packers[p].add(&packed, content, 0);
			packers[p].add(&packed, content + 1000, CONTENT_LEN - 1000);
			assert_int_equal(unpack(&packed, step, 3000, &got, &err), 0);
			assert_int_equal(got.len, CONTENT_LEN);
			assert_memory_equal(got.buf, content, CONTENT_LEN);
		}
	}
}

/* Frames of zstd have no padding; behind the others zeros are, and garbage is not. */
static void trailing_bytes(void **state)
{
	static const char zeros[1000];
	cleanup_free uint8_t *content = make_content();

	for (size_t p = 1; p < ARRAY_LEN(packers); p++) {
		cleanup_str struct str packed = STR_INIT, got = STR_INIT, got2 = STR_INIT;
		cleanup_str struct str want = STR_INIT;
		struct err err = ERR_INIT;

		if (packers[p].add == add_zstd)
			continue;
		packers[p].add(&packed, content, CONTENT_LEN);
		str_add_bytes(&packed, zeros, sizeof(zeros));
		assert_int_equal(unpack(&packed, 100, 4096, &got, &err), 0);
		assert_int_equal(got.len, CONTENT_LEN);
		str_add(&packed, "garbage");
		assert_true(unpack(&packed, 100, 4096, &got2, &err) < 0);
		str_addf(&want, "%s: garbage behind the end", packers[p].name);
		assert_string_equal(err.msg, want.buf);
	}
}

/* Right behind the end, without zeros. */
static void garbage(void **state)
{
	cleanup_free uint8_t *content = make_content();

	for (size_t p = 1; p < ARRAY_LEN(packers); p++) {
		cleanup_str struct str packed = STR_INIT, got = STR_INIT;
		struct err err = ERR_INIT;

		packers[p].add(&packed, content, 3000);
		str_add(&packed, "garbage behind the end");
		assert_int_equal(unpack(&packed, 0, 4096, &got, &err), -ERR_INVALID);
		assert_true(str_has_prefix(err.msg, packers[p].name));
	}
}

static void nothing_packed(void **state)
{
	for (size_t p = 1; p < ARRAY_LEN(packers); p++) {
		cleanup_str struct str packed = STR_INIT, got = STR_INIT;
		struct err err = ERR_INIT;

		packers[p].add(&packed, (const uint8_t *)"", 0);
		assert_int_equal(unpack(&packed, 1, 4096, &got, &err), 0);
		assert_int_equal(got.len, 0);
	}
}

static void xz_checks(void **state)
{
	static const lzma_check checks[] = {LZMA_CHECK_NONE, LZMA_CHECK_CRC32, LZMA_CHECK_SHA256};
	cleanup_free uint8_t *content = make_content();

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		cleanup_str struct str packed = STR_INIT, got = STR_INIT;
		struct err err = ERR_INIT;

		add_xz_with(&packed, content, CONTENT_LEN, checks[i]);
		assert_int_equal(unpack(&packed, 4096, 4096, &got, &err), 0);
		assert_int_equal(got.len, CONTENT_LEN);
	}
}

/* A dictionary of 256 MiB is declared: refused before it is allocated. */
static void xz_memory(void **state)
{
	lzma_options_lzma lzma;
	lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &lzma}, {LZMA_VLI_UNKNOWN, NULL}};
	lzma_stream s = LZMA_STREAM_INIT;
	cleanup_str struct str packed = STR_INIT, got = STR_INIT;
	struct err err = ERR_INIT;

	assert_false(lzma_lzma_preset(&lzma, 0));
	lzma.dict_size = 256 << 20;
	assert_int_equal(lzma_stream_encoder(&s, filters, LZMA_CHECK_CRC32), LZMA_OK);
	s.next_in = (const uint8_t *)"content";
	s.avail_in = 7;
	s.next_out = (uint8_t *)str_reserve(&packed, PACKED_MAX);
	s.avail_out = PACKED_MAX;
	assert_int_equal(lzma_code(&s, LZMA_FINISH), LZMA_STREAM_END);
	packed.len = PACKED_MAX - s.avail_out;
	lzma_end(&s);
	assert_int_equal(unpack(&packed, 0, 4096, &got, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "xz: more memory is needed than is allowed");
}

static void cuts(void **state)
{
	cleanup_free uint8_t *content = make_content();

	for (size_t p = 1; p < ARRAY_LEN(packers); p++) {
		cleanup_str struct str packed = STR_INIT;

		packers[p].add(&packed, content, 5000);
		for (size_t len = 6; len < packed.len;
		     len += len < 40 || len + 40 > packed.len ? 1 : 97) {
			struct str cut = {.buf = packed.buf, .len = len};
			cleanup_str struct str got = STR_INIT;
			struct err err = ERR_INIT;

			assert_true(unpack(&cut, 0, 4096, &got, &err) < 0);
			assert_non_null(strstr(err.msg, "truncated"));
		}
	}
}

static void damage(void **state)
{
	cleanup_free uint8_t *content = make_content();

	for (size_t p = 1; p < ARRAY_LEN(packers); p++) {
		cleanup_str struct str packed = STR_INIT;

		packers[p].add(&packed, content, 5000);
		for (size_t at = 100; at < packed.len; at += 101) {
			cleanup_str struct str got = STR_INIT;
			struct err err = ERR_INIT;

			packed.buf[at] ^= 0x10;
			assert_true(unpack(&packed, 0, 4096, &got, &err) < 0);
			assert_true(str_has_prefix(err.msg, packers[p].name));
			packed.buf[at] ^= 0x10;
		}
	}
}

static void refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} rows[] = {
		{"", 0, "the archive is empty"},
		{"LZIP\x01....", 9, "the archive is compressed with lzip"},
		{"\x04\x22\x4d\x18....", 8, "the archive is compressed with lz4"},
		{"PK\x03\x04....", 8, "the archive is compressed with zip"},
		/* A window of 2^28 bytes is declared. */
		{"\x28\xb5\x2f\xfd\x00\x90\0\0\0\0\0", 11, "zstd: "},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct str in = {.buf = (char *)(uintptr_t)rows[i].bytes, .len = rows[i].len};
		cleanup_str struct str got = STR_INIT;
		struct err err = ERR_INIT;

		assert_true(unpack(&in, 1, 4096, &got, &err) < 0);
		assert_true(str_has_prefix(err.msg, rows[i].text));
	}
}

static void digests(void **state)
{
	struct err err = ERR_INIT;
	cleanup_digest struct digest *d = digest_new(&err);
	char text[DIGEST_TEXT_LEN];

	assert_int_equal(digest_update(d, "a", 1, &err), 0);
	assert_int_equal(digest_update(d, "bc", 2, &err), 0);
	assert_int_equal(digest_final(d, text, &err), 0);
	/* FIPS 180-2, appendix B.1 */
	assert_string_equal(text,
			    "sha256:"
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),	  cmocka_unit_test(several_members),
		cmocka_unit_test(trailing_bytes), cmocka_unit_test(cuts),
		cmocka_unit_test(damage),	  cmocka_unit_test(refused),
		cmocka_unit_test(garbage),	  cmocka_unit_test(nothing_packed),
		cmocka_unit_test(xz_checks),	  cmocka_unit_test(xz_memory),
		cmocka_unit_test(digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
