/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CP_H
#define ENGINE_CP_H
/* Files in and out of containers: the verb cp. */
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

struct cp_request {
	const char *source, *destination; /* as typed: "c1:/etc/passwd", "./f", "-" */
	bool archive;			  /* out of a container: owners stay as they are */
	bool follow_link;		  /* a symlink as source means what it leads to */
};

struct cp_result {
	uint64_t bytes;	   /* as docker counts them: of an archive of it all */
	char *destination; /* owned: for the last line; NULL where nothing is to be said */
};

/* Copies, or streams an archive from standard input or to standard output for "-". A container need
 * not run. Into a container the owners of this host's files are kept, out of it all becomes the
 * caller's without `archive`. Errors in docker's words. The process moves to a private mount
 * namespace. RET is written only on success. */
int engine_cp(struct engine *engine, const struct cp_request *request, struct cp_result *ret,
	      struct err *err);

#endif
