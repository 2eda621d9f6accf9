/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the index must cost next to nothing, because every command does it: no statement runs
 * that is not needed, the schema is checked by its version number alone, closing never checkpoints.
 * A reader copies the WAL's index on open, so the WAL is kept short (WAL_PAGES) and
 * the pages are small: with 4096 bytes the same open took a fifth longer. What is on disk
 * after a power cut is decided by `synchronous`: NORMAL never damages the database but may forget
 * the last transactions; the one that names an image runs with FULL.
 *
 * Each command is a connection of its own, often the only one, and then opening recovers: it reads
 * the whole WAL. SQLite's own checkpoints never make a WAL short again under such use, so ours
 * truncate it. Writers queue for a lock of the kernel's on a file beside the index: SQLite's own
 * lock can only be polled, which costs 64 commands at once more than their work.
 *
 * Creation is serialised by a lock on the state directory, since switching a new database to WAL
 * cannot wait for readers.
 */
/* lint file: paths chosen by the engine */
#include "storage/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "storage/db_schema.h"
#include "storage/store_private.h"

#define DB_NAME		 STORE_INDEX
#define LOCK_NAME	 "tare.lock"
#define WAL_PAGES	 64
#define BUSY_DEADLINE_NS 10000000000ull
#define BUSY_DEADLINE_S	 10
#define BUSY_MIN_NS	 100000
#define BUSY_SPREAD_NS	 1900000
#define MAX_REOPEN	 3

static char reserve_path[4096]; /* for a signal handler */

/* synchronous=1 is NORMAL, 2 is FULL (pragma.html#pragma_synchronous). */
enum { SYNC_NORMAL = 1, SYNC_FULL = 2 };

void db_finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
	*stmt = NULL;
}

static int sleep_a_little(void)
{
	uint32_t random = 0;
	struct timespec pause = {};

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	pause.tv_nsec = BUSY_MIN_NS + random % BUSY_SPREAD_NS;
	return nanosleep(&pause, NULL);
}

/* sqlite3_busy_handler(): N counts the calls for one lock, so the first starts the clock. */
static int wait_for_lock(void *data, int n)
{
	static __thread uint64_t started_ns;

	if (n == 0)
		started_ns = clock_mono_ns();
	if (clock_mono_ns() - started_ns > BUSY_DEADLINE_NS)
		return 0;
	sleep_a_little();
	return 1;
}

static int db_damage(struct store *store, struct err *err)
{
	err_set(err, ERR_SYSTEM, "index %s/" DB_NAME " is damaged: %s", store->root,
		sqlite3_errmsg(store->db));
	err->errnum = EUCLEAN;
	return err_hint(err, "tare system repair");
}

bool db_is_damage(const struct err *err)
{
	return err->code == ERR_SYSTEM && err->errnum == EUCLEAN;
}

/* Turns the connection's last error into ours. */
static int db_error(struct store *store, int rc, struct err *err)
{
	int errnum = store->db ? sqlite3_system_errno(store->db) : 0;

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	/* Who opens it beside somebody who stands still there: SQLite has tried for ten seconds. */
	case SQLITE_PROTOCOL:
		return err_set(err, ERR_UNAVAILABLE, "index %s/" DB_NAME " is busy for 10 s",
			       store->root);
	case SQLITE_CONSTRAINT:
		return err_set(err, ERR_CONFLICT, "%s", sqlite3_errmsg(store->db));
	case SQLITE_FULL:
		return err_sys(err, ENOSPC, "write %s/" DB_NAME, store->root);
	case SQLITE_READONLY:
		err_sys(err, errnum ? errnum : EROFS, "write %s/" DB_NAME, store->root);
		return err_hint(err, "choose another state directory with --root DIR or TARE_ROOT");
	case SQLITE_CANTOPEN:
		err_sys(err, errnum ? errnum : EACCES, "open %s/" DB_NAME, store->root);
		return err_hint(err, "choose another state directory with --root DIR or TARE_ROOT");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* our statements are right, so the schema is not */
		return db_damage(store, err);
	case SQLITE_IOERR:
		if (rc == SQLITE_IOERR_SHORT_READ)
			return db_damage(store, err);
		__attribute__((fallthrough));
	default:
		if (errnum == ENOSPC || errnum == EDQUOT)
			return err_sys(err, errnum, "write %s/" DB_NAME, store->root);
		return err_set(err, ERR_SYSTEM, "index %s/" DB_NAME ": %s", store->root,
			       store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc));
	}
}

static int exec_sql(struct store *store, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_error(store, rc, err);
}

static int get_version(struct store *store, int *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return db_error(store, rc, err);
	*ret = sqlite3_column_int(stmt, 0);
	return 0;
}

