/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_TREE_LINE_H
#define STORAGE_TREE_LINE_H
/* Reading the lines of a layer's listing, whose form storage/tree_list.h describes. */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;

struct tree_line {
	char type; /* f h l c b d p w o */
	bool has_xattrs;
	uint32_t mode, uid, gid;
	struct timespec mtime;
	uint64_t size, crc, xattrs;
	unsigned dev_major, dev_minor; /* of c and b */
	/* Borrowed until the next line; as they are on disk. "" is the root. TARGET of h and l,
	 * else
	 * "". */
	const char *path, *target;
};

struct tree_line_reader {
	const char *text; /* borrowed; what is left of it */
	size_t len;
	size_t number; /* of the last line, from 1 */
	struct str path, target, word;
};

/* 1 with the next line, 0 at the end, -ERR_INVALID for what is no line. */
int tree_line_next(struct tree_line_reader *r, struct tree_line *ret, struct err *err);
void tree_line_reader_done(struct tree_line_reader *r);

#endif
