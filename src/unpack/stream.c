/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of blocks between two threads.
 *
 * The producer fills a block, publishes it, and hashes and keeps it while the consumer already
 * works on it: both only read. A block is filled again when the consumer has moved past it; the
 * producer is done with it by then, since it does one thing after another. So nothing is copied and
 * two counters under one lock are all the state there is.
 */
#include "unpack/stream.h"

#include "base/err.h"
#include "base/mem.h"
#include "unpack/intake.h"
#include "unpack/output.h"
#include "unpack/recompress.h"

#include <pthread.h>
#include <stdbool.h>

/* Blocks are always full but for the last, so what is made of them does not depend on the input's
 * pieces. */
enum { N_BLOCKS = 8, BLOCK_LEN = 256 * 1024 };

struct block {
	uint8_t *bytes; /* owned */
	size_t len;
};

struct stream {
	struct byte_source base; /* the consumer's side */
	struct intake intake;
	/* The producer's: */
	struct inflate *inflate; /* owned */
	struct digest *digest;	 /* owned; of the decompressed bytes */
	struct output plain, blob;
	struct recompress
		*recompress; /* owned; NULL when the blob is what came, or none is wanted */
	uint64_t plain_size, max_plain;
	bool wants_gzip;

	struct block blocks[N_BLOCKS];
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t n_filled, n_taken; /* blocks; n_taken counts those given back */
	bool ended;
	int rc; /* of the producer, with `err` */
	struct err err;

	bool holding; /* the consumer has the block n_taken */
};

/* Waits for a free block; the consumer always takes all, so there always will be one. */
static struct block *wait_for_free(struct stream *s)
{
	struct block *b = NULL;

	pthread_mutex_lock(&s->lock);
	while (s->n_filled - s->n_taken == N_BLOCKS)
		pthread_cond_wait(&s->changed, &s->lock);
	b = &s->blocks[s->n_filled % N_BLOCKS];
	pthread_mutex_unlock(&s->lock);
	return b;
}

