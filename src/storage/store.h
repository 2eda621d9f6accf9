/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H
/*
 * The state directory: the index (tare.db), verified blobs, unpacked layers, the directories of
 * containers, and staging for whatever is not yet visible. Opening it costs a few system calls; the
 * index itself is opened by the first function that needs it. One store belongs to one thread.
 */
#include "base/err.h"

#include <stdbool.h>

struct store;

/* Ensures ROOT (mode 0700, as everything below it) and returns an owned store. RUNROOT is only
 * remembered. HELPER_DIR holds the unpacking helper; NULL where nothing will be imported. A state
 * directory that cannot be written is one error with a hint. */
int storage_open(const char *root, const char *runroot, const char *helper_dir, struct store **ret,
		 struct err *err);
/* NULL is fine. Never syncs. */
void storage_close(struct store *store);
void store_cleanup(struct store **store);
#define cleanup_store __attribute__((cleanup(store_cleanup)))

/* An O_PATH descriptor of the root, borrowed. */
int store_get_root_fd(const struct store *store);

/* ROOT/reserve is space put by: on a full disk what removes things gives it up, so that there is a
 * way back. Ensured by who has just removed something or brought an image in, and once per boot; no
 * room for it is fine. */
void store_ensure_reserve(struct store *store);
/* Gives it up; false when there was none. */
bool store_release_reserve(struct store *store);

/* Owned path of LEAF ("" for the directory itself) in a container's directory:
 * ROOT/containers/ID[/LEAF]. Nothing is created. */
char *store_container_path(const struct store *store, const char *id, const char *leaf);

#endif
