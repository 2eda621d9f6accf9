/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_VOLUME_CONTENT_H
#define ENGINE_VOLUME_CONTENT_H
/* The files of a volume, wherever they are: export, import, clone. */
#include "base/err.h"

struct engine;

/* A descriptor (open for reading) of the directory with what containers see in volume NAME: its
 * own, the one that its options bind, or a mount that nobody else sees. A tmpfs that no running
 * container has is empty: ERR_UNAVAILABLE. ERR_NOT_FOUND. */
int volume_open_content(struct engine *engine, const char *name, struct err *err);

/* Writes the content of NAME as a tar archive to OUT_FD. */
int engine_export_volume(struct engine *engine, const char *name, int out_fd, struct err *err);
/* Unpacks the archive on IN_FD, plain or compressed, into NAME, over what is there. No name in it
 * leads out of the volume, whatever a container does to the volume meanwhile. */
int engine_import_volume(struct engine *engine, const char *name, int in_fd, struct err *err);
/* Makes volume TO with the content, labels and options of NAME; the blocks are shared where the
 * file system can. TO exists when it is complete. ERR_CONFLICT when it is there already. */
int engine_clone_volume(struct engine *engine, const char *name, const char *to, struct err *err);

#endif
