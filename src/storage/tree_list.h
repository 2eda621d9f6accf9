/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_TREE_LIST_H
#define STORAGE_TREE_LIST_H
/*
 * The listing of a layer: layers/<chain id>/list, one line for each entry of its archive, in the
 * archive's order, with a checksum of each file's content. It is what `system check --full`
 *compares an unpacked layer with, whether its blob is still there or not; its own digest stands in
 *the layer's record and in the index.
 *
 * Where two lines name the same path the later one counts; a line for something that is no
 *directory ends what stood below it. Lines:
 *
 *	TYPE MODE UID GID MTIME.NS SIZE CRC64 XATTRS PATH [TARGET]
 *
 * TYPE is one letter: f h(ard link) l(symlink) c b d p w(hiteout) o(paque directory). Bytes of
 *names outside "!" to "~", "%" and white space are %XX. XATTRS is "-" or the CRC64 of the
 *attributes that were set, in the order of their names.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct tar_entry;
struct str;
struct strv;

/* Appends the line of E, whose clean path is PATH; TYPE as above, CRC that of its content. */
void tree_list_add(struct str *list, char type, const char *path, const char *link,
		   const struct tar_entry *e, uint64_t crc);

/* CRC-64/XZ of LEN bytes, continuing CRC (0 to begin). Portable; the helper has a faster one with
 * the same result. */
uint64_t tree_list_crc(uint64_t crc, const void *bytes, size_t len);

/* Compares the layer's directory ROOT_FD with LIST. Each difference is appended to RET_PROBLEMS as
 * a text ("usr/bin/x: content differs"), MAX of them at most. Returns their number, or -code when
 * it cannot be looked at or LIST is no listing. WITH_CONTENT: files are read, else only their
 * metadata is compared. */
int tree_list_compare(int root_fd, const char *list, size_t len, int with_content, size_t max,
		      struct strv *ret_problems, struct err *err);

#endif
