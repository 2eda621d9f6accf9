/* SPDX-License-Identifier: Apache-2.0 */
/* The tar writer: every entry comes back as it was, in no more blocks than it needs. */
#include "../unit.h"

#include "archive/tar_write.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LIMIT = 16 << 20 };

static void check(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s", err->msg);
}

static void expect_failure(int rc, const struct err *err, const char *text)
{
	if (rc >= 0 || !strstr(err->msg, text))
		fail_msg("expected \"%s\", got %d \"%s\"", text, rc, err->msg);
}

static int memory_file(void)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void read_back(int fd, struct str *ret)
{
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, LIMIT, ret), 0);
}

/* The archive of one entry with DATA. */
static void write_one(const struct tar_entry *e, const char *data, struct str *ret)
{
	cleanup_close int fd = memory_file();
	cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
	struct err err = ERR_INIT;

	check(tar_writer_add(w, e, &err), &err);
	check(tar_writer_data(w, data, strlen(data), &err), &err);
	check(tar_writer_finish(w, &err), &err);
	read_back(fd, ret);
}

static void expect_same(const struct tar_entry *want, const struct tar_entry *got)
{
	assert_int_equal(got->type, want->type);
	assert_string_equal(got->path, want->path);
	assert_string_equal(got->link, want->link ? want->link : "");
	assert_string_equal(got->uname, want->uname ? want->uname : "");
	assert_string_equal(got->gname, want->gname ? want->gname : "");
	assert_int_equal(got->mode, want->mode);
	assert_int_equal(got->uid, want->uid);
	assert_int_equal(got->gid, want->gid);
	assert_int_equal(got->size, want->size);
	assert_int_equal(got->mtime.tv_sec, want->mtime.tv_sec);
	assert_int_equal(got->mtime.tv_nsec, want->mtime.tv_nsec);
	assert_int_equal(got->dev_major, want->dev_major);
	assert_int_equal(got->dev_minor, want->dev_minor);
	assert_int_equal(got->n_xattrs, want->n_xattrs);
	for (size_t i = 0; i < want->n_xattrs; i++) {
		assert_string_equal(got->xattrs[i].name, want->xattrs[i].name);
		assert_int_equal(got->xattrs[i].len, want->xattrs[i].len);
		assert_memory_equal(got->xattrs[i].value, want->xattrs[i].value,
				    want->xattrs[i].len);
	}
}

/* Writes E, reads it again, and expects N_BLOCKS of headers. */
static void round_trip(const struct tar_entry *e, const char *data, size_t n_blocks)
{
	cleanup_str struct str tar = STR_INIT;
	struct mem_source src;
	struct tar_entry got = {};
	struct err err = ERR_INIT;
	char buf[64];

	write_one(e, data, &tar);
	mem_source_init(&src, tar.buf, tar.len, 0);
	cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

	check(tar_reader_next(r, &got, &err), &err);
	expect_same(e, &got);
	assert_int_equal(tar_reader_read(r, buf, sizeof(buf), &err), strlen(data));
	assert_memory_equal(buf, data, strlen(data));
	assert_int_equal(tar_reader_next(r, &got, &err), 0);
	/* Data that is there takes a block, and the end two. */
	assert_int_equal(tar.len, 512 * (n_blocks + (*data ? 1 : 0) + 2));
}

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X155 X100 X10 X10 X10 X10 X10 "xxxxx"
#define X255 X100 X100 X10 X10 X10 X10 X10 "xxxxx"

