/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_COLLECT_H
#define STORAGE_COLLECT_H
/*
 * Removing files that the index does not name. Who brings an image in holds the layers directory's
 * lock shared from its first look until the index has the name, and who reads one until it has done
 * so; who removes holds it alone and asks
 * the index again. A remover does not wait for long imports: it leaves a mark, and the next writer
 * (or the import itself, at its end) removes what is left.
 */
#include "base/err.h"
#include "base/str.h"
#include "storage/staging.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/* What rows stood for that were deleted in a transaction. */
struct garbage {
	struct strv layers; /* chain IDs, topmost first */
	struct strv blobs;
	int64_t size;	      /* bytes: content of the layers, and blobs */
	struct staging trash; /* where layers go first; see garbage_prepare */
};

#define GARBAGE_INIT                  \
	{                             \
		.trash = STAGING_INIT \
	}
/* Frees the lists and removes the staging directory. */
void garbage_done(struct garbage *garbage);
#define cleanup_garbage __attribute__((cleanup(garbage_done)))

/* Before the commit: makes the staging directory into which layers will go. Who is killed after the
 * commit leaves it without an owner, so that the next command finishes the removal. A disk too full
 * for it is no error. */
void garbage_prepare(struct store *store, struct garbage *garbage);
/* After the commit: removes what of GARBAGE the index does not name now. What cannot be removed at
 * once stays for the next writer; it is never an error. */
void storage_remove_garbage(struct store *store, const struct garbage *garbage);

/* What writers do first: removes dead staging directories, and layers and blobs that nothing names,
 * and writes index.json anew where it is not what the index says. */
void storage_collect(struct store *store);

/* The same, but only when something was cut short: a staging directory without an owner, or a mark,
 * is still there. Three system calls when there is none. */
void storage_sweep(struct store *store);

/* For who reads layers or blobs that it has found in the index: a descriptor, and until it is given
 * to storage_release nothing is removed that is there now. Blocks while somebody removes. */
int storage_hold(struct store *store, struct err *err);
/* Also removes what had to wait. *FD becomes -1; -1 is fine. */
void storage_release(struct store *store, int *fd);

/* Leaves the mark that makes the next sweep collect. */
void storage_mark_leftovers(struct store *store);
bool storage_has_leftovers(struct store *store);

#endif
