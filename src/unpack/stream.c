/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of blocks between two threads.
 *
 * The producer fills a block, publishes it, and hashes it while the consumer already works on it:
 * both only read. A block is filled again when the consumer has moved past it; the producer has
 * hashed it by then, since it does one thing after another. So nothing is copied and two counters
 * under one lock are all the state there is.
 *
 * A plain archive is hashed once: both its digests are the same.
 */
#include "unpack/stream.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

#include <endian.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

enum { N_BLOCKS = 8, BLOCK_LEN = 256 * 1024 };

#define PROGRESS_EVERY_NS (50 * 1000 * 1000)

struct block {
	uint8_t *bytes; /* owned */
	size_t len;
};

/* The compressed side: passes pieces of the descriptor on, and looks at them. */
struct intake {
	struct byte_source base;
	struct fd_source file;
	struct digest *digest; /* owned; NULL when the stream turns out to be plain */
	int save_fd, progress_fd;
	uint64_t size, told_ns;
};

struct stream {
	struct byte_source base; /* the consumer's side */
	struct intake intake;
	struct inflate *inflate; /* owned by the producer */
	struct digest *digest;
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

static void tell_progress(struct intake *in, bool last)
{
	uint64_t now = clock_mono_ns();
	uint64_t count = htole64(in->size);

	if (in->progress_fd < 0 || (!last && now - in->told_ns < PROGRESS_EVERY_NS))
		return;
	in->told_ns = now;
	/* A reader that has gone away does not concern the unpacking. */
	if (fd_write_full(in->progress_fd, &count, sizeof(count)) < 0)
		in->progress_fd = -1;
}

static ssize_t intake_next(struct byte_source *src, const uint8_t **ret, struct err *err)
{
	struct intake *in = (struct intake *)src;
	ssize_t n = in->file.base.next(&in->file.base, ret, err);
	int rc = 0;

	if (n <= 0)
		return n;
	in->size += (uint64_t)n;
	if (in->save_fd >= 0)
		rc = fd_write_full(in->save_fd, *ret, (size_t)n);
	if (rc < 0)
		return err_sys(err, -rc, "save the archive");
	if (in->digest && digest_update(in->digest, *ret, (size_t)n, err) < 0)
		return -err->code;
	tell_progress(in, false);
	return n;
}

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

static int produce_blocks(struct stream *s, struct err *err)
{
	for (;;) {
		struct block *b = wait_for_free(s);
		ssize_t n = inflate_read(s->inflate, b->bytes, BLOCK_LEN, err);

		if (n <= 0)
			return (int)n;
		b->len = (size_t)n;
		publish(s);
		if (digest_update(s->digest, b->bytes, (size_t)n, err) < 0)
			return -err->code;
	}
}

static int produce(struct stream *s, struct err *err)
{
	int rc = 0;

	s->inflate = inflate_new(&s->intake.base, err);
	if (!s->inflate)
		return -err->code;
	if (inflate_format(s->inflate) == INFLATE_PLAIN) {
		digest_free(s->intake.digest);
		s->intake.digest = NULL;
	}
	rc = produce_blocks(s, err);
	tell_progress(&s->intake, true);
	return rc;
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

struct stream *stream_start(const struct stream_options *options, struct err *err)
{
	struct stream *s = mem_zalloc(sizeof(*s));
	int rc = 0;

	s->base.next = consume_next;
	s->intake.base.next = intake_next;
	s->intake.save_fd = options->save_fd;
	s->intake.progress_fd = options->progress_fd;
	fd_source_init(&s->intake.file, options->in_fd);
	for (size_t i = 0; i < N_BLOCKS; i++)
		s->blocks[i].bytes = mem_alloc(BLOCK_LEN);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->digest = digest_new(err);
	s->intake.digest = s->digest ? digest_new(err) : NULL;
	if (!s->intake.digest) {
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

int stream_finish(struct stream *s, struct stream_result *ret, struct err *err)
{
	const uint8_t *bytes = NULL;
	ssize_t n = 0;
	int rc = 0;

	do {
		n = consume_next(&s->base, &bytes, err);
	} while (n > 0);
	if (n < 0)
		return (int)n;
	pthread_join(s->thread, NULL);
	ret->format = inflate_format(s->inflate);
	ret->compressed_size = s->intake.size;
	rc = digest_final(s->digest, ret->diff_id, err);
	if (rc >= 0 && s->intake.digest)
		return digest_final(s->intake.digest, ret->compressed_digest, err);
	memcpy(ret->compressed_digest, ret->diff_id, sizeof(ret->diff_id));
	return rc;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < N_BLOCKS; i++)
		free(s->blocks[i].bytes);
	fd_source_done(&s->intake.file);
	digest_free(s->intake.digest);
	digest_free(s->digest);
	inflate_free(s->inflate);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
