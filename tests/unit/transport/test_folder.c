/* SPDX-License-Identifier: Apache-2.0 */
/* Files by name in a directory: nothing outside, nothing that is no file. */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "transport/blob_at.h"
#include "transport/folder.h"

struct fixture {
	char path[64];
	struct folder folder;
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct err err = ERR_INIT;

	snprintf(f->path, sizeof(f->path), "/tmp/tare-folder-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->folder = (struct folder)FOLDER_INIT;
	if (folder_open_dir(f->path, &f->folder, &err) < 0)
		return -1;
	assert_int_equal(mkdirat(f->folder.dir_fd, "d", 0700), 0);
	assert_int_equal(fd_write_file_at(f->folder.dir_fd, "d/file", "text", 4, 0600), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->folder.dir_fd, "out"), 0);
	assert_int_equal(symlinkat("d/file", f->folder.dir_fd, "in"), 0);
	assert_int_equal(symlinkat("/", f->folder.dir_fd, "root"), 0);
	assert_int_equal(mkfifoat(f->folder.dir_fd, "fifo", 0600), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	folder_done(&f->folder);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

static void finds_files_and_nothing_else(void **state)
{
	static const struct {
		const char *name;
		int code; /* 0: found */
	} rows[] = {
		{"d/file", 0},
		{"d", ERR_INVALID},
		{"d/nosuch", ERR_NOT_FOUND},
		{"d/file/x", ERR_NOT_FOUND},
		{"", ERR_INVALID},
		{"/etc/passwd", ERR_INVALID},
		{"../x", ERR_INVALID},
		{"d/../d/file", ERR_INVALID},
		{"d//file", ERR_INVALID},
		{"./d/file", ERR_INVALID},
		{"d/file/", ERR_INVALID},
		{"fifo", ERR_INVALID},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(folder_find(&f->folder, rows[i].name, &at, &err), -rows[i].code);
		assert_int_equal(folder_has(&f->folder, rows[i].name), rows[i].code == 0);
	}
}

static void follows_no_symlink(void **state)
{
	static const char *const rows[] = {"out", "in", "root/etc/passwd"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(folder_has(&f->folder, rows[i]));
}

static void reads_small_files(void **state)
{
	struct fixture *f = *state;
	cleanup_str struct str text = STR_INIT;
	struct err err = ERR_INIT;
	char path[128];

	assert_int_equal(folder_read(&f->folder, "d/file", &text, &err), 0);
	assert_string_equal(str_get(&text), "text");
	snprintf(path, sizeof(path), "%s/d/file", f->path);
	assert_int_equal(truncate(path, (off_t)5 << 20), 0);
	assert_int_equal(folder_read(&f->folder, "d/file", &text, &err), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_files_and_nothing_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_no_symlink, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reads_small_files, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
