/* SPDX-License-Identifier: Apache-2.0 */
/* The tar reader: every dialect read, every lie refused, every cut noticed. */
#include "../unit.h"

#include "archive/tar_header.h"
#include "archive/tar_pax.h"
#include "archive/tar_read.h"
#include "base/err.h"
#include "base/mem.h"
#include "tar_build.h"

#include <errno.h>
#include <stdio.h>

/* Pieces of 100 bytes make every structure cross a border. */
enum { STEP = 100 };

struct opened {
	struct mem_source src;
	struct tar_reader *r;
	struct tar_entry e;
	struct err err;
};

static void open_archive(struct opened *o, const struct str *tar)
{
	*o = (struct opened){};
	mem_source_init(&o->src, str_get(tar), tar->len, STEP);
	o->r = tar_reader_new(&o->src.base);
}

static void expect_entry(struct opened *o, const struct str *tar)
{
	open_archive(o, tar);
	if (tar_reader_next(o->r, &o->e, &o->err) != 1)
		fail_msg("%s", o->err.msg);
}

/* Reads the whole archive and expects an error that says TEXT. */
static void expect_error(const struct str *tar, const char *text)
{
	struct opened o;
	char buf[4096];
	ssize_t rc = 0;

	open_archive(&o, tar);
	while ((rc = tar_reader_next(o.r, &o.e, &o.err)) > 0) {
		while ((rc = tar_reader_read(o.r, buf, sizeof(buf), &o.err)) > 0)
			;
		if (rc < 0)
			break;
	}
	if (rc >= 0 || !strstr(o.err.msg, text))
		fail_msg("expected \"%s\", got %zd \"%s\"", text, rc, o.err.msg);
	tar_reader_free(o.r);
}

static void add_file(struct str *tar, const char *name, const char *data)
{
	tar_add(tar, &(struct tar_spec){.dialect = TAR_USTAR,
					.type = '0',
					.name = name,
					.mode = 0644,
					.size = (int64_t)strlen(data),
					.data = data});
}

static void dialects(void **state)
{
	static const struct {
		struct tar_spec spec;
		const char *path;
		enum tar_type type;
	} rows[] = {
		{{TAR_V7, '\0', "old", NULL, NULL}, "old", TAR_FILE},
		{{TAR_V7, '\0', "old/", NULL, NULL}, "old/", TAR_DIR},
		{{TAR_USTAR, '0', "name", "some/prefix", NULL}, "some/prefix/name", TAR_FILE},
		{{TAR_GNU, '0', "name", "not a prefix", NULL}, "name", TAR_FILE},
		{{TAR_USTAR, '7', "contiguous", NULL, NULL}, "contiguous", TAR_FILE},
		{{TAR_USTAR, '1', "hard", NULL, "to"}, "hard", TAR_HARD_LINK},
		{{TAR_USTAR, '2', "soft", NULL, "to"}, "soft", TAR_SYMLINK},
		{{TAR_USTAR, '3', "char", NULL, NULL}, "char", TAR_CHAR},
		{{TAR_USTAR, '4', "block", NULL, NULL}, "block", TAR_BLOCK_DEVICE},
		{{TAR_USTAR, '5', "dir/", NULL, NULL}, "dir/", TAR_DIR},
		{{TAR_USTAR, '6', "fifo", NULL, NULL}, "fifo", TAR_FIFO},
		{{TAR_GNU, 'D', "dump", NULL, NULL}, "dump", TAR_DIR},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str tar = STR_INIT;
		struct tar_spec spec = rows[i].spec;
		struct opened o;

		spec.mode = 06755;
		spec.uid = 1000;
		spec.gid = 2097151;
		spec.mtime = 1700000000;
		spec.dev_major = 10;
		spec.dev_minor = 229;
		tar_add(&tar, &spec);
		tar_add_end(&tar);
		expect_entry(&o, &tar);
		assert_string_equal(o.e.path, rows[i].path);
		assert_int_equal(o.e.type, rows[i].type);
		assert_string_equal(o.e.link, spec.link ? spec.link : "");
		assert_int_equal(o.e.mode, 06755);
		assert_int_equal(o.e.uid, 1000);
		assert_int_equal(o.e.gid, 2097151);
		assert_int_equal(o.e.mtime.tv_sec, 1700000000);
		if (o.e.type == TAR_CHAR || o.e.type == TAR_BLOCK_DEVICE)
			assert_int_equal(o.e.dev_minor, 229);
		assert_int_equal(tar_reader_next(o.r, &o.e, &o.err), 0);
		assert_int_equal(tar_reader_next(o.r, &o.e, &o.err), 0);
		tar_reader_free(o.r);
	}
}

