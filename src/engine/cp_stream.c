/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two halves of a copy have nothing in common but a pipe, so neither can name a path of the
 * other's side.
 */
#include "engine/cp_stream.h"

#include "archive/tar_read.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "storage/unpack.h"

#include <errno.h>
#include <poll.h>

int cp_stream_plain(struct store *store, int in_fd, int out_fd, struct err *err)
{
	struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result result;
	struct pollfd reader = {.fd = out_fd, .events = POLLOUT};
	int rc = 0;

	job.in_fd = in_fd;
	job.plain_fd = out_fd;
	rc = unpack_run(store, &job, 1, -1, NULL, NULL, &result, NULL, err);
	/* The helper's words do not tell a reader who stopped (POLLERR of a pipe) from other
	 * failures. */
	if (rc < 0 && poll(&reader, 1, 0) > 0 && reader.revents & POLLERR)
		err->errnum = EPIPE;
	return rc;
}

/* What comes behind the end of an archive is no error. */
static void drain(int fd)
{
	char rest[4096];

	while (fd_read_full(fd, rest, sizeof(rest)) > 0)
		continue;
}

int cp_stream(int root_fd, feeder_fn write, void *data, const struct cp_apply_options *options,
	      uint64_t *ret_bytes, struct err *err)
{
	cleanup_feeder struct feeder feeder = FEEDER_INIT;
	cleanup_with(fd_source_done) struct fd_source in = {};
	cleanup_tar_reader struct tar_reader *reader = NULL;
	int rc = feeder_start(&feeder, write, data, err);
	int fed = 0;

	if (rc < 0)
		return rc;
	fd_source_init(&in, feeder.data_fd);
	reader = tar_reader_new(&in.base);
	rc = cp_apply(root_fd, reader, options, ret_bytes, err);
	if (rc >= 0)
		drain(feeder.data_fd);
	fed = feeder_finish(&feeder, rc < 0, err);
	return fed < 0 ? fed : rc;
}
