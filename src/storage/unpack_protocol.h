/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_UNPACK_PROTOCOL_H
#define STORAGE_UNPACK_PROTOCOL_H
/* What `tare` and its helper tare-unpack must agree on beyond the helper's options (unpack/main.c).
 */

/* Exit status of an error: this and its code (enum err_code). The text is on stderr. */
#define UNPACK_EXIT_BASE 64
#define UNPACK_EXIT_USE	 2

/*
 * One record of --index-fd for each member, in the archive's order:
 *
 *	TYPE " " OFFSET " " SIZE " " NAME NUL LINK NUL
 *
 * TYPE is "f", "d" or "l"; OFFSET counts from the beginning of the decompressed archive. NAME and
 * LINK are clean (storage/unpack.h); LINK is "" for what is no link or leads out of the archive.
 */
#define UNPACK_INDEX_MAX (64 << 20) /* bytes of all records */

#endif
