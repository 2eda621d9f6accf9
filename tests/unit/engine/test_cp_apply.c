/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking into a tree that exists: what replaces what, and that nothing leads out of it. */
#include "../unit.h"

#include "engine/cp_apply.h"

#include "archive/tar_read.h"
#include "archive/tar_write.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct box {
	char path[64];
	int top, root; /* "root" in "top", beside "outside" */
	int archive;
	struct tar_writer *tar;
};

static int setup(void **state)
{
	struct box *b = mem_zalloc(sizeof(*b));

	snprintf(b->path, sizeof(b->path), "/tmp/tare-test-cp.XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->top = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(b->top, "root", 0755), 0);
	assert_int_equal(mkdirat(b->top, "outside", 0755), 0);
	assert_int_equal(fd_write_file_at(b->top, "outside/f", "safe", 4, 0644), 0);
	b->root = openat(b->top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->archive = memfd_create("archive", MFD_CLOEXEC);
	b->tar = tar_writer_new(b->archive);
	*state = b;
	return 0;
}

static void expect(int dir, const char *path, const char *text)
{
	cleanup_str struct str s = STR_INIT;

	assert_int_equal(fd_read_file_at(dir, path, 4096, &s), 0);
	assert_string_equal(str_get(&s), text);
}

static int teardown(void **state)
{
	struct box *b = *state;

	expect(b->top, "outside/f", "safe");
	tar_writer_free(b->tar);
	close(b->archive);
	close(b->root);
	close(b->top);
	assert_int_equal(fd_remove_tree_at(AT_FDCWD, b->path), 0);
	free(b);
	return 0;
}

static void add(struct box *b, enum tar_type type, const char *path, const char *text)
{
	struct err err = ERR_INIT;
	bool is_link = type == TAR_SYMLINK || type == TAR_HARD_LINK;
	const struct tar_entry e = {
		.type = type,
		.path = path,
		.link = is_link ? text : "",
		.mode = type == TAR_DIR ? 0755 : 0644,
		.uid = getuid(),
		.gid = getgid(),
		.size = type == TAR_FILE ? strlen(text) : 0,
		.mtime = {.tv_sec = 1000},
	};

	assert_int_equal(tar_writer_add(b->tar, &e, &err), 0);
	if (type == TAR_FILE)
		assert_int_equal(tar_writer_data(b->tar, text, strlen(text), &err), 0);
}

static int apply(struct box *b, const char *base, uint64_t *ret_bytes, struct err *err)
{
	struct cp_apply_options options = {
		.base = base, .shown = *base ? base : "/", .uid = (uid_t)-1, .gid = (gid_t)-1};
	struct fd_source in;
	struct tar_reader *reader = NULL;
	uint64_t bytes = 0;
	int rc = tar_writer_finish(b->tar, err);

	assert_int_equal(rc, 0);
	assert_int_equal(lseek(b->archive, 0, SEEK_SET), 0);
	fd_source_init(&in, b->archive);
	reader = tar_reader_new(&in.base);
	rc = cp_apply(b->root, reader, &options, ret_bytes ? ret_bytes : &bytes, err);
	tar_reader_free(reader);
	fd_source_done(&in);
	return rc;
}

static void test_files(void **state)
{
	struct box *b = *state;
	struct err err = ERR_INIT;
	uint64_t bytes = 0;
	struct stat st, st2;

	add(b, TAR_DIR, "./", "");
	add(b, TAR_DIR, "d/", "");
	add(b, TAR_FILE, "d/f", "hello");
	add(b, TAR_HARD_LINK, "d/g", "d/f");
	add(b, TAR_SYMLINK, "l", "/d/f");
	add(b, TAR_FILE, "made/on/the/way", "x");
	assert_int_equal(apply(b, "", &bytes, &err), 0);
	expect(b->root, "d/f", "hello");
	expect(b->root, "made/on/the/way", "x");
	assert_int_equal(fstatat(b->root, "d/f", &st, 0), 0);
	assert_int_equal(fstatat(b->root, "d/g", &st2, 0), 0);
	assert_int_equal(st.st_ino, st2.st_ino);
	assert_int_equal(st.st_mtim.tv_sec, 1000);
	assert_int_equal(fstatat(b->root, "d", &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1000);
	/* Six headers, two blocks of content, the end. */
	assert_int_equal(bytes, 512 * (6 + 2 + 2));
}

static void test_replaces(void **state)
{
	struct box *b = *state;
	struct err err = ERR_INIT;

	assert_int_equal(symlinkat("../outside/f", b->root, "f"), 0);
	assert_int_equal(mkdirat(b->root, "d", 0700), 0);
	assert_int_equal(fd_write_file_at(b->root, "d/keep", "keep", 4, 0644), 0);
	add(b, TAR_FILE, "f", "new");
	add(b, TAR_DIR, "d/", "");
	assert_int_equal(apply(b, "", NULL, &err), 0);
	expect(b->root, "f", "new");
	expect(b->root, "d/keep", "keep");
}

static void test_in_the_way(void **state)
{
	struct box *b = *state;
	struct err err = ERR_INIT;

	assert_int_equal(mkdirat(b->root, "x", 0700), 0);
	assert_int_equal(mkdirat(b->root, "x/f", 0700), 0);
	add(b, TAR_FILE, "f", "new");
	assert_int_equal(apply(b, "/x", NULL, &err), -ERR_INVALID);
	assert_string_equal(err.msg,
			    "cannot overwrite directory \"/x/f\" with non-directory \"/x\"");
}

static void test_file_in_the_way(void **state)
{
	struct box *b = *state;
	struct err err = ERR_INIT;

	assert_int_equal(fd_write_file_at(b->root, "d", "x", 1, 0644), 0);
	add(b, TAR_DIR, "d/", "");
	assert_int_equal(apply(b, "", NULL, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "cannot overwrite non-directory \"/d\" with directory \"/\"");
}

/* A link of the archive, or of the tree, is followed inside the root or not at all. */
static void test_links_lead_nowhere(void **state)
{
	static const char *const links[] = {"/outside", "../outside", "../../../../outside"};

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		struct box *b = NULL;
		struct err err = ERR_INIT;

		setup((void **)&b);
		add(b, TAR_SYMLINK, "l", links[i]);
		add(b, TAR_FILE, "l/f", "evil");
		apply(b, "", NULL, &err);
		teardown((void **)&b);
	}
}

static void test_dot_dot(void **state)
{
	struct box *b = *state;
	struct err err = ERR_INIT;

	add(b, TAR_FILE, "../outside/f", "evil");
	assert_int_equal(apply(b, "", NULL, &err), -ERR_INVALID);
}

static void test_hard_link_out(void **state)
{
	struct box *b = *state;
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(symlinkat("../outside", b->root, "l"), 0);
	add(b, TAR_HARD_LINK, "h", "l/f");
	assert_true(apply(b, "", NULL, &err) < 0);
	assert_int_equal(fstatat(b->root, "h", &st, AT_SYMLINK_NOFOLLOW), -1);
}

#define WITH_BOX(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOX(test_files),
		WITH_BOX(test_replaces),
		WITH_BOX(test_in_the_way),
		WITH_BOX(test_file_in_the_way),
		WITH_BOX(test_dot_dot),
		WITH_BOX(test_hard_link_out),
		cmocka_unit_test(test_links_lead_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
