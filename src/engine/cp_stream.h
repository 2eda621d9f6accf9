/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CP_STREAM_H
#define ENGINE_CP_STREAM_H
/*
 * An archive on its way into a directory: a child process writes it, this one unpacks it.
 */
#include "engine/cp_apply.h"
#include "sys/feeder.h"

struct store;

/* Unpacks what WRITE writes, which runs in a child with DATA, below ROOT_FD, as cp_apply does.
 * RET_BYTES: of the files' content. -code with the error of the side that failed first.
 * Single-threaded callers only. */
int cp_stream(int root_fd, feeder_fn write, void *data, const struct cp_apply_options *options,
	      uint64_t *ret_bytes, struct err *err);
/* For a WRITE: sends to OUT_FD the archive of IN_FD, which may be compressed. The helper of STORE
 * decompresses it. */
int cp_stream_plain(struct store *store, int in_fd, int out_fd, struct err *err);

#endif
