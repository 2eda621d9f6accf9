/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_SNAPSHOT_PRIVATE_H
#define STORAGE_SNAPSHOT_PRIVATE_H
/*
 * What the files of the build cache share.
 *
 *	snapshot.c          looking up, taking into use, claims
 *	snapshot_publish.c  what a step left becomes a snapshot
 *	snapshot_settle.c   an upper directory becomes fit to be a layer
 *	snapshot_collect.c  what nothing names
 *	snapshot_prune.c    lists and removal
 *	incoming_snapshots.c  snapshots become layers of an image
 */
#include "base/rand.h"
#include "storage/db.h"
#include "storage/snapshot.h"

#define SNAPSHOT_DIFF "diff"
#define SNAPSHOT_CLAIMS                                                                      \
	"claims"	     /* in the run directory: a file for each key that is being made \
			      */
#define SNAPSHOT_NAME_LEN 32 /* digits of a directory's name */
#define SNAPSHOT_PATH_LEN (16 + DIGEST_HEX_LEN)

/* Every row: seq, key, dir, chain, diff, boot, kind, description, parent, size, created_ns,
 * used_ns, n_uses, result. */
#define SNAPSHOT_COLUMNS 14
#define SNAPSHOT_SELECT                                                                        \
	"SELECT s.seq,s.key,s.dir,s.chain,(SELECT diff_id FROM layer WHERE chain_id=s.chain)," \
	"s.boot,s.kind,s.description,s.parent,s.size,s.created_ns,"                            \
	"ifnull(u.used_ns,s.created_ns),ifnull(u.n_uses,0),s.result FROM snapshot s LEFT"      \
	" JOIN snapshot_use u ON u.seq=s.seq"

struct garbage;

/* A row of the index. */
struct snapshot_row {
	struct snapshot_info info;
	int64_t seq;
	char dir[SNAPSHOT_NAME_LEN + 1]; /* "" for an empty one and for a layer */
	bool is_believed;		 /* it is on the disk, or was made in this boot */
};

/* Reads the row at which STMT (SNAPSHOT_SELECT) stands; RET is to be freed with its info. */
int snapshot_read_row(struct store *store, sqlite3_stmt *stmt, struct snapshot_row *ret,
		      struct err *err);
/* The directory of a row below the root: the one that holds "diff". False for an empty one. */
bool snapshot_path(const struct snapshot_row *row, char ret[static SNAPSHOT_PATH_LEN]);

/* In the caller's transaction: forgets the row SEQ with its uses and aliases, and the layer that it
 * has become when nothing else needs that (it goes to GARBAGE). */
int snapshot_delete_row(struct store *store, const struct snapshot_row *row,
			struct garbage *garbage, struct err *err);
/* Makes the upper directory DIR_FD fit to be a layer: times later than EPOCH_S (0: none) set to it,
 * no sockets; counts its bytes, and says whether the step left nothing in it at all. */
int snapshot_settle(int dir_fd, int64_t epoch_s, int64_t *ret_size, bool *ret_is_empty,
		    struct err *err);
/* What storage_collect does for the cache, with the layers' lock held alone; TRASH_FD as
 * snapshot_discard. Layers that are no longer needed go to GARBAGE. */
int snapshot_collect(struct store *store, int trash_fd, struct garbage *garbage, struct err *err);
/* For a check: names in snapshots/ that no row has, and keys of rows whose files are not there. */
int snapshot_find_strays(struct store *store, struct strv *ret_dirs, struct strv *ret_lost,
			 struct err *err);
/* 1 and the row of KEY or of what it is another name of; 0. */
int snapshot_find_row(struct store *store, const char *key, struct snapshot_row *ret,
		      struct err *err);

/* Takes snapshots/NAME for its removal: 1 and a descriptor, 0 when somebody uses it, -ENOENT. */
int snapshot_lock_alone(struct store *store, const char *name, int *ret_fd);
/* Removes it, by way of the staging directory TRASH_FD; -1: in its place. */
int snapshot_discard(struct store *store, const char *name, int trash_fd, struct err *err);

/* Both: 1, or 0 when it stays. */
int snapshot_remove_dir(struct store *store, const char *name, int trash_fd, struct err *err);

#endif
