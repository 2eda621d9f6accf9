/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_H
#define STORAGE_LAYER_H
/*
 * Unpacked layers, each in layers/<chain id>/ with its files in diff/ and a record, layer.json,
 * beside them; and the blobs. The order of writing is what makes an acknowledged image survive a
 * power cut: content synced, record synced, name synced, then the index.
 */
#include "base/err.h"
#include "oci/digest.h"
#include "storage/staging.h"
#include "storage/unpack.h"

#include <stddef.h>

struct store;
struct strv;

/* A layer that was unpacked into a staging directory and is not yet visible. */
struct layer {
	char dir[16]; /* its name in the staging directory */
	char chain_hex[DIGEST_HEX_LEN + 1];
	struct unpack_result result;
};

/* Unpacks ARCHIVE_FD as layer number INDEX on top of PARENT_HEX (NULL for the lowest). */
int layer_stage(struct store *store, const struct staging *staging, size_t index,
		const char *parent_hex, int archive_fd, unpack_progress_fn progress, void *data,
		struct layer *ret, struct err *err);

/* Makes all staged layers durable with one syncfs(2) and visible under their chain IDs. One that
 * another process brought in meanwhile is used instead of ours. LAYERS_FD is the layers directory,
 * locked (shared) by the caller until the index names them. */
int layer_publish(const struct staging *staging, int layers_fd, const struct layer *layers,
		  size_t n_layers, struct err *err);

/* Stores a verified blob, durable when it returns. */
int layer_write_blob(struct store *store, const char *hex, const void *p, size_t len,
		     struct err *err);

/* Removes those of the layers CHAIN_IDS and the configuration IMAGE_ID (may be NULL) that the index
 * does not name. */
int layer_remove_unused(struct store *store, const char *image_id, const struct strv *chain_ids,
			struct err *err);
/* Removes all layers and blobs that the index does not name: what a crash left. Gives up at once
 * when somebody is importing. */
int layer_collect(struct store *store, struct err *err);

#endif