static void one_block_where_ustar_can(void **state)
{
	static const struct tar_entry rows[] = {
		{TAR_FILE, "name", .mode = 07777, .uid = 2097151, .gid = 2097151, .size = 3},
		{TAR_FILE, X100},
		{TAR_FILE, X155 "/" X100},
		{TAR_FILE, "a/" X100},
		{TAR_FILE, "blank and\nnewline"},
		{TAR_DIR, "dir/"},
		{TAR_DIR, X155 "/" X10 "/"},
		{TAR_DIR, X100 "/" X10 "/"},
		{TAR_SYMLINK, "l", X100},
		{TAR_HARD_LINK, "h", "name"},
		{TAR_FIFO, "p"},
		{TAR_CHAR, "c", .dev_major = 4095, .dev_minor = 1048575},
		{TAR_BLOCK_DEVICE, "b", .dev_major = 8, .dev_minor = 0},
		{TAR_FILE, "owned", .uname = "u", .gname = X10 X10 X10 "xx"},
		{TAR_FILE, "1970", .mtime = {0, 0}},
		{TAR_FILE, "2242", .mtime = {077777777777, 0}},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		round_trip(&rows[i], rows[i].size ? "abc" : "", 1);
}

static void pax_where_ustar_cannot(void **state)
{
	static const struct tar_entry rows[] = {
		{TAR_FILE, X100 "x"},
		{TAR_FILE, X155 "x/" X10},
		{TAR_FILE, X10 "/" X100 "x"},
		{TAR_FILE, X255 "/f"},
		{TAR_DIR, X155 "/" X100 "/"}, /* the slash is the byte too many */
		{TAR_FILE, "caf\xc3\xa9", .size = 3},
		{TAR_FILE, "latin \xff\xfe"},
		{TAR_DIR, "\xc3\xa9/"},
		{TAR_SYMLINK, "l", X100 "x"},
		{TAR_SYMLINK, "l", "\xff"},
		{TAR_HARD_LINK, "h", X155 "/" X10},
		{TAR_FILE, "id", .uid = 2097152, .gid = 4294967294},
		{TAR_FILE, "owned", .uname = "\xc3\xa9", .gname = X10 X10 X10 "xxx"},
		{TAR_FILE, "t", .mtime = {1700000000, 1}},
		{TAR_FILE, "t", .mtime = {0, 999999999}},
		{TAR_FILE, "t", .mtime = {-1, 0}},
		{TAR_FILE, "t", .mtime = {-1, 999999999}}, /* -0.000000001 */
		{TAR_FILE, "t", .mtime = {-2, 750000000}}, /* -1.25 */
		{TAR_FILE, "t", .mtime = {-2208988800, 500000000}},
		{TAR_FILE, "t", .mtime = {077777777777 + 1, 0}},
		{TAR_FILE, "t", .mtime = {INT64_MAX, 999999999}},
		{TAR_FILE, "t", .mtime = {INT64_MIN, 0}},
		{TAR_FILE, "t", .mtime = {INT64_MIN, 1}},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		round_trip(&rows[i], rows[i].size ? "abc" : "", 3);
}

static void extended_attributes(void **state)
{
	static const struct tar_xattr xattrs[] = {
		{"security.capability", "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20},
		{"user.empty", "", 0},
		{"user.key=with=equals%", "\0\1\2\xff", 4},
		{"user.key=one", "a", 1},
		{"user.key=two", "ab", 2},
		{"user.lines", "a\nb\n", 4},
	};

	for (size_t n = 1; n <= ARRAY_LEN(xattrs); n++) {
		const struct tar_entry e = {TAR_FILE, "f", .xattrs = xattrs, .n_xattrs = n};

		round_trip(&e, "", 3);
	}
}

/* Lengths of records around the places where the length's own digits grow. */
static void record_lengths(void **state)
{
	char path[1200];

	for (size_t len = 101; len<1100; len += len> 110 && len < 980 ? 37 : 1) {
		cleanup_str struct str tar = STR_INIT;
		struct tar_entry e = {TAR_FILE, path}, got = {};
		struct mem_source src;
		struct err err = ERR_INIT;

		memset(path, 'p', len);
		path[len] = '\0';
		write_one(&e, "", &tar);
		mem_source_init(&src, tar.buf, tar.len, 0);
		cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

		check(tar_reader_next(r, &got, &err), &err);
		assert_string_equal(got.path, path);
	}
}

static void refuses_what_cannot_be_read(void **state)
{
	cleanup_free char *path = mem_alloc(TAR_MAX_PATH + 2);
	cleanup_free char *value = mem_zalloc(TAR_MAX_HEADER);
	static struct tar_xattr xattrs[257];
	const struct tar_xattr large = {"user.x", value, TAR_MAX_HEADER};
	cleanup_close int fd = memory_file();
	cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
	struct tar_entry e = {TAR_FILE, path};
	struct err err = ERR_INIT;

	memset(path, 'p', TAR_MAX_PATH + 1);
	path[TAR_MAX_PATH + 1] = '\0';
	expect_failure(tar_writer_add(w, &e, &err), &err, "name longer than 4096 bytes");
	e = (struct tar_entry){TAR_SYMLINK, "l", path};
	expect_failure(tar_writer_add(w, &e, &err), &err, "link target longer than");
	path[TAR_MAX_PATH] = '\0';
	check(tar_writer_add(w, &e, &err), &err);
	e = (struct tar_entry){TAR_FILE, "f", .xattrs = &large, .n_xattrs = 1};
	expect_failure(tar_writer_add(w, &e, &err), &err, "more than 1048576 bytes");
	for (size_t i = 0; i < ARRAY_LEN(xattrs); i++)
		xattrs[i] = (struct tar_xattr){"user.x", "", 0};
	e = (struct tar_entry){TAR_FILE, "f", .xattrs = xattrs, .n_xattrs = 257};
	expect_failure(tar_writer_add(w, &e, &err), &err, "more than 256 extended");
	e = (struct tar_entry){TAR_FILE, "f", .size = UINT64_MAX};
	expect_failure(tar_writer_add(w, &e, &err), &err, "too large");
}

/* No Linux makes such a device; whoever reads it must not take it for a whiteout (0:0). */
static void devices_beyond_linux(void **state)
{
	const struct tar_entry e = {TAR_CHAR, "c", .dev_major = 1u << 21, .dev_minor = UINT32_MAX};
	cleanup_str struct str tar = STR_INIT;
	struct mem_source src;
	struct tar_entry got = {};
	struct err err = ERR_INIT;

	write_one(&e, "", &tar);
	assert_memory_equal(tar.buf + 329, "\x80\0\0\0\0\x20\0\0", 8);
	assert_memory_equal(tar.buf + 337, "\x80\0\0\0\xff\xff\xff\xff", 8);
	mem_source_init(&src, tar.buf, tar.len, 0);
	cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

	expect_failure(tar_reader_next(r, &got, &err), &err,
		       "device number 2097152:4294967295 out of range");
}

/* Content that somebody else writes: a hole in a file takes no time. */
static void sizes_beyond_ustar(void **state)
{
	static const struct {
		uint64_t size;
		size_t n_blocks;
	} rows[] = {
		{(8ull << 30) - 1, 1},
		{8ull << 30, 3},
		{1ull << 40, 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_close int fd = memory_file();
		cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
		const struct tar_entry e = {TAR_FILE, "large", .size = rows[i].size};
		const off_t start = (off_t)rows[i].n_blocks * 512;
		struct fd_source src;
		struct tar_entry got = {};
		struct err err = ERR_INIT;

		check(tar_writer_add(w, &e, &err), &err);
		check(tar_writer_hand_over(w, e.size, &err), &err);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), start);
		assert_true(lseek(fd, (off_t)e.size, SEEK_CUR) > 0);
		check(tar_writer_finish(w, &err), &err);
		assert_int_equal(lseek(fd, 0, SEEK_CUR),
				 start + (off_t)((e.size + 511) / 512 + 2) * 512);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		fd_source_init(&src, fd);
		cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

		check(tar_reader_next(r, &got, &err), &err);
		expect_same(&e, &got);
		fd_source_done(&src);
	}
}

static void sparse_files(void **state)
{
	static const struct {
		uint64_t size;
		struct tar_extent extents[3];
		size_t n;
	} rows[] = {
		{1 << 20, {{0}}, 0},
		{1 << 20, {{4096, 3}}, 1},
		{12291, {{0, 4096}, {12288, 3}}, 2},
		{1ull << 50, {{0, 1}, {1ull << 40, 5}, {(1ull << 50) - 7, 7}}, 3},
		{100, {{0, 100}}, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_close int fd = memory_file();
		cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
		cleanup_str struct str tar = STR_INIT;
		const struct tar_entry e = {TAR_FILE, "dir/" X100 X10, .size = rows[i].size};
		struct mem_source src;
		struct tar_entry got = {};
		struct err err = ERR_INIT;
		const uint8_t *bytes = NULL;
		uint64_t offset = 0;

		check(tar_writer_add_sparse(w, &e, rows[i].extents, rows[i].n, &err), &err);
		for (size_t x = 0; x < rows[i].n; x++)
			for (uint64_t n = 0; n < rows[i].extents[x].len; n++)
				check(tar_writer_data(w, &"abc"[x], 1, &err), &err);
		check(tar_writer_finish(w, &err), &err);
		read_back(fd, &tar);
		mem_source_init(&src, tar.buf, tar.len, 0);
		cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

		check(tar_reader_next(r, &got, &err), &err);
		expect_same(&e, &got);
		for (size_t x = 0; x < rows[i].n; x++) {
			assert_int_equal(tar_reader_data(r, &bytes, &offset, &err),
					 rows[i].extents[x].len);
			assert_int_equal(offset, rows[i].extents[x].offset);
			assert_int_equal(*bytes, "abc"[x]);
		}
		assert_int_equal(tar_reader_data(r, &bytes, &offset, &err), 0);
		assert_int_equal(tar_reader_next(r, &got, &err), 0);
	}
}

static void too_many_extents(void **state)
{
	cleanup_free struct tar_extent *extents = mem_zalloc(TAR_MAX_EXTENTS *
							     sizeof(struct tar_extent));
	cleanup_close int fd = memory_file();
	cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
	cleanup_str struct str tar = STR_INIT;
	struct tar_entry e = {TAR_FILE, "f", .size = 1ull << 40}, got = {};
	struct mem_source src;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < TAR_MAX_EXTENTS; i++)
		extents[i] = (struct tar_extent){i * 2, 1};
	expect_failure(tar_writer_add_sparse(w, &e, extents, TAR_MAX_EXTENTS, &err), &err,
		       "more than 131071 extents");
	check(tar_writer_add_sparse(w, &e, extents, TAR_MAX_EXTENTS - 1, &err), &err);
	check(tar_writer_hand_over(w, TAR_MAX_EXTENTS - 1, &err), &err);
	read_back(fd, &tar);
	mem_source_init(&src, tar.buf, tar.len, 0);
	cleanup_tar_reader struct tar_reader *r = tar_reader_new(&src.base);

	check(tar_reader_next(r, &got, &err), &err);
}

/* ---- content by descriptor ---- */

enum sink { SINK_FILE, SINK_APPEND, SINK_PIPE, N_SINKS };

/* Half of the source's bytes are told apart by their place. */
static int source_file(size_t len)
{
	cleanup_str struct str bytes = STR_INIT;
	int fd = memory_file();

	for (size_t i = 0; i < len; i++)
		str_add_char(&bytes, (char)(i % 251 + i / 65536));
	assert_int_equal(fd_write_full(fd, str_get(&bytes), len), 0);
	return fd;
}

static int open_sink(enum sink sink, int pipe_fds[2])
{
	int fd = -1;

	if (sink != SINK_PIPE) {
		fd = memory_file();
		if (sink == SINK_APPEND)
			assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
		return fd;
	}
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_true(fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
	return pipe_fds[1];
}

static void digest_sink(enum sink sink, const size_t *sizes, size_t n,
			char ret[static SHA256_HEX_LEN + 1])
{
	int pipe_fds[2] = {-1, -1};
	cleanup_close int fd = open_sink(sink, pipe_fds);
	cleanup_close int from = source_file(300 << 10);
	cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
	cleanup_str struct str tar = STR_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		const struct tar_entry e = {TAR_FILE, "f", .size = sizes[i]};

		check(tar_writer_add(w, &e, &err), &err);
		check(tar_writer_copy(w, from, 1, sizes[i], &err), &err);
	}
	check(tar_writer_finish(w, &err), &err);
	if (sink != SINK_PIPE) {
		read_back(fd, &tar);
	} else {
		fd_cleanup_close(&fd);
		assert_int_equal(fd_read_all(pipe_fds[0], LIMIT, &tar), 0);
		close(pipe_fds[0]);
	}
	sha256_hex(str_get(&tar), tar.len, ret);
}

static void same_bytes_by_every_way(void **state)
{
	static const size_t sizes[] = {0, 1, 511, 512, 128 << 10, 1, (300 << 10) - 1};
	char want[SHA256_HEX_LEN + 1], got[SHA256_HEX_LEN + 1];

	digest_sink(SINK_FILE, sizes, ARRAY_LEN(sizes), want);
	for (enum sink s = SINK_APPEND; s < N_SINKS; s++) {
		digest_sink(s, sizes, ARRAY_LEN(sizes), got);
		assert_string_equal(got, want);
	}
}

static void files_that_shrink(void **state)
{
	static const size_t sizes[] = {10, 200 << 10};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const struct tar_entry e = {TAR_FILE, "f", .size = sizes[i] + 5};
		cleanup_close int from = source_file(sizes[i]);
		cleanup_close int fd = memory_file();
		cleanup_close int other_fd = memory_file();
		cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
		cleanup_tar_writer struct tar_writer *other = tar_writer_new(other_fd);
		cleanup_str struct str tar = STR_INIT;
		struct err err = ERR_INIT;

		check(tar_writer_add(other, &e, &err), &err);
		expect_failure(tar_writer_copy(other, from, 0, e.size, &err), &err,
			       "became shorter");
		check(tar_writer_add(w, &e, &err), &err);
		assert_int_equal(tar_writer_copy_padded(w, from, 0, sizes[i], &err), 0);
		assert_int_equal(tar_writer_copy_padded(w, from, sizes[i], 5, &err), 1);
		check(tar_writer_finish(w, &err), &err);
		read_back(fd, &tar);
		assert_memory_equal(tar.buf + 512 + sizes[i], "\0\0\0\0\0", 5);
		assert_int_equal(tar.len, 512 * (1 + (e.size + 511) / 512 + 2));
	}
}

static void a_full_disk_is_an_error(void **state)
{
	cleanup_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cleanup_close int from = source_file(200 << 10);
	cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
	struct tar_entry e = {TAR_FILE, "f", .size = 200 << 10};
	struct err err = ERR_INIT;

	check(tar_writer_add(w, &e, &err), &err);
	expect_failure(tar_writer_copy(w, from, 0, e.size, &err), &err,
		       "write the archive: no space left on device");
	assert_int_equal(err.code, ERR_SYSTEM);
}

/* The bytes of an archive with something of everything: whoever changes them changes every digest
 * of every layer that is written from then on. */
static void golden(void **state)
{
	static const struct tar_xattr xattrs[] = {{"user.a", "\0b", 2}, {"user.c=d", "e", 1}};
	static const struct tar_entry rows[] = {
		{TAR_DIR, "./", .mode = 0755, .mtime = {1700000000, 0}},
		{TAR_FILE, "f", .mode = 04755, .uid = 3000000, .gid = 7, .mtime = {-2, 1},
		 .xattrs = xattrs, .n_xattrs = 2},
		{TAR_SYMLINK, "\xc3\xa9", "\xff", .mode = 0777, .mtime = {1ll << 40, 0}},
		{TAR_HARD_LINK, X155 "/" X10, "f"},
		{TAR_CHAR, X255, .dev_major = 1, .dev_minor = 3},
	};
	static const struct tar_extent extents[] = {{8192, 3}};
	const struct tar_entry sparse = {TAR_FILE, "d/sparse", .size = 1 << 20};
	cleanup_close int fd = memory_file();
	cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);
	cleanup_str struct str tar = STR_INIT;
	char digest[SHA256_HEX_LEN + 1];
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(tar_writer_add(w, &rows[i], &err), &err);
	check(tar_writer_add_sparse(w, &sparse, extents, 1, &err), &err);
	check(tar_writer_data(w, "abc", 3, &err), &err);
	check(tar_writer_finish(w, &err), &err);
	read_back(fd, &tar);
	sha256_hex(tar.buf, tar.len, digest);
	assert_string_equal(digest,
			    "9bb5a1cb5b1b8c9de7434efb82cdac61152497bfc3fbe8fecfa996676ae3a32b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_block_where_ustar_can),
		cmocka_unit_test(pax_where_ustar_cannot),
		cmocka_unit_test(extended_attributes),
		cmocka_unit_test(record_lengths),
		cmocka_unit_test(refuses_what_cannot_be_read),
		cmocka_unit_test(devices_beyond_linux),
		cmocka_unit_test(sizes_beyond_ustar),
		cmocka_unit_test(sparse_files),
		cmocka_unit_test(too_many_extents),
		cmocka_unit_test(same_bytes_by_every_way),
		cmocka_unit_test(files_that_shrink),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
