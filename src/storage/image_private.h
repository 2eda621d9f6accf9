/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_PRIVATE_H
#define STORAGE_IMAGE_PRIVATE_H
/* What the files of this module share about images. */
#include "storage/image.h"

struct reference;

/* Canonical name with tag of a reference; an owned string. */
char *image_canonical(const struct reference *ref);
/* The familiar form of a canonical name of ours; an owned string. */
char *image_familiar(const char *canonical);
/* Points a name at an image, in the caller's transaction. */
int image_set_tag(struct store *store, const char *canonical, const char *id, struct err *err);
/* The canonical names of an image, sorted. */
int image_get_tags(struct store *store, const char *id, struct strv *ret, struct err *err);

/* Removes an image's rows in the caller's transaction, and those of layers that nothing else uses,
 * whose chain IDs are appended to RET_LAYERS, topmost first; RET_SIZE (may be NULL) grows by
 * theirs. */
int image_delete_rows(struct store *store, const char *id, struct strv *ret_layers,
		      int64_t *ret_size, struct err *err);
/* After the commit: removes the files that those rows stood for. What fails stays for the
 * collector. */
void image_delete_files(struct store *store, const char *id, const struct strv *layers);

#endif
