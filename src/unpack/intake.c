/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format is seen in the first piece, before any of it is hashed or kept: a plain archive is
 * hashed once, since both its digests are the same, and only gzip and zstd are kept as they came.
 */
#include "unpack/intake.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "unpack/stream.h"

#include <endian.h>
#include <errno.h>

#define PROGRESS_EVERY_NS (50 * 1000 * 1000)

bool intake_is_kept(enum inflate_format format)
{
	return format == INFLATE_GZIP || format == INFLATE_ZSTD;
}

int intake_tell_progress(struct intake *in, bool last, struct err *err)
{
	uint64_t now = clock_mono_ns();
	uint64_t count = htole64(in->size);
	int rc = 0;

	if (in->progress_fd < 0 || (!last && now - in->told_ns < PROGRESS_EVERY_NS))
		return 0;
	in->told_ns = now;
	rc = fd_write_full(in->progress_fd, &count, sizeof(count));
	/* A reader that has gone away does not concern the unpacking. */
	if (rc == -EPIPE)
		in->progress_fd = -1;
	return rc < 0 && rc != -EPIPE ? err_sys(err, -rc, "tell progress") : 0;
}

static int look_at(struct intake *in, const uint8_t *bytes, size_t len, struct err *err)
{
	if (!in->begun) {
		in->begun = true;
		in->format = inflate_probe(bytes, len);
		in->blob = intake_is_kept(in->format) ? in->blob : NULL;
	}
	if (output_write(&in->raw, bytes, len, err) < 0 ||
	    (in->blob && output_write(in->blob, bytes, len, err) < 0))
		return -err->code;
	return in->format == INFLATE_PLAIN ? 0 : digest_update(in->digest, bytes, len, err);
}

static ssize_t intake_next(struct byte_source *src, const uint8_t **ret, struct err *err)
{
	struct intake *in = (struct intake *)src;
	ssize_t n = in->file.base.next(&in->file.base, ret, err);

	if (n <= 0)
		return n;
	in->size += (uint64_t)n;
	if (look_at(in, *ret, (size_t)n, err) < 0 || intake_tell_progress(in, false, err) < 0)
		return -err->code;
	return n;
}

int intake_init(struct intake *in, const struct stream_options *options, struct output *blob,
		struct err *err)
{
	*in = (struct intake){
		.base.next = intake_next,
		.raw = OUTPUT_INIT,
		.blob = blob,
		.progress_fd = options->progress_fd,
	};
	if (options->length == STREAM_TO_END)
		fd_source_init(&in->file, options->in_fd);
	else
		fd_source_init_range(&in->file, options->in_fd, options->offset, options->length);
	in->digest = digest_new(err);
	if (!in->digest)
		return -err->code;
	return output_init(&in->raw, options->raw_fd, "the copy of the archive", false, err);
}

void intake_done(struct intake *in)
{
	fd_source_done(&in->file);
	digest_free(in->digest);
	output_done(&in->raw);
}
