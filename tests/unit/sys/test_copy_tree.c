/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of directories: what is kept, what is never followed, and what a second copy completes. */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/copy_tree.h"

struct fixture {
	char path[64];
	int from, to;
};

static int open_dir(const char *base, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", base, name);

	assert_int_equal(mkdir(path, 0755), 0);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/tare-copy-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->from = open_dir(f->path, "from");
	f->to = open_dir(f->path, "to");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->from);
	close(f->to);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

static void write_file(int dir, const char *name, const char *text, mode_t mode)
{
	assert_int_equal(fd_write_file_at(dir, name, text, strlen(text), mode), 0);
	assert_int_equal(fchmodat(dir, name, mode, 0), 0);
}

static void expect_text(int dir, const char *name, const char *text)
{
	cleanup_str struct str found = STR_INIT;

	assert_int_equal(fd_read_file_at(dir, name, 1000, &found), 0);
	assert_string_equal(str_get(&found), text);
}

static void attributes_are_kept(void **state)
{
	const struct fixture *f = *state;
	struct stat st, again;
	char target[64] = "";
	size_t n = 0;

	write_file(f->from, "f", "text", 04711);
	assert_int_equal(mkdirat(f->from, "d", 0750), 0);
	assert_int_equal(linkat(f->from, "f", f->from, "d/again", 0), 0);
	assert_int_equal(symlinkat("/nowhere", f->from, "l"), 0);
	assert_int_equal(mkfifoat(f->from, "p", 0622), 0);
	assert_int_equal(fchmodat(f->from, "p", 0622, 0), 0);
	assert_int_equal(fchmod(f->from, 01770), 0);
	assert_int_equal(copy_tree(f->from, f->to, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(fstat(f->to, &st), 0);
	assert_int_equal(st.st_mode & 07777, 01770);
	assert_int_equal(fstatat(f->to, "f", &st, 0), 0);
	assert_int_equal(fstatat(f->to, "d/again", &again, 0), 0);
	assert_int_equal(st.st_mode & 07777, 04711);
	assert_true(st.st_ino == again.st_ino);
	assert_int_equal(readlinkat(f->to, "l", target, sizeof(target) - 1), 8);
	assert_int_equal(fstatat(f->to, "p", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0622);
}

static void holes_stay_holes(void **state)
{
	const struct fixture *f = *state;
	int fd = openat(f->from, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	assert_int_equal(fd_pwrite_full(fd, "end", 3, 64 << 20), 0);
	close(fd);
	assert_int_equal(copy_tree(f->from, f->to, NULL), 0);
	assert_int_equal(fstatat(f->to, "f", &st, 0), 0);
	assert_int_equal(st.st_size, (64 << 20) + 3);
	assert_true(st.st_blocks * 512 < 1 << 20);
}

/* What stands in the way is neither followed nor replaced. */
static void nothing_is_followed(void **state)
{
	const struct fixture *f = *state;
	int outside = open_dir(f->path, "outside");
	cleanup_free char *path = str_printf("%s/outside", f->path);

	write_file(outside, "f", "canary", 0600);
	assert_int_equal(mkdirat(f->from, "d", 0755), 0);
	write_file(f->from, "d/f", "bad", 0644);
	assert_int_equal(symlinkat(path, f->to, "d"), 0);
	assert_true(copy_tree(f->from, f->to, NULL) < 0);
	expect_text(outside, "f", "canary");
	assert_int_equal(unlinkat(f->to, "d", 0), 0);
	assert_int_equal(mkdirat(f->to, "d", 0755), 0);
	assert_int_equal(symlinkat("../../outside/f", f->to, "d/f"), 0);
	assert_int_equal(copy_tree(f->from, f->to, NULL), 0);
	expect_text(outside, "f", "canary");
	close(outside);
}

static void a_second_copy_completes(void **state)
{
	const struct fixture *f = *state;

	write_file(f->from, "kept", "new", 0644);
	write_file(f->from, "missing", "new", 0644);
	write_file(f->to, "kept", "old", 0644);
	write_file(f->to, ".tare-part", "somebody's", 0600);
	assert_int_equal(copy_tree(f->from, f->to, NULL), 0);
	expect_text(f->to, "kept", "old");
	expect_text(f->to, "missing", "new");
	/* No name is the copy's own. */
	assert_true(faccessat(f->to, ".tare-part", F_OK, 0) == 0);
}

static void emptiness(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(copy_tree_is_empty(f->to), 1);
	write_file(f->to, ".hidden", "", 0600);
	assert_int_equal(copy_tree_is_empty(f->to), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(attributes_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holes_stay_holes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_copy_completes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(emptiness, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
