/* SPDX-License-Identifier: Apache-2.0 */
/* A quick check: a whole store has no problems, and each kind of damage has its words. */
#include "store_fixture.h"

#include <sqlite3.h>

#include "storage/check.h"
#include "storage/db.h"
#include "storage/names.h"

#define OTHER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct found {
	struct str text; /* "KIND: PROBLEM [IMAGES]" of each, a line each */
	struct check_totals totals;
};

static void take(const struct check_problem *p, void *data)
{
	struct found *found = data;

	str_addf(&found->text, "%s: %s [%s]\n", p->kind, p->text, p->images);
	assert_non_null(strstr(p->object, p->kind));
	assert_true(*p->remedy);
}

static bool is_named_busy(const char *id, void *data)
{
	return data && strcmp(id, data) == 0;
}

static void check(struct fixture *f, const char *busy, struct found *ret)
{
	const struct check_options options = {.is_busy = is_named_busy, .data = str_dup(busy)};
	struct err err = ERR_INIT;

	*ret = (struct found){};
	if (storage_check(f->store, &options, take, ret, &ret->totals, &err) < 0)
		fail_msg("%s", err.msg);
	free(options.data);
}

/* The path of what KIND names: 'l'ayer directory, 'b'lob of the layer, 'c'onfiguration. */
static char *path_of(struct fixture *f, char kind)
{
	static const char *const sql[] = {['l'] = "SELECT chain_id FROM layer",
					  ['b'] = "SELECT blob FROM layer",
					  ['c'] = "SELECT id FROM image"};
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(db_prepare(f->store, &stmt, &err, sql[(unsigned char)kind], ""), 0);
	assert_int_equal(db_step(f->store, stmt, &err), 1);
	return str_printf("%s/%s/%s", f->root, kind == 'l' ? "layers" : "blobs/sha256",
			  db_text(stmt, 0));
}

static void run_sql(struct fixture *f, const char *sql)
{
	struct err err = ERR_INIT;

	if (db_run(f->store, &err, sql, "") < 0)
		fail_msg("%s: %s", sql, err.msg);
}

static void make(struct fixture *f, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", f->root, name);

	assert_int_equal(fd_mkdir_p(path, 0700), 0);
}

static void finds_nothing_in_a_whole_store(void **state)
{
	struct fixture *f = *state;
	struct found found;
	char id[DIGEST_HEX_LEN + 1];

	check(f, NULL, &found);
	assert_int_equal(found.totals.n_problems + found.totals.n_images, 0);
	import_image(f, "one", "x", NULL, id);
	import_image(f, "one", "y", "ENV a=b", id);
	import_image(f, "two", NULL, NULL, id);
	check(f, NULL, &found);
	assert_string_equal(str_get(&found.text), "");
	assert_int_equal(found.totals.n_images, 3);
	assert_int_equal(found.totals.n_layers, 2);
	assert_int_equal(found.totals.n_blobs, 5);
}

