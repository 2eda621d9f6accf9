/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_COPY_WRITE_H
#define BUILD_COPY_WRITE_H
/* Writes what was selected to where it belongs. */
#include "build/chmod.h"
#include "build/copy_place.h"
#include "build/select.h"

struct copy_writer {
	struct copy_place *place;
	const struct chmod_spec *chmod; /* NULL: modes stay */
};

/* Writes a source that is no directory as the resolved PATH, in whose place there may be anything
 * but a directory. */
int copy_write_file(const struct copy_writer *w, const struct select_source *source,
		    const char *path, struct err *err);
/* Writes what is in the directory that SOURCE is to the resolved directory PATH of the upper
 * directory. IS_NEW: that was made just now. */
int copy_write_dir(const struct copy_writer *w, const struct select_source *source,
		   const char *path, bool is_new, struct err *err);

#endif
