/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_INCOMING_PRIVATE_H
#define STORAGE_INCOMING_PRIVATE_H
/* The inside of an incoming image, shared by its three files: begin and end (incoming.c), layers
 * (incoming_layers.c), rows (incoming_rows.c). For nobody else. */
#include "oci/image_config.h"
#include "storage/incoming.h"
#include "storage/layer.h"

#include <assert.h>

#define BLOB_NAME     "blob-"
#define BLOB_NAME_LEN (sizeof(BLOB_NAME) + DIGEST_HEX_LEN + 1)

enum incoming_layer_state {
	LAYER_THERE, /* the store has it */
	LAYER_NEW,   /* unpacked into staging */
	LAYER_BLOB,  /* the store has its files; its blob was missing and is in staging now */
};

struct incoming_layer {
	struct layer_info info;
	enum incoming_layer_state state;
	char dir[32]; /* LAYER_NEW: its name in staging */
};

struct incoming_blob {
	char hex[DIGEST_HEX_LEN + 1];
	int64_t size;
	bool is_staged; /* else the store has it */
	bool is_for_target;
};

struct incoming {
	struct store *store;
	struct staging staging;
	int layers_fd; /* locked, shared */
	int blobs_fd;
	struct image_config config;
	char *config_text; /* NULL until it is known */
	char id[DIGEST_HEX_LEN + 1];
	char parent[DIGEST_HEX_LEN + 1];
	char target[DIGEST_HEX_LEN + 1];
	char *target_type;
	struct strv names; /* canonical */
	struct incoming_layer *layers;
	size_t n_layers;
	struct incoming_blob *blobs;
	size_t n_blobs;
};

/* Creates NAME in the staging directory; a descriptor for writing. */
int incoming_create_blob(struct incoming *in, const char *name, struct err *err);
void incoming_remember_blob(struct incoming *in, const char *hex, int64_t size, bool is_staged,
			    bool is_for_target);

/* Records of the new layers, into staging. */
int incoming_write_records(struct incoming *in, struct err *err);
/* After the sync: names for all of them. */
int incoming_publish_layers(struct incoming *in, struct err *err);
/* The transaction. */
int incoming_name_everything(struct incoming *in, struct err *err);

#endif
