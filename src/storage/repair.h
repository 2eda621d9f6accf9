/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_REPAIR_H
#define STORAGE_REPAIR_H
/*
 * Mending what a full check finds, from what is there: layers from their blobs, configurations from
 * the index, the index from the files. Nothing that could still be of use is deleted: what is taken
 * out of its place goes to ROOT/damaged. Running containers go on; a layer that one has mounted is
 * exchanged beside it.
 */
#include "storage/check.h"

/* What was done, or would be; what is lost. Strings are borrowed for the call. */
typedef void (*repair_fn)(bool is_lost, const char *object, const char *text, void *data);

struct repair_options {
	bool dry_run; /* nothing is changed */
	check_container_fn is_busy, is_running;
	repair_fn fn;
	void *data; /* of the first two */
	void *fn_data;
};

struct repair_totals {
	size_t n_problems, n_done, n_lost;
};

/* -code only where going on makes no sense; what cannot be mended is counted as lost. */
int storage_repair(struct store *store, const struct repair_options *options,
		   struct repair_totals *ret, struct err *err);

/* Removes damaged layers that somebody had in use when they were repaired, and nobody has now.
 * IS_RUNNING (NULL: none is, after a boot) gets DATA. */
void storage_remove_replaced(struct store *store, check_container_fn is_running, void *data);

#endif
