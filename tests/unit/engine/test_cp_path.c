/* SPDX-License-Identifier: Apache-2.0 */
/* docker cp's rules about paths, as its documentation and its client have them. */
#include "../unit.h"

#include "engine/cp_path.h"

#include "base/mem.h"

#include <string.h>

static void test_split_argument(void **state)
{
	static const struct {
		const char *arg, *container, *path;
	} cases[] = {
		{"c1:/etc/passwd", "c1", "/etc/passwd"},
		{"c1:rel", "c1", "rel"},
		{"c1:", "c1", ""},
		{"c1:/a:b", "c1", "/a:b"},
		{"f", NULL, "f"},
		{"/a:b", NULL, "/a:b"},
		{"./a:b", NULL, "./a:b"},
		{"../a:b", NULL, "../a:b"},
		{".a:b", NULL, ".a:b"},
		{":x", NULL, ":x"},
		{"-", NULL, "-"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *container = NULL;
		const char *path = NULL;

		cp_split_argument(cases[i].arg, &container, &path);
		assert_string_equal(path, cases[i].path);
		if (cases[i].container)
			assert_string_equal(container, cases[i].container);
		else
			assert_null(container);
	}
}

static void test_clean(void **state)
{
	/* The table of Go's path/filepath tests. */
	static const struct {
		const char *path, *clean;
	} cases[] = {
		{"", "."},
		{"abc", "abc"},
		{"abc/def", "abc/def"},
		{".", "."},
		{"..", ".."},
		{"../..", "../.."},
		{"/abc", "/abc"},
		{"/", "/"},
		{"abc/", "abc"},
		{"../../", "../.."},
		{"/abc/", "/abc"},
		{"abc//def//ghi", "abc/def/ghi"},
		{"//abc", "/abc"},
		{"///abc", "/abc"},
		{"//abc//", "/abc"},
		{"abc/./def", "abc/def"},
		{"/./abc/def", "/abc/def"},
		{"abc/.", "abc"},
		{"abc/def/ghi/../jkl", "abc/def/jkl"},
		{"abc/def/../ghi/../jkl", "abc/jkl"},
		{"abc/def/../..", "."},
		{"/abc/def/../..", "/"},
		{"abc/def/../../..", ".."},
		{"/abc/def/../../..", "/"},
		{"abc/def/../../../ghi/jkl/../../../mno", "../../mno"},
		{"/../abc", "/abc"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *clean = cp_clean(cases[i].path);

		assert_string_equal(clean, cases[i].clean);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *path;
		bool rooted;
		const char *whole, *dir, *base;
		bool is_dot, asserts_dir;
	} cases[] = {
		{"/etc/passwd", true, "/etc/passwd", "/etc", "passwd", false, false},
		{"etc", true, "/etc", "/", "etc", false, false},
		{"/etc/", true, "/etc/", "/", "etc", false, true},
		{"/etc/.", true, "/etc/.", "/etc", ".", true, true},
		{"/etc/..", true, "/", "/", "/", false, false},
		{"/etc/../", true, "/", "/", "/", false, true},
		{"/", true, "/", "/", "/", false, true},
		{".", true, "/.", "/", ".", true, true},
		{"/.", true, "/.", "/", ".", true, true},
		{"a//b/../c/", true, "/a/c/", "/a", "c", false, true},
		{"../../x", true, "/x", "/", "x", false, false},
		{"/h/u/f", false, "/h/u/f", "/h/u", "f", false, false},
		{"/h/u/.", false, "/h/u/.", "/h/u", ".", true, true},
		{"/h/.f", false, "/h/.f", "/h", ".f", false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_cp_path struct cp_path p = CP_PATH_INIT;

		cp_path_parse(cases[i].path, cases[i].rooted, &p);
		assert_string_equal(p.path, cases[i].whole);
		assert_string_equal(p.dir, cases[i].dir);
		assert_string_equal(p.base, cases[i].base);
		assert_int_equal(p.is_dot, cases[i].is_dot);
		assert_int_equal(p.asserts_dir, cases[i].asserts_dir);
	}
}

enum { NOTHING, FILE_THERE, DIR_THERE };

static void test_plan(void **state)
{
	static const struct {
		const char *src;
		bool src_is_dir;
		const char *dst;
		int there;
		const char *dir, *name, *error;
	} cases[] = {
		/* A file. */
		{"f", false, "/x/new", NOTHING, "/x", "new", NULL},
		{"f", false, "/x/new/", NOTHING, NULL, NULL, "no such directory"},
		{"f", false, "/x/new/.", NOTHING, NULL, NULL, "no such directory"},
		{"f", false, "/x/file", FILE_THERE, "/x", "file", NULL},
		{"f", false, "/x/dir", DIR_THERE, "/x/dir", "f", NULL},
		{"f", false, "/x/dir/", DIR_THERE, "/x/dir/", "f", NULL},
		/* A directory. */
		{"d", true, "/x/new", NOTHING, "/x", "new", NULL},
		{"d", true, "/x/new/", NOTHING, "/x", "new", NULL},
		{"d", true, "/x/file", FILE_THERE, NULL, NULL, "cannot copy directory"},
		{"d", true, "/x/dir", DIR_THERE, "/x/dir", "d", NULL},
		/* The content of a directory. */
		{".", true, "/x/new", NOTHING, "/x", "new", NULL},
		{".", true, "/x/file", FILE_THERE, NULL, NULL, "cannot copy directory"},
		{".", true, "/x/dir", DIR_THERE, "/x/dir", "", NULL},
		{"/", true, "/x/dir", DIR_THERE, "/x/dir", "", NULL},
		{"/", true, "/x/new", NOTHING, "/x", "new", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_cp_path struct cp_path dst = CP_PATH_INIT;
		cleanup_cp_plan struct cp_plan plan = CP_PLAN_INIT;
		struct err err = ERR_INIT;
		int rc = 0;

		cp_path_parse(cases[i].dst, false, &dst);
		rc = cp_plan(cases[i].src, cases[i].src_is_dir, &dst, cases[i].there != NOTHING,
			     cases[i].there == DIR_THERE, &plan, &err);
		if (cases[i].error) {
			assert_int_equal(rc, -ERR_INVALID);
			assert_string_equal(err.msg, cases[i].error);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(plan.dir, cases[i].dir);
		assert_string_equal(plan.name, cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_argument),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
