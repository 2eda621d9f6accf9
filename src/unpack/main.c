/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-unpack: reads one archive and makes of it what it has descriptors for, for whatever brings
 * images into the store or looks at what is in it.
 *
 * A program of its own because it carries the libraries that decompress and hash, which the engine
 * must not pay for, and because it is the only one that parses what an enemy wrote byte by byte: it
 * has nothing but the descriptors it was given.
 *
 *	tare-unpack [--offset N --length N] [--dir-fd N [--limit-bytes N] [--no-layer 1]]
 *		    [--list-fd N] [--raw-fd N] [--plain-fd N] [--blob-fd N [--gzip 1]]
 *		    [--max-plain N] [--progress-fd N]
 *	tare-unpack [--offset N --length N] --index-fd N [--plain-fd N] [--progress-fd N]
 *	and		[--user-ns-fd N] [--mount-ns-fd N] [--net-ns-fd N] [--request-fd N]
 *[--lock-fd N]
 *
 * The archive comes on stdin: read to its end, or with pread(2) where a range is given. It is a tar
 * archive, plain or compressed, where there is a directory or an index to make, and any bytes else.
 * What the outputs get is said in storage/unpack.h. On success one line of JSON goes to stdout and
 * the exit status is 0:
 *
 *	{"rawDigest":"sha256:…","rawSize":N,"rawFormat":"gzip","diffID":"sha256:…","plainSize":N,
 *	 "blobDigest":"sha256:…","blobSize":N,"blobFormat":"gzip","listDigest":"sha256:…","size":N,
 *	 "entries":N}
 *
 * Digests of outputs that there are not are left out. On failure one line of text goes to stderr;
 *the status is 2 for wrong use, else as storage/unpack_protocol.h has it. Outputs are then half
 *made and the caller's to remove. --progress-fd gets the count of bytes read as 8 bytes, least
 *significant first, at most every 50 ms and once at the end. --index-fd gets the members
 *(unpack/index.h); then
 * --plain-fd is written only when the archive is compressed or comes through a pipe. Nothing is
 * synced.
 *
 * Before it reads any of that it shuts itself in (unpack/confine.h), in the namespaces it was
 *given; what it then may not do it asks for by --request-fd. --lock-fd is kept open and not
 *touched. What could not be had of the confinement is in the answer's "lost"; --leave-out leaves
 *parts of it out. With --no-layer there are no whiteouts.
 */
#include "archive/tar_read.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "storage/layer_list.h"
#include "storage/unpack_protocol.h"
#include "unpack/confine.h"
#include "unpack/index.h"
#include "unpack/output.h"
#include "unpack/request.h"
#include "unpack/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments {
	int64_t dir_fd, list_fd, raw_fd, plain_fd, blob_fd, index_fd, progress_fd;
	int64_t user_ns_fd, mount_ns_fd, net_ns_fd, request_fd, lock_fd;
	int64_t offset, length, gzip, max_plain, limit_bytes, leave_out, parent, no_layer;
	struct strv lost; /* of the confinement */
};

static const struct option_row {
	const char *name;
	size_t member;
	bool is_fd;
} option_rows[] = {
	{"--dir-fd", offsetof(struct arguments, dir_fd), true},
	{"--list-fd", offsetof(struct arguments, list_fd), true},
	{"--raw-fd", offsetof(struct arguments, raw_fd), true},
	{"--plain-fd", offsetof(struct arguments, plain_fd), true},
	{"--blob-fd", offsetof(struct arguments, blob_fd), true},
	{"--index-fd", offsetof(struct arguments, index_fd), true},
	{"--progress-fd", offsetof(struct arguments, progress_fd), true},
	{"--user-ns-fd", offsetof(struct arguments, user_ns_fd), true},
	{"--mount-ns-fd", offsetof(struct arguments, mount_ns_fd), true},
	{"--net-ns-fd", offsetof(struct arguments, net_ns_fd), true},
	{"--request-fd", offsetof(struct arguments, request_fd), true},
	{"--lock-fd", offsetof(struct arguments, lock_fd), true},
	{"--leave-out", offsetof(struct arguments, leave_out), false},
	{"--offset", offsetof(struct arguments, offset), false},
	{"--length", offsetof(struct arguments, length), false},
	{"--gzip", offsetof(struct arguments, gzip), false},
	{"--max-plain", offsetof(struct arguments, max_plain), false},
	{"--limit-bytes", offsetof(struct arguments, limit_bytes), false},
	{"--parent", offsetof(struct arguments, parent), false},
	{"--no-layer", offsetof(struct arguments, no_layer), false},
};

