/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-unpack: unpacks one archive into one directory, for `tare import`, `load` and `pull`.
 *
 * A program of its own because it carries the libraries that decompress and hash, which the engine
 * must not pay for, and because it is the only one that parses what an enemy wrote byte by byte: it
 * has nothing but the descriptors it was given.
 *
 *	tare-unpack --dir-fd N [--limit-bytes N] [--progress-fd N] [--blob-out-fd N]
 *
 * The archive comes on stdin: tar, plain or compressed with gzip or zstd. On success one line of
 *JSON goes to stdout and the exit status is 0:
 *
 *	{"diffID":"sha256:…","size":N,"entries":N,"compressedDigest":"sha256:…",
 *	 "compressedSize":N,"format":"plain|gzip|zstd"}
 *
 * size is the bytes of file data stored in the archive. On failure one line of text goes to stderr
 * and the status is 1 (2: wrong use); the directory is then half filled and the caller's to remove.
 * --progress-fd gets the count of bytes read from stdin as 8 bytes, least significant first, at
 *most every 50 ms and once at the end; --blob-out-fd gets a copy of stdin. Nothing is synced.
 */
#include "archive/tar_read.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "storage/layer_apply.h"
#include "unpack/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments {
	int64_t dir_fd, progress_fd, blob_out_fd, limit_bytes;
};

static const struct option_row {
	const char *name;
	size_t member;
	bool is_fd;
} option_rows[] = {
	{"--dir-fd", offsetof(struct arguments, dir_fd), true},
	{"--progress-fd", offsetof(struct arguments, progress_fd), true},
	{"--blob-out-fd", offsetof(struct arguments, blob_out_fd), true},
	{"--limit-bytes", offsetof(struct arguments, limit_bytes), false},
};

static const struct option_row *lookup_option(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
		if (strcmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	return NULL;
}

static int parse_option(struct arguments *args, const char *name, const char *value,
			struct err *err)
{
	const struct option_row *o = lookup_option(name);
	int64_t v = 0;

	if (!o)
		return err_set(err, ERR_INVALID, "unknown argument %s", name);
	if (!value || num_parse_i64(value, &v) < 0 || v < 0 || (o->is_fd && v > INT32_MAX))
		return err_set(err, ERR_INVALID, "%s needs a number", name);
	/* Nothing that was handed over is for anybody else. */
	if (o->is_fd && fcntl((int)v, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, ERR_INVALID, "%s: no such descriptor %s", name, value);
	*(int64_t *)(void *)((char *)args + o->member) = v;
	return 0;
}

static int parse_arguments(int argc, char **argv, struct arguments *args, struct err *err)
{
	*args = (struct arguments){.dir_fd = -1, .progress_fd = -1, .blob_out_fd = -1};
	for (int i = 1; i < argc; i += 2) {
		int rc = parse_option(args, argv[i], argv[i + 1], err);

		if (rc < 0)
			return rc;
	}
	if (args->dir_fd < 0)
		return err_set(err, ERR_INVALID, "--dir-fd is missing");
	return 0;
}

static int print_result(const struct layer_result *layer, const struct stream_result *stream,
			struct err *err)
{
	printf("{\"diffID\":\"%s\",\"size\":%llu,\"entries\":%llu,\"compressedDigest\":\"%s\","
	       "\"compressedSize\":%llu,\"format\":\"%s\"}\n",
	       stream->diff_id, (unsigned long long)layer->n_bytes,
	       (unsigned long long)layer->n_entries, stream->compressed_digest,
	       (unsigned long long)stream->compressed_size, inflate_format_name(stream->format));
	if (fflush(stdout) == EOF)
		return err_set(err, ERR_SYSTEM, "write the result");
	return 0;
}

static int unpack(const struct arguments *args, struct err *err)
{
	const struct stream_options stream_options = {
		.in_fd = STDIN_FILENO,
		.save_fd = (int)args->blob_out_fd,
		.progress_fd = (int)args->progress_fd,
	};
	const struct layer_options layer_options = {.max_bytes = (uint64_t)args->limit_bytes};
	cleanup_tar_reader struct tar_reader *reader = NULL;
	struct stream *stream = stream_start(&stream_options, err);
	struct stream_result stream_result = {};
	struct layer_result layer_result = {};
	int rc = 0;

	if (!stream)
		return -err->code;
	reader = tar_reader_new(stream_get_source(stream));
	rc = layer_apply((int)args->dir_fd, reader, &layer_options, &layer_result, err);
	if (rc >= 0)
		rc = stream_finish(stream, &stream_result, err);
	/* After an error the thread goes with the process, wherever it waits. */
	if (rc < 0)
		return rc;
	stream_free(stream);
	return print_result(&layer_result, &stream_result, err);
}

static void print_error(const struct err *err)
{
	cleanup_str struct str line = STR_INIT;

	str_add(&line, err->msg);
	if (*err->hint)
		str_addf(&line, " (%s)", err->hint);
	fprintf(stderr, "%s\n", line.buf);
}

int main(int argc, char **argv)
{
	struct arguments args;
	struct err err = ERR_INIT;

	signal(SIGPIPE, SIG_IGN);
	/* Files are made with their final mode at once. The tree is nobody else's to look into. */
	umask(0);
	if (parse_arguments(argc, argv, &args, &err) < 0) {
		print_error(&err);
		return 2;
	}
	if (unpack(&args, &err) < 0) {
		print_error(&err);
		/* Not exit(): the other thread may be using what exit would tear down. */
		_exit(1);
	}
	return 0;
}
