/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_H
#define STORAGE_IMAGE_H
/*
 * Images in the index: looking them up as docker does, listing, tagging, removing, describing. An
 * image's id is the digest of its configuration, without "sha256:" here.
 */
#include "base/err.h"
#include "base/str.h"
#include "oci/digest.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

struct image {
	char id[DIGEST_HEX_LEN + 1];
	char *config; /* JSON, verified when it came in */
	int64_t created_ns;
	int64_t size;	       /* bytes of all its layers unpacked */
	struct strv chain_ids; /* 64 digits each, base first */
	char *reference;       /* canonical name it was found by; NULL when by id */
};

#define IMAGE_INIT \
	{          \
	}
/* Frees what it owns and leaves it empty; an empty one is fine. */
void image_done(struct image *image);
#define cleanup_image __attribute__((cleanup(image_done)))

/* Docker's rule: "sha256:<hex>" or 64 digits is an id; else a reference ("latest" when it has no
 * tag; with a digest, a name of that repository that came with that manifest); else a unique prefix
 * of an id. Returns 1 and fills RET, or 0 when there is none. ERR_INVALID with docker's words for a
 * reference that is none. */
int image_lookup(struct store *store, const char *ref, struct image *ret, struct err *err);
/* Appends the ids of image ID and of all that were made from it, by commit for one. */
int image_list_made_from(struct store *store, const char *id, struct strv *ret, struct err *err);
/* The same; absent is ERR_NOT_FOUND "No such image: busybox:latest". */
int image_find(struct store *store, const char *ref, struct image *ret, struct err *err);
/* The image of ID, 64 digits, though it be a passing one (incoming_set_passing). ERR_NOT_FOUND. */
int image_find_passing(struct store *store, const char *id, struct image *ret, struct err *err);

/* The owned paths of the image's layers for overlayfs, topmost first, appended to RET. */
void image_get_lower_dirs(const struct store *store, const struct image *image, struct strv *ret);

/* Gives the image SOURCE the name TARGET, taking it from another image if need be. */
int image_tag(struct store *store, const char *source, const char *target, struct err *err);

/* One line of `images`. */
struct image_row {
	const char *id;		/* 64 digits */
	const char *repository; /* familiar; "<none>" */
	const char *tag;	/* "<none>" */
	const char *target;	/* 64 digits: the manifest that the name came with; NULL */
	int64_t created_s;	/* CLOCK_NEVER_S where its configuration does not say */
	int64_t size;
};

/* Conditions as `images --filter` has them; all of them must hold, of several references one. */
struct image_filter {
	int dangling;	    /* -1 does not matter, 0 or 1 */
	struct strv labels; /* "key" or "key=value" */
	struct strv not_labels;
	struct strv references; /* patterns of path.Match on the familiar form */
	char *before;		/* image */
	char *since;		/* image */
	int64_t until_ns;	/* created before this; INT64_MAX none */
	bool all;		/* no condition: also nameless images that others were made from */
};

/* A filter that lets everything through. */
void image_filter_init(struct image_filter *filter);
/* Frees what it owns. */
void image_filter_done(struct image_filter *filter);
#define cleanup_image_filter __attribute__((cleanup(image_filter_done)))
/* Adds "key=value". ERR_INVALID with docker's words ("invalid filter 'x'") for a key or value that
 * does not exist. */
int image_filter_add(struct image_filter *filter, const char *condition, struct err *err);

typedef int (*image_fn)(const struct image_row *row, void *data, struct err *err);
/* Rows newest first, the tags of one image in order. The row is borrowed for the call; < 0 from FN
 * stops. */
int image_list(struct store *store, const struct image_filter *filter, image_fn fn, void *data,
	       struct err *err);

/* One step of an image's history. */
struct image_history_row {
	const char *id;	   /* 64 digits of the image that ended with it; "" where nobody knows */
	int64_t created_s; /* CLOCK_NEVER_S where it does not say */
	const char *created_by;
	const char *comment;
	int64_t size; /* of the layer that it made; 0 for none */
	bool makes_layer;
};

typedef int (*image_history_fn)(const struct image_history_row *row, void *data, struct err *err);
/* The steps, newest first. The row is borrowed for the call; < 0 from FN stops. ERR_INVALID for a
 * history that names more layers than there are. */
int image_history(struct store *store, const struct image *image, image_history_fn fn, void *data,
		  struct err *err);

/* The number of images (removed by force or not) that have the layer CHAIN_ID (64 digits). */
int64_t image_count_with_layer(struct store *store, const char *chain_id, struct err *err);

/* Whether the container with this id runs now. */
typedef bool (*image_running_fn)(const char *container_id, void *data);

struct garbage;

/* Takes an image away that was only passing (incoming_set_passing), with its layers, unless
 * somebody has made it one of his own meanwhile. ID is 64 digits. */
int image_remove_passing(struct store *store, const char *id, struct err *err);
/* Forgets those whose makers are dead. The caller holds the lock of the layers alone. */
int image_forget_passing(struct store *store, struct garbage *garbage, struct err *err);

struct image_removal {
	bool force;
	bool no_prune;		  /* leaves nameless ancestors */
	image_running_fn running; /* NULL: nothing runs */
	void *data;
};

/* docker rmi of one argument. Appends "Untagged: busybox:latest" and "Deleted: sha256:..." to
 * RET_LINES (which may be NULL): of the image, of its layers that no other image has, and of
 * ancestors that nobody needs any more. ERR_CONFLICT with docker's text while containers or other
 * images use the image. An image that is removed by force under a stopped container disappears from
 * every list; its layers go with the container. Works on a full disk. */
int image_remove(struct store *store, const char *ref, const struct image_removal *how,
		 struct strv *ret_lines, struct err *err);
/* Removes images without a name, with ALL every one that no container uses, as far as FILTER
 * (labels, until; may be NULL) allows, and all that the index does not name. Appends "untagged:
 * ..." and "deleted: ..." and sets the bytes freed on the disk. Works on a full disk. */
int image_prune(struct store *store, bool all, const struct image_filter *filter,
		struct strv *ret_lines, int64_t *ret_reclaimed, struct err *err);

/* The object that `image inspect` prints: a new reference. */
int image_inspect(struct store *store, const struct image *image, json_t **ret, struct err *err);

#endif
