/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_REPAIR_PRIVATE_H
#define STORAGE_REPAIR_PRIVATE_H
/*
 * The inside of a repair.
 *
 *	repair.c         the order; blobs, modes, leftovers, containers
 *	repair_layers.c  layers from their blobs
 *	repair_index.c   a new index out of the damaged one
 *	repair_rows.c    rows from the files: images and layers
 *	repair_names.c   the same: names and targets
 *	repair_containers.c which image a container's row means
 *	repair_volumes.c rows and records of volumes
 *	repair_wal.c     reading past damage in the index's log
 */
#include "storage/check_private.h"
#include "storage/repair.h"

struct repair {
	struct store *store;
	const struct repair_options *options;
	struct repair_totals totals;
	struct check check; /* what is wrong */
	bool are_rows_mended;
};

/* Tells what was done, or, in a dry run, would be; and what is lost. OBJECT as check_report. */
void repair_done(struct repair *r, const char *kind, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void repair_lost(struct repair *r, const char *kind, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Moves PATH (below the root) to damaged/NAME, with a number when there is one already. RET_PATH
 * (owned, may be NULL) is where it is now, below the root. */
int repair_move_away(struct repair *r, const char *path, const char *name, char **ret_path,
		     struct err *err);

/* All damaged layers. */
int repair_layers(struct repair *r, struct err *err);
/* Writes the record of a layer as INFO says. */
int repair_write_record(struct repair *r, const struct layer_info *info, struct err *err);

/* A new index in the place of the old one, with all rows that can still be read. */
int repair_index(struct repair *r, struct err *err);
/* Mends rows of a whole index, in one transaction. */
int repair_rows(struct repair *r, struct err *err);

/* In the transaction of STORE: drops rows that cannot be right, and completes images, layers, names
 * and targets from the files. IS_LOST: the index is not to be believed where index.json says
 * otherwise, and images that no name leads to are taken too. */
int repair_complete_rows(struct repair *r, struct store *store, bool is_lost, struct err *err);
/* Names of images that index.json has, whose files are whole and that the index does not know. */
int repair_find_forgotten(struct repair *r, struct strv *ret, struct err *err);

/* Gives volumes that have a record their row again, and the others their record; removes what
 * removals left. */
int repair_volumes(struct repair *r, struct err *err);

/* Makes rows of networks that cannot be read again from their records, writes records that are
 * missing, removes those without a row. */
int repair_networks(struct repair *r, struct err *err);
/* In the transaction of FRESH, a new index: all networks that have a record and no row in it. */
int repair_restore_networks(struct repair *r, struct store *fresh, struct err *err);

/* Whether a layer's files and blob are what its record says and not what its row says. */
bool repair_has_better_record(struct repair *r);

/* Rewrites the checksums of an SQLite log, so that frames behind a damaged one are read again: 1, 0
 * when they were right or there is no log, -errno. */
int repair_wal(int dir_fd, const char *name, bool is_dry_run);

#endif
