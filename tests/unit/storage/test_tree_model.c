/* SPDX-License-Identifier: Apache-2.0 */
/* What lines of a listing leave: replaced, linked, covered, implied. */
#include "../unit.h"

#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/tree_model.h"

#define META " 0644 0 0 7.000000000 3 00000000000000ff - "

static void add_flags(struct str *out, const struct tree_inode *i)
{
	str_add(out, i->is_opaque ? "!" : "");
	str_add(out, i->is_opaque_unknown ? "?" : "");
	str_add(out, i->is_time_unknown ? "~" : "");
	str_add(out, i->is_xattrs_unknown ? "x" : "");
}

/* "d:sub(f:a f:b)", children sorted by name, "@N" the inode of what has several names. */
static void format_node(struct tree_model *m, uint32_t node, struct str *out)
{
	const struct tree_inode *i = tree_model_inode(m, node);
	const char *last = "";

	str_addf(out, "%c%s", i->type, m->nodes[node].name);
	add_flags(out, i);
	if (i->is_linked)
		str_addf(out, "@%u", m->nodes[node].inode);
	if (i->type != 'd')
		return;
	str_add(out, "(");
	for (;;) {
		uint32_t next = TREE_NONE;

		for (uint32_t c = m->nodes[node].first_child; c != TREE_NONE;
		     c = m->nodes[c].next_sibling)
			if (m->nodes[c].is_there && strcmp(m->nodes[c].name, last) > 0 &&
			    (next == TREE_NONE ||
			     strcmp(m->nodes[c].name, m->nodes[next].name) < 0))
				next = c;
		if (next == TREE_NONE)
			break;
		str_add(out, *last ? " " : "");
		format_node(m, next, out);
		last = m->nodes[next].name;
	}
	str_add(out, ")");
}

static char *model_of(const char *list)
{
	cleanup_tree_model struct tree_model m = TREE_MODEL_INIT;
	cleanup_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	if (tree_model_read(list, strlen(list), &m, &err) < 0)
		return str_dup(err.msg);
	format_node(&m, TREE_ROOT, &out);
	return str_take(&out);
}

static void applies_lines_as_unpacking_does(void **state)
{
	static const struct {
		const char *list, *tree;
	} rows[] = {
		{"", "d~()"},
		{"d" META ".\n", "d()"},
		{"f" META "a\nf" META "a\n", "d~(fa)"},
		{"f" META "a/b/c\n", "d~(da(db(fc)))"},
		{"d" META "a\nf" META "a/b\nf" META "a\n", "d~(fa)"},
		{"d" META "a\nf" META "a/b\nf" META "a\nd" META "a\n", "d~(da())"},
		{"d" META "a\nf" META "a/b\nd" META "a\n", "d~(da(fb))"},
		{"f" META "a\nh" META "b a\nf" META "a\n", "d~(fa fb@1)"},
		{"f" META "a\nh" META "b a\nh" META "b a\n", "d~(fa@1 fb@1)"},
		{"d" META "b\nf" META "b/x\nf" META "a\nh" META "b a\n", "d~(fa@3 fb@3)"},
		{"l" META "a usr\nd" META "usr\nf" META "a/x\n", "d~(la dusr(fx))"},
		{"d" META "u/v\nl" META "u/a ../../u/v\nf" META "u/a/x\n", "d~(du(la dv(fx)))"},
		{"d" META "u/v\nl" META "a /u/v\nd" META "a/w\n", "d~(la du(dv(dw())))"},
		{"d" META "u/v\nl" META "a /u\nd" META "u/v\nd" META "a/v\n", "d~(la du(dv~()))"},
		{"d" META "u\nl" META "a /u\nd" META "a/v\nf" META "a\n", "d~(fa du(dv~()))"},
		{"w" META "a\n", "d~(wa)"},
		{"w" META "a\nf" META "a\n", "d~(fa)"},
		{"w" META "a\nd" META "a\n", "d~(da!())"},
		{"w" META "a\nf" META "a/b\n", "d~(da!(fb))"},
		{"d" META "a\nw" META "a\n", "d~(da!())"},
		{"f" META "a\nw" META "a\n", "d~(fa)"},
		{"o" META "a\n", "d~(da!())"},
		{"o" META ".\n", "d!~()"},
		{"c" META "a 0:0\nd" META "a\n", "d~(da?())"},
		{"c" META "a 1:3\nd" META "a\n", "d~(da())"},
		{"d 0755 0 0 1.000000000 0 0000000000000000 00000000000000aa a\n"
		 "d 0755 0 0 1.000000000 0 0000000000000000 00000000000000ab a\n",
		 "d~(dax())"},
		{"l" META "a a\nf" META "a/b\n",
		 "line 2: the way to a/b leads through something else than a directory"},
		{"h" META "a b\n", "line 1: a is a link to nothing"},
		{"w" META "b\nh" META "a b/c\n", "line 2: a is a link to nothing"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *tree = model_of(rows[i].list);

		if (strcmp(tree, rows[i].tree) != 0)
			fail_msg("%zu: %s, not %s", i, tree, rows[i].tree);
	}
}

static void keeps_what_lines_say(void **state)
{
	static const char list[] =
		"f 4711 12 34 -7.000000089 56 00000000000000ff 00000000000000aa %41%20%FF\n"
		"b 0600 0 0 0.000000000 0 0000000000000000 - dev/x 259:7\n"
		"l 0777 0 0 0.000000000 0 0000000000000000 - link %25s/../x\n";
	cleanup_tree_model struct tree_model m = TREE_MODEL_INIT;
	struct err err = ERR_INIT;
	const struct tree_inode *i = NULL;
	uint32_t dev = TREE_NONE;

	assert_int_equal(tree_model_read(list, strlen(list), &m, &err), 0);
	i = tree_model_inode(&m, tree_model_lookup(&m, TREE_ROOT, "A \377"));
	assert_int_equal(i->mode, 04711);
	assert_int_equal(i->uid, 12);
	assert_int_equal(i->gid, 34);
	assert_int_equal(i->mtime.tv_sec, -7);
	assert_int_equal(i->mtime.tv_nsec, 89);
	assert_int_equal(i->size, 56);
	assert_int_equal(i->crc, 255);
	assert_true(i->has_xattrs && i->xattrs == 0xaa);
	dev = tree_model_lookup(&m, TREE_ROOT, "dev");
	assert_int_equal(tree_model_count(&m, dev), 2);
	i = tree_model_inode(&m, tree_model_lookup(&m, dev, "x"));
	assert_int_equal(i->dev_major, 259);
	assert_int_equal(i->dev_minor, 7);
	i = tree_model_inode(&m, tree_model_lookup(&m, TREE_ROOT, "link"));
	assert_string_equal(i->target, "%s/../x");
	assert_int_equal(tree_model_lookup(&m, TREE_ROOT, "x"), TREE_NONE);
}

static void grows(void **state)
{
	cleanup_tree_model struct tree_model m = TREE_MODEL_INIT;
	cleanup_str struct str list = STR_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < 20000; i++)
		str_addf(&list, "f" META "d%d/f%d\n", i / 100, i);
	assert_int_equal(tree_model_read(str_get(&list), list.len, &m, &err), 0);
	assert_int_equal(tree_model_count(&m, TREE_ROOT), 20201);
	assert_int_equal(tree_model_count(&m, tree_model_lookup(&m, TREE_ROOT, "d199")), 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(applies_lines_as_unpacking_does),
		cmocka_unit_test(keeps_what_lines_say),
		cmocka_unit_test(grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
