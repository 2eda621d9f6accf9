/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_INCOMING_PRIVATE_H
#define STORAGE_INCOMING_PRIVATE_H
/* The inside of an incoming image, shared by its files: begin and end (incoming.c), layers
 * (incoming_layers.c), snapshots that become layers (incoming_snapshots.c), rows (incoming_rows.c).
 * For nobody else. */
#include "base/str.h"
#include "oci/image_config.h"
#include "storage/incoming.h"
#include "storage/layer.h"
#include "storage/snapshot_private.h"

#include <assert.h>

#define BLOB_NAME     "blob-"
#define BLOB_NAME_LEN (sizeof(BLOB_NAME) + DIGEST_HEX_LEN + 1)

enum incoming_layer_state {
	LAYER_THERE, /* the store has it */
	LAYER_NEW,   /* unpacked into staging */
	LAYER_BLOB,  /* the store has its files; its blob was missing and is in staging now */
	LAYER_MOVED, /* a snapshot, whose directory will be renamed */
};

struct incoming_layer {
	struct layer_info info;
	enum incoming_layer_state state;
	/* LAYER_NEW: its name in staging. LAYER_MOVED: of its list there. */
	char dir[32];
	size_t snapshot; /* LAYER_MOVED: which */
};

/* A snapshot that stands below snapshots/ and is a layer of the image. */
struct incoming_snapshot {
	struct snapshot *snapshot; /* borrowed */
	char name[SNAPSHOT_NAME_LEN + 1];
	int diff_fd; /* owned; nobody else makes a layer of it while we hold its lock */
	char chain_hex[DIGEST_HEX_LEN + 1]; /* of the layer that it becomes; "" not known yet */
	bool is_moved;
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
	struct incoming_snapshot *snapshots;
	size_t n_snapshots;
	struct strv durable; /* names of snapshots that will be on the disk with this image */
	int64_t made_ns;     /* 0: as the configuration says */
	bool is_passing;     /* hidden, unless somebody else has it */
};

/* Creates NAME in the staging directory; a descriptor for writing. */
int incoming_create_blob(struct incoming *in, const char *name, struct err *err);
void incoming_remember_blob(struct incoming *in, const char *hex, int64_t size, bool is_staged,
			    bool is_for_target);

/* Records of the new layers, into staging. */
int incoming_write_records(struct incoming *in, struct err *err);
/* After the sync: names for all of them. */
int incoming_publish_layers(struct incoming *in, struct err *err);
/* A layer that is there as long as the lock of the layers is held: by its row, or its record. */
int incoming_find_held(struct incoming *in, const char *chain_hex, struct layer_info *ret,
		       struct err *err);
/* What becomes durable with the sync that follows; moves one snapshot to the layers: 1, or 0 when
 * there is such a layer already; notes in the transaction what has become of them; releases them.
 */
int incoming_note_durable(struct incoming *in, struct err *err);
int incoming_write_snapshot(struct incoming *in, size_t layer, struct err *err);
int incoming_move_snapshot(struct incoming *in, size_t layer, struct err *err);
int incoming_name_snapshots(struct incoming *in, struct err *err);
/* After it: removes what is of no use any more. */
void incoming_tidy_snapshots(struct incoming *in);
void incoming_release_snapshots(struct incoming *in);
/* The transaction. */
int incoming_name_everything(struct incoming *in, struct err *err);

#endif
