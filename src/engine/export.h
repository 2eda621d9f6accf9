/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_EXPORT_H
#define ENGINE_EXPORT_H
/* A container's file system as an archive: the verb export. */
#include "base/err.h"

struct container_record;
struct engine;

/* Writes what the container RECORD's image and its own changes make together to OUT_FD (blocking),
 * without what is mounted in it. Running or not. */
int engine_export(struct engine *engine, const struct container_record *record, int out_fd,
		  struct err *err);

#endif
