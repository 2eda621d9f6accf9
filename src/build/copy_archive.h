/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_COPY_ARCHIVE_H
#define BUILD_COPY_ARCHIVE_H
/* ADD of an archive: a tar file, plain or compressed, told by its content, is unpacked. */
#include "build/copy_place.h"
#include "build/select.h"

/* Unpacks SOURCE into the directory TARGET, which is made if it is missing: 1; or 0 when it is no
 * archive, and nothing is done. */
int copy_archive(struct copy_place *p, const struct build_place *where,
		 const struct select_source *source, const char *target, struct err *err);

#endif