static void full_name_fields(void **state)
{
	cleanup_str struct str tar = STR_INIT;
	char name[101], prefix[156];
	struct opened o;

	memset(name, 'n', 100);
	memset(prefix, 'p', 155);
	name[100] = prefix[155] = '\0';
	tar_add(&tar, &(struct tar_spec){TAR_USTAR, '2', name, prefix, name});
	tar_add_end(&tar);
	expect_entry(&o, &tar);
	assert_int_equal(strlen(o.e.path), 256);
	assert_int_equal(strlen(o.e.link), 100);
	tar_reader_free(o.r);
}

static void numbers(void **state)
{
	static const struct {
		const char *field;
		size_t len;
		int rc;
		int64_t value;
	} rows[] = {
		{"0000644\0", 8, 0, 0644},
		{"  644 \0\0", 8, 0, 0644},
		{"644 junk", 8, 0, 0644},
		{"77777777", 8, 0, 077777777},
		{"\0\0\0\0\0\0\0\0", 8, 0, 0},
		{"        ", 8, 0, 0},
		{"0000648\0", 8, -EINVAL, 0},
		{"-000644\0", 8, -EINVAL, 0},
		{"\x80\0\0\0\0\0\x01\0", 8, 0, 256},
		{"\xff\xff\xff\xff\xff\xff\xff\xff", 8, 0, -1},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x85", 12, 0, -123},
		{"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, 0, INT64_MAX},
		{"\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, -ERANGE, 0},
		{"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, 0, INT64_MIN},
		{"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 12, -ERANGE, 0},
		{"\x80\x01\0\0\0\0\0\0\0\0\0\0", 12, -ERANGE, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t v = 0;

		assert_int_equal(tar_number_parse((const uint8_t *)rows[i].field, rows[i].len, &v),
				 rows[i].rc);
		assert_true(v == rows[i].value);
	}
}

static void checksums(void **state)
{
	static const char high[] = "\xe4\xf6\xfc"; /* where signed and unsigned sums differ */
	cleanup_str struct str tar = STR_INIT;
	int sum = 0;
	char text[8];
	struct opened o;

	add_file(&tar, high, "x");
	tar_add_end(&tar);
	expect_entry(&o, &tar);
	tar_reader_free(o.r);
	memset(tar.buf + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (signed char)tar.buf[i];
	snprintf(text, sizeof(text), "%06o", (unsigned)sum);
	memcpy(tar.buf + 148, text, 7);
	expect_entry(&o, &tar);
	tar_reader_free(o.r);
	for (size_t i = 0; i < 148; i++) {
		tar.buf[i] ^= 1;
		expect_error(&tar, "first entry: wrong checksum");
		tar.buf[i] ^= 1;
	}
}

static void pax_overrides(void **state)
{
	static const char *const global[] = {"uid", "77", "comment", "ignored", NULL};
	static const char *const local[] = {
		"path",
		"a/long\xff name",
		"linkpath",
		"over\nthere",
		"gid",
		"4000000000",
		"uname",
		"j\xc3\xb6rg",
		"mtime",
		"-1.25",
		"size",
		"3",
		"SCHILY.xattr.user.k",
		"v=1",
		"LIBARCHIVE.xattr.user.%41b",
		"aGk=",
		"SCHILY.xattr.user.Ab",
		"later",
		NULL,
	};
	cleanup_str struct str tar = STR_INIT;
	struct opened o;

	tar_add_pax(&tar, 'g', global);
	tar_add_pax(&tar, 'x', local);
	tar_add(&tar, &(struct tar_spec){TAR_USTAR, '0', "stand-in", .mode = 0600, .uid = 1,
					 .size = 3, .data = "abc"});
	add_file(&tar, "second", "");
	tar_add_end(&tar);
	expect_entry(&o, &tar);
	assert_string_equal(o.e.path, "a/long\xff name");
	assert_string_equal(o.e.link, "over\nthere");
	assert_int_equal(o.e.uid, 77);
	assert_true(o.e.gid == 4000000000u);
	assert_string_equal(o.e.uname, "j\xc3\xb6rg");
	assert_int_equal(o.e.mtime.tv_sec, -2);
	assert_int_equal(o.e.mtime.tv_nsec, 750000000);
	assert_int_equal(o.e.n_xattrs, 2);
	assert_string_equal(o.e.xattrs[0].name, "user.k");
	assert_int_equal(o.e.xattrs[0].len, 3);
	assert_memory_equal(o.e.xattrs[0].value, "v=1", 3);
	assert_string_equal(o.e.xattrs[1].name, "user.Ab");
	assert_memory_equal(o.e.xattrs[1].value, "later", 5);
	assert_int_equal(tar_reader_next(o.r, &o.e, &o.err), 1);
	assert_string_equal(o.e.path, "second");
	assert_int_equal(o.e.uid, 77);
	assert_int_equal(o.e.gid, 0);
	assert_int_equal(o.e.n_xattrs, 0);
	tar_reader_free(o.r);
}

static void pax_times(void **state)
{
	static const struct {
		const char *text;
		int64_t sec;
		long nsec;
	} rows[] = {
		{"0", 0, 0},
		{"1.5", 1, 500000000},
		{"1.000000001", 1, 1},
		{"1.0000000019", 1, 1},
		{"-1", -1, 0},
		{"-0.25", -1, 750000000},
		{"-1.000000001", -2, 999999999},
		{"99999999999.1", 99999999999, 100000000},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *records[] = {"mtime", rows[i].text, NULL};
		cleanup_str struct str tar = STR_INIT;
		struct opened o;

		tar_add_pax(&tar, 'x', records);
		add_file(&tar, "f", "");
		expect_entry(&o, &tar);
		assert_true(o.e.mtime.tv_sec == rows[i].sec);
		assert_int_equal(o.e.mtime.tv_nsec, rows[i].nsec);
		tar_reader_free(o.r);
	}
}

static void malformed_pax(void **state)
{
	static const struct {
		const char *body;
		size_t len; /* 0: strlen */
		const char *text;
	} rows[] = {
		{"99 path=x\n", 0, "malformed pax header"},
		{"path=x\n", 0, "malformed pax header"},
		{"10 path=xy", 0, "malformed pax header"},
		{"3 \n", 0, "malformed pax header"},
		{"5 =x\n", 0, "malformed pax header"},
		{"6 abc\n", 0, "malformed pax header"},
		{"18446744073709551626 path=x\n", 0, "malformed pax header"},
		{"11 path=a\0b\n", 12, "malformed pax header"},
		{"12 path=a\0b\n", 12, "NUL byte"},
		{"9 size=x\n", 0, "wrong number in a pax header"},
		{"11 size=-1\n", 0, "negative size"},
		{"28 size=9223372036854775808\n", 0, "wrong number in a pax header"},
		{"18 uid=4294967295\n", 0, "out of range"},
		{"10 uid=-1\n", 0, "out of range"},
		{"13 mtime=1.x\n", 0, "wrong time in a pax header"},
		{"28 LIBARCHIVE.xattr.user.k=*\n", 29, "malformed pax header"},
		{"29 LIBARCHIVE.xattr.user.k=*\n", 0, "not base64"},
		{"17 SCHILY.xattr.=\n", 0, "malformed pax header"},
		{"18 SCHILY.xattr.=\n", 0, "attribute without a name"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str tar = STR_INIT;

		tar_add_body(&tar, 'x', rows[i].body,
			     rows[i].len ? rows[i].len : strlen(rows[i].body));
		add_file(&tar, "f", "abc");
		tar_add_end(&tar);
		expect_error(&tar, rows[i].text);
	}
}

static void gnu_long_names(void **state)
{
	cleanup_str struct str tar = STR_INIT;
	cleanup_free char *name = mem_zalloc(TAR_MAX_PATH + 2);
	struct opened o;

	memset(name, 'x', TAR_MAX_PATH);
	tar_add_body(&tar, 'L', name, TAR_MAX_PATH + 1);
	tar_add_body(&tar, 'K', name, TAR_MAX_PATH + 1);
	tar_add(&tar, &(struct tar_spec){TAR_GNU, '2', "short", NULL, "short"});
	tar_add(&tar, &(struct tar_spec){TAR_GNU, '2', "next", NULL, "target"});
	tar_add_end(&tar);
	expect_entry(&o, &tar);
	assert_string_equal(o.e.path, name);
	assert_string_equal(o.e.link, name);
	assert_int_equal(tar_reader_next(o.r, &o.e, &o.err), 1);
	assert_string_equal(o.e.path, "next");
	assert_string_equal(o.e.link, "target");
	tar_reader_free(o.r);

	cleanup_str struct str too_long = STR_INIT;

	name[TAR_MAX_PATH] = 'x';
	tar_add_body(&too_long, 'L', name, TAR_MAX_PATH + 1);
	add_file(&too_long, "f", "");
	expect_error(&too_long, "name longer than 4096 bytes");
}

/* The three pax notations and the old one: "ab" at 4, "cde" at 10, size 20. */
static void add_old_sparse(struct str *tar, unsigned real_size)
{
	uint8_t *block = NULL;
	size_t at = tar->len;

	tar_add(tar, &(struct tar_spec){TAR_GNU, 'S', "sparse", .size = 5, .data = "abcde"});
	block = (uint8_t *)tar->buf + at;
	memcpy(block + 386, "00000000004", 12);
	memcpy(block + 398, "00000000002", 12);
	memcpy(block + 410, "00000000012", 12);
	memcpy(block + 422, "00000000003", 12);
	snprintf((char *)block + 483, 12, "%011o", real_size);
	tar_sign(block);
}

static void add_pax_sparse(struct str *tar, const char *const *records, const char *data,
			   size_t len)
{
	tar_add_pax(tar, 'x', records);
	tar_add(tar, &(struct tar_spec){TAR_USTAR, '0', "GNUSparseFile.0/x", .size = (int64_t)len,
					.data = data});
}

static void build_sparse(size_t notation, struct str *tar)
{
	static const char *const v00[] = {"GNU.sparse.size",
					  "20",
					  "GNU.sparse.numblocks",
					  "2",
					  "GNU.sparse.offset",
					  "4",
					  "GNU.sparse.numbytes",
					  "2",
					  "GNU.sparse.offset",
					  "10",
					  "GNU.sparse.numbytes",
					  "3",
					  "path",
					  "sparse",
					  NULL};
	static const char *const v01[] = {
		"GNU.sparse.size", "20", "GNU.sparse.name", "sparse", "GNU.sparse.map",
		"4,2,10,3",	   NULL};
	static const char *const v10[] = {"GNU.sparse.major",
					  "1",
					  "GNU.sparse.minor",
					  "0",
					  "GNU.sparse.name",
					  "sparse",
					  "GNU.sparse.realsize",
					  "20",
					  NULL};
	char data[512 + 5] = "2\n4\n2\n10\n3\n";

	memcpy(data + 512, "abcde", 5);
	if (notation == 0)
		add_old_sparse(tar, 20);
	if (notation == 1)
		add_pax_sparse(tar, v00, "abcde", 5);
	if (notation == 2)
		add_pax_sparse(tar, v01, "abcde", 5);
	if (notation == 3)
		add_pax_sparse(tar, v10, data, sizeof(data));
	add_file(tar, "after", "z");
	tar_add_end(tar);
}

static void sparse_notations(void **state)
{
	static const char want[20] = "\0\0\0\0ab\0\0\0\0cde\0\0\0\0\0\0";

	for (size_t notation = 0; notation < 4; notation++) {
		for (size_t step = 1; step < 30; step += 7) {
			cleanup_str struct str tar = STR_INIT;
			char got[32] = "", *to = got;
			struct opened o;
			ssize_t n = 0;

			build_sparse(notation, &tar);
			expect_entry(&o, &tar);
			assert_string_equal(o.e.path, "sparse");
			assert_int_equal(o.e.type, TAR_FILE);
			assert_int_equal(o.e.size, 20);
			assert_int_equal(o.e.stored, 5);
			while ((n = tar_reader_read(o.r, to, step, &o.err)) > 0)
				to += n;
			assert_int_equal(to - got, 20);
			assert_memory_equal(got, want, 20);
			assert_int_equal(tar_reader_next(o.r, &o.e, &o.err), 1);
			assert_string_equal(o.e.path, "after");
			tar_reader_free(o.r);
		}
	}
}

static void sparse_extents(void **state)
{
	for (size_t notation = 0; notation < 4; notation++) {
		cleanup_str struct str tar = STR_INIT;
		const uint8_t *bytes = NULL;
		uint64_t offset = 0, sum = 0;
		struct opened o;
		ssize_t n = 0;

		build_sparse(notation, &tar);
		expect_entry(&o, &tar);
		while ((n = tar_reader_data(o.r, &bytes, &offset, &o.err)) > 0) {
			for (ssize_t i = 0; i < n; i++)
				assert_int_equal(bytes[i], "....ab....cde"[offset + (uint64_t)i]);
			sum += (uint64_t)n;
		}
		assert_int_equal(n, 0);
		assert_int_equal(sum, 5);
		tar_reader_free(o.r);
	}
}

static void old_sparse_extension_blocks(void **state)
{
	enum { N = 4 + 21 + 1 }; /* header, one full block, one more */
	cleanup_str struct str tar = STR_INIT;
	uint8_t header[512], block[512] = {};
	struct opened o;
	ssize_t n = 0;
	char got[N * 2 + 1] = "";

	tar_add(&tar, &(struct tar_spec){TAR_GNU, 'S', "sparse", .size = N});
	memcpy(header, tar.buf, 512);
	for (int i = 0; i < 4; i++)
		snprintf((char *)header + 386 + i * 24, 24, "%011o%c%011o", (unsigned)i * 2, 0, 1u);
	header[482] = 1;
	snprintf((char *)header + 483, 12, "%011o", N * 2u);
	tar_sign(header);
	memcpy(tar.buf, header, 512);
	for (int i = 0; i < 21; i++)
		snprintf((char *)block + i * 24, 24, "%011o%c%011o", (unsigned)(i + 4) * 2, 0, 1u);
	block[504] = 1;
	str_add_bytes(&tar, block, 512);
	memset(block, 0, sizeof(block));
	snprintf((char *)block, 24, "%011o%c%011o", 25u * 2, 0, 1u);
	str_add_bytes(&tar, block, 512);
	memset(block, 'd', N);
	memset(block + N, 0, 512 - N);
	str_add_bytes(&tar, block, 512);
	tar_add_end(&tar);
	expect_entry(&o, &tar);
	n = tar_reader_read(o.r, got, sizeof(got), &o.err);
	assert_int_equal(n, N * 2);
	for (int i = 0; i < N * 2; i++)
		assert_int_equal(got[i], i % 2 ? 0 : 'd');
	assert_int_equal(tar_reader_next(o.r, &o.e, &o.err), 0);
	tar_reader_free(o.r);
}

static void hostile_sparse_maps(void **state)
{
	static const struct {
		const char *map, *size, *text;
	} rows[] = {
		{"4,2,5,3", "20", "overlapping"},
		{"10,3,4,2", "20", "overlapping"},
		{"4,2,10", "20", "odd count"},
		{"4,2,x,3", "20", "wrong number"},
		{"4,2,-1,3", "20", "impossible extent"},
		{"9223372036854775807,2", "20", "impossible extent"},
		{"4,2,18,3", "20", "beyond the end"},
		{"4,2", "20", "does not match the stored size"},
		{"4,2,10,4", "20", "does not match the stored size"},
		{"4,2,10,3", "-1", "wrong size of a sparse file"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *records[] = {"GNU.sparse.size", rows[i].size, "GNU.sparse.map",
					 rows[i].map, NULL};
		cleanup_str struct str tar = STR_INIT;

		add_pax_sparse(&tar, records, "abcde", 5);
		tar_add_end(&tar);
		expect_error(&tar, rows[i].text);
	}
}

static void hostile_headers(void **state)
{
	static const struct {
		struct tar_spec spec;
		size_t at;
		const char *bytes;
		size_t len;
		const char *text;
	} rows[] = {
		{{TAR_USTAR, '0', "f"},
		 124,
		 "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		 12,
		 "entry f: negative size"},
		{{TAR_USTAR, '0', "f"},
		 124,
		 "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		 12,
		 "wrong number in tar header field size"},
		{{TAR_USTAR, '0', "f"},
		 124,
		 "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
		 12,
		 "entry f: the archive is truncated"},
		{{TAR_USTAR, 'x', "f"}, 124, "00040000001", 12, "more than 1048576 bytes"},
		{{TAR_USTAR, 'L', "f"}, 124, "77777777777", 12, "more than 1048576 bytes"},
		{{TAR_USTAR, '0', "f"}, 108, "\x80\0\0\0\xff\xff\xff\xff", 8, "out of range"},
		{{TAR_USTAR, '0', "f"}, 116, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "out of range"},
		{{TAR_USTAR, '3', "d"}, 329, "0010000\0", 8, "device number 4096:0 out of range"},
		{{TAR_USTAR, '4', "d"},
		 337,
		 "4000000\0",
		 8,
		 "device number 0:1048576 out of range"},
		{{TAR_USTAR, 'M', "multi"}, 0, "m", 1, "entry multi: unknown type of entry"},
		{{TAR_USTAR, '0', "f"}, 100, "000o644\0", 8, "tar header field mode"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str tar = STR_INIT;

		tar_add(&tar, &rows[i].spec);
		memcpy(tar.buf + rows[i].at, rows[i].bytes, rows[i].len);
		tar_sign((uint8_t *)tar.buf);
		tar_add_end(&tar);
		expect_error(&tar, rows[i].text);
	}
}

static void sizes_of_what_has_no_data(void **state)
{
	for (const char *type = "1234565"; *type; type++) {
		cleanup_str struct str tar = STR_INIT;
		struct opened o;

		/* The size means nothing there: the next header follows at once. */
		tar_add(&tar, &(struct tar_spec){TAR_USTAR, *type, "e", .link = "l", .size = 5000});
		add_file(&tar, "after", "z");
		tar_add_end(&tar);
		expect_entry(&o, &tar);
		assert_int_equal(o.e.size, 0);
		assert_int_equal(tar_reader_next(o.r, &o.e, &o.err), 1);
		assert_string_equal(o.e.path, "after");
		tar_reader_free(o.r);
	}
}

static void cut_anywhere(void **state)
{
	static const char *const pax[] = {"mtime", "1.5", NULL};
	cleanup_str struct str tar = STR_INIT;
	char data[1500];
	size_t whole = 0;

	memset(data, 'd', sizeof(data));
	add_file(&tar, "first", "abc");
	tar_add_pax(&tar, 'x', pax);
	tar_add(&tar,
		&(struct tar_spec){TAR_USTAR, '0', "second", .size = sizeof(data), .data = data});
	whole = tar.len;
	tar_add_end(&tar);
	for (size_t len = 0; len < whole + 512; len += len % 512 == 511 ? 1 : 511) {
		struct str cut = {.buf = tar.buf, .len = len};

		expect_error(&cut, "truncated");
		if (len >= 3 * 512 && len < 6 * 512)
			expect_error(&cut, len < 5 * 512 ? "after entry first" : "entry second");
	}
}

static void trailing_garbage(void **state)
{
	cleanup_str struct str tar = STR_INIT;
	struct opened o;

	add_file(&tar, "f", "abc");
	tar_add_end(&tar);
	str_add(&tar, "what follows the end is not looked at");
	expect_entry(&o, &tar);
	assert_int_equal(tar_reader_next(o.r, &o.e, &o.err), 0);
	assert_int_equal(tar_reader_count(o.r), 1);
	tar_reader_free(o.r);
}

/* An endless archive of one block, again and again. */
struct loop_source {
	struct byte_source base;
	uint8_t *block;
	size_t len;
};

static ssize_t loop_next(struct byte_source *src, const uint8_t **ret, struct err *err)
{
	struct loop_source *l = (struct loop_source *)src;

	*ret = l->block;
	return (ssize_t)l->len;
}

static void expect_limit(const struct str *tar, const char *text)
{
	struct loop_source src = {{loop_next}, (uint8_t *)tar->buf, tar->len};
	struct tar_reader *r = tar_reader_new(&src.base);
	struct tar_entry e = {};
	struct err err = ERR_INIT;
	int rc = 0;

	while ((rc = tar_reader_next(r, &e, &err)) > 0)
		;
	if (!strstr(err.msg, text))
		fail_msg("expected \"%s\", got \"%s\"", text, err.msg);
	tar_reader_free(r);
}

static void limits(void **state)
{
	cleanup_str struct str entries = STR_INIT, chain = STR_INIT, metadata = STR_INIT;
	cleanup_free char *big = mem_zalloc(TAR_MAX_HEADER);

	for (int i = 0; i < 100; i++)
		add_file(&entries, "f", "");
	expect_limit(&entries, "after entry f: more than 2000000 entries");
	tar_add_body(&chain, 'x', "", 0);
	expect_limit(&chain, "more than 16 extended headers in a row");
	tar_add_body(&metadata, 'L', big, TAR_MAX_HEADER);
	add_file(&metadata, "f", "");
	expect_limit(&metadata, "more than 256 MiB of metadata");
}

static void quoting(void **state)
{
	char buf[TAR_QUOTE_LEN], name[3000];

	assert_string_equal(tar_quote("a b/\xc3\xbc", buf), "a b/\xc3\xbc");
	assert_string_equal(tar_quote("\x1b[2J\n", buf), "\\033[2J\\012");
	memset(name, 'x', sizeof(name));
	memcpy(name + sizeof(name) - 5, "tail", 5);
	assert_true(str_has_suffix(tar_quote(name, buf), "xtail"));
	assert_non_null(strstr(buf, "..."));
	memset(name, '\n', sizeof(name) - 1);
	assert_true(strlen(tar_quote(name, buf)) < TAR_QUOTE_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialects),
		cmocka_unit_test(full_name_fields),
		cmocka_unit_test(numbers),
		cmocka_unit_test(checksums),
		cmocka_unit_test(pax_overrides),
		cmocka_unit_test(pax_times),
		cmocka_unit_test(malformed_pax),
		cmocka_unit_test(gnu_long_names),
		cmocka_unit_test(sparse_notations),
		cmocka_unit_test(sparse_extents),
		cmocka_unit_test(old_sparse_extension_blocks),
		cmocka_unit_test(hostile_sparse_maps),
		cmocka_unit_test(hostile_headers),
		cmocka_unit_test(sizes_of_what_has_no_data),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(trailing_garbage),
		cmocka_unit_test(limits),
		cmocka_unit_test(quoting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