/* Another process may be reading the empty database at this moment, and WAL needs it alone. */
static int enter_wal(struct store *store, struct err *err)
{
	uint64_t deadline = clock_mono_ns() + BUSY_DEADLINE_NS;
	int rc = 0;

	do {
		rc = sqlite3_exec(store->db, "PRAGMA page_size=2048;PRAGMA journal_mode=WAL", NULL,
				  NULL, NULL);
		if (rc != SQLITE_BUSY)
			break;
		sleep_a_little();
	} while (clock_mono_ns() < deadline);
	return rc == SQLITE_OK ? 0 : db_error(store, rc, err);
}

/* Whether directory PATH has an entry of ours: an id, or a name. What is not whole yet has a dot in
 * front. */
static bool has_entry(struct store *store, const char *path, bool is_id)
{
	int fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;

	for (const struct dirent *e = dir ? readdir(dir) : NULL; e && !found; e = readdir(dir))
		found = is_id ? hex_is_valid(e->d_name, ID_LEN) : e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return found;
}

/* Whether the state directory is of more than its index: then an index without a schema is none
 * that was just made, and a new one would let everything be collected. */
static bool has_content(struct store *store)
{
	return has_entry(store, STORE_VOLUMES, false) || has_entry(store, STORE_NETWORKS, false) ||
	       has_entry(store, STORE_LAYERS, true) || has_entry(store, STORE_CONTAINERS, true);
}

static int index_is_lost(struct store *store, struct err *err)
{
	err_set(err, ERR_SYSTEM, "index %s/" DB_NAME " is lost", store->root);
	err->errnum = EUCLEAN;
	return err_hint(err, "tare system repair");
}

static int upgrade(struct store *store, int version, struct err *err)
{
	static const char *const upgrades[] = {
		[0] = db_schema,	 [1] = db_upgrade_from_1, [2] = db_upgrade_from_2,
		[3] = db_upgrade_from_3, [4] = db_upgrade_from_4, [5] = db_upgrade_from_5,
	};

	if (version == 0)
		return exec_sql(store, upgrades[0], err);
	for (size_t i = (size_t)version; i < ARRAY_LEN(upgrades); i++)
		if (exec_sql(store, upgrades[i], err) < 0)
			return -err->code;
	return 0;
}

/* Makes a database of any older version one of this version. */
static int prepare_schema(struct store *store, struct err *err)
{
	cleanup_close int lock = store_open_dir(store, ".", err);
	cleanup_transaction struct store *tx = NULL;
	int version = 0;

	if (lock < 0)
		return lock;
	/* Who makes an index that nobody else knows holds off writers, who may wait with this lock.
	 */
	if ((!store->db_name && store_lock(lock, LOCK_EX, store->root, err) < 0) ||
	    get_version(store, &version, err) < 0)
		return -err->code;
	if (version >= DB_SCHEMA_VERSION)
		return 0;
	if (version == 0 && !store->db_name && has_content(store))
		return index_is_lost(store, err);
	if ((version == 0 && enter_wal(store, err) < 0) || db_begin(store, false, err) < 0)
		return -err->code;
	tx = store;
	if (upgrade(store, version, err) < 0)
		return -err->code;
	return db_commit(store, err);
}

/* SQLite would create it with mode 0644; the -wal and -shm files take over the mode of this one. */
static int create_file(struct store *store, const char *path, struct err *err)
{
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0)
		return 0;
	err_sys(err, errno, "open %s", path);
	return err_hint(err, "choose another state directory with --root DIR or TARE_ROOT");
}

/* sqlite3_wal_hook(), after each commit: PAGES are in the WAL. What a reader keeps busy waits for
 * the next commit. */
static int shorten_wal(void *data, sqlite3 *db, const char *name, int pages)
{
	if (pages < WAL_PAGES)
		return SQLITE_OK;
	sqlite3_busy_handler(db, NULL, NULL);
	sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_handler(db, wait_for_lock, NULL);
	return SQLITE_OK;
}

/* SQLite maps its shared memory file, whose pages get their blocks when they are first written to:
 * where blocks are smaller than pages, a full disk is a signal. There is nobody to return to. */
static void on_full_disk(int number)
{
	static const char released[] =
		"tare: no space left on device for the index; what was put by for "
		"this is free now: try again, and remove something\n";
	static const char full[] = "tare: no space left on device for the index\n";
	bool has_more = unlink(reserve_path) == 0;
	ssize_t n = write(STDERR_FILENO, has_more ? released : full,
			  has_more ? sizeof(released) - 1 : sizeof(full) - 1);

	_exit(n < 0 ? 126 : 125);
}

