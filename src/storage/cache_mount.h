/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CACHE_MOUNT_H
#define STORAGE_CACHE_MOUNT_H
/* Looking after the caches of RUN --mount=type=cache (storage/snapshot.h has their use). */
#include "storage/snapshot.h"

#include <stdbool.h>
#include <stddef.h>

/* INFO is borrowed for the call; its key is the digest of the cache's id. */
typedef int (*cache_mount_fn)(const struct snapshot_info *info, void *data, struct err *err);
/* All of them, measured, in no order. */
int cache_mount_list(struct store *store, cache_mount_fn fn, void *data, struct err *err);

/* Whether nothing is in the directory DIR_FD. */
bool cache_mount_is_empty(int dir_fd);

struct cache_locks {
	int *fds; /* owned array of owned descriptors */
	size_t n;
};
/* Takes all parts of the cache HASH: 1, or 0 when somebody uses it or it is gone. RET is the
 * caller's to end in any case. */
int cache_mount_lock_alone(struct store *store, const char *hash, struct cache_locks *ret);
/* Gives them back. */
void cache_locks_done(struct cache_locks *locks);
#define cleanup_cache_locks __attribute__((cleanup(cache_locks_done)))
/* Removes one that was taken, by way of the staging directory TRASH_FD; -1: in its place. */
int cache_mount_discard(struct store *store, const char *hash, int trash_fd, struct err *err);

#endif
