/* SPDX-License-Identifier: Apache-2.0 */
/* A tree against its listing: every kind of difference has its words, and what is right has none.
 */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/tar_read.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/tree_list.h"

#define MAX_PROBLEMS 8
#define SPARSE_LEN   (64 << 20)

struct fixture {
	char path[64];
	int fd;
	struct str list;
};

static const struct timespec when = {.tv_sec = -5, .tv_nsec = 123456789};

static void set_time(int dir_fd, const char *name)
{
	const struct timespec times[2] = {when, when};

	assert_int_equal(utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* The line of NAME, and the time that it promises. */
static void add_line(struct fixture *f, char type, const char *name, const char *link, mode_t mode,
		     const void *content, size_t len, const struct tar_xattr *xattr)
{
	struct tar_entry e = {.path = name,
			      .mode = mode,
			      .uid = getuid(),
			      .gid = getgid(),
			      .size = len,
			      .mtime = when,
			      .xattrs = xattr,
			      .n_xattrs = xattr != NULL};

	tree_list_add(&f->list, type, name, link, &e, tree_list_crc(0, content, len));
}

static void make_file(struct fixture *f, const char *name, const char *content, mode_t mode)
{
	assert_int_equal(fd_write_file_at(f->fd, name, content, strlen(content), mode), 0);
	assert_int_equal(fchmodat(f->fd, name, mode, 0), 0);
}

static void make_sparse(struct fixture *f)
{
	cleanup_close int fd = openat(f->fd, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char *content = mem_zalloc(SPARSE_LEN);

	content[SPARSE_LEN / 2] = 'x';
	assert_int_equal(pwrite(fd, "x", 1, SPARSE_LEN / 2), 1);
	assert_int_equal(ftruncate(fd, SPARSE_LEN), 0);
	add_line(f, 'f', "sparse", NULL, 0600, content, SPARSE_LEN, NULL);
	free(content);
}

static void make_tree(struct fixture *f)
{
	static const char *const names[] = {"sub/a",   "sub/b\377\n", "link", "fifo",
					    "hard",    "sparse",      "attr", "usr/lib/x",
					    "usr/lib", "usr",	      "lib",  "sub"};
	static const struct tar_xattr xattr = {"user.test", "\0value", 6};

	assert_int_equal(mkdirat(f->fd, "sub", 0700), 0);
	make_file(f, "sub/a", "hello", 0755);
	make_file(f, "sub/b\377\n", "", 0600);
	assert_int_equal(symlinkat("sub/a", f->fd, "link"), 0);
	assert_int_equal(linkat(f->fd, "sub/a", f->fd, "hard", 0), 0);
	assert_int_equal(mkfifoat(f->fd, "fifo", 0600), 0);
	make_file(f, "attr", "hello", 0644);
	assert_int_equal(mkdirat(f->fd, "usr", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "usr/lib", 0755), 0);
	assert_int_equal(symlinkat("/usr/lib", f->fd, "lib"), 0);
	make_file(f, "usr/lib/x", "through a link", 0644);

	cleanup_close int attr = openat(f->fd, "attr", O_RDONLY | O_CLOEXEC);

	assert_int_equal(fsetxattr(attr, xattr.name, xattr.value, xattr.len, 0), 0);
	add_line(f, 'f', "sub", NULL, 0600, "later a directory", 17, NULL);
	add_line(f, 'd', "sub", NULL, 0700, "", 0, NULL);
	add_line(f, 'd', "sub/a", NULL, 0700, "", 0, NULL);
	add_line(f, 'f', "sub/a/gone", NULL, 0700, "", 0, NULL);
	add_line(f, 'f', "sub/a", NULL, 0755, "hello", 5, NULL);
	add_line(f, 'f', "sub/b\377\n", NULL, 0600, "", 0, NULL);
	add_line(f, 'l', "link", "sub/a", 0777, "", 0, NULL);
	add_line(f, 'p', "fifo", NULL, 0600, "", 0, NULL);
	add_line(f, 'h', "hard", "sub/a", 0644, "", 0, NULL);
	make_sparse(f);
	add_line(f, 'f', "attr", NULL, 0644, "hello", 5, &xattr);
	/* Its parents are implied, and root's: only root can make those. */
	add_line(f, 'd', "usr", NULL, 0755, "", 0, NULL);
	add_line(f, 'd', "usr/lib", NULL, 0755, "", 0, NULL);
	add_line(f, 'l', "lib", "/usr/lib", 0777, "", 0, NULL);
	add_line(f, 'f', "lib/x", NULL, 0644, "through a link", 14, NULL);
	/* What the layer has itself stays, and a directory hides what was below. */
	add_line(f, 'w', "attr", NULL, 0, "", 0, NULL);
	if (mknodat(f->fd, "gone", S_IFCHR, makedev(0, 0)) == 0)
		add_line(f, 'w', "gone", NULL, 0, "", 0, NULL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		set_time(f->fd, names[i]);
}

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	/* Not on a tmpfs: older ones have no user attributes. */
	snprintf(f->path, sizeof(f->path), "/var/tmp/tare-tree-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_tree(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	fd_remove_tree_at(AT_FDCWD, f->path);
	str_done(&f->list);
	free(f);
	return 0;
}

/* The problems, joined by "; ", without that of the root's own mode. */
static char *compare(struct fixture *f, int with_content)
{
	cleanup_strv struct strv problems = STRV_INIT;
	struct err err = ERR_INIT;
	int rc = 0;

	assert_int_equal(fchmod(f->fd, 0755), 0);
	if (getuid() != 0) /* the root's owner is root where no line says otherwise */
		add_line(f, 'd', "", NULL, 0755, "", 0, NULL);
	if (getuid() != 0)
		set_time(f->fd, ".");
	rc = tree_list_compare(f->fd, str_get(&f->list), f->list.len, with_content, MAX_PROBLEMS,
			       &problems, &err);
	if (rc < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(problems.n, rc < MAX_PROBLEMS ? rc : MAX_PROBLEMS);
	return strv_join(&problems, "; ");
}

static void says_nothing_of_what_is_right(void **state)
{
	cleanup_free char *found = compare(*state, 1);

	assert_string_equal(found, "");
}

static void write_at(struct fixture *f, const char *name, const char *text, off_t at)
{
	cleanup_close int fd = openat(f->fd, name, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
	set_time(f->fd, name);
}

static void flip(struct fixture *f)
{
	write_at(f, "sub/a", "j", 0);
}

static void flip_in_hole(struct fixture *f)
{
	write_at(f, "sparse", "y", SPARSE_LEN - 1);
}

static void cut(struct fixture *f)
{
	cleanup_close int fd = openat(f->fd, "attr", O_WRONLY | O_CLOEXEC);

	assert_int_equal(ftruncate(fd, 4), 0);
	set_time(f->fd, "attr");
}

static void change_mode(struct fixture *f)
{
	assert_int_equal(fchmodat(f->fd, "hard", 04755, 0), 0);
}

static void change_time(struct fixture *f)
{
	const struct timespec times[2] = {when, {when.tv_sec, when.tv_nsec + 1}};

	assert_int_equal(utimensat(f->fd, "fifo", times, 0), 0);
}

static void remove_file(struct fixture *f)
{
	assert_int_equal(unlinkat(f->fd, "sub/b\377\n", 0), 0);
	set_time(f->fd, "sub");
}

static void remove_dir(struct fixture *f)
{
	assert_int_equal(fd_remove_tree_at(f->fd, "usr"), 0);
}

static void add_file(struct fixture *f)
{
	make_file(f, "sub/new", "", 0600);
	set_time(f->fd, "sub");
}

static void change_link(struct fixture *f)
{
	assert_int_equal(unlinkat(f->fd, "link", 0), 0);
	assert_int_equal(symlinkat("sub/b", f->fd, "link"), 0);
	set_time(f->fd, "link");
}

static void unlink_hard(struct fixture *f)
{
	make_file(f, "copy", "hello", 0755);
	set_time(f->fd, "copy");
	assert_int_equal(renameat(f->fd, "copy", f->fd, "hard"), 0);
}

static void change_type(struct fixture *f)
{
	assert_int_equal(unlinkat(f->fd, "fifo", 0), 0);
	make_file(f, "fifo", "", 0600);
}

static void change_xattr(struct fixture *f)
{
	cleanup_close int fd = openat(f->fd, "attr", O_RDONLY | O_CLOEXEC);

	assert_int_equal(fsetxattr(fd, "user.test", "\0valuf", 6, 0), 0);
}

static void swap(struct fixture *f)
{
	assert_int_equal(renameat2(f->fd, "sub/a", f->fd, "attr", RENAME_EXCHANGE), 0);
	set_time(f->fd, "sub");
}

static void finds_each_difference(void **state)
{
	static const struct {
		void (*damage)(struct fixture *f);
		int with_content;
		const char *found;
	} rows[] = {
		{flip, 1, "content differs"},
		{flip, 0, ""},
		{flip_in_hole, 1, "sparse: content differs"},
		{cut, 0, "attr: size is 4, not 5"},
		{change_mode, 0, "mode is 4755, not 0755"},
		{change_time, 0, "fifo: modification time differs"},
		{remove_file, 0, "sub/b\377\\012: is missing"},
		{remove_dir, 0, "usr: is missing with all 2 below it"},
		{add_file, 0, "sub/new: does not belong there"},
		{change_link, 0, "link: points elsewhere"},
		{unlink_hard, 1, "is not the same file as"},
		{change_type, 0, "fifo: is a file, not a FIFO"},
		{change_xattr, 0, "attr: extended attributes differ"},
		{swap, 1, "mode is 0644, not 0755"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *found = NULL;

		if (i > 0)
			set_up(state);
		rows[i].damage(*state);
		found = compare(*state, rows[i].with_content);
		if (!*rows[i].found ? *found : !strstr(found, rows[i].found))
			fail_msg("%zu: \"%s\", not \"%s\"", i, found, rows[i].found);
		if (i + 1 < ARRAY_LEN(rows))
			tear_down(state);
	}
}

/* No filesystem keeps every time; what this one makes of it is right. */
static void takes_times_as_the_filesystem_does(void **state)
{
	struct fixture *f = *state;
	struct tar_entry e = {.mode = 0600,
			      .uid = getuid(),
			      .gid = getgid(),
			      .mtime = {.tv_sec = INT64_C(1) << 40}};
	const struct timespec times[2] = {e.mtime, e.mtime};

	make_file(f, "late", "", 0600);
	assert_int_equal(utimensat(f->fd, "late", times, 0), 0);
	tree_list_add(&f->list, 'f', "late", NULL, &e, 0);

	cleanup_free char *found = compare(f, 0);

	assert_string_equal(found, "");
}

static void counts_more_than_it_says(void **state)
{
	struct fixture *f = *state;
	cleanup_strv struct strv problems = STRV_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < 2 * MAX_PROBLEMS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "new-%d", i);
		make_file(f, name, "", 0600);
	}
	assert_true(tree_list_compare(f->fd, str_get(&f->list), f->list.len, 0, MAX_PROBLEMS,
				      &problems, &err) >= 2 * MAX_PROBLEMS);
	assert_int_equal(problems.n, MAX_PROBLEMS);
}

static void refuses_what_is_no_listing(void **state)
{
	static const char *const rows[] = {
		"x",
		"\n",
		"f\n",
		"x 0644 0 0 1.000000000 0 0000000000000000 - a\n",
		"f 0644 0 0 1.000000000 0 0000000000000000 -\n",
		"f 0644 0 0 1.000000000 0 0000000000000000 - a b\n",
		"f 0644 0 0 1.000000000 0 0000000000000000 - a",
		"f 10644 0 0 1.000000000 0 0000000000000000 - a\n",
		"f 0648 0 0 1.000000000 0 0000000000000000 - a\n",
		"f 0644 4294967296 0 1.000000000 0 0000000000000000 - a\n",
		"f 0644 0 0 1.0 0 0000000000000000 - a\n",
		"f 0644 0 0 1.000000000 -1 0000000000000000 - a\n",
		"f 0644 0 0 1.000000000 0 000000000000000 - a\n",
		"f 0644 0 0 1.000000000 0 0000000000000000 0 a\n",
		"f 0644 0 0 1.000000000 0 0000000000000000 - a%0\n",
		"f 0644 0 0 1.000000000 0 0000000000000000 - a%00\n",
		"f 0644 0 0 1.000000000 0 0000000000000000 - .\n",
		"l 0777 0 0 1.000000000 0 0000000000000000 - a\n",
		"c 0600 0 0 1.000000000 0 0000000000000000 - a\n",
		"c 0600 0 0 1.000000000 0 0000000000000000 - a 1:\n",
		"h 0600 0 0 1.000000000 0 0000000000000000 - a b\n",
		("f 0644 0 0 1.000000000 0 0000000000000000 - a\n"
		 "f 0644 0 0 1.000000000 0 0000000000000000 - a/b\n"),
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_strv struct strv problems = STRV_INIT;
		struct err err = ERR_INIT;
		int rc = tree_list_compare(f->fd, rows[i], strlen(rows[i]), 0, MAX_PROBLEMS,
					   &problems, &err);

		if (rc != -ERR_INVALID || !strstr(err.msg, "line "))
			fail_msg("%zu: %d %s", i, rc, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_nothing_of_what_is_right, set_up, tear_down),
		cmocka_unit_test_setup_teardown(finds_each_difference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_times_as_the_filesystem_does, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(counts_more_than_it_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_listing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
