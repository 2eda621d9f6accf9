/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_VIEW_H
#define ENGINE_VIEW_H
/*
 * The root file system of a container, seen from the engine: an overlay of its layers,
 * mounted where nobody else sees it (a mount namespace of this process) and gone with this process.
 *
 * Every function with a struct engine here but view_open_upper makes the process leave its mount
 * namespace for a private one on its first call: not before a clone of containers.
 */
#include "base/err.h"

struct container_record;
struct engine;
struct strv;

/* A descriptor (open for reading) of the root of a read-only overlay of a container's layers and
 * its writable layer, running or not, without what is mounted in it. */
int view_open_container(struct engine *engine, const struct container_record *record,
			struct err *err);
/* The same of what the container began with: its image's layers above the skeleton, without its
 * writable layer. */
int view_open_lower(struct engine *engine, const struct container_record *record, struct err *err);
/* A descriptor (open for reading) of the container's upper directory. */
int view_open_upper(struct engine *engine, const char *id, struct err *err);

/* After the last read: ERR_NOT_FOUND when the container was removed meanwhile, and what was read
 * may not be all of it. Its row goes before its files do. */
int view_verify(struct engine *engine, const struct container_record *record, struct err *err);

/* A detached read-only mount of an image: LOWERS are its layers, uppermost first (at least one). */
int view_mount_image(struct engine *engine, const struct strv *lowers, struct err *err);

/* Moves this process to a mount namespace of its own, once: what it mounts from now on is seen by
 * nobody and ends with it. */
int view_ensure_private(struct err *err);
/* The writable root of container ID, which does not run, above LOWERS (directories, uppermost
 * first) and attached to a directory of the engine's in this namespace, so that more can be mounted
 * inside. Not more than one at a time. */
int view_mount_writable(struct engine *engine, const char *id, const struct strv *lowers,
			struct err *err);
/* Takes away what view_mount_writable or view_attach mounted for container ID, after the caller has
 * closed every descriptor in it. */
void view_unmount(struct engine *engine, const char *id);
/* Attaches the detached MOUNT_FD at the same place, for the same purpose, and returns a descriptor
 * of its root, open for reading. */
int view_attach(struct engine *engine, int mount_fd, struct err *err);

#endif