static void expect_full_disk(const struct store *store)
{
	struct sigaction action = {.sa_handler = on_full_disk, .sa_flags = (int)SA_RESETHAND};

	snprintf(reserve_path, sizeof(reserve_path), "%s/" STORE_RESERVE, store->root);
	sigaction(SIGBUS, &action, NULL);
}

static int open_connection(struct store *store, struct err *err)
{
	cleanup_free char *path = str_printf("%s/%s", store->root,
					     store->db_name ? store->db_name : DB_NAME);
	int on = 1;
	int rc = 0;

	expect_full_disk(store);
	if (create_file(store, path, err) < 0)
		return -err->code;
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	rc = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return db_error(store, rc, err);
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_busy_handler(store->db, wait_for_lock, NULL);
	sqlite3_wal_hook(store->db, shorten_wal, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_file_control(store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	return 0;
}

static int db_ensure(struct store *store, struct err *err)
{
	int version = 0;

	if (store->db)
		return 0;
	if (open_connection(store, err) < 0 || get_version(store, &version, err) < 0 ||
	    (version < DB_SCHEMA_VERSION && prepare_schema(store, err) < 0)) {
		sqlite3_close(store->db);
		store->db = NULL;
		return -err->code;
	}
	if (version <= DB_SCHEMA_VERSION)
		return 0;
	sqlite3_close(store->db);
	store->db = NULL;
	return err_set(err, ERR_UNSUPPORTED,
		       "state directory %s has format %d of a newer version, this one knows %d",
		       store->root, version, DB_SCHEMA_VERSION);
}

static void bind_all(sqlite3_stmt *stmt, const char *types, va_list args)
{
	for (int i = 0; types[i]; i++) {
		if (types[i] == 't')
			sqlite3_bind_text(stmt, i + 1, va_arg(args, const char *), -1,
					  SQLITE_STATIC);
		else
			sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
	}
}

static int prepare(struct store *store, sqlite3_stmt **ret, struct err *err, const char *sql)
{
	int rc = 0;

	if (db_ensure(store, err) < 0)
		return -err->code;
	rc = sqlite3_prepare_v2(store->db, sql, -1, ret, NULL);
	return rc == SQLITE_OK ? 0 : db_error(store, rc, err);
}

int db_prepare(struct store *store, sqlite3_stmt **ret, struct err *err, const char *sql,
	       const char *types, ...)
{
	va_list args;

	if (prepare(store, ret, err, sql) < 0)
		return -err->code;
	va_start(args, types);
	bind_all(*ret, types, args);
	va_end(args);
	return 0;
}

int db_step(struct store *store, sqlite3_stmt *stmt, struct err *err)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_error(store, rc, err);
}

int db_run(struct store *store, struct err *err, const char *sql, const char *types, ...)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	va_list args;
	int rc = 0;

	if (prepare(store, &stmt, err, sql) < 0)
		return -err->code;
	va_start(args, types);
	bind_all(stmt, types, args);
	va_end(args);
	do
		rc = db_step(store, stmt, err);
	while (rc > 0);
	return rc < 0 ? rc : sqlite3_changes(store->db);
}

int db_keep(struct store *store, enum db_kept which, sqlite3_stmt **ret, struct err *err,
	    const char *sql, const char *types, ...)
{
	va_list args;

	if (!store->kept[which] && prepare(store, &store->kept[which], err, sql) < 0)
		return -err->code;
	*ret = store->kept[which];
	va_start(args, types);
	bind_all(*ret, types, args);
	va_end(args);
	return 0;
}

void db_reset(sqlite3_stmt **stmt)
{
	if (*stmt) {
		sqlite3_reset(*stmt);
		sqlite3_clear_bindings(*stmt);
	}
	*stmt = NULL;
}

int db_close(struct store *store)
{
	for (size_t i = 0; i < ARRAY_LEN(store->kept); i++)
		db_finalize(&store->kept[i]);
	return sqlite3_close(store->db);
}

const char *db_text(sqlite3_stmt *stmt, int column)
{
	const char *s = (const char *)sqlite3_column_text(stmt, column);

	return s ? s : "";
}

static void on_alarm(int number)
{
	/* Only to interrupt flock(2). */
}

/* Blocks for the lock, as long as BUSY_DEADLINE_S at most. */
static int wait_for_writers(int fd)
{
	const struct sigaction ring = {.sa_handler = on_alarm};
	struct sigaction before;
	sigset_t alarm_only;
	sigset_t mask;
	int rc = 0;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigaction(SIGALRM, &ring, &before);
	sigprocmask(SIG_UNBLOCK, &alarm_only, &mask);
	alarm(BUSY_DEADLINE_S);
	rc = flock(fd, LOCK_EX) < 0 ? -errno : 0;
	alarm(0);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGALRM, &before, NULL);
	return rc;
}

