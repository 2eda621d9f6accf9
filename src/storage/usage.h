/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_USAGE_H
#define STORAGE_USAGE_H
/*
 * What the state directory takes on the disk and for whom. Everything below the root is in exactly
 * one of five sums: images (layers and blobs), containers, volumes, the cache of builds (with the
 * layers that no image has), the rest (the index, what is being brought in, the directories that
 * hold the others); together they are what du(1) says of it.
 *
 * An image's part is made of objects: its layers and its blobs, which are its configuration, the
 * layers as they came and the manifests of its names. One that several images have is shared.
 */
#include "base/err.h"
#include "oci/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct image_usage {
	char id[DIGEST_HEX_LEN + 1];
	char *reference;      /* owned; its first name, canonical; NULL without one */
	int64_t created_s;    /* CLOCK_NEVER_S where its configuration does not say */
	int64_t size;	      /* bytes of content, as `images` shows it */
	int64_t bytes;	      /* on the disk, of all its objects */
	int64_t shared_bytes; /* of those that other images have too */
	int64_t n_containers; /* that were made from it */
	bool is_hidden;	      /* removed by force, and kept for a container */
	bool is_parent;	      /* nameless, and another image was made from it */
};

struct container_usage {
	char id[DIGEST_HEX_LEN + 1];
	int64_t bytes;
};

struct volume_usage {
	char *name; /* owned */
	int64_t bytes;
};

struct usage {
	int64_t images_bytes, containers_bytes, volumes_bytes, cache_bytes, rest_bytes;
	int64_t images_reclaimable; /* of layers and blobs that no container needs */
	struct image_usage *images; /* owned; newest first */
	size_t n_images;
	struct container_usage *containers; /* owned; one for each directory there is */
	size_t n_containers;
	struct volume_usage *volumes; /* owned; one for each directory there is */
	size_t n_volumes;
};

#define USAGE_INIT \
	{          \
	}
/* Frees the lists; an empty one is fine. */
void usage_done(struct usage *usage);
#define cleanup_usage __attribute__((cleanup(usage_done)))

/* Looks at every file of the state directory: takes as long as du. What others change meanwhile is
 * counted as it was found. */
int usage_load(struct store *store, struct usage *ret, struct err *err);
/* Bytes of the directory of container ID; 0 when there is none. */
int64_t usage_get_container(const struct usage *usage, const char *id);
/* The same of the volume NAME. */
int64_t usage_get_volume(const struct usage *usage, const char *name);

#endif
