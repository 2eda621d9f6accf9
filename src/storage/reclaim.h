/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_RECLAIM_H
#define STORAGE_RECLAIM_H
/*
 * What a removal gives back to the disk: trees and files are measured while they are there, and
 * those that are gone at the end are the sum. So what could not be removed, or turned out to be
 * needed, is not counted, and what others bring in meanwhile does not matter.
 */
#include "base/str.h"
#include "storage/disk_usage.h"

#include <stdint.h>

struct garbage;
struct store;

struct reclaim {
	struct strv paths; /* below the root */
	int64_t *bytes;	   /* owned; of each path */
	struct disk_usage disk;
};

#define RECLAIM_INIT \
	{            \
	}
/* Forgets what was measured. May be repeated. */
void reclaim_done(struct reclaim *reclaim);
#define cleanup_reclaim __attribute__((cleanup(reclaim_done)))

/* Measures PATH below the root. */
void reclaim_add_path(struct reclaim *reclaim, const struct store *store, const char *path);
/* Measures the layers and blobs of GARBAGE. */
void reclaim_add_garbage(struct reclaim *reclaim, struct store *store,
			 const struct garbage *garbage);
/* Measures the layers and blobs that the index does not name; what cannot be looked at is left
 * out. */
void reclaim_add_unnamed(struct reclaim *reclaim, struct store *store);
/* Bytes of what was measured and is gone now. */
int64_t reclaim_get_bytes(const struct reclaim *reclaim, const struct store *store);

#endif
