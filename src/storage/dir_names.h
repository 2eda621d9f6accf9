/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_DIR_NAMES_H
#define STORAGE_DIR_NAMES_H
/* The names in one directory, in the order of their bytes whatever the file system's own is. */
#include "base/str.h"

#include <stddef.h>

#define DIR_MAX_NAMES (2 * 1000 * 1000) /* as many as an archive may have entries */

struct dir_name {
	size_t at;	    /* in `bytes`, NUL-terminated */
	unsigned char type; /* DT_*; DT_UNKNOWN where the file system does not say */
	bool is_whiteout;   /* the user's mark; false at first */
};

struct dir_names {
	struct str bytes;
	struct dir_name *items; /* owned */
	size_t n, cap;
};

/* Adds all names in the just opened directory DIR_FD but "." and "..", unsorted. 0 or -errno;
 * -E2BIG for more than DIR_MAX_NAMES. */
int dir_names_read(struct dir_names *d, int dir_fd);
void dir_names_sort(struct dir_names *d);
void dir_names_done(struct dir_names *d);
/* Borrowed until the next change of D. */
const char *dir_names_get(const struct dir_names *d, size_t i);
/* Puts PREFIX before name I. The order is for the caller to make again. */
void dir_names_prefix(struct dir_names *d, size_t i, const char *prefix);

#endif
