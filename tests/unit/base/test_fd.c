/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files and the removal of trees, in a directory of the test's own. */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/tare-unit-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

static void replaces_atomically(void **state)
{
	struct fixture *f = *state;
	cleanup_str struct str text = STR_INIT;

	assert_int_equal(fd_replace_file_at(f->fd, "a", "one", 3, 0600, true), 0);
	assert_int_equal(fd_replace_file_at(f->fd, "a", "two!", 4, 0600, false), 0);
	assert_int_equal(fd_read_file_at(f->fd, "a", 100, &text), 0);
	assert_string_equal(str_get(&text), "two!");
}

static void refuses_what_is_not_a_file(void **state)
{
	struct fixture *f = *state;
	cleanup_str struct str text = STR_INIT;

	assert_int_equal(mkfifoat(f->fd, "fifo", 0600), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "link"), 0);
	assert_int_equal(fd_read_file_at(f->fd, "fifo", 100, &text), -EINVAL);
	assert_int_equal(fd_read_file_at(f->fd, "link", 100, &text), -ELOOP);
	assert_int_equal(fd_write_file_at(f->fd, "big", "123456", 6, 0600), 0);
	assert_int_equal(fd_read_file_at(f->fd, "big", 5, &text), -EFBIG);
}

static void removal_does_not_follow_links(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(mkdirat(f->fd, "keep", 0700), 0);
	assert_int_equal(fd_write_file_at(f->fd, "keep/file", "x", 1, 0600), 0);
	assert_int_equal(mkdirat(f->fd, "gone", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "gone/sub", 0700), 0);
	assert_int_equal(symlinkat("../../keep", f->fd, "gone/sub/link"), 0);
	assert_int_equal(fd_remove_tree_at(f->fd, "gone"), 0);
	assert_int_equal(fstatat(f->fd, "gone", &st, 0), -1);
	assert_int_equal(fstatat(f->fd, "keep/file", &st, 0), 0);
	assert_int_equal(fd_remove_tree_at(f->fd, "missing"), 0);
}

/* Deeper than there are descriptors, with something that has the name of what is moved. */
static void removes_deep_trees(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, few;
	struct stat st;
	int fd = -1;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 128;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(mkdirat(f->fd, "deep", 0700), 0);
	assert_int_equal(fd_write_file_at(f->fd, "deep/.removed.0", "x", 1, 0600), 0);
	fd = openat(f->fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 1000; i++) {
		int next = -1;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		assert_int_equal(fd_write_file_at(fd, "file", "x", 1, 0600), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(fd_remove_tree_at(f->fd, "deep"), 0);
	assert_int_equal(fstatat(f->fd, "deep", &st, 0), -1);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void make_tree(int fd)
{
	char path[32];

	assert_int_equal(mkdirat(fd, "both", 0700), 0);
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "both/%d", i);
		assert_int_equal(mkdirat(fd, path, 0700), 0);
		snprintf(path, sizeof(path), "both/%d/file", i);
		assert_int_equal(fd_write_file_at(fd, path, "x", 1, 0600), 0);
	}
}

/* Two who remove the same: for neither is it a failure that the other was faster. */
static void removes_with_others(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	for (int i = 0; i < 500; i++) {
		pid_t child = 0;
		int status = 0;

		make_tree(f->fd);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(-fd_remove_tree_at(f->fd, "both"));
		assert_int_equal(fd_remove_tree_at(f->fd, "both"), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_int_equal(fstatat(f->fd, "both", &st, 0), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(replaces_atomically, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_what_is_not_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removal_does_not_follow_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removes_deep_trees, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removes_with_others, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
