/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_VOLUME_H
#define ENGINE_VOLUME_H
/*
 * The verbs on volumes: create, remove, rename, prune, and what inspect and lists show of one.
 * Everything that makes or removes a volume for a user goes through here.
 */
#include "engine/engine.h"
#include "storage/volume.h"

#include <jansson.h>
#include <stdbool.h>

struct json_shape;
struct strv;

struct volume_request {
	const char *name;   /* NULL or "": 64 random digits and the label of anonymous ones */
	const char *driver; /* NULL or "": local, the only one there is */
	const struct strv *options; /* "key=value" of the local driver; may be NULL */
	const struct strv *labels;  /* "key=value"; may be NULL */
};

/* Ensures the volume: RET_NAME is owned. One that is there stays as it is. ERR_INVALID with
 * docker's words for names and options, ERR_NOT_FOUND for a driver. */
int engine_create_volume(struct engine *engine, const struct volume_request *request,
			 char **ret_name, struct err *err);
/* What can be said without looking at the disk. */
int engine_check_volume(const struct volume_request *request, struct err *err);

/* Removes volume NAME. */
int engine_remove_volume(struct engine *engine, const char *name, struct err *err);

/* Removes the volumes that no container uses and that all FILTERS ("label=k[=v]", "label!=k[=v]",
 * "all=true") let through: the anonymous ones, with ALL also those with a name, but none that
 * has options of its driver. Appends their names to REMOVED and adds their bytes to FREED.
 * ERR_INVALID "invalid filter 'x'". */
int engine_prune_volumes(struct engine *engine, const struct strv *filters, bool all,
			 struct strv *removed, int64_t *freed, struct err *err);

/* docker's object of a volume: a new reference. */
json_t *engine_describe_volume(struct engine *engine, const struct volume *volume);
/* The types behind it. */
extern const struct json_shape volume_shape;

/* Owned "a=1,b=2": its labels as lists show them. */
char *volume_labels_text(const struct volume *volume);
/* Whether a volume's JSON texts have LABEL ("k" or "k=v"). */
bool volume_has_label(const struct volume *volume, const char *label);

#endif
