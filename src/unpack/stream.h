/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_STREAM_H
#define UNPACK_STREAM_H
/*
 * The archive on its way from a descriptor to the tar reader: read, kept, decompressed and hashed
 * on a second thread, while the first one makes files of it.
 */
#include "archive/digest.h"
#include "archive/inflate.h"
#include "archive/source.h"

#include <stdbool.h>

struct err;
struct stream;

#define STREAM_TO_END UINT64_MAX

/* Descriptors of outputs belong to the stream from stream_start on; -1: none. */
struct stream_options {
	int in_fd;		 /* borrowed */
	uint64_t offset, length; /* read with pread(2), unless the length is STREAM_TO_END */
	int raw_fd;		 /* gets the bytes as they came */
	int plain_fd;		 /* gets them decompressed */
	int blob_fd;		 /* gets them as they came if gzip or zstd, else compressed */
	bool wants_gzip;	 /* with gzip, not zstd */
	int progress_fd;	 /* gets counts of bytes read, 8 bytes little-endian; borrowed */
	uint64_t max_plain;	 /* more decompressed bytes are an error; 0: any number */
};

struct stream_result {
	char raw_digest[DIGEST_TEXT_LEN];
	char diff_id[DIGEST_TEXT_LEN];	   /* of the bytes decompressed */
	char blob_digest[DIGEST_TEXT_LEN]; /* "" without a blob */
	uint64_t raw_size, plain_size, blob_size;
	enum inflate_format format, blob_format;
};

/* Starts the thread. IN_FD and PROGRESS_FD must stay open until stream_finish. Owned; NULL with ERR
 * filled when no thread can be had. */
struct stream *stream_start(const struct stream_options *options, struct err *err);
/* The decompressed bytes, for the thread that called stream_start. */
struct byte_source *stream_get_source(struct stream *s);
/* Takes what is left of the stream, waits for the thread, closes the outputs, and tells what it
 * saw. After an error the process is expected to exit: the thread may still be waiting for its
 * input. */
int stream_finish(struct stream *s, struct stream_result *ret, struct err *err);
/* Whether LENGTH bytes of IN_FD from OFFSET begin like a plain archive: 1, 0, -code. */
int stream_is_plain(int in_fd, uint64_t offset, uint64_t length, struct err *err);
/* Only after stream_finish returned success. */
void stream_free(struct stream *s);

#endif
