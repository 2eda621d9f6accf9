/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_STORE_PRIVATE_H
#define STORAGE_STORE_PRIVATE_H
/* What the files of this module know of a store. */
#include "storage/db.h"
#include "storage/store.h"

#include <sqlite3.h>
#include <stdbool.h>

#define STORE_BLOBS	 "blobs/sha256"
#define STORE_LAYERS	 "layers"
#define STORE_CONTAINERS "containers"
#define STORE_VOLUMES	 "volumes"
#define STORE_NETWORKS	 "networks"
#define STORE_STAGING	 "staging"
#define STORE_SNAPSHOTS	 "snapshots"
#define STORE_CACHES	 "caches" /* of RUN --mount=type=cache */
#define STORE_RESERVE	 "reserve"
#define STORE_INDEX	 "tare.db"
#define STORE_DAMAGED	 "damaged" /* what a repair took away */

#define STORE_BOOT_ID_LEN 36 /* a UUID */

struct store {
	char *root;
	char *runroot;
	char *helper_dir;
	int root_fd; /* O_PATH */
	sqlite3 *db; /* NULL until something needs it */
	int lock_fd; /* of the writers' queue; -1 until there is something to write */
	sqlite3_stmt *kept[N_DB_KEPT];
	int db_sync; /* what PRAGMA synchronous was last set to; -1 never */
	bool in_transaction;
	/* The last commit failed: whether it stands is known when the index is opened again. */
	bool is_commit_unsure;
	char boot_id[STORE_BOOT_ID_LEN + 1]; /* "" until somebody asked */
	const char
		*db_name; /* of an index that is being made, which may be new; NULL: STORE_INDEX */
};

/* Ensures PATH below the root (several components) with mode 0700. Returns an owned descriptor that
 * can be synced and locked, or -code. */
int store_open_dir(struct store *store, const char *path, struct err *err);
/* The id of this boot, borrowed. */
int store_get_boot_id(struct store *store, const char **ret, struct err *err);
/* flock(2) of a directory of the store. OPERATION as there; waits at most 60 s. */
int store_lock(int dir_fd, int operation, const char *what, struct err *err);

#endif
