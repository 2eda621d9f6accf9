/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_PRIVATE_H
#define STORAGE_IMAGE_PRIVATE_H
/* What the files of this module share about images. */
#include "storage/image.h"

#include <sqlite3.h>

struct garbage;
struct reference;

/* Canonical name with tag of a reference; an owned string. */
char *image_canonical(const struct reference *ref);
/* The familiar form of a canonical name of ours; an owned string. */
char *image_familiar(const char *canonical);
/* When an image was created, from its columns created_ns and config: seconds since 1970,
 * CLOCK_NEVER_S where the configuration does not say. */
int64_t image_get_created(sqlite3_stmt *stmt, int created_ns_column, int config_column);
/* Points a name at an image, in the caller's transaction. TARGET is the digest of the manifest or
 * index that it came with, or NULL. */
int image_set_tag(struct store *store, const char *canonical, const char *id, const char *target,
		  struct err *err);
/* Forgets, in the caller's transaction, targets that no name has any more; their blobs are appended
 * to RET. */
int image_drop_targets(struct store *store, struct garbage *ret, struct err *err);
/* The canonical names of an image, sorted. */
int image_get_tags(struct store *store, const char *id, struct strv *ret, struct err *err);

/* Removes an image's rows in the caller's transaction, and those of layers that nothing else uses.
 * What they stood for is added to RET, for storage_remove_garbage after the commit. */
int image_delete_rows(struct store *store, const char *id, struct garbage *ret, struct err *err);

#endif
