/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take the next piece from one counter. */
#include "build/copy_parallel.h"

#include "base/mem.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#define MAX_THREADS 32
/* Starting a thread costs what copying or hashing this many small files does. */
#define MIN_PIECES 8

struct work {
	size_t n;
	copy_piece_fn fn;
	void *ctx;
	atomic_size_t next;
	atomic_bool failed;
	pthread_mutex_t lock;
	struct err *err; /* written by the first that fails */
};

static void *run(void *data)
{
	struct work *w = data;

	while (!atomic_load_explicit(&w->failed, memory_order_relaxed)) {
		size_t i = atomic_fetch_add_explicit(&w->next, 1, memory_order_relaxed);
		struct err err = ERR_INIT;

		if (i >= w->n)
			break;
		if (w->fn(w->ctx, i, &err) >= 0)
			continue;
		pthread_mutex_lock(&w->lock);
		if (!atomic_exchange(&w->failed, true))
			*w->err = err;
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

static size_t count_threads(size_t n)
{
	cpu_set_t set;
	size_t cpus = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (size_t)CPU_COUNT(&set);

	if (cpus > MAX_THREADS)
		cpus = MAX_THREADS;
	return n / MIN_PIECES < cpus ? n / MIN_PIECES : cpus;
}

int copy_parallel(size_t n, copy_piece_fn fn, void *ctx, struct err *err)
{
	struct work w = {
		.n = n, .fn = fn, .ctx = ctx, .lock = PTHREAD_MUTEX_INITIALIZER, .err = err};
	pthread_t threads[MAX_THREADS];
	size_t n_threads = 0;

	/* One less: this thread works, too. One that cannot be started is done without. */
	for (size_t want = count_threads(n); n_threads + 1 < want; n_threads++)
		if (pthread_create(&threads[n_threads], NULL, run, &w) != 0)
			break;
	run(&w);
	for (size_t i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	return atomic_load(&w.failed) ? -err->code : 0;
}
