/* SPDX-License-Identifier: Apache-2.0 */
/* Walks: their order, what ignore files leave of them, and where they end. */
#include "box.h"

#include "base/err.h"
#include "base/str.h"
#include "build/tree.h"
#include "dockerfile/ignore.h"

#include <errno.h>

struct seen {
	struct str text;
	const char *pass; /* a directory not to go into */
	const char *stop;
};

static int note(const struct build_tree_entry *e, void *data, struct err *err)
{
	struct seen *seen = data;
	struct stat st;

	assert_int_equal(fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_ino, e->st->st_ino);
	str_addf(&seen->text, "%s%s%s ", e->path, S_ISDIR(e->st->st_mode) ? "/" : "",
		 e->is_way ? "~" : "");
	if (seen->stop && strcmp(e->path, seen->stop) == 0)
		return err_set(err, ERR_CONFLICT, "enough");
	return seen->pass && strcmp(e->path, seen->pass) == 0 ? BUILD_TREE_PASS : 0;
}

static void make_tree(const struct box *b)
{
	static const char *const paths[] = {"b",   "a/x",   "a/d/y", "a/d/z",
					    "a.c", "a-b/q", "c/e/f", "empty/"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		box_make(b, paths[i], "");
	assert_int_equal(symlinkat("/etc", b->fd, "link"), 0);
	assert_int_equal(mkfifoat(b->fd, "fifo", 0600), 0);
}

static void check(const struct box *b, const char *ignore, const char *dir, const char *pass,
		  const char *expected)
{
	struct build_tree tree = {.root_fd = b->fd};
	struct seen seen = {.pass = pass};
	struct err err = ERR_INIT;

	if (*ignore)
		assert_int_equal(ignore_parse(ignore, strlen(ignore), &tree.ignore, &err), 0);
	if (build_tree_walk(&tree, dir, note, &seen, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(str_get(&seen.text), expected);
	ignore_free(tree.ignore);
	str_done(&seen.text);
}

static void goes_in_order(void **state)
{
	const struct box *b = *state;

	make_tree(b);
	check(b, "", "", NULL,
	      "a/ a/d/ a/d/y a/d/z a/x a-b/ a-b/q a.c b c/ c/e/ c/e/f empty/ fifo link ");
	check(b, "", "a", NULL, "a/d/ a/d/y a/d/z a/x ");
	check(b, "", "a/d", NULL, "a/d/y a/d/z ");
	check(b, "", "", "a", "a/ a-b/ a-b/q a.c b c/ c/e/ c/e/f empty/ fifo link ");
}

static void leaves_out(void **state)
{
	const struct box *b = *state;

	make_tree(b);
	check(b, "a\nfifo\nlink\n", "", NULL, "a-b/ a-b/q a.c b c/ c/e/ c/e/f empty/ ");
	check(b, "*\n!a/d/z\n", "", NULL, "a/~ a/d/~ a/d/z ");
	check(b, "*\n!a/d\na/d/z\n", "", NULL, "a/~ a/d/ a/d/y ");
	check(b, "*\n!a/nothing\n", "", NULL, "");
	check(b, "*\n!**/f\n", "", NULL, "c/~ c/e/~ c/e/f ");
	check(b, "*\n!a/d/z\n!a/x\n", "", "a/d", "a/~ a/d/~ a/x ");
	check(b, "*\n!a/d/z\n!a/x\n!b\n", "", "a", "a/~ b ");
	/* What is above where the walk begins counts. */
	check(b, "a\n", "a", NULL, "");
	check(b, "a\n!a/d/y\n", "a/d", NULL, "a/d/y ");
}

static void ends(void **state)
{
	const struct box *b = *state;
	struct build_tree tree = {.root_fd = b->fd};
	struct seen seen = {.stop = "a/d/y"};
	struct err err = ERR_INIT;

	make_tree(b);
	assert_int_equal(build_tree_walk(&tree, "", note, &seen, &err), -ERR_CONFLICT);
	assert_string_equal(err.msg, "enough");
	assert_string_equal(seen.text.buf, "a/ a/d/ a/d/y ");
	str_done(&seen.text);
	assert_int_equal(build_tree_walk(&tree, "nowhere", note, &seen, &err), -ERR_NOT_FOUND);
	/* Links of the way lead nowhere but into the tree. */
	assert_int_equal(build_tree_walk(&tree, "link", note, &seen, &err), -ERR_NOT_FOUND);
	str_done(&seen.text);
}

static void is_not_endless(void **state)
{
	const struct box *b = *state;
	struct build_tree tree = {.root_fd = b->fd};
	cleanup_str struct str path = STR_INIT;
	struct seen seen = {};
	struct err err = ERR_INIT;

	for (int i = 0; i < BUILD_TREE_MAX_DEPTH + 1; i++)
		str_add(&path, "d/");
	box_make(b, path.buf, "");
	assert_int_equal(build_tree_walk(&tree, "", note, &seen, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "more than 256 levels of directories"));
	str_done(&seen.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(goes_in_order, box_open, box_close),
		cmocka_unit_test_setup_teardown(leaves_out, box_open, box_close),
		cmocka_unit_test_setup_teardown(ends, box_open, box_close),
		cmocka_unit_test_setup_teardown(is_not_endless, box_open, box_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
