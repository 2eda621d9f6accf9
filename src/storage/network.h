/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_NETWORK_H
#define STORAGE_NETWORK_H
/*
 * The rows of networks: which there are. What their CONFIG says is the network module's. Who is
 * connected is not known here: a container's row says what it asked for, files below RUNROOT what
 * it has.
 *
 *	ROOT/networks/ID.json	the record, from which a lost index gets its row again
 *
 * A record is there before its row and goes after it, so one without a row is what a death left; it
 * is removed by network_sweep. The networks that every engine has need no record.
 */
#include "base/err.h"
#include "base/rand.h"

#include <stdbool.h>
#include <stddef.h>
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

/* Networks that come together or not at all. */
struct network_insertion {
	/* Borrowed. What depends on other networks, a subnet above all, may be filled in by CHOOSE.
	 */
	const struct network_row *rows;
	size_t n;
	bool has_record; /* on disk when the call returns, each with a record */
	/* Called in the transaction: SEE with every row that is there, then CHOOSE. Either may be
	 * NULL. So no two networks ever choose the same subnet. */
	network_fn see;
	int (*choose)(void *data, struct err *err);
	void *data;
};

/* Adds networks in one transaction. ERR_CONFLICT "network with name N already exists", also before
 * anything is chosen. */
int network_insert(struct store *store, const struct network_insertion *insertion, struct err *err);
/* Docker's rule: full id, then exact name, then unique prefix of an id. Calls FN for the one row:
 * 1, or 0 when there is none. ERR_INVALID "network N is ambiguous (M matches found based on ID
 * prefix)". */
int network_lookup(struct store *store, const char *ref, network_fn fn, void *data,
		   struct err *err);
/* All of them in the order of their names. */
int network_list(struct store *store, network_fn fn, void *data, struct err *err);
/* Removes the row, on disk when it returns, and the record: 1, or 0 when there was none. */
int network_delete(struct store *store, const char *id, struct err *err);

/* Removes records without a row. Costs one readdir when there are none. Failures are only logged.
 */
void network_sweep(struct store *store);

/* For check and repair: calls FN with what the record file NAME ("ID.json") says. 1, or 0 when it
 * is none. */
int network_read_record(struct store *store, const char *name, network_fn fn, void *data,
			struct err *err);
/* Writes the record of ROW anew, on disk when it returns. */
int network_write_record(struct store *store, const struct network_row *row, struct err *err);
/* Puts ROW into the index, inside a transaction of the caller's. 1, or 0 when its id or name is
 * there. */
int network_restore_row(struct store *store, const struct network_row *row, struct err *err);

#endif
