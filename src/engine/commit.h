/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_COMMIT_H
#define ENGINE_COMMIT_H
/* A container becomes an image: the verb commit. */
#include "base/err.h"
#include "base/str.h"
#include "oci/digest.h"

#include <stdbool.h>

struct engine;

struct commit_request {
	const char *ref;	      /* the container */
	const char *name;	      /* of the image, as typed; NULL or "" for none */
	const char *author, *message; /* NULL or "" for none */
	const struct strv *changes;   /* Dockerfile instructions */
	bool pause;		      /* a running container, while its layer is read */
};

/* Makes an image of what the container's image has and the container changed, with the container's
 * configuration. A container that this paused goes on afterwards, however this ends: even when the
 * process is killed. RET_ID gets 64 digits. ERR_INVALID for a bad name or change, ERR_NOT_FOUND. */
int engine_commit(struct engine *engine, const struct commit_request *request,
		  char ret_id[static DIGEST_HEX_LEN + 1], struct err *err);

#endif
