/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_REPAIR_ROWS_H
#define STORAGE_REPAIR_ROWS_H
/* What repair_rows.c, repair_names.c and repair_containers.c share while they make rows from files.
 * For nobody else. */
#include "storage/names.h"
#include "storage/repair_private.h"

#include <jansson.h>

struct rows {
	struct repair *repair;
	struct store *store;  /* the index that is mended, in its transaction */
	bool is_lost;	      /* index.json is believed, and images without a name are taken too */
	json_t *names;	      /* index.json; NULL when it cannot be read */
	struct strv restored; /* images that had no row */
	struct strv broken;   /* names that led nowhere */
};

/* An entry of index.json. */
struct named {
	char image[DIGEST_HEX_LEN + 1], target[DIGEST_HEX_LEN + 1]; /* target "": none */
	const char *name;					    /* canonical; borrowed */
	const char *media_type;					    /* of the target */
};

/* The entries of index.json: a new reference, NULL when there are none. */
json_t *repair_read_names(struct store *store);
/* Reads one entry; false when it is none of ours. */
bool repair_parse_named(const json_t *d, struct named *ret);
/* Whether index.json has a name for the image. */
bool repair_is_named_in_file(const struct rows *r, const char *id);

/* Makes the rows of all targets again from their manifests, as far as their blobs are there. */
int repair_mend_targets(struct rows *r, struct err *err);
/* Drops names of images that there are not, and remembers those and names of unknown targets. */
int repair_drop_broken_names(struct rows *r, struct err *err);
/* Gives the names of index.json to restored images, and to what was broken. */
int repair_restore_names(struct rows *r, struct err *err);
/* Finds the images of containers whose row names one that there is not. */
int repair_mend_containers(struct rows *r, struct err *err);

#endif
