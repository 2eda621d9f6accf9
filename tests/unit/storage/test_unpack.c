/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs for the helper: several at once, what an answer becomes, what a failure ends; and the index
 * of an archive. */
#include "store_fixture.h"

#include "storage/unpack.h"

#include <time.h>

enum { N_JOBS = 7 };

static struct unpack_job job_of(int fd, uint64_t offset, uint64_t length)
{
	struct unpack_job job = UNPACK_JOB_INIT;

	job.in_fd = fd;
	job.offset = offset;
	job.length = length;
	return job;
}

static int open_output(const struct fixture *f)
{
	return open(f->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static void see_progress(uint64_t n_bytes, void *data)
{
	uint64_t *seen = data;

	assert_true(n_bytes > *seen);
	*seen = n_bytes;
}

/* More jobs than processors, all of one description of a file. */
static void runs_all(void **state)
{
	struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "aabbccddeeffgg");
	struct unpack_job jobs[N_JOBS];
	struct unpack_result results[N_JOBS];
	struct err err = ERR_INIT;
	uint64_t seen = 0;

	for (size_t i = 0; i < N_JOBS; i++)
		jobs[i] = job_of(fd, 2 * i, 2);
	if (unpack_run(f->store, jobs, N_JOBS, -1, see_progress, &seen, results, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < N_JOBS; i++) {
		const char text[] = {(char)('a' + i), (char)('a' + i)};

		assert_true(digest_is_of(results[i].raw_hex, text, 2));
		assert_true(digest_is_of(results[i].diff_hex, text, 2));
		assert_int_equal(results[i].raw_size, 2);
		assert_string_equal(results[i].raw_format, "plain");
		assert_string_equal(results[i].blob_hex, "");
		assert_string_equal(results[i].blob_format, "");
		assert_string_equal(results[i].list_hex, "");
	}
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	/* The stand-in tells of twelve bytes each. */
	assert_int_equal(seen, N_JOBS * 12);
}

static void serves_outputs(void **state)
{
	struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "twelve bytes");
	cleanup_close int list = open_output(f), blob = open_output(f), plain = open_output(f);
	cleanup_close int dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct unpack_job job = job_of(fd, 0, UNPACK_STREAM);
	struct unpack_result result;
	char text[200] = "";
	struct err err = ERR_INIT;

	job.list_fd = list;
	job.blob_fd = blob;
	job.plain_fd = plain;
	job.dir_fd = dir;
	if (unpack_run(f->store, &job, 1, dir, NULL, NULL, &result, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(pread(plain, text, sizeof(text), 0), 12);
	assert_string_equal(text, "twelve bytes");
	assert_int_equal(pread(blob, text, sizeof(text), 0), result.blob_size);
	assert_true(digest_is_of(result.blob_hex, text, (size_t)result.blob_size));
	assert_string_equal(result.blob_format, "gzip");
	assert_true(
		digest_is_of(result.list_hex, text, (size_t)pread(list, text, sizeof(text), 0)));
	assert_int_equal(result.size, 12);
	assert_int_equal(faccessat(dir, "content", R_OK, 0), 0);
}

static void first_failure_ends_all(void **state)
{
	struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "good bad");
	int ends[2];
	struct unpack_job jobs[2];
	struct unpack_result results[2];
	size_t failed = 9;
	struct err err = ERR_INIT;

	/* The first one waits for input that never comes, as long as we live. */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	jobs[0] = job_of(ends[0], 0, UNPACK_STREAM);
	jobs[1] = job_of(fd, 5, 3);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		assert_int_equal(
			unpack_run(f->store, jobs, 2, -1, NULL, NULL, results, &failed, &err),
			-ERR_INVALID);
		assert_int_equal(failed, 1);
		assert_string_equal(err.msg, "entry x: truncated");
	}
	close(ends[0]);
	close(ends[1]);
}

static void replace_helper(const struct fixture *f, const char *script)
{
	cleanup_free char *path = str_printf("%s/tare-unpack", f->path);

	assert_int_equal(fd_write_file_at(AT_FDCWD, path, script, strlen(script), 0700), 0);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void bad_helpers(void **state)
{
	static const struct {
		const char *script, *text;
		int code;
	} rows[] = {
		{"#!/bin/sh\nkill -9 $$\n", "tare-unpack was killed by signal 9", ERR_SYSTEM},
		{"#!/bin/sh\nexit 3\n", "tare-unpack ended with status 3", ERR_SYSTEM},
		{"#!/bin/sh\necho full >&2; exit 70\n", "full", ERR_UNAVAILABLE},
		{"#!/bin/sh\necho wrong use >&2; exit 2\n", "wrong use", ERR_SYSTEM},
		{"#!/bin/sh\nexit 0\n", "tare-unpack: ", ERR_INVALID},
		{"#!/bin/sh\necho '{\"rawFormat\":\"plain\"}'\n",
		 "tare-unpack: rawDigest: invalid checksum digest format", ERR_INVALID},
		{"#!/bin/sh\necho '{\"rawFormat\":\"plain\",\"rawDigest\":\"sha256:" ZEROS "\","
		 "\"diffID\":\"sha256:" ZEROS "\",\"rawSize\":-1}'\n",
		 "tare-unpack: rawSize is negative", ERR_SYSTEM},
	};
	struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "x");
	const struct unpack_job job = job_of(fd, 0, 1);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct unpack_result result;
		struct err err = ERR_INIT;

		replace_helper(f, rows[i].script);
		assert_int_equal(unpack_run(f->store, &job, 1, -1, NULL, NULL, &result, NULL, &err),
				 -rows[i].code);
		assert_true(str_has_prefix(err.msg, rows[i].text));
	}
}

