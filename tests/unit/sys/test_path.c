/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks under a root that lies beside things which must not be reached: links that lead up, away or
 * nowhere, "..", magic links, and names that cannot be made.
 */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char path[64];
	int top, root; /* the root is a directory in top, which nobody may reach */
	mode_t umask;
};

static const char *const links[][2] = {
	{"/etc/passwd", "absolute"},
	{"etc/passwd", "plain"},
	{"../secret", "up"},
	{"../../../../../../../../etc/passwd", "far-up"},
	{"..", "parent"},
	{"/", "slash"},
	{"loop", "loop"},
	{"missing", "dangling"},
	{"../outside", "escape"},
	{"/sub", "dir"},
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/tare-path-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->umask = umask(077);
	f->top = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(f->top, "root", 0755), 0);
	assert_int_equal(mkdirat(f->top, "outside", 0755), 0);
	assert_int_equal(mkdirat(f->top, "root/etc", 0755), 0);
	assert_int_equal(mkdirat(f->top, "root/sub", 0755), 0);
	assert_int_equal(mkfifoat(f->top, "root/fifo", 0600), 0);
	assert_int_equal(fd_write_file_at(f->top, "secret", "outside", 7, 0644), 0);
	assert_int_equal(fd_write_file_at(f->top, "root/etc/passwd", "inside", 6, 0644), 0);
	f->root = openat(f->top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		assert_int_equal(symlinkat(links[i][0], f->root, links[i][1]), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	umask(f->umask);
	close(f->root);
	close(f->top);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

/* What was opened: "inside", "outside" (the files' texts), "" for a directory. */
static void check_text(int fd, const char *want, const char *name)
{
	char text[16] = "";
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISREG(st.st_mode))
		assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	if (strcmp(text, want) != 0)
		fail_msg("%s leads to \"%s\", want \"%s\"", name, text, want);
	close(fd);
}

static void check(int fd, int want, const char *text, const char *how, const char *name)
{
	if ((fd < 0 ? fd : 0) != want)
		fail_msg("%s %s: got %d, want %d", how, name, fd, want);
	if (fd >= 0)
		check_text(fd, text, name);
}

static const struct {
	const char *path;
	int in_root, beneath, strict; /* 0 when it opens */
} opens[] = {
	{"etc/passwd", 0, 0, 0},
	{"/etc/passwd", 0, -EXDEV, -EXDEV},
	{"etc/../etc/passwd", 0, 0, 0},
	{"../secret", -ENOENT, -EXDEV, -EXDEV},
	{"../root/etc/passwd", -ENOENT, -EXDEV, -EXDEV},
	{"../etc/passwd", 0, -EXDEV, -EXDEV},
	{"absolute", 0, -EXDEV, -ELOOP},
	{"plain", 0, 0, -ELOOP},
	{"dir/../etc/passwd", 0, -EXDEV, -ELOOP},
	{"up", -ENOENT, -EXDEV, -ELOOP},
	{"far-up", 0, -EXDEV, -ELOOP},
	{"parent/etc/passwd", 0, -EXDEV, -ELOOP},
	{"parent/secret", -ENOENT, -EXDEV, -ELOOP},
	{"slash/etc/passwd", 0, -EXDEV, -ELOOP},
	{"loop", -ELOOP, -ELOOP, -ELOOP},
	{"dangling", -ENOENT, -ENOENT, -ELOOP},
	{"etc/passwd/x", -ENOTDIR, -ENOTDIR, -ENOTDIR},
	{"missing/x", -ENOENT, -ENOENT, -ENOENT},
};

static void walks_stay_inside(void **state)
{
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(opens); i++) {
		const char *p = opens[i].path;

		check(path_open_in_root(f->root, p, O_RDONLY, 0), opens[i].in_root, "inside",
		      "in root", p);
		check(path_open_beneath(f->root, p, O_RDONLY, 0), opens[i].beneath, "inside",
		      "beneath", p);
		check(path_open_strict(f->root, p, O_RDONLY), opens[i].strict, "inside", "strict",
		      p);
	}
	/* The root itself, however it is named. */
	check(path_open_in_root(f->root, "", O_RDONLY, 0), 0, "", "in root", "\"\"");
	check(path_open_in_root(f->root, "../..", O_RDONLY, 0), 0, "", "in root", "../..");
}

