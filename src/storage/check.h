/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CHECK_H
#define STORAGE_CHECK_H
/*
 * Comparing what the store says with what is there. Nothing is changed and no lock is held for
 * longer than a look at a directory, so a check runs beside every other command; what one of those
 * takes away meanwhile is no problem.
 */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* One thing that is wrong. All strings are borrowed for the call, none is NULL. */
struct check_problem {
	const char *kind;   /* "index", "image", "layer", "blob", "name", "container", "volume",
			       "network",   "leftover",   "mode" */
	const char *id;	    /* what it is about: 64 digits, a name, a path below the root */
	const char *object; /* the same for people: "layer 3f2a1b..." */
	const char *text;   /* "usr/bin/perl: content differs" */
	const char *images; /* names of the images that need it, separated by ", "; "" */
	const char *remedy; /* what mends it, or what is lost */
};

/* Whether somebody works on the container, or it runs. */
typedef bool (*check_container_fn)(const char *id, void *data);

struct check_options {
	bool full; /* also the content of everything */
	/* Containers that are being made or removed are left alone. */
	check_container_fn is_busy;
	/* Whether one may have layers mounted that a repair replaced. */
	check_container_fn is_running;
	void *data; /* of both */
};

struct check_totals {
	size_t n_images, n_layers, n_blobs, n_problems;
};

typedef void (*check_fn)(const struct check_problem *problem, void *data);

/* Calls FN for each problem. A damaged index is a problem, not an error. Returns 0, or -code when
 * the state directory cannot be looked at. */
int storage_check(struct store *store, const struct check_options *options, check_fn fn, void *data,
		  struct check_totals *ret, struct err *err);

/* A text when the index cannot be opened or a named image lacks the directory of a layer, else "".
 * A few system calls for each layer. */
void storage_glance(struct store *store, char *buf, size_t len);

#endif
