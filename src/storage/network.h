/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_NETWORK_H
#define STORAGE_NETWORK_H
/*
 * The rows of networks: which there are. What their CONFIG says is the network module's. Who is
 * connected is not known here: a container's row says what it asked for, files below RUNROOT what
 * it has.
 */
#include "base/err.h"
#include "base/rand.h"

#include <stdint.h>

struct store;

struct network_row {
	const char *id;	    /* 64 digits */
	const char *name;   /* unique */
	const char *driver; /* docker's name */
	const char *config; /* JSON (network/network.h) */
	int64_t created_ns;
};

/* Called for one row; its strings are borrowed for the call. < 0 stops with that error. */
typedef int (*network_fn)(const struct network_row *row, void *data, struct err *err);

/* Adds a network in one durable transaction, in which CHECK (may be NULL) is called with all rows
 * that are there: so no two of them get the same subnet. ERR_CONFLICT "network with name N already
 * exists". */
int network_insert(struct store *store, const struct network_row *row, network_fn check, void *data,
		   struct err *err);
/* Docker's rule: exact name, then full id, then unique prefix of an id. Calls FN for the one row:
 * 1, or 0 when there is none. ERR_INVALID "network N is ambiguous (M matches found on ID prefix)".
 */
int network_lookup(struct store *store, const char *ref, network_fn fn, void *data,
		   struct err *err);
/* All of them in the order of their names. */
int network_list(struct store *store, network_fn fn, void *data, struct err *err);
/* Removes the row: 1, or 0 when there was none. */
int network_delete(struct store *store, const char *id, struct err *err);

#endif
