/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_INFLATE_H
#define ARCHIVE_INFLATE_H
/*
 * Decompression of archives: plain, gzip, zstd, xz or bzip2, told apart by their first bytes. Other
 * formats are refused by name. Linked dynamically (isa-l, libzstd, liblzma, libbz2), for helpers
 * only.
 */
#include "archive/source.h"

struct err;
struct inflate;

/* A zstd frame may ask for a window of 2^26 bytes at most: all that reading an archive takes stays
 * below 128 MiB. No compressor goes beyond 2^23 unless it is told to (zstd --long). */
#define INFLATE_MAX_WINDOW_LOG 26

/* Bytes that xz may allocate: its highest level needs 65 MiB. */
#define INFLATE_MAX_XZ_MEMORY ((uint64_t)100 << 20)

enum inflate_format {
	INFLATE_PLAIN,
	INFLATE_GZIP,
	INFLATE_ZSTD,
	INFLATE_XZ,
	INFLATE_BZIP2,
	N_INFLATE_FORMATS
};

/* Reads the first bytes of SRC (borrowed) to find the format. Owned; NULL with ERR filled for an
 * unsupported format, an empty stream, or an error of the source. */
struct inflate *inflate_new(struct byte_source *src, struct err *err);
void inflate_free(struct inflate *z);
void inflate_cleanup(struct inflate **z);
#define cleanup_inflate __attribute__((cleanup(inflate_cleanup)))

/* Fills BUF with decompressed bytes: LEN of them, or fewer at the end of the stream, then 0; -code
 * when the stream is damaged or cut off. Checksums are verified, the source is read to its end. */
ssize_t inflate_read(struct inflate *z, void *buf, size_t len, struct err *err);

/* The format of a stream that begins with the LEN bytes HEAD (INFLATE_HEAD_LEN of them, or the
 * whole stream); N_INFLATE_FORMATS for one that is known and refused. */
#define INFLATE_HEAD_LEN 6
enum inflate_format inflate_probe(const uint8_t *head, size_t len);

/* What the first bytes said; never N_INFLATE_FORMATS. */
enum inflate_format inflate_format(const struct inflate *z);
/* "plain", "gzip", "zstd", "xz", "bzip2". */
const char *inflate_format_name(enum inflate_format format);

#endif
