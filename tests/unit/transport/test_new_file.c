/* SPDX-License-Identifier: Apache-2.0 */
/* Files that get their name when they are whole. */
#include "../unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "transport/new_file.h"

static char dir[64];

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/tare-file-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	fd_remove_tree_at(AT_FDCWD, dir);
	return 0;
}

static int count_names(void)
{
	DIR *d = opendir(dir);
	int n = -2;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void has_no_name_until_it_is_whole(void **state)
{
	cleanup_free char *path = str_printf("%s/x", dir);
	cleanup_str struct str text = STR_INIT;
	struct new_file file = NEW_FILE_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < 2; i++) {
		const char *word = i ? "second" : "first";

		assert_int_equal(new_file_open(path, 0600, &file, &err), 0);
		assert_int_equal(fd_write_full(file.fd, word, strlen(word)), 0);
		assert_int_equal(count_names(), i);
		assert_int_equal(new_file_commit(&file, true, &err), 0);
		new_file_done(&file);
		assert_int_equal(count_names(), 1);
	}
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 100, &text), 0);
	assert_string_equal(str_get(&text), "second");
}

static void nothing_is_left_without_a_commit(void **state)
{
	cleanup_free char *path = str_printf("%s/x", dir);
	struct new_file file = NEW_FILE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(new_file_open(path, 0600, &file, &err), 0);
	new_file_done(&file);
	assert_int_equal(count_names(), 0);
}

static void what_is_no_file_is_written_to(void **state)
{
	struct new_file file = NEW_FILE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(new_file_open("/dev/null", 0600, &file, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "cannot write to a character device file");
	assert_int_equal(new_file_open_any("/dev/null", 0600, &file, &err), 0);
	assert_int_equal(fd_write_full(file.fd, "x", 1), 0);
	assert_int_equal(new_file_commit(&file, true, &err), 0);
	new_file_done(&file);
}

/* Replacing a link would leave its target as it was. */
static void links_are_not_replaced(void **state)
{
	cleanup_free char *path = str_printf("%s/link", dir);
	struct new_file file = NEW_FILE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(symlink("target", path), 0);
	assert_int_equal(new_file_open(path, 0600, &file, &err), -ERR_INVALID);
	assert_int_equal(new_file_open_any(path, 0600, &file, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "cannot write to a symbolic link directly");
	unlink(path);
}

static void errors_name_the_file(void **state)
{
	cleanup_free char *missing = str_printf("%s/no/x", dir);
	struct new_file file = NEW_FILE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(new_file_open(missing, 0600, &file, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "/no: no such file or directory"));
	assert_true(new_file_open(dir, 0600, &file, &err) < 0);
	assert_string_equal(err.msg, "cannot write to a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(has_no_name_until_it_is_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_left_without_a_commit, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_written_to, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_are_not_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_name_the_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
