/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_H
#define STORAGE_LAYER_H
/*
 * Unpacked layers, each in layers/<chain id>/:
 *
 *	diff/       its files
 *	list        one line for each entry of its archive (storage/tree_list.h)
 *	layer.json  the record: what the index knows of it, so that an index can be made again
 *
 * A layer is put together in a staging directory, synced there, and appears by one rename.
 */
#include "base/err.h"
#include "oci/digest.h"
#include "storage/blob.h"
#include "storage/staging.h"

#include <stdbool.h>

struct store;
struct str;

#define LAYER_DIFF   "diff"
#define LAYER_LIST   "list"
#define LAYER_RECORD "layer.json"

/* Makes directory DIR in STAGING with an empty diff and list. RET_DIFF_FD (open for reading) and
 * RET_LIST_FD (for writing) are the caller's to close, also after an error. */
int layer_create(const struct staging *staging, const char *dir, int *ret_diff_fd, int *ret_list_fd,
		 struct err *err);

/* The text of a record. */
void layer_format_record(const struct layer_info *info, struct str *ret);
/* Writes it to PATH under DIRFD, a place in a staging directory; not synced. */
int layer_write_record(int dirfd, const char *path, const struct layer_info *info, struct err *err);
/* The record of CHAIN_HEX in the layers directory; one of version 0.1.0 has no blob and no list.
 * ERR_NOT_FOUND, or ERR_INVALID for one that cannot be read. */
int layer_read_record(int layers_fd, const char *chain_hex, struct layer_info *ret,
		      struct err *err);

/* Whether the layers directory has its files and its record. */
bool layer_is_there(int layers_fd, const char *chain_hex);

/* Renames DIR of STAGING to its chain ID: 1, or 0 when there is one already. What is in it must be
 * on disk; LAYERS_FD must be synced afterwards. */
int layer_publish(const struct staging *staging, const char *dir, int layers_fd,
		  const char *chain_hex, struct err *err);

#endif
