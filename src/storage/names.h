/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_NAMES_H
#define STORAGE_NAMES_H
/*
 * ROOT/index.json: the names of the images as an OCI index (image-spec image-index.md), a copy of
 * what the index knows, for the day on which the index is lost. It has a descriptor for each name:
 * of the manifest or index as which it came, else of the configuration; the annotation
 * "io.containerd.image.name" is the name, "io.tare.image" the image's id. With the blobs beside it
 * the state directory can be read as an OCI image layout.
 */
#include "base/str.h"

struct err;
struct store;

#define NAMES_FILE	   "index.json"
#define NAMES_NAME	   "io.containerd.image.name"
#define NAMES_IMAGE	   "io.tare.image"
#define NAMES_MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"

/* The text that index.json should have now. */
int names_format(struct store *store, struct str *ret, struct err *err);

/* Writes index.json unless it is right. After each transaction that changed names; not synced: a
 * power cut may leave an older one, which the next collection replaces. A failure is logged, since
 * nothing but a rebuilding of the index ever reads the file. */
void names_save(struct store *store);

#endif
