/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_STREAM_H
#define UNPACK_STREAM_H
/*
 * The archive on its way from a descriptor to the tar reader: read, saved, decompressed and hashed
 * on a second thread, while the first one makes files of it.
 */
#include "archive/digest.h"
#include "archive/inflate.h"
#include "archive/source.h"

struct err;
struct stream;

struct stream_options {
	int in_fd;	 /* compressed archive; read to its end */
	int save_fd;	 /* gets a copy of what was read, -1: none */
	int progress_fd; /* gets counts of bytes read, 8 bytes little-endian, -1: none */
};

struct stream_result {
	char diff_id[DIGEST_TEXT_LEN];		 /* of the tar stream */
	char compressed_digest[DIGEST_TEXT_LEN]; /* of what was read */
	uint64_t compressed_size;
	enum inflate_format format;
};

/* Starts the thread. Descriptors are borrowed and must stay open until stream_finish. Owned; NULL
 * with ERR filled when no thread can be had. */
struct stream *stream_start(const struct stream_options *options, struct err *err);
/* The decompressed bytes, for the thread that called stream_start. */
struct byte_source *stream_get_source(struct stream *s);
/* Takes what is left of the stream, waits for the thread, and tells what it saw. After an error the
 * process is expected to exit: the thread may still be waiting for its input. */
int stream_finish(struct stream *s, struct stream_result *ret, struct err *err);
/* Only after stream_finish returned success. */
void stream_free(struct stream *s);

#endif
