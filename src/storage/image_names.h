/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_NAMES_H
#define STORAGE_IMAGE_NAMES_H
/* Names of images in the index, for those who hand images out. */
#include "base/err.h"
#include "oci/digest.h"

struct image;
struct store;
struct strv;

/* Appends the canonical names with a tag in a repository ("docker.io/library/busybox"), sorted. */
int image_list_names(struct store *store, const char *repository, struct strv *ret,
		     struct err *err);
/* The manifest or index that the image came with: of the name it was found by, or of any when it
 * was found by id; "" when it is to be made. */
int image_get_target(struct store *store, const struct image *image,
		     char ret_hex[static DIGEST_HEX_LEN + 1], struct err *err);

#endif
