/* SPDX-License-Identifier: Apache-2.0 */
/* An SQLite log with one byte wrong is read to its end again, and a whole one stays as it is. */
#include "../unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/repair_private.h"

#define N_ROWS 20
#define FRAME  (24 + 2048)

struct fixture {
	char dir[64];
	int fd;
};

static sqlite3 *open_db(const struct fixture *f)
{
	cleanup_free char *path = str_printf("%s/x.db", f->dir);
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return db;
}

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	sqlite3 *db = NULL;

	snprintf(f->dir, sizeof(f->dir), "/tmp/tare-wal-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	db = open_db(f);
	assert_int_equal(sqlite3_exec(db,
				      "PRAGMA page_size=2048;PRAGMA journal_mode=WAL;"
				      "PRAGMA wal_autocheckpoint=0;CREATE TABLE t(x)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	for (int i = 0; i < N_ROWS; i++)
		assert_int_equal(
			sqlite3_exec(db, "INSERT INTO t VALUES(randomblob(900))", NULL, NULL, NULL),
			SQLITE_OK);
	sqlite3_close(db);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	fd_remove_tree_at(AT_FDCWD, f->dir);
	free(f);
	return 0;
}

/* -1 when there is no table. */
static int count_rows(const struct fixture *f)
{
	sqlite3 *db = open_db(f);
	sqlite3_stmt *stmt = NULL;
	int n = -1;

	if (sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	/* What one reader made of the log is nothing for the next. */
	unlinkat(f->fd, "x.db-shm", 0);
	return n;
}

static void flip(const struct fixture *f, off_t at)
{
	cleanup_close int fd = openat(f->fd, "x.db-wal", O_RDWR | O_CLOEXEC);
	unsigned char byte = 0;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void leaves_a_whole_log_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(count_rows(f), N_ROWS);
	assert_int_equal(repair_wal(f->fd, "x.db-wal", false), 0);
	assert_int_equal(repair_wal(f->fd, "none", false), 0);
	assert_int_equal(count_rows(f), N_ROWS);
}

static void reads_past_damage(void **state)
{
	/* In the header: version, page size, salt, checksum. In frames: a salt, a checksum, the
	 * middle of a page's free space, a checksum of the last but one. */
	static const off_t places[] = {5,
				       9,
				       18,
				       30,
				       32 + 9,
				       32 + FRAME + 18,
				       32 + FRAME * 5 + 24 + 500,
				       32 + FRAME * 20 + 17};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct fixture *f = NULL;

		set_up(state);
		f = *state;
		flip(f, places[i]);
		assert_true(count_rows(f) < N_ROWS);
		assert_int_equal(repair_wal(f->fd, "x.db-wal", true), 1);
		assert_true(count_rows(f) < N_ROWS);
		assert_int_equal(repair_wal(f->fd, "x.db-wal", false), 1);
		if (count_rows(f) != N_ROWS)
			fail_msg("at %d: %d rows", (int)places[i], count_rows(f));
		tear_down(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(leaves_a_whole_log_alone, set_up, tear_down),
		cmocka_unit_test(reads_past_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
