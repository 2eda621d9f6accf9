/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_SNAPSHOT_PRIVATE_H
#define STORAGE_SNAPSHOT_PRIVATE_H
/*
 * What the files of the build cache share.
 *
 *	snapshot.c          looking up, taking into use, claims
 *	snapshot_publish.c  what a step left becomes a snapshot
 *	snapshot_settle.c   an upper directory becomes fit to be a layer
 *	snapshot_notes.c    what times were that became the epoch
 *	snapshot_retime.c   the same with the times of another epoch
 *	snapshot_collect.c  what nothing names
 *	snapshot_prune.c    lists and removal
 *	incoming_snapshots.c  snapshots become layers of an image
 */
#include "base/rand.h"
#include "storage/db.h"
#include "storage/snapshot.h"

#include <jansson.h>

#define SNAPSHOT_DIFF "diff"
#define SNAPSHOT_CLAIMS                                                                      \
	"claims"	     /* in the run directory: a file for each key that is being made \
			      */
#define SNAPSHOT_NAME_LEN 32 /* digits of a directory's name */
#define SNAPSHOT_PATH_LEN (16 + DIGEST_HEX_LEN)

/* Every row: seq, key, dir, chain, diff, boot, kind, description, parent, size, created_ns,
 * used_ns, n_uses, result, epoch, late, latest, variant_of. */
#define SNAPSHOT_COLUMNS 18
#define SNAPSHOT_SELECT                                                                        \
	"SELECT s.seq,s.key,s.dir,s.chain,(SELECT diff_id FROM layer WHERE chain_id=s.chain)," \
	"s.boot,s.kind,s.description,s.parent,s.size,s.created_ns,"                            \
	"ifnull(u.used_ns,s.created_ns),ifnull(u.n_uses,0),s.result,s.epoch,s.late,"           \
	"s.latest,s.variant_of FROM snapshot s LEFT"                                           \
	" JOIN snapshot_use u ON u.seq=s.seq"

struct garbage;

/* A row of the index. */
struct snapshot_row {
	struct snapshot_info info;
	int64_t seq;
	char dir[SNAPSHOT_NAME_LEN + 1]; /* "" for an empty one and for a layer */
	bool is_believed;		 /* it is on the disk, or was made in this boot */
	/* Of one with another epoch than its key's newest: that key; "". */
	char variant_of[DIGEST_HEX_LEN + 1];
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
/* How an upper directory is settled, and what it has then. */
struct snapshot_times {
	int64_t epoch_s;  /* later times become this; SNAPSHOT_NO_EPOCH: all stay */
	int64_t was_s;	  /* the epoch with which it was settled before; SNAPSHOT_NO_EPOCH */
	int64_t began_ns; /* times from here on are the step's own: see snapshot_info */
	int64_t latest_s;
	enum snapshot_late late;
	int64_t size;  /* bytes */
	bool is_empty; /* the step left nothing in it at all */
};
/* Makes the upper directory DIR_FD fit to be a layer: times, no sockets. */
int snapshot_settle(int dir_fd, struct snapshot_times *times, struct err *err);
/* Whether what times were is noted at the files of the snapshot DIR below ROOT_FD. */
bool snapshot_has_notes(int root_fd, const char *dir);
#define SNAPSHOT_OWN_TIME INT64_MAX
/* Notes that the time of NAME was T (NULL: later than any epoch); false when that cannot be. */
bool snapshot_note_write(int dir_fd, const char *name, const struct timespec *t);
/* The note of NAME; second SNAPSHOT_OWN_TIME: later than any epoch. False when there is none. */
bool snapshot_note_read(int dir_fd, const char *name, struct timespec *ret);
/* The notes below DIR_FD that say anything else than that, by path, and null for what has none
 * although its time is EPOCH_S. Owned; NULL when it cannot be said in a document of common size. */
json_t *snapshot_notes_list(int dir_fd, int64_t epoch_s);
/* Notes what such a list says; false when that cannot be. */
bool snapshot_notes_write(int dir_fd, int64_t epoch_s, const json_t *list);
/* Whether the row can serve a build with EPOCH_S. */
bool snapshot_row_serves(struct store *store, const struct snapshot_row *row, int64_t epoch_s);
/* The key under which the result ROW stands with EPOCH_S when another has its own key. */
void snapshot_variant_key(const struct snapshot_row *row, int64_t epoch_s,
			  char ret[static DIGEST_HEX_LEN + 1]);
/* Opens what ROW's result is with EPOCH_S, under the key of ROW, when that is there: 1, 0. */
int snapshot_open_variant(struct store *store, const struct snapshot_row *row, int64_t epoch_s,
			  struct snapshot *ret, struct err *err);
/* snapshot_publish for the files of S with the times of INFO's epoch: its key's newest, or, when
 * that was made anew meanwhile, a variant of what had been there. */
int snapshot_publish_retimed(struct store *store, const struct staging *staging, const char *dir,
			     const struct snapshot_info *info, int64_t was_s, struct err *err);
/* In the caller's transaction: forgets the variants of KEY but the KEEP newest. */
int snapshot_drop_variants(struct store *store, const char *key, int64_t keep,
			   struct garbage *garbage, struct err *err);
/* In the caller's transaction: ROW, that has its key, makes room for one with another epoch. */
int snapshot_set_aside(struct store *store, const struct snapshot_row *row, struct garbage *garbage,
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