/* The listing goes out by an output. */
struct listing {
	struct layer_listing base;
	struct output out;
};

static const struct option_row *lookup_option(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
		if (strcmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	return NULL;
}

static int64_t *member_of(struct arguments *args, const struct option_row *o)
{
	return (int64_t *)(void *)((char *)args + o->member);
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
	*member_of(args, o) = v;
	return 0;
}

static int parse_arguments(int argc, char **argv, struct arguments *args, struct err *err)
{
	*args = (struct arguments){.length = -1};
	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
		if (option_rows[i].is_fd)
			*member_of(args, &option_rows[i]) = -1;
	for (int i = 1; i < argc; i += 2)
		if (parse_option(args, argv[i], argv[i + 1], err) < 0)
			return -err->code;
	if (args->index_fd >= 0 && (args->dir_fd >= 0 || args->list_fd >= 0))
		return err_set(err, ERR_INVALID, "--index-fd stands alone");
	return 0;
}

static void add_digest(struct str *line, const char *key, const char *digest)
{
	if (*digest)
		str_addf(line, "\"%s\":\"%s\",", key, digest);
}

/* Texts of ours: a name and what strerror(3) says, so there is nothing to escape. */
static void add_lost(struct str *line, const struct strv *lost)
{
	strv_foreach (i, lost)
		str_addf(line, "%s\"%s\"", i ? "," : "\"lost\":[", lost->items[i]);
	if (lost->n)
		str_add(line, "],");
}

static int print_result(const struct arguments *args, const struct layer_result *layer,
			const char *list_digest, const struct stream_result *s, struct err *err)
{
	cleanup_str struct str line = STR_INIT;

	str_add_char(&line, '{');
	add_lost(&line, &args->lost);
	add_digest(&line, "rawDigest", s->raw_digest);
	add_digest(&line, "diffID", s->diff_id);
	add_digest(&line, "blobDigest", s->blob_digest);
	add_digest(&line, "listDigest", list_digest);
	if (*s->blob_digest)
		str_addf(&line, "\"blobSize\":%llu,\"blobFormat\":\"%s\",",
			 (unsigned long long)s->blob_size, inflate_format_name(s->blob_format));
	str_addf(&line, "\"rawSize\":%llu,\"rawFormat\":\"%s\",\"plainSize\":%llu,",
		 (unsigned long long)s->raw_size, inflate_format_name(s->format),
		 (unsigned long long)s->plain_size);
	str_addf(&line, "\"size\":%llu,\"entries\":%llu}\n", (unsigned long long)layer->n_bytes,
		 (unsigned long long)layer->n_entries);
	if (fputs(str_get(&line), stdout) == EOF || fclose(stdout) == EOF)
		return err_set(err, ERR_SYSTEM, "write the result");
	return 0;
}

static struct stream_options stream_options_of(const struct arguments *args)
{
	return (struct stream_options){
		.in_fd = STDIN_FILENO,
		.offset = (uint64_t)args->offset,
		.length = args->length < 0 ? STREAM_TO_END : (uint64_t)args->length,
		.raw_fd = (int)args->raw_fd,
		.plain_fd = (int)args->plain_fd,
		.blob_fd = (int)args->blob_fd,
		.progress_fd = (int)args->progress_fd,
		.max_plain = (uint64_t)args->max_plain,
		.wants_gzip = args->gzip != 0,
	};
}

static int write_listing(struct layer_listing *base, const struct str *lines, struct err *err)
{
	struct listing *listing = (struct listing *)base;

	return output_write(&listing->out, lines->buf, lines->len, err);
}

static int apply_stream(const struct arguments *args, struct stream *stream,
			struct layer_result *ret, char ret_list[static DIGEST_TEXT_LEN],
			struct err *err)
{
	struct listing listing = {.base.write = write_listing};
	struct requester requester = {};
	const struct layer_options options = {
		.maker = args->request_fd >= 0 ? &requester.base : &layer_maker_direct,
		.max_bytes = (uint64_t)args->limit_bytes,
		.literal_whiteouts = args->no_layer != 0,
		.listing = args->list_fd >= 0 ? &listing.base : NULL,
	};
	cleanup_tar_reader struct tar_reader *reader = NULL;
	int rc = output_init(&listing.out, (int)args->list_fd, "the listing", true, err);

	requester_init(&requester, (int)args->request_fd);
	reader = tar_reader_new(stream_get_source(stream));
	if (rc >= 0)
		rc = args->dir_fd >= 0 ? layer_apply((int)args->dir_fd, reader, &options, ret, err)
				       : layer_list(reader, &listing.base, ret, err);
	if (rc >= 0)
		rc = output_finish(&listing.out, ret_list, err);
	output_done(&listing.out);
	return rc;
}

/* What follows the end of an archive is padding, of a few KiB; its digest counts, so it is read. A
 * stream of zeros that goes on for ever is stopped here. */
static int read_tail(struct byte_source *src, struct err *err)
{
	const uint8_t *bytes = NULL;
	uint64_t n_bytes = 0;
	ssize_t n = 0;

	while ((n = src->next(src, &bytes, err)) > 0) {
		n_bytes += (uint64_t)n;
		if (n_bytes > TAR_MAX_TAIL)
			return err_set(err, ERR_INVALID,
				       "more than %d MiB behind the end of the archive",
				       TAR_MAX_TAIL >> 20);
	}
	return (int)n;
}

/* Whether the entries of the archive are looked at. */
static bool makes_listing(const struct arguments *args)
{
	return args->dir_fd >= 0 || args->list_fd >= 0;
}

/* After an error the stream's thread goes with the process, wherever it waits. */
static int run_stream(const struct arguments *args, struct err *err)
{
	const struct stream_options options = stream_options_of(args);
	struct stream *stream = stream_start(&options, err);
	struct stream_result result = {};
	struct layer_result layer = {};
	char list_digest[DIGEST_TEXT_LEN] = "";

	if (!stream)
		return -err->code;
	if (makes_listing(args) && apply_stream(args, stream, &layer, list_digest, err) < 0)
		return -err->code;
	if (args->index_fd >= 0 &&
	    index_write(stream_get_source(stream), (int)args->index_fd, err) < 0)
		return -err->code;
	if ((makes_listing(args) || args->index_fd >= 0) &&
	    read_tail(stream_get_source(stream), err) < 0)
		return -err->code;
	if (stream_finish(stream, &result, err) < 0)
		return -err->code;
	stream_free(stream);
	return print_result(args, &layer, list_digest, &result, err);
}

static int run_plain_index(const struct arguments *args, struct err *err)
{
	const struct layer_result layer = {};
	struct stream_result result = {.format = INFLATE_PLAIN};
	struct fd_source file;
	int rc = 0;

	fd_source_init_range(&file, STDIN_FILENO, (uint64_t)args->offset, (uint64_t)args->length);
	rc = index_write(&file.base, (int)args->index_fd, err);
	fd_source_done(&file);
	return rc < 0 ? rc : print_result(args, &layer, "", &result, err);
}

static int run(const struct arguments *args, struct err *err)
{
	int rc = 0;

	/* A plain archive that can be read anywhere is passed over from header to header. */
	if (args->index_fd >= 0 && args->length >= 0)
		rc = stream_is_plain(STDIN_FILENO, (uint64_t)args->offset, (uint64_t)args->length,
				     err);
	if (rc < 0)
		return rc;
	return rc ? run_plain_index(args, err) : run_stream(args, err);
}

static int shut_in(struct arguments *args, struct err *err)
{
	struct confine_options options = {
		.ns = {(int)args->user_ns_fd, (int)args->mount_ns_fd, (int)args->net_ns_fd},
		.dir_fd = (int)args->dir_fd,
		.can_ask = args->request_fd >= 0,
		.leave_out = (unsigned)args->leave_out,
		.parent = (pid_t)args->parent,
	};
	int keep[ARRAY_LEN(option_rows)];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
		if (option_rows[i].is_fd)
			keep[n++] = (int)*member_of(args, &option_rows[i]);
	rc = confine_close_others(keep, n);
	if (rc < 0)
		return err_sys(err, -rc, "close other descriptors");
	return confine(&options, &args->lost, err);
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
		return UNPACK_EXIT_USE;
	}
	if (shut_in(&args, &err) < 0 || run(&args, &err) < 0) {
		print_error(&err);
		/* Not exit(): the other thread may be using what exit would tear down. */
		_exit(UNPACK_EXIT_BASE + err.code);
	}
	strv_done(&args.lost);
	return 0;
}
