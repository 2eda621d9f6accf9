/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_INDEX_H
#define UNPACK_INDEX_H
/* Lists the members of an archive that is a container of blobs, with the places of their bytes. */

struct byte_source;
struct err;

/* Reads the archive SRC to its end mark and writes a record for each file, directory and link to FD
 * (storage/unpack_protocol.h). 0 or -code: too many members, or one that cannot be used in place.
 */
int index_write(struct byte_source *src, int fd, struct err *err);

#endif
