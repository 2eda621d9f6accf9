/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_UNPACK_PROTOCOL_H
#define STORAGE_UNPACK_PROTOCOL_H
/* What `tare` and its helper tare-unpack must agree on beyond the helper's options (unpack/main.c).
 */
#include <stdint.h>

/* Exit status of an error: this and its code (enum err_code). The text is on stderr. */
#define UNPACK_EXIT_BASE 64
#define UNPACK_EXIT_USE	 2

/* What "lost" of the answer begins with for the walls that hold the helper: "NAME: why". */
#define UNPACK_WALL_NAMESPACES "namespaces"
#define UNPACK_WALL_LANDLOCK   "Landlock"
#define UNPACK_WALL_FILTER     "system call filter"

/*
 * One record of --index-fd for each member, in the archive's order:
 *
 *	TYPE " " OFFSET " " SIZE " " NAME NUL LINK NUL
 *
 * TYPE is "f", "d" or "l"; OFFSET counts from the beginning of the decompressed archive. NAME and
 * LINK are clean (storage/unpack.h); LINK is "" for what is no link or leads out of the archive.
 */
#define UNPACK_INDEX_MAX (64 << 20) /* bytes of all records */

/*
 * --request-fd is a socket (SOCK_SEQPACKET) on which the helper asks for what it may not do itself,
 * in a directory whose descriptor comes with the message (SCM_RIGHTS). The answer is one int32_t:
 * 0, or the errno of what was tried.
 */
enum unpack_request_kind {
	UNPACK_REQUEST_DEVICE = 1, /* a device node NAME in the directory */
	UNPACK_REQUEST_OPAQUE,	   /* the directory hides what lower layers have in it */
};

struct unpack_request {
	uint32_t kind;
	uint32_t mode; /* S_IFCHR or S_IFBLK and permissions */
	uint64_t dev;
	char name[256]; /* one component, NUL-terminated */
};

#endif
