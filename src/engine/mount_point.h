/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_MOUNT_POINT_H
#define ENGINE_MOUNT_POINT_H
/*
 * What a container has mounted, once names mean something: from what the caller asked for, what
 * other containers have and what the image declares, to one list in which each destination stands
 * once. An entry is both what docker's inspect shows and what the runtime configuration gets.
 */
#include "engine/spec.h"
#include "oci/image_config.h"
#include "oci/runtime_config.h"
#include "storage/container.h"

struct engine;

struct mount_point {
	/* For people: docker's MountPoint. */
	const char *type; /* "bind", "volume", "tmpfs", "image" */
	char *name;	  /* of a volume; NULL */
	char *source;	  /* on the host; "" without one */
	char *destination;
	char *mode;
	bool writable;
	char *propagation; /* "" where it is none of a user's business */
	bool is_hidden;	   /* inspect does not list it: --tmpfs */
	/* For the runtime. */
	struct oci_mount mount;
	/* For the index. */
	char *image_id; /* of an image; NULL */
	bool is_anonymous, is_new;
};

struct mount_points {
	struct mount_point *items; /* owned */
	size_t n;
};

#define MOUNT_POINTS_INIT \
	{                 \
	}
/* Frees the list; an empty one is fine. */
void mount_points_done(struct mount_points *points);
#define cleanup_mount_points __attribute__((cleanup(mount_points_done)))

/* Fills RET for SPEC of an image that declares IMAGE->volumes; RET must be empty. Named volumes
 * that there are not yet are made; anonymous ones get a name, and come with the container's row
 * (container_insert). With DRY_RUN nothing is made. ERR_* with docker's words. */
int mount_points_resolve(struct engine *engine, const struct container_spec *spec,
			 const struct image_run *image, bool dry_run, struct mount_points *ret,
			 struct err *err);
/* Takes back what the row of a container that came to nothing would have brought. */
void mount_points_forget(struct engine *engine, const struct mount_points *points);

/* The uses for the container's row: an owned array of points->n, of borrowed strings, whose first
 * RET_N are filled. */
struct container_use *mount_points_uses(const struct mount_points *points, size_t *ret_n);
/* Owned: MOUNTS of ps, and the JSON that inspect reads back: {"Mounts":[...]}, or "{}". */
char *mount_points_text(const struct mount_points *points);
char *mount_points_json(const struct mount_points *points);

/* Owned: the absolute PATH without ".", ".." and doubled slashes, by its text alone. A relative one
 * is as it was. */
char *mount_clean_path(const char *path);

#endif
