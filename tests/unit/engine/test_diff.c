/* SPDX-License-Identifier: Apache-2.0 */
/* Changes, seen in small trees: an upper directory as overlayfs leaves it, and what was below. */
#include "../unit.h"

#include "engine/diff.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct trees {
	char path[64];
	int top, upper, lower;
};

static const struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

static int setup(void **state)
{
	struct trees *t = mem_zalloc(sizeof(*t));

	snprintf(t->path, sizeof(t->path), "/tmp/tare-test-diff.XXXXXX");
	assert_non_null(mkdtemp(t->path));
	t->top = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->top, "upper", 0755), 0);
	assert_int_equal(mkdirat(t->top, "lower", 0755), 0);
	t->upper = openat(t->top, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->lower = openat(t->top, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct trees *t = *state;

	close(t->upper);
	close(t->lower);
	close(t->top);
	assert_int_equal(fd_remove_tree_at(AT_FDCWD, t->path), 0);
	free(t);
	return 0;
}

static void add_file(int dir, const char *name, const char *text)
{
	assert_int_equal(fd_write_file_at(dir, name, text, strlen(text), 0644), 0);
	assert_int_equal(fchmodat(dir, name, 0644, 0), 0);
	assert_int_equal(utimensat(dir, name, then, 0), 0);
}

static void add_dir(int dir, const char *name)
{
	assert_int_equal(mkdirat(dir, name, 0755), 0);
	assert_int_equal(fchmodat(dir, name, 0755, 0), 0);
}

/* Everybody may make these (since Linux 5.8). */
static void add_whiteout(int dir, const char *name)
{
	assert_int_equal(mknodat(dir, name, S_IFCHR, makedev(0, 0)), 0);
}

static void expect(const struct trees *t, const char *lines)
{
	cleanup_strv struct strv got = STRV_INIT;
	cleanup_free char *text = NULL;
	struct err err = ERR_INIT;

	/* Each reading takes a directory that was just opened. */
	lseek(t->upper, 0, SEEK_SET);
	assert_int_equal(diff_trees(t->upper, t->lower, &got, &err), 0);
	text = strv_join(&got, "\n");
	assert_string_equal(text, lines);
}

static void test_nothing(void **state)
{
	add_file(((struct trees *)*state)->lower, "f", "x");
	expect(*state, "");
}

static void test_order(void **state)
{
	struct trees *t = *state;

	add_file(t->lower, "gone", "x");
	add_file(t->lower, "a-gone", "x");
	add_whiteout(t->upper, "gone");
	add_whiteout(t->upper, "a-gone");
	add_dir(t->upper, "d");
	add_file(t->upper, "d/f", "x");
	add_file(t->upper, "d.x", "x");
	add_file(t->upper, "Z", "x");
	expect(t, "A /Z\nA /d\nA /d/f\nA /d.x\nD /a-gone\nD /gone");
}

static void test_directory_with_a_change(void **state)
{
	struct trees *t = *state;

	add_dir(t->lower, "d");
	add_dir(t->lower, "d/e");
	add_dir(t->lower, "same");
	add_dir(t->upper, "d");
	add_dir(t->upper, "d/e");
	add_dir(t->upper, "same");
	add_file(t->upper, "d/e/f", "x");
	expect(t, "C /d\nC /d/e\nA /d/e/f");
}

static void test_copied_up_and_the_same(void **state)
{
	struct trees *t = *state;

	add_file(t->lower, "f", "x");
	add_file(t->upper, "f", "y");
	expect(t, "");
	assert_int_equal(fchmodat(t->upper, "f", 0600, 0), 0);
	expect(t, "C /f");
}

static void test_kinds_exchanged(void **state)
{
	struct trees *t = *state;

	add_file(t->lower, "file", "x");
	add_dir(t->lower, "dir");
	add_file(t->lower, "dir/in", "x");
	add_dir(t->upper, "file");
	add_file(t->upper, "file/new", "x");
	add_file(t->upper, "dir", "x");
	expect(t, "C /dir\nC /file\nA /file/new");
}

/* A whiteout of what never was there (made and removed again) is no news. */
static void test_whiteout_of_nothing(void **state)
{
	add_whiteout(((struct trees *)*state)->upper, "x");
	expect(*state, "");
}

static void test_without_lower(void **state)
{
	struct trees *t = *state;
	cleanup_strv struct strv got = STRV_INIT;
	struct err err = ERR_INIT;

	add_file(t->upper, "f", "x");
	assert_int_equal(diff_trees(t->upper, -1, &got, &err), 0);
	assert_int_equal(got.n, 1);
	assert_string_equal(got.items[0], "A /f");
}

/* An enemy's tree: an error, and no stack or descriptor runs out. */
/* DEPTH directories in each other in TOP, each with a file y beside it. */
static void make_deep(int top, int depth, bool with_files)
{
	int dir = dup(top);

	for (int i = 0; i < depth; i++) {
		int next = -1;

		if (with_files)
			add_file(dir, "y", "x");
		add_dir(dir, "d");
		next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(dir);
		dir = next;
	}
	close(dir);
}

/* In both trees as far as 400, in the upper one alone from there on; after each directory comes a
 * name for which those above have to be open again. */
static void test_deep(void **state)
{
	struct trees *t = *state;
	cleanup_strv struct strv got = STRV_INIT;
	struct rlimit before;
	struct err err = ERR_INIT;
	int rc = 0;

	make_deep(t->lower, 400, false);
	make_deep(t->upper, 600, true);
	getrlimit(RLIMIT_NOFILE, &before);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, before.rlim_max});
	rc = diff_trees(t->upper, t->lower, &got, &err);
	setrlimit(RLIMIT_NOFILE, &before);
	if (rc < 0)
		fail_msg("%s", err.msg);
	/* 400 changed and 200 added directories, 600 files. */
	assert_int_equal(got.n, 1200);
	assert_string_equal(got.items[0], "C /d");
	assert_int_equal(strncmp(got.items[400], "A /d/d", 6), 0);
	assert_string_equal(got.items[got.n - 1], "A /y");
	assert_string_equal(got.items[got.n - 2], "A /d/y");
}