static int lock_writer(struct store *store, struct err *err)
{
	cleanup_free char *path = NULL;

	/* Nobody else knows an index that is being made, and who makes it has the lock. */
	if (store->db_name)
		return 0;
	if (store->lock_fd < 0) {
		path = str_printf("%s/" LOCK_NAME, store->root);
		store->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (store->lock_fd < 0)
			return err_sys(err, errno, "open %s", path);
	}
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0 || wait_for_writers(store->lock_fd) == 0)
		return 0;
	return db_error(store, SQLITE_BUSY, err);
}

static void unlock_writer(struct store *store)
{
	if (store->lock_fd >= 0)
		flock(store->lock_fd, LOCK_UN);
}

/* A statement that is still open keeps its connection, and then there is no other. */
static int close_moved(struct store *store, struct err *err)
{
	if (db_close(store) != SQLITE_OK)
		return err_set(err, ERR_UNAVAILABLE,
			       "index %s/" DB_NAME " was made again by a repair: try again",
			       store->root);
	store->db = NULL;
	store->db_sync = -1;
	return 0;
}

/* Whether the name stands for another file than the open one: a repair has put a new index there.
 */
static bool has_moved(struct store *store)
{
	int moved = 0;

	return store->db && !store->db_name &&
	       sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
		       SQLITE_OK &&
	       moved;
}

int db_follow(struct store *store, struct err *err)
{
	return has_moved(store) ? close_moved(store, err) : 0;
}

/* The writers' lock, and open the index that has the name while we hold it. It is opened without
 * the lock, since opening may have to make it. */
static int lock_current(struct store *store, struct err *err)
{
	for (int i = 0; i < MAX_REOPEN; i++) {
		if (db_ensure(store, err) < 0 || lock_writer(store, err) < 0)
			return -err->code;
		if (!has_moved(store))
			return 0;
		unlock_writer(store);
		if (close_moved(store, err) < 0)
			return -err->code;
	}
	return err_set(err, ERR_UNAVAILABLE, "index %s/" DB_NAME " is being repaired: try again",
		       store->root);
}

int db_close_alone(struct store *store, struct err *err)
{
	db_close(store);
	store->db = NULL;
	store->db_sync = -1;
	return lock_writer(store, err);
}

void db_reopen(struct store *store)
{
	unlock_writer(store);
}

int db_finish_new(struct store *store, struct err *err)
{
	int rc = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
					   NULL);

	if (rc != SQLITE_OK)
		return db_error(store, rc, err);
	db_close(store);
	store->db = NULL;
	return 0;
}

static int set_sync(struct store *store, int level, struct err *err)
{
	char sql[40];

	if (store->db_sync == level)
		return 0;
	snprintf(sql, sizeof(sql), "PRAGMA synchronous=%d", level);
	if (exec_sql(store, sql, err) < 0)
		return -err->code;
	store->db_sync = level;
	return 0;
}

int db_begin(struct store *store, bool durable, struct err *err)
{
	if (lock_current(store, err) < 0)
		return -err->code;
	if (set_sync(store, durable ? SYNC_FULL : SYNC_NORMAL, err) < 0 ||
	    exec_sql(store, "BEGIN IMMEDIATE", err) < 0) {
		unlock_writer(store);
		return -err->code;
	}
	store->in_transaction = true;
	return 0;
}

int db_commit(struct store *store, struct err *err)
{
	int rc = exec_sql(store, "COMMIT", err);

	/* A log that could not be synced may hold the transaction all the same. */
	store->is_commit_unsure = rc < 0;
	if (rc < 0) {
		db_rollback(store);
		return rc;
	}
	store->in_transaction = false;
	unlock_writer(store);
	return 0;
}

int db_sync(struct store *store, struct err *err)
{
	sqlite3_file *log = NULL;
	int rc = SQLITE_OK;

	if (db_ensure(store, err) < 0)
		return -err->code;
	/* The log, which is open once something was read. */
	rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (rc == SQLITE_OK && (!log || !log->pMethods))
		rc = SQLITE_MISUSE;
	if (rc == SQLITE_OK)
		rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
	return rc == SQLITE_OK ? 0 : db_error(store, rc, err);
}

void db_rollback(struct store *store)
{
	if (!store->in_transaction)
		return;
	store->in_transaction = false;
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	unlock_writer(store);
}

void db_cleanup_transaction(struct store **store)
{
	if (*store)
		db_rollback(*store);
}
