/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_STAGING_H
#define STORAGE_STAGING_H
/*
 * Staging directories: ROOT/staging/<boot id>.<random>, one per operation, locked by its owner
 * while it lives. What another boot or a dead owner left is garbage.
 */
#include "base/err.h"

#include <stdbool.h>

struct store;

#define STAGING_NAME_LEN 80

struct staging {
	int parent_fd;
	int fd; /* the directory itself, flock(2)ed */
	char name[STAGING_NAME_LEN];
};

#define STAGING_INIT                      \
	{                                 \
		.parent_fd = -1, .fd = -1 \
	}

/* Creates and locks a new one. */
int staging_create(struct store *store, struct staging *ret, struct err *err);
/* Removes the directory with all that is still in it. */
void staging_done(struct staging *staging);
#define cleanup_staging __attribute__((cleanup(staging_done)))

/* Whether there is a staging directory of another boot or a dead owner. Creates nothing. */
bool staging_has_dead(struct store *store);
/* Whether somebody works in one at this moment, or is just making one. */
bool staging_has_live(struct store *store);
/* Removes the staging directories of other boots and dead owners. Failures are only logged. */
void staging_collect(struct store *store);

#endif
