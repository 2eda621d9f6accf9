/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_INTAKE_H
#define UNPACK_INTAKE_H
/* The compressed side of a stream: passes pieces of the descriptor on to the decoder, and on the
 * way hashes them, keeps copies, and tells how far it is. */
#include "archive/digest.h"
#include "archive/inflate.h"
#include "archive/source.h"
#include "unpack/output.h"

struct stream_options;

struct intake {
	struct byte_source base;
	struct fd_source file;
	struct digest
		*digest; /* owned; NULL when the stream turns out to be plain: it has one digest */
	struct output raw;
	struct output *blob; /* borrowed; takes the bytes when they are compressed well enough */
	int progress_fd;
	bool begun; /* the format is known */
	enum inflate_format format;
	uint64_t size, told_ns;
};

/* Fills IN; BLOB must outlive it. 0 or -code; intake_done in any case. */
int intake_init(struct intake *in, const struct stream_options *options, struct output *blob,
		struct err *err);
void intake_done(struct intake *in);
/* Tells the count of bytes, at most every 50 ms unless it is the LAST time. 0 or -code. */
int intake_tell_progress(struct intake *in, bool last, struct err *err);
/* Whether bytes of FORMAT are kept as they came. */
bool intake_is_kept(enum inflate_format format);

#endif
