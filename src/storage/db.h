/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H
/*
 * The index: an SQLite database in WAL mode. Of this module only. Every function opens the database
 * when it is not yet open.
 */
#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

/* Statements that are prepared once (db_keep). */
enum db_kept {
	DB_KEPT_SNAPSHOT,
	DB_KEPT_SNAPSHOT_USE,
	N_DB_KEPT,
};

/* Finalizes an owning statement variable. */
void db_finalize(sqlite3_stmt **stmt);
#define cleanup_stmt __attribute__((cleanup(db_finalize)))

/* Prepares SQL into RET and binds its parameters in order, one argument for each letter of TYPES:
 * 't' const char * (NULL binds NULL; must live until the statement is finalized), 'i' int64_t. */
int db_prepare(struct store *store, sqlite3_stmt **ret, struct err *err, const char *sql,
	       const char *types, ...);
/* 1: there is a row; 0: done. A uniqueness violation is ERR_CONFLICT. */
int db_step(struct store *store, sqlite3_stmt *stmt, struct err *err);
/* Prepares, runs to the end and finalizes. Returns the number of rows changed. */
int db_run(struct store *store, struct err *err, const char *sql, const char *types, ...);

/* The same for what is asked many times in one run: prepared once, and kept until the index is
 * closed. *RET is borrowed, and must be given back before a transaction begins or ends. */
int db_keep(struct store *store, enum db_kept which, sqlite3_stmt **ret, struct err *err,
	    const char *sql, const char *types, ...);
void db_reset(sqlite3_stmt **stmt);
#define cleanup_kept __attribute__((cleanup(db_reset)))

/* Closes the index, if it is open, with all statements that are kept. An SQLite code. */
int db_close(struct store *store);

/* Whether an error of these functions says that the file is no whole database of ours. */
bool db_is_damage(const struct err *err);

/* For the exchange of the whole file: closes it and holds off all writers until db_reopen; the next
 * use opens what is there then. No transaction of STORE may begin in between. Again, it closes what
 * was read in between. */
int db_close_alone(struct store *store, struct err *err);
void db_reopen(struct store *store);
/* Leaves an index that is not the one with the name any more: for who removes files by what the
 * index says. A transaction does this by itself when it begins. No statement may be open. */
int db_follow(struct store *store, struct err *err);
/* Puts all of a new index (store->db_name) into its one file and closes it. */
int db_finish_new(struct store *store, struct err *err);

/* Text of a column, "" for NULL; borrowed until the next step. */
const char *db_text(sqlite3_stmt *stmt, int column);

/* A write transaction, of the index that has the name at that time. A durable one is on disk when
 * db_commit returns. Not nested. No statement may be open when it begins. */
int db_begin(struct store *store, bool durable, struct err *err);
int db_commit(struct store *store, struct err *err);
/* Makes every transaction durable that this connection has seen, whoever committed it. */
int db_sync(struct store *store, struct err *err);
/* Undoes an open transaction; harmless without one. */
void db_rollback(struct store *store);

/* Ends the transaction of a scope that was not committed: `cleanup_transaction struct store *tx =
 * store;` */
void db_cleanup_transaction(struct store **store);
#define cleanup_transaction __attribute__((cleanup(db_cleanup_transaction)))

#endif
