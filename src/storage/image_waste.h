/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_WASTE_H
#define STORAGE_IMAGE_WASTE_H
/*
 * Bytes that an image carries for nothing: content of a layer that a later layer overwrites or
 * deletes, so that no container ever sees it.
 */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct store;

struct wasted_file {
	char *path;	 /* owned; "usr/bin/x" */
	int64_t bytes;	 /* of content */
	size_t layer;	 /* that has it; 0 is the base */
	size_t by;	 /* the layer that hides it */
	bool is_deleted; /* else overwritten */
};

struct image_waste {
	int64_t bytes;		   /* of all of them */
	struct wasted_file *files; /* owned; the largest first */
	size_t n_files;
};

#define IMAGE_WASTE_INIT \
	{                \
	}
/* Frees the files; an empty one is fine. */
void image_waste_done(struct image_waste *waste);
#define cleanup_image_waste __attribute__((cleanup(image_waste_done)))

/* Reads the unpacked layers. A file with several names is wasted with the last of them. */
int image_waste_load(struct store *store, const struct image *image, struct image_waste *ret,
		     struct err *err);

#endif