static void test_too_deep(void **state)
{
	struct trees *t = *state;
	cleanup_strv struct strv got = STRV_INIT;
	struct err err = ERR_INIT;

	make_deep(t->upper, PATH_MAX / 2 + 1, false);
	assert_int_equal(diff_trees(t->upper, t->lower, &got, &err), -ERR_UNSUPPORTED);
	assert_int_equal(got.n, 0);
}

static void test_is_different(void **state)
{
	const struct stat file = {
		.st_mode = S_IFREG | 0644, .st_size = 5, .st_mtim = {.tv_sec = 9}};
	struct stat other = file;

	assert_false(diff_is_different(&file, &other));
	other.st_ino = 7;
	other.st_ctim.tv_sec = 99;
	assert_false(diff_is_different(&file, &other));
	other.st_mtim.tv_nsec = 1;
	assert_true(diff_is_different(&file, &other));
	other = file;
	other.st_size = 6;
	assert_true(diff_is_different(&file, &other));
	other = file;
	other.st_gid = 1;
	assert_true(diff_is_different(&file, &other));

	struct stat dir = {.st_mode = S_IFDIR | 0755};

	other = dir;
	other.st_mtim.tv_sec = 5;
	other.st_size = 4096;
	assert_false(diff_is_different(&dir, &other));
	other.st_mode |= S_ISVTX;
	assert_true(diff_is_different(&dir, &other));
}

#define WITH_TREES(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREES(test_nothing),
		WITH_TREES(test_order),
		WITH_TREES(test_directory_with_a_change),
		WITH_TREES(test_copied_up_and_the_same),
		WITH_TREES(test_kinds_exchanged),
		WITH_TREES(test_whiteout_of_nothing),
		WITH_TREES(test_without_lower),
		WITH_TREES(test_deep),
		WITH_TREES(test_too_deep),
		cmocka_unit_test(test_is_different),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
