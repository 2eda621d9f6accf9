/* SPDX-License-Identifier: Apache-2.0 */
/* The index of an older version becomes one of this version, and keeps what it knew. */
#include "../unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/blob.h"
#include "storage/container.h"
#include "storage/db.h"
#include "storage/image.h"
#include "storage/network.h"
#include "storage/store.h"
#include "storage/store_private.h"
#include "storage/volume.h"

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

/* Whatever the version was, a volume can be made afterwards, and a container that uses it. */
static void expect_volumes_work(const struct fixture *f)
{
	const struct container_use use = {.volume = "data", .target = "/d"};
	const struct container_row row = {.id = ID,
					  .name = "user",
					  .image_id = ID,
					  .image_ref = "old",
					  .command = "",
					  .labels = "{}",
					  .network_mode = "none",
					  .mounts = "",
					  .config = "{}",
					  .host = "{}",
					  .extra = "{}",
					  .uses = &use,
					  .n_uses = 1};
	cleanup_container struct container_record record = {};
	cleanup_strv struct strv ids = STRV_INIT;
	char holder[ID_LEN + 1];
	struct err err = ERR_INIT;

	assert_int_equal(volume_ensure(f->store, "data", "null", "null", &err), 1);
	assert_int_equal(container_insert(f->store, &row, holder, &err), 0);
	assert_int_equal(volume_list_users(f->store, "data", &ids, &err), 0);
	assert_int_equal(ids.n, 1);
	assert_int_equal(container_lookup(f->store, "user", &record, &err), 1);
	assert_int_equal(record.row.n_volumes, 1);
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
	expect_volumes_work(f);
}

/* What version 2 added to that. */
static const char to_version_2[] =
	"ALTER TABLE layer ADD COLUMN blob TEXT;ALTER TABLE layer ADD COLUMN blob_size INTEGER;"
	"ALTER TABLE layer ADD COLUMN blob_format TEXT;ALTER TABLE layer ADD COLUMN plain_size "
	"INTEGER;ALTER TABLE image ADD COLUMN parent TEXT;ALTER TABLE tag ADD COLUMN target TEXT;"
	"CREATE TABLE target_blob(target TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT,"
	" size INTEGER NOT NULL, PRIMARY KEY(target, digest)) WITHOUT ROWID;"
	"CREATE INDEX image_parent ON image(parent) WHERE parent IS NOT NULL;"
	"INSERT INTO container VALUES(1,'" CHAIN "','old','" ID "','old',"
	"'docker.io/library/old:latest',3,0,'sh','{}','none','');"
	"INSERT INTO container_json VALUES(1,'{}','{}','{}');";

static void version_2_is_upgraded(void **state)
{
	const struct fixture *f = *state;
	cleanup_free char *path = str_printf("%s/tare.db", f->path);
	cleanup_container struct container_record record = {};
	struct err err = ERR_INIT;
	sqlite3 *db = NULL;

	make_index(f, "2");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, to_version_2, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(container_lookup(f->store, "old", &record, &err), 1);
	assert_int_equal(record.row.n_volumes, 0);
	expect_volumes_work(f);
	assert_int_equal(container_delete(f->store, CHAIN, false, NULL, &err), 1);
}

/* What version 3 added to that. */
static const char to_version_3[] =
	"ALTER TABLE container ADD COLUMN n_uses INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE container ADD COLUMN n_volumes INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE volume(name TEXT PRIMARY KEY,driver TEXT NOT NULL,created_ns INTEGER NOT "
	"NULL,labels TEXT NOT NULL,options TEXT NOT NULL)WITHOUT ROWID;"
	"CREATE TABLE mount_use(object TEXT NOT NULL,container TEXT NOT NULL,target TEXT NOT NULL,"
	"anonymous INTEGER NOT NULL,PRIMARY KEY(object,container,target))WITHOUT ROWID;"
	"CREATE INDEX mount_user ON mount_use(container);";

static int count_network(const struct network_row *row, void *data, struct err *err)
{
	(*(int *)data)++;
	return 0;
}

static void version_3_is_upgraded(void **state)
{
	static const struct network_row network = {
		.id = ID, .name = "shop", .driver = "bridge", .config = "{}", .created_ns = 5};
	const struct network_insertion insertion = {.rows = &network, .n = 1};
	const struct fixture *f = *state;
	cleanup_free char *path = str_printf("%s/tare.db", f->path);
	cleanup_container struct container_record before = {}, after = {};
	struct err err = ERR_INIT;
	sqlite3 *db = NULL;
	int n = 0;

	make_index(f, "3");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, to_version_2, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, to_version_3, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(container_lookup(f->store, "old", &before, &err), 1);
	assert_string_equal(before.row.networks, "");
	assert_int_equal(container_update_networks(f->store, CHAIN, "[{}]", &err), 0);
	assert_int_equal(container_lookup(f->store, "old", &after, &err), 1);
	assert_string_equal(after.row.networks, "[{}]");
	assert_int_equal(container_update_networks(f->store, ID, "[]", &err), -ERR_NOT_FOUND);
	err_clear(&err);
	assert_int_equal(network_insert(f->store, &insertion, &err), 0);
	assert_int_equal(network_list(f->store, count_network, &n, &err), 0);
	assert_int_equal(n, 1);
	expect_volumes_work(f);
}