/* The helper's stand-in lists one file, "content". */
static void index_in_place(void **state)
{
	struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "head and content");
	cleanup_close int dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_archive_index struct archive_index index = ARCHIVE_INDEX_INIT;
	const struct archive_member *m = NULL;
	struct err err = ERR_INIT;
	char text[20] = "";

	assert_int_equal(lseek(fd, 9, SEEK_SET), 9);
	if (archive_index_open(f->store, fd, dir, NULL, NULL, &index, &err) < 0)
		fail_msg("%s", err.msg);
	m = archive_index_lookup(&index, "content");
	assert_non_null(m);
	assert_int_equal(m->type, MEMBER_FILE);
	assert_int_equal(pread(index.fd, text, m->size, (off_t)m->offset), 7);
	assert_string_equal(text, "content");
	assert_null(archive_index_lookup(&index, "other"));
}

static void index_of_a_pipe(void **state)
{
	struct fixture *f = *state;
	cleanup_close int dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_archive_index struct archive_index index = ARCHIVE_INDEX_INIT;
	struct err err = ERR_INIT;
	char text[20] = "";
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "content", 7), 7);
	close(ends[1]);
	if (archive_index_open(f->store, ends[0], dir, NULL, NULL, &index, &err) < 0)
		fail_msg("%s", err.msg);
	close(ends[0]);
	assert_int_equal(pread(index.fd, text, sizeof(text), 0), 7);
	assert_string_equal(text, "content");
}

static void links_are_followed(void **state)
{
	char a[] = "a", b[] = "b", c[] = "c", loop[] = "loop", out[] = "out", gone[] = "gone";
	struct archive_member members[] = {
		{.name = a, .type = MEMBER_FILE, .size = 1},
		{.name = b, .type = MEMBER_LINK, .link = a},
		{.name = c, .type = MEMBER_LINK, .link = b},
		{.name = loop, .type = MEMBER_LINK, .link = loop},
		{.name = out, .type = MEMBER_LINK},
		{.name = a, .type = MEMBER_FILE, .size = 2},
		{.name = gone, .type = MEMBER_FILE},
		{.name = gone, .type = MEMBER_DIR},
	};
	struct archive_index index = {.members = members, .n = ARRAY_LEN(members)};

	archive_index_sort(&index);
	assert_ptr_equal(archive_index_lookup(&index, "a"), &members[5]);
	assert_ptr_equal(archive_index_lookup(&index, "c"), &members[5]);
	assert_null(archive_index_lookup(&index, "loop"));
	assert_null(archive_index_lookup(&index, "out"));
	assert_null(archive_index_lookup(&index, "gone"));
	for (size_t i = 0; i < index.n; i++)
		assert_int_equal(members[i].is_replaced, i == 0 || i == 6);
	free(index.by_name);
}

/* As many members as an archive may have, each looked up: seconds when each was compared with all
 * others. */
static void lookups_are_quick(void **state)
{
	cleanup_archive_index struct archive_index index = ARCHIVE_INDEX_INIT;
	clock_t before = clock();

	index.n = ARCHIVE_MAX_MEMBERS;
	index.members = mem_zalloc(index.n * sizeof(*index.members));
	for (size_t i = 0; i < index.n; i++)
		index.members[i].name = str_printf("%060zu/json", i * 7919 % index.n);
	archive_index_sort(&index);
	for (size_t i = 0; i < index.n; i++)
		assert_ptr_equal(archive_index_lookup(&index, index.members[i].name),
				 &index.members[i]);
	assert_true(clock() - before < CLOCKS_PER_SEC);
}

/* What a helper that an archive has taken over could say. */
static void wrong_indexes(void **state)
{
	static const char *const records[] = {
		"f 0 8 x\\0\\0",     "f 9 0 x\\0\\0",	  "f 18446744073709551615 2 x\\0\\0",
		"f -1 1 x\\0\\0",    "f 0 1 x\\0",	  "f 0 1 x",
		"z 0 1 x\\0\\0",     "f 0 1 ../x\\0\\0",  "f 0 1 /x\\0\\0",
		"f 0 1 x//y\\0\\0",  "l 0 0 x\\0../y\\0", "f 0",
		"f 0 1 x\\0\\0junk",
	};
	struct fixture *f = *state;
	cleanup_close int fd = archive_of(f, "content");
	cleanup_close int dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		cleanup_archive_index struct archive_index index = ARCHIVE_INDEX_INIT;
		cleanup_free char *script = str_printf(
			"#!/bin/sh\nwhile [ \"$1\" != --index-fd ]; do shift; done\n"
			"printf '%s' >/proc/self/fd/$2\necho '{\"rawFormat\":\"plain\"}'\n",
			records[i]);
		struct err err = ERR_INIT;

		replace_helper(f, script);
		assert_int_equal(archive_index_open(f->store, fd, dir, NULL, NULL, &index, &err),
				 -ERR_SYSTEM);
		assert_string_equal(err.msg, "the helper answered with a wrong index");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(runs_all),
		TEST(serves_outputs),
		TEST(first_failure_ends_all),
		TEST(bad_helpers),
		TEST(index_in_place),
		TEST(index_of_a_pipe),
		cmocka_unit_test(links_are_followed),
		cmocka_unit_test(lookups_are_quick),
		TEST(wrong_indexes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