/* Links of procfs that jump to an object, wherever it is (CVE-2019-5736, CVE-2024-21626). */
static void magic_links_are_refused(void **state)
{
	cleanup_close int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(host >= 0 && proc >= 0);
	assert_int_equal(path_open_in_root(host, "/proc/self/root", O_PATH, 0), -ELOOP);
	assert_int_equal(path_open_in_root(host, "/proc/self/exe", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_in_root(host, "/proc/self/cwd/.", O_PATH, 0), -ELOOP);
	assert_int_equal(path_open_beneath(proc, "self/exe", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_strict(proc, "self/exe", O_RDONLY), -ELOOP);
	assert_int_equal(path_open_strict(host, "proc/version", O_RDONLY), -EXDEV);
}

static void parents(void **state)
{
	static const struct {
		const char *path;
		mode_t mode;
		int want;
		const char *name;
	} table[] = {
		{"etc/new", 0, 0, "new"},
		{"/etc/new", 0, 0, "new"},
		{"new", 0, 0, "new"},
		{"parent/new", 0, 0, "new"},
		{"etc/loop", 0, 0, "loop"},
		{"none/new", 0, -ENOENT, NULL},
		{"made/deep/new", 0755, 0, "new"},
		{"etc/passwd/new", 0755, -ENOTDIR, NULL},
		{"escape/new", 0755, -ENOENT, NULL},
		{"", 0, -EINVAL, NULL},
		{"/", 0, -EINVAL, NULL},
		{"etc/", 0, -EINVAL, NULL},
		{".", 0, -EINVAL, NULL},
		{"etc/..", 0, -EINVAL, NULL},
		{"etc/.", 0, -EINVAL, NULL},
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *name = NULL;
		int fd = path_open_parent(f->root, table[i].path, table[i].mode, &name);

		check(fd, table[i].want, "", "parent of", table[i].path);
		if (table[i].want == 0)
			assert_string_equal(name, table[i].name);
		else
			assert_null(name);
	}
}

static mode_t mode_of(const struct fixture *f, const char *path)
{
	struct stat st;

	return fstatat(f->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode;
}

/* Nothing of what the tests do ever appears beside the root. */
static void check_outside(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(unlinkat(f->top, "outside", AT_REMOVEDIR), 0); /* still empty */
	assert_int_equal(mkdirat(f->top, "outside", 0755), 0);
	assert_int_equal(fstatat(f->top, "missing", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(f->top, "made", &st, AT_SYMLINK_NOFOLLOW), -1);
}

static void directories(void **state)
{
	static const struct {
		const char *path;
		int want;
		const char *made; /* what is there afterwards, with mode 0751 */
	} table[] = {
		{"made/a/b", 0, "made/a/b"},
		{"/made/c/", 0, "made/c"},
		{"dir/under", 0, "sub/under"},
		{"parent/made2", 0, "made2"},
		{"far/../x", -ENOENT, NULL},
		{"../made4", 0, "made4"},
		{"etc", 0, NULL},
		{"/", 0, NULL},
		{"etc/passwd", -ENOTDIR, NULL},
		{"etc/passwd/x", -ENOTDIR, NULL},
		{"loop/x", -ELOOP, NULL},
		{"dangling", -ENOENT, NULL},
		{"dangling/x", -ENOENT, NULL},
		{"escape/x", -ENOENT, NULL},
		{"up/x", -ENOENT, NULL},
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int fd = path_ensure_dir(f->root, table[i].path, 0751, 0, 0);

		if ((fd < 0 ? fd : 0) != table[i].want)
			fail_msg("directory %s: got %d", table[i].path, fd);
		if (fd >= 0)
			close(fd);
		if (table[i].made)
			assert_int_equal(mode_of(f, table[i].made), S_IFDIR | 0751);
	}
	check_outside(f);
	assert_int_equal(fstatat(f->root, "far", &(struct stat){}, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(mode_of(f, "etc"), S_IFDIR | 0700); /* kept: made through the umask */
}

/* As deep as a path can be: seconds, where every missing component began a search of its own. */
static void deep_directories(void **state)
{
	const struct fixture *f = *state;
	cleanup_str struct str path = STR_INIT;
	int fd = -1;

	for (int i = 0; i < 2000; i++)
		str_add(&path, "d/");
	alarm(60);
	fd = path_ensure_dir(f->root, str_get(&path), 0755, 0, 0);
	alarm(0);
	assert_true(fd >= 0);
	close(fd);
}

static void files(void **state)
{
	static const struct {
		const char *path;
		int want;
		const char *at;
		mode_t type;
	} table[] = {
		{"made/d/file", 0, "made/d/file", S_IFREG},
		{"parent/file", 0, "file", S_IFREG},
		{"etc/passwd", 0, "etc/passwd", S_IFREG},
		{"absolute", 0, "absolute", S_IFLNK}, /* its target exists */
		{"fifo", 0, "fifo", S_IFIFO},	      /* kept, and not waited for */
		{"dangling", -ENOENT, "dangling", S_IFLNK},
		{"escape/file", -ENOENT, NULL, 0},
		{"etc/passwd/x", -ENOTDIR, NULL, 0},
		{"etc/..", 0, NULL, 0},
		{"new/", -EINVAL, NULL, 0},
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int fd = path_ensure_file(f->root, table[i].path, 0644);

		if ((fd < 0 ? fd : 0) != table[i].want)
			fail_msg("file %s: got %d", table[i].path, fd);
		if (fd >= 0)
			close(fd);
		if (table[i].at)
			assert_int_equal(mode_of(f, table[i].at) & S_IFMT, table[i].type);
	}
	/* Parents are for everybody, whatever the umask. */
	assert_int_equal(mode_of(f, "made/d"), S_IFDIR | 0755);
	check_outside(f);
}

static void names_of_descriptors(void **state)
{
	char buf[PATH_FD_LEN];

	assert_string_equal(path_of_fd(7, buf), "/proc/self/fd/7");
	assert_string_equal(path_of_fd(2147483647, buf), "/proc/self/fd/2147483647");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(walks_stay_inside, set_up, tear_down),
		cmocka_unit_test(magic_links_are_refused),
		cmocka_unit_test_setup_teardown(parents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(directories, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deep_directories, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files, set_up, tear_down),
		cmocka_unit_test(names_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
