/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembered digests. Only a file that has not been touched for a while is remembered, so those of
 * the tests' data serve: they are as old as the checkout.
 */
#include "box.h"

#include "base/err.h"
#include "base/sha256.h"
#include "build/tree.h"
#include "engine/engine.h"
#include "storage/store.h"

#include <sys/wait.h>

static const char *const old_files[] = {DATA_DIR "/globs.json", DATA_DIR "/ignore.json",
					DATA_DIR "/patterns.json"};

struct bench {
	struct box *box;
	struct engine engine;
};

static int open_bench(void **state)
{
	struct bench *bench = mem_zalloc(sizeof(*bench));
	struct err err = ERR_INIT;
	void *box = NULL;

	if (box_open(&box) < 0)
		return -1;
	bench->box = box;
	bench->engine.root = str_printf("%s/root", bench->box->path);
	bench->engine.runroot = str_printf("%s/run", bench->box->path);
	*state = bench;
	return storage_open(bench->engine.root, bench->engine.runroot, NULL, &bench->engine.store,
			    &err);
}

static int close_bench(void **state)
{
	struct bench *bench = *state;
	void *box = bench->box;

	storage_close(bench->engine.store);
	free(bench->engine.root);
	free(bench->engine.runroot);
	free(bench);
	return box_close(&box);
}

static struct file_digests *open_digests(struct bench *bench)
{
	struct file_digests *d = NULL;
	struct err err = ERR_INIT;

	if (file_digests_open(&bench->engine, &d, &err) < 0)
		fail_msg("%s", err.msg);
	return d;
}

static struct stat state_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st;
}

/* Its digest, and that it is the right one. */
static void get(struct file_digests *d, const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = state_of(path);
	cleanup_free char *text = mem_alloc((size_t)st.st_size);
	unsigned char digest[32];
	unsigned char expected[32];
	struct sha256 h;
	struct err err = ERR_INIT;

	if (file_digests_get(d, fd, &st, digest, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	assert_int_equal(fd_read_full(fd, text, (size_t)st.st_size), st.st_size);
	sha256_init(&h);
	sha256_update(&h, text, (size_t)st.st_size);
	sha256_final(&h, expected);
	assert_memory_equal(digest, expected, 32);
}

static bool is_known(struct file_digests *d, const char *path)
{
	unsigned char digest[32];
	struct stat st = state_of(path);

	return file_digests_lookup(d, &st, digest);
}

static void remembers(void **state)
{
	struct file_digests *d = open_digests(*state);

	assert_false(is_known(d, old_files[0]));
	get(d, old_files[0]);
	assert_true(is_known(d, old_files[0]));
	assert_false(is_known(d, old_files[1]));
	file_digests_close(d);

	d = open_digests(*state);
	assert_true(is_known(d, old_files[0]));
	get(d, old_files[0]);
	get(d, old_files[1]);
	file_digests_close(d);

	d = open_digests(*state);
	assert_true(is_known(d, old_files[0]) && is_known(d, old_files[1]));
	file_digests_close(d);
	file_digests_close(NULL);
}

static void notices_every_change(void **state)
{
	struct file_digests *d = open_digests(*state);
	struct stat same = state_of(old_files[0]);
	unsigned char digest[32];

	get(d, old_files[0]);
	for (int i = 0; i < 7; i++) {
		struct stat st = same;

		st.st_size += i == 0;
		st.st_ino += i == 1;
		st.st_dev += i == 2;
		st.st_mtim.tv_nsec += i == 3;
		st.st_ctim.tv_nsec += i == 4;
		st.st_ctim.tv_sec += i == 5;
		st.st_mode = i == 6 ? S_IFDIR : st.st_mode;
		assert_false(file_digests_lookup(d, &st, digest));
	}
	assert_true(file_digests_lookup(d, &same, digest));
	file_digests_close(d);
}

/* It could change once more in the same moment, and look as it did. */
static void does_not_trust_the_young(void **state)
{
	struct bench *bench = *state;
	cleanup_free char *path = str_printf("%s/young", bench->box->path);
	struct file_digests *d = open_digests(bench);
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	box_make(bench->box, "young", "text");
	get(d, path);
	assert_false(is_known(d, path));
	/* An old mtime is the user's word, not the kernel's. */
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	get(d, path);
	assert_false(is_known(d, path));
	file_digests_close(d);
}

static void processes_share(void **state)
{
	struct file_digests *d = open_digests(*state);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		get(d, old_files[0]);
		file_digests_close(d);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(is_known(d, old_files[0]));
	file_digests_close(d);

	d = open_digests(*state);
	assert_true(is_known(d, old_files[0]));
	file_digests_close(d);
}

static void builds_side_by_side_keep_both(void **state)
{
	struct file_digests *one = open_digests(*state);
	struct file_digests *two = open_digests(*state);

	get(one, old_files[0]);
	get(two, old_files[1]);
	file_digests_close(one);
	file_digests_close(two);
	one = open_digests(*state);
	assert_true(is_known(one, old_files[0]) && is_known(one, old_files[1]));
	file_digests_close(one);
}

/* Whatever became of the file, nothing wrong comes out of it. */
static void survives_damage(void **state)
{
	struct bench *bench = *state;
	cleanup_free char *path = str_printf("%s/cache/files", bench->engine.root);
	struct file_digests *d = open_digests(bench);
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(old_files); i++)
		get(d, old_files[i]);
	file_digests_close(d);
	st = state_of(path);
	for (off_t at = 0; at < st.st_size; at++) {
		cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
		char byte = 0;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x41;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		d = open_digests(bench);
		for (size_t i = 0; i < ARRAY_LEN(old_files); i++)
			get(d, old_files[i]);
		file_digests_close(d);
	}
	assert_int_equal(truncate(path, 100), 0);
	d = open_digests(bench);
	assert_false(is_known(d, old_files[0]));
	get(d, old_files[0]);
	file_digests_close(d);
	d = open_digests(bench);
	assert_true(is_known(d, old_files[0]));
	file_digests_close(d);
}

static void needs_no_memory(void **state)
{
	get(NULL, old_files[0]);
	assert_false(is_known(NULL, old_files[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(remembers, open_bench, close_bench),
		cmocka_unit_test_setup_teardown(notices_every_change, open_bench, close_bench),
		cmocka_unit_test_setup_teardown(does_not_trust_the_young, open_bench, close_bench),
		cmocka_unit_test_setup_teardown(processes_share, open_bench, close_bench),
		cmocka_unit_test_setup_teardown(builds_side_by_side_keep_both, open_bench,
						close_bench),
		cmocka_unit_test_setup_teardown(survives_damage, open_bench, close_bench),
		cmocka_unit_test(needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
