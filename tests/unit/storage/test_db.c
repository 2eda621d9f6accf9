/* SPDX-License-Identifier: Apache-2.0 */
/* The index of an older version becomes one of this version, and keeps what it knew. */
#include "../unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/blob.h"
#include "storage/db.h"
#include "storage/image.h"
#include "storage/store.h"

#define ID    "1111111111111111111111111111111111111111111111111111111111111111"
#define CHAIN "2222222222222222222222222222222222222222222222222222222222222222"

/* What version 1 made, with one image of one layer in it. */
static const char version_1[] =
	"PRAGMA page_size=2048;PRAGMA journal_mode=WAL;"
	"CREATE TABLE layer(chain_id TEXT PRIMARY KEY, diff_id TEXT NOT NULL, size INTEGER NOT "
	"NULL,"
	" entries INTEGER NOT NULL, tree_hash TEXT) WITHOUT ROWID;"
	"CREATE TABLE image(id TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, size INTEGER NOT "
	"NULL,"
	" hidden INTEGER NOT NULL DEFAULT 0, config TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE image_layer(image_id TEXT NOT NULL, idx INTEGER NOT NULL, chain_id TEXT NOT "
	"NULL, PRIMARY KEY(image_id, idx)) WITHOUT ROWID;"
	"CREATE TABLE tag(reference TEXT PRIMARY KEY, image_id TEXT NOT NULL, tagged_ns INTEGER "
	"NOT "
	"NULL) WITHOUT ROWID;"
	"CREATE TABLE container(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
	" name TEXT NOT NULL UNIQUE, image_id TEXT, image_ref TEXT, image_name TEXT,"
	" created_ns INTEGER NOT NULL, auto_remove INTEGER NOT NULL, command TEXT, labels TEXT,"
	" network_mode TEXT, mounts TEXT);"
	"CREATE TABLE container_json(seq INTEGER PRIMARY KEY, config TEXT, host TEXT, extra TEXT);"
	"INSERT INTO layer VALUES('" CHAIN "','" CHAIN "',5,1,NULL);"
	"INSERT INTO image VALUES('" ID "',7,5,0,'{}');"
	"INSERT INTO image_layer VALUES('" ID "',0,'" CHAIN "');"
	"INSERT INTO tag VALUES('docker.io/library/old:latest','" ID "',9);";

struct fixture {
	char path[64];
	struct store *store;
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct err err = ERR_INIT;

	snprintf(f->path, sizeof(f->path), "/tmp/tare-db-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	assert_int_equal(storage_open(f->path, "/run/x", NULL, &f->store, &err), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	storage_close(f->store);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

static void make_index(const struct fixture *f, const char *version)
{
	cleanup_free char *path = str_printf("%s/tare.db", f->path);
	cleanup_free char *sql = str_printf("%sPRAGMA user_version=%s;", version_1, version);
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void version_1_is_upgraded(void **state)
{
	const struct fixture *f = *state;
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free struct layer_info *layers = NULL;
	struct err err = ERR_INIT;
	size_t n = 0;

	make_index(f, "1");
	assert_int_equal(image_find(f->store, "old", &image, &err), 1);
	assert_string_equal(image.id, ID);
	assert_int_equal(layer_info_list(f->store, ID, &layers, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(layers[0].chain_hex, CHAIN);
	assert_string_equal(layers[0].blob_hex, "");
	assert_string_equal(layers[0].list_hex, "");
	assert_int_equal(layers[0].size, 5);
	/* What the new version writes has a place. */
	assert_int_equal(image_tag(f->store, "old", "new:1", &err), 0);
	assert_int_equal(db_run(f->store, &err, "UPDATE image SET parent=id", ""), 1);
	assert_int_equal(db_run(f->store, &err, "SELECT * FROM target_blob", ""), 1);
}

static void newer_versions_are_refused(void **state)
{
	const struct fixture *f = *state;
	cleanup_image struct image image = IMAGE_INIT;
	struct err err = ERR_INIT;

	make_index(f, "77");
	assert_int_equal(image_find(f->store, "old", &image, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "format 77 of a newer version"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(version_1_is_upgraded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(newer_versions_are_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
