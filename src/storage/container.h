/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CONTAINER_H
#define STORAGE_CONTAINER_H
/*
 * The rows of containers: what exists, under which id and name, from which image. Whether one is
 * alive is not known here.
 */
#include "base/err.h"
#include "base/rand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct strv;

struct container_row {
	const char *id;		/* 64 digits */
	const char *name;	/* without the slash */
	const char *image_id;	/* 64 digits; "" without an image */
	const char *image_ref;	/* as the user wrote it */
	const char *image_name; /* canonical reference it was found by; "" when by id */
	const char *command;	/* text for ps */
	const char *labels;	/* JSON object */
	const char *network_mode;
	const char *mounts; /* text for ps */
	/* JSON array of what was asked of networks (endpoint_requests_format); "" or NULL: nothing
	 * but the default one. "" in output. */
	const char *networks;
	const char *config; /* JSON, docker's Config; these three NULL where not asked for */
	const char *host;   /* JSON, docker's HostConfig */
	const char *extra;  /* JSON, whatever else the engine keeps */
	int64_t created_ns;
	bool auto_remove;
	const struct container_use *uses; /* of container_insert; else NULL */
	size_t n_uses;
	int64_t n_volumes; /* output only: places where a volume is mounted */
	/* Output only: image_ref still leads to image_id (else lists show the id). */
	bool image_is_current;
};

/* What a container has mounted that is somebody's: it cannot be removed meanwhile. */
struct container_use {
	const char *volume; /* name; NULL for an image */
	const char *image;  /* 64 digits */
	const char *target;
	bool is_anonymous; /* the volume goes with its last container where that is asked for */
	/* Volumes that nobody named get their row with the container's; their files are there. */
	bool is_new;
};

/* A row with its own copy of the strings. */
struct container_record {
	struct container_row row;
	char *strings; /* owned; what row points into */
};

/* Frees the strings; a zeroed record is fine. */
void container_record_done(struct container_record *record);
#define cleanup_container __attribute__((cleanup(container_record_done)))

/* Adds a container in one transaction. ERR_NOT_FOUND when its image went away meanwhile.
 * ERR_CONFLICT: the name is taken, docker's text and its holder's id in RET_HOLDER; or the id is,
 * RET_HOLDER "". ERR_NOT_FOUND "get NAME: no such volume" when a volume went away meanwhile. */
int container_insert(struct store *store, const struct container_row *row,
		     char ret_holder[static ID_LEN + 1], struct err *err);

/* Docker's rule: full id, then exact name (a leading slash is fine), then unique prefix of an id.
 * Returns 1 and fills RET (with the JSON columns), or 0 when there is none. ERR_INVALID "multiple
 * IDs found with provided prefix: x". */
int container_lookup(struct store *store, const char *ref, struct container_record *ret,
		     struct err *err);
/* The same; absent is ERR_NOT_FOUND "No such container: x", an empty REF ERR_INVALID. */
int container_lookup_by_ref(struct store *store, const char *ref, struct container_record *ret,
			    struct err *err);

/* Called for one row; its strings are borrowed for the call. < 0 stops the listing with that error.
 */
typedef int (*container_fn)(const struct container_row *row, void *data, struct err *err);
/* All containers, newest first. The JSON columns are read only WITH_JSON. */
int container_list(struct store *store, bool with_json, container_fn fn, void *data,
		   struct err *err);

/* ERR_CONFLICT as container_insert, ERR_NOT_FOUND when ID is not there. */
int container_rename(struct store *store, const char *id, const char *name,
		     char ret_holder[static ID_LEN + 1], struct err *err);
/* Replaces the JSON columns; NULL keeps one as it is. ERR_NOT_FOUND. */
int container_update_json(struct store *store, const char *id, const char *config, const char *host,
			  const char *extra, struct err *err);
/* Replaces what was asked of networks; NULL: nothing but the default one. ERR_NOT_FOUND. */
int container_update_networks(struct store *store, const char *id, const char *networks,
			      struct err *err);
/* Removes the row. Returns 1, or 0 when there was none. An image that was removed by force before
 * and that only this container kept goes with it; so do its anonymous volumes that no other
 * container has, WITH_VOLUMES or when it was to be removed at its end: their names are appended to
 * RET_VOLUMES (may be NULL). The container's directory is the caller's. */
int container_delete(struct store *store, const char *id, bool with_volumes,
		     struct strv *ret_volumes, struct err *err);

#endif
