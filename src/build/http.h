/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_HTTP_H
#define BUILD_HTTP_H
/* Downloads, by the helper tare-fetch. */
#include "build/tree.h"

/* Downloads the URL of SOURCE into a new directory of STAGING_FD and opens that: a tree with one
 * file, mode 0600, which has the name NAME (NULL: the last part of the URL) and the time that the
 * server says, 1970 where it does not. Its content has the checksum of SOURCE, if there is one.
 * RET_REVISION (owned; may be NULL) gets "etag:..." or "modified:...", as far as the server told,
 * else NULL. ERR_UNAVAILABLE, ERR_NOT_FOUND "invalid response status 404", ERR_INVALID for a
 * checksum that is none or another. */
int http_open(struct engine *engine, const struct build_source *source, const char *name,
	      int staging_fd, struct build_tree *ret, char **ret_revision, struct err *err);

#endif
