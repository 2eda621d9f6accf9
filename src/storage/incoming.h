/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_INCOMING_H
#define STORAGE_INCOMING_H
/*
 * An image on its way into the store. Import, load, copy, commit (and whatever brings images in
 * later) stage their layers and blobs in one of these; incoming_commit makes all of it durable with
 * one syncfs(2) and visible with one transaction. Until then nothing can be seen, and what is not
 * committed leaves nothing.
 *
 *	incoming_begin → incoming_set_config → incoming_add_layers → incoming_commit     (load,
 *copy) incoming_begin → incoming_add_layers → incoming_set_config → incoming_commit     (import,
 *commit)
 */
#include "base/err.h"
#include "oci/digest.h"
#include "storage/unpack.h"

#include <stdbool.h>
#include <stdint.h>

struct incoming;
struct store;

/* Layers of an image: what an overlay can be mounted of when the kernel takes one page of options,
 * with a lowest one of the engine's own. docker's limit is about the same. */
#define STORE_MAX_LAYERS 127

/* Where the bytes of a layer are. */
struct layer_source {
	int fd;
	uint64_t offset, length; /* as in struct unpack_job */
	/* What the manifest promised of the bytes as they come; "" and -1 when nothing did. */
	char raw_hex[DIGEST_HEX_LEN + 1];
	int64_t raw_size;
	uint64_t *n_read; /* as in struct unpack_job; stays as it is for a layer that is there */
};

/* Takes away the garbage of earlier failures and creates a staging directory. Owned. */
int incoming_begin(struct store *store, struct incoming **ret, struct err *err);
/* Removes what was not committed; NULL is fine. */
void incoming_free(struct incoming *in);
void incoming_cleanup(struct incoming **in);
#define cleanup_incoming __attribute__((cleanup(incoming_cleanup)))

/* Begins above the layers of an image in the store (64 digits), which becomes the parent. Before
 * any other layer. ERR_NOT_FOUND. */
int incoming_set_base(struct incoming *in, const char *image_id, struct err *err);
/* The same without making it the parent: for another name of an image that has one already. */
int incoming_set_base_layers(struct incoming *in, const char *image_id, struct err *err);
/* When the image was made, for lists; without it, what its configuration says. */
void incoming_set_made(struct incoming *in, int64_t made_ns);

/* The image's configuration, LEN bytes of JSON whose digest becomes the image's id. When the layers
 * were added before, its diff IDs must be theirs. ERR_INVALID for what image_config_parse refuses
 * or a NUL in it. */
int incoming_set_config(struct incoming *in, const char *text, size_t len, struct err *err);
/* 64 digits; "" before incoming_set_config. */
const char *incoming_get_id(const struct incoming *in);

/* Unpacks the N layers on top of those there are, several at a time. With the configuration known
 * their digests are compared with its diff IDs, and a layer that the store has complete is not even
 * read, unless a manifest promises it under a digest that the store does not know. RET_RESULTS (may
 * be NULL) gets N results; one of a layer that was there has only its digests and sizes. */
int incoming_add_layers(struct incoming *in, const struct layer_source *sources, size_t n,
			unpack_progress_fn progress, void *data, struct unpack_result *ret_results,
			struct err *err);
/* Number of layers so far, and the diff ID (64 digits) of one. */
size_t incoming_count_layers(const struct incoming *in);
const char *incoming_get_diff_id(const struct incoming *in, size_t i);

/* Keeps blob HEX as well, of SIZE bytes at OFFSET of FD, verified while it is copied: manifests,
 * indexes and layers that are to be handed out again as they came. */
int incoming_add_blob(struct incoming *in, const char *hex, int fd, uint64_t offset, uint64_t size,
		      struct err *err);
/* The same from memory. */
int incoming_add_document(struct incoming *in, const char *hex, const void *bytes, size_t len,
			  struct err *err);
/* The manifest or index (one of the added blobs) as which the names will be handed out again, and
 * its media type. */
void incoming_set_target(struct incoming *in, const char *hex, const char *media_type);

/* Adds a canonical name ("docker.io/library/x:latest") to give; any number. */
void incoming_add_name(struct incoming *in, const char *canonical);

/* Syncs, publishes and names. After it only incoming_free and the getters are allowed. An image
 * that was there already keeps its row and gets the names. */
int incoming_commit(struct incoming *in, struct err *err);

#endif