static void publish(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->n_filled++;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static int keep_block(struct stream *s, const struct block *b, struct err *err)
{
	if (digest_update(s->digest, b->bytes, b->len, err) < 0 ||
	    output_write(&s->plain, b->bytes, b->len, err) < 0)
		return -err->code;
	return s->recompress ? recompress_write(s->recompress, b->bytes, b->len, err) : 0;
}

static int produce_blocks(struct stream *s, struct err *err)
{
	for (;;) {
		struct block *b = wait_for_free(s);
		ssize_t n = inflate_read(s->inflate, b->bytes, BLOCK_LEN, err);

		if (n <= 0)
			return (int)n;
		b->len = (size_t)n;
		s->plain_size += b->len;
		if (s->max_plain && s->plain_size > s->max_plain)
			return err_set(err, ERR_INVALID, "more than %llu bytes decompressed",
				       (unsigned long long)s->max_plain);
		publish(s);
		if (keep_block(s, b, err) < 0)
			return -err->code;
	}
}

static int produce(struct stream *s, struct err *err)
{
	s->inflate = inflate_new(&s->intake.base, err);
	if (!s->inflate)
		return -err->code;
	if (s->blob.fd >= 0 && !intake_is_kept(s->intake.format)) {
		s->recompress = recompress_new(&s->blob, s->wants_gzip, err);
		if (!s->recompress)
			return -err->code;
	}
	if (produce_blocks(s, err) < 0 ||
	    (s->recompress && recompress_finish(s->recompress, err) < 0))
		return -err->code;
	return intake_tell_progress(&s->intake, true, err);
}

static void *run_producer(void *arg)
{
	struct stream *s = arg;
	struct err err = ERR_INIT;
	int rc = produce(s, &err);

	pthread_mutex_lock(&s->lock);
	s->err = err;
	s->rc = rc;
	s->ended = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* The consumer's next block; its last one goes back to the producer. */
static ssize_t consume_next(struct byte_source *src, const uint8_t **ret, struct err *err)
{
	struct stream *s = (struct stream *)src;
	ssize_t n = 0;

	pthread_mutex_lock(&s->lock);
	if (s->holding) {
		s->holding = false;
		s->n_taken++;
		pthread_cond_signal(&s->changed);
	}
	while (s->n_filled == s->n_taken && !s->ended)
		pthread_cond_wait(&s->changed, &s->lock);
	if (s->n_filled > s->n_taken) {
		const struct block *b = &s->blocks[s->n_taken % N_BLOCKS];

		s->holding = true;
		*ret = b->bytes;
		n = (ssize_t)b->len;
	} else if (s->rc < 0) {
		*err = s->err;
		n = s->rc;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

static int init_sides(struct stream *s, const struct stream_options *options, struct err *err)
{
	s->plain = (struct output)OUTPUT_INIT;
	s->blob = (struct output)OUTPUT_INIT;
	if (intake_init(&s->intake, options, &s->blob, err) < 0 ||
	    output_init(&s->plain, options->plain_fd, "the plain archive", false, err) < 0 ||
	    output_init(&s->blob, options->blob_fd, "the blob", true, err) < 0)
		return -err->code;
	s->digest = digest_new(err);
	return s->digest ? 0 : -err->code;
}

struct stream *stream_start(const struct stream_options *options, struct err *err)
{
	struct stream *s = mem_zalloc(sizeof(*s));
	int rc = 0;

	s->base.next = consume_next;
	s->max_plain = options->max_plain;
	s->wants_gzip = options->wants_gzip;
	for (size_t i = 0; i < N_BLOCKS; i++)
		s->blocks[i].bytes = mem_alloc(BLOCK_LEN);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (init_sides(s, options, err) < 0) {
		stream_free(s);
		return NULL;
	}
	rc = pthread_create(&s->thread, NULL, run_producer, s);
	if (rc == 0)
		return s;
	err_sys(err, rc, "start a thread");
	stream_free(s);
	return NULL;
}

struct byte_source *stream_get_source(struct stream *s)
{
	return &s->base;
}

int stream_is_plain(int in_fd, uint64_t offset, uint64_t length, struct err *err)
{
	uint64_t head_len = length < INFLATE_HEAD_LEN ? length : INFLATE_HEAD_LEN;
	const uint8_t *head = NULL;
	struct fd_source file;
	ssize_t n = 0;
	int rc = 0;

	fd_source_init_range(&file, in_fd, offset, head_len);
	n = file.base.next(&file.base, &head, err);
	rc = n < 0 ? (int)n : n > 0 && inflate_probe(head, (size_t)n) == INFLATE_PLAIN;
	fd_source_done(&file);
	return rc;
}

static int drain(struct stream *s, struct err *err)
{
	const uint8_t *bytes = NULL;
	ssize_t n = 0;

	do {
		n = consume_next(&s->base, &bytes, err);
	} while (n > 0);
	return (int)n;
}

static int finish_digests(struct stream *s, struct stream_result *ret, struct err *err)
{
	if (digest_final(s->digest, ret->diff_id, err) < 0)
		return -err->code;
	if (ret->format != INFLATE_PLAIN)
		return digest_final(s->intake.digest, ret->raw_digest, err);
	memcpy(ret->raw_digest, ret->diff_id, sizeof(ret->diff_id));
	return 0;
}

int stream_finish(struct stream *s, struct stream_result *ret, struct err *err)
{
	char none[DIGEST_TEXT_LEN];

	if (drain(s, err) < 0)
		return -err->code;
	pthread_join(s->thread, NULL);
	*ret = (struct stream_result){
		.raw_size = s->intake.size,
		.plain_size = s->plain_size,
		.blob_size = s->blob.size,
		.format = s->intake.format,
		.blob_format = !s->recompress  ? s->intake.format
			       : s->wants_gzip ? INFLATE_GZIP
					       : INFLATE_ZSTD,
	};
	if (finish_digests(s, ret, err) < 0 || output_finish(&s->intake.raw, none, err) < 0 ||
	    output_finish(&s->plain, none, err) < 0)
		return -err->code;
	return output_finish(&s->blob, ret->blob_digest, err);
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < N_BLOCKS; i++)
		free(s->blocks[i].bytes);
	intake_done(&s->intake);
	output_done(&s->plain);
	output_done(&s->blob);
	digest_free(s->digest);
	recompress_free(s->recompress);
	inflate_free(s->inflate);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