/* What version 4 added to that. */
static const char to_version_4[] =
	"ALTER TABLE container ADD COLUMN networks TEXT;"
	"CREATE TABLE network(id TEXT PRIMARY KEY,name TEXT NOT NULL UNIQUE,driver TEXT NOT NULL,"
	"created_ns INTEGER NOT NULL,config TEXT NOT NULL)WITHOUT ROWID;";

static void version_4_is_upgraded(void **state)
{
	static const char *const statements[] = {
		"UPDATE image SET made_ns=NULL",
		"INSERT INTO snapshot(key,kind,description,size,created_ns) VALUES('k',0,'',0,0)",
		"UPDATE snapshot SET epoch=1,late=0,latest=1,variant_of=NULL",
		"INSERT INTO snapshot_use(seq,used_ns,n_uses) VALUES(1,0,0)",
		"INSERT INTO snapshot_alias(key,target) VALUES('l','k')",
	};
	const struct fixture *f = *state;
	cleanup_free char *path = str_printf("%s/tare.db", f->path);
	cleanup_image struct image image = IMAGE_INIT;
	struct err err = ERR_INIT;
	sqlite3 *db = NULL;

	make_index(f, "4");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, to_version_2, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, to_version_3, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, to_version_4, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(image_find(f->store, "old", &image, &err), 1);
	for (size_t i = 0; i < ARRAY_LEN(statements); i++)
		assert_int_equal(db_run(f->store, &err, statements[i], ""), 1);
	expect_volumes_work(f);
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

static int count_tags(struct store *store)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(db_prepare(store, &stmt, &err, "SELECT count(*) FROM tag", ""), 0);
	assert_int_equal(db_step(store, stmt, &err), 1);
	return sqlite3_column_int(stmt, 0);
}

/* As a repair does it: one with the name "other:1" in it. */
static void exchange_index(const struct fixture *f, const char *name)
{
	static const char *const parts[] = {"tare.db-wal", "tare.db-shm"};
	cleanup_store struct store *fresh = NULL;
	cleanup_store struct store *lock = NULL;
	struct err err = ERR_INIT;
	cleanup_close int dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(storage_open(f->path, "/run/x", NULL, &lock, &err), 0);
	assert_int_equal(storage_open(f->path, "/run/x", NULL, &fresh, &err), 0);
	assert_int_equal(db_close_alone(lock, &err), 0);
	fresh->db_name = "new.db";
	assert_int_equal(db_begin(fresh, true, &err), 0);
	assert_int_equal(db_run(fresh, &err, "INSERT INTO tag VALUES(?,'x',1,NULL)", "t", name), 1);
	assert_int_equal(db_commit(fresh, &err), 0);
	assert_int_equal(db_finish_new(fresh, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		assert_int_equal(unlinkat(dir_fd, parts[i], 0), 0);
	assert_int_equal(renameat(dir_fd, "new.db", dir_fd, "tare.db"), 0);
	db_reopen(lock);
}

static void add_tag(struct store *store, const char *name)
{
	struct err err = ERR_INIT;

	assert_int_equal(db_begin(store, true, &err), 0);
	assert_int_equal(db_run(store, &err, "INSERT INTO tag VALUES(?,'x',1,NULL)", "t", name), 1);
	assert_int_equal(db_commit(store, &err), 0);
}

/* What is written after an exchange is in the index that others see. */
static void an_exchanged_index_is_followed(void **state)
{
	const struct fixture *f = *state;
	cleanup_store struct store *other = NULL;
	struct err err = ERR_INIT;

	add_tag(f->store, "old:1");
	exchange_index(f, "other:1");
	add_tag(f->store, "mine:1");
	assert_int_equal(storage_open(f->path, "/run/x", NULL, &other, &err), 0);
	assert_int_equal(count_tags(other), 2);
	/* A reader stays with what it has, until it is told. */
	add_tag(f->store, "mine:2");
	exchange_index(f, "other:2");
	assert_int_equal(count_tags(f->store), 3);
	assert_int_equal(db_follow(f->store, &err), 0);
	assert_int_equal(count_tags(f->store), 1);
}

/* Nobody writes into the old one, even where a statement keeps it open. */
static void an_open_statement_is_an_error(void **state)
{
	const struct fixture *f = *state;
	sqlite3_stmt *stmt = NULL;
	struct err err = ERR_INIT;

	add_tag(f->store, "old:1");
	assert_int_equal(db_prepare(f->store, &stmt, &err, "SELECT 1 FROM tag", ""), 0);
	exchange_index(f, "other:1");
	assert_int_equal(db_begin(f->store, true, &err), -ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "was made again by a repair: try again"));
	db_finalize(&stmt);
	err_clear(&err);
	add_tag(f->store, "mine:1");
	assert_int_equal(count_tags(f->store), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(version_1_is_upgraded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(version_2_is_upgraded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(version_3_is_upgraded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(version_4_is_upgraded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(newer_versions_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_exchanged_index_is_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_open_statement_is_an_error, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