static void finds_damaged_files(void **state)
{
	static const struct {
		char kind;
		const char *leaf; /* below it; NULL: itself */
		char how; /* 'r'emoved, 'w'ritten to, 'o'pen to others, a 'd'irectory instead */
		const char *found;
	} rows[] = {
		{'l', NULL, 'r', "layer: is missing [x:latest]\n"},
		{'l', "diff", 'r', "layer: its files are missing [x:latest]\n"},
		{'l', "list", 'r', "layer: its listing is missing [x:latest]\n"},
		{'l', "layer.json", 'r', "layer: its record is missing [x:latest]\n"},
		{'l', "layer.json", 'w',
		 "layer: its record is not what the index says [x:latest]\n"},
		{'l', NULL, 'o', "layer: others may enter its directory [x:latest]\n"},
		{'b', NULL, 'r', "blob: is missing [x:latest]\n"},
		{'b', NULL, 'w', "blob: its size is 1, not 23 [x:latest]\n"},
		{'b', NULL, 'd', "blob: is not a file [x:latest]\n"},
		{'c', NULL, 'r', "blob: is missing [x:latest]\n"},
		{'c', NULL, 'o', "mode: mode 0755"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[DIGEST_HEX_LEN + 1];
		struct found found;

		set_up(state);

		struct fixture *f = *state;

		import_image(f, "one", "x", NULL, id);

		cleanup_free char *base = path_of(f, rows[i].kind);
		cleanup_free char *path = rows[i].leaf ? str_printf("%s/%s", base, rows[i].leaf)
						       : str_dup(base);

		if (strchr("rd", rows[i].how))
			assert_int_equal(fd_remove_tree_at(AT_FDCWD, path), 0);
		if (rows[i].how == 'd')
			assert_int_equal(fd_mkdir_p(path, 0700), 0);
		if (rows[i].how == 'w')
			assert_int_equal(fd_write_file_at(AT_FDCWD, path, "x", 1, 0600), 0);
		if (rows[i].how == 'o')
			assert_int_equal(chmod(path, 0755), 0);
		check(f, NULL, &found);
		if (!strstr(str_get(&found.text), rows[i].found))
			fail_msg("%zu: %s, not %s", i, str_get(&found.text), rows[i].found);
		assert_int_equal(found.totals.n_problems, 1);
		str_done(&found.text);
		tear_down(state);
	}
}

static void finds_damaged_rows(void **state)
{
	static const struct {
		const char *sql, *found;
	} rows[] = {
		{"UPDATE image SET config='{}'", "image: the index's copy of its configuration"},
		{"UPDATE image SET size=size+1", "image: its size is not that of its layers"},
		{"UPDATE image SET created_ns=created_ns+1",
		 "image: was not created when its row says"},
		{"UPDATE layer SET diff_id='" OTHER "'", "layer: its diff ID is 0123456789ab"},
		{"UPDATE layer SET size=1", "layer: its record is not what the index says"},
		{"UPDATE layer SET tree_hash='" OTHER "'",
		 "layer: its record is not what the index says"},
		{"UPDATE layer SET blob='" OTHER "'", "blob: is missing"},
		{"UPDATE layer SET chain_id='" OTHER "'", "layer: has no row"},
		{"UPDATE image_layer SET chain_id='" OTHER "'", "image: layer 0 is 0123456789ab"},
		{"UPDATE image_layer SET idx=1", "image: layer 0 has no row"},
		{"DELETE FROM image_layer", "image: its configuration has 1 layers, the index 0"},
		{"DELETE FROM image", "image: has layers but no row"},
		{"UPDATE image SET id='" OTHER "'", "name: there is no image"},
		{"UPDATE tag SET target='" OTHER "'", "name: nothing is known of its manifest"},
		{"INSERT INTO target_blob VALUES('" OTHER "','" OTHER "',NULL,1)",
		 "blob: is kept for a manifest 0123456789ab that no name has"},
		{"INSERT INTO container(id,name,image_id,created_ns,auto_remove) VALUES('" OTHER
		 "','c','" OTHER "',1,0)",
		 "container: there is no image 0123456789ab"},
		{"INSERT INTO container(id,name,created_ns,auto_remove) VALUES('" OTHER
		 "','c',1,0)",
		 "container: the index's copy of its options is damaged"},
		{"INSERT INTO container(id,name,created_ns,auto_remove) VALUES('" OTHER
		 "','c',1,0)",
		 "container: its directory is missing (c)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[DIGEST_HEX_LEN + 1];
		struct found found;

		set_up(state);
		import_image(*state, "one", "x", NULL, id);
		run_sql(*state, rows[i].sql);
		/* So that only the rows are wrong. */
		names_save(((struct fixture *)*state)->store);
		check(*state, NULL, &found);
		if (!strstr(str_get(&found.text), rows[i].found))
			fail_msg("%zu: %s, not %s", i, str_get(&found.text), rows[i].found);
		str_done(&found.text);
		tear_down(state);
	}
}

static void finds_leftovers(void **state)
{
	static const struct {
		const char *dir, *busy, *found;
	} rows[] = {
		{"layers/" OTHER "/diff", NULL, "leftover: a layer that no image needs []\n"},
		{"blobs/sha256/" OTHER, NULL, "leftover: a blob that nothing names []\n"},
		{"blobs/sha256/odd", NULL, "leftover: does not belong there []\n"},
		{"layers/" OTHER ".replaced/diff", NULL, "leftover: does not belong there []\n"},
		{"staging/00000000-0000-0000-0000-000000000000.1/x", NULL,
		 "leftover: what an operation cut short has left []\n"},
		{"containers/" OTHER, NULL,
		 "leftover: the directory of a container that does not exist []\n"},
		{"containers/" OTHER, OTHER, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[DIGEST_HEX_LEN + 1];
		struct found found;

		set_up(state);
		import_image(*state, "one", "x", NULL, id);
		make(*state, rows[i].dir);
		check(*state, rows[i].busy, &found);
		assert_string_equal(str_get(&found.text), rows[i].found);
		str_done(&found.text);
		tear_down(state);
	}
}

static void says_that_the_index_is_lost(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *index = str_printf("%s/tare.db", f->root);
	cleanup_free char *log = str_printf("%s/tare.db-wal", f->root);
	char id[DIGEST_HEX_LEN + 1], text[256];
	struct err err = ERR_INIT;
	struct found found;

	storage_glance(f->store, text, sizeof(text));
	assert_string_equal(text, "");
	import_image(f, "one", "x", NULL, id);
	storage_glance(f->store, text, sizeof(text));
	assert_string_equal(text, "");
	storage_close(f->store);
	assert_int_equal(unlink(index), 0);
	assert_int_equal(unlink(log), 0);
	assert_int_equal(storage_open(f->root, "/run/x", f->path, &f->store, &err), 0);
	check(f, NULL, &found);
	assert_int_equal(found.totals.n_problems, 1);
	assert_non_null(strstr(str_get(&found.text), "is lost"));
	storage_glance(f->store, text, sizeof(text));
	assert_non_null(strstr(text, "is lost"));
	str_done(&found.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_nothing_in_a_whole_store, set_up, tear_down),
		cmocka_unit_test(finds_damaged_files),
		cmocka_unit_test(finds_damaged_rows),
		cmocka_unit_test(finds_leftovers),
		cmocka_unit_test_setup_teardown(says_that_the_index_is_lost, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
