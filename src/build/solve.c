/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the steps of a graph come to be. Nothing is done that no image needs: wanting goes from the
 * results down, and comes in two degrees. A step whose *key* is wanted is asked for in the cache.
 * Only when something above it has to be made are its *files* wanted, and with them those of all
 * steps below; what is not there then is made, as soon as what it needs is there.
 *
 * So a stage whose product is in the cache under the name of the stage's key is never made again,
 * nor are its files needed.
 *
 * Everything happens in one loop. After each event all steps are looked at from the first to the
 * last (what a step needs stands before it), again as long as one of them moved.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "build/build_private.h"
#include "build/interrupt.h"
#include "engine/engine.h"

#include <errno.h>
#include <sched.h>
#include <sys/file.h>

#define QUEUE_POLL_MS 10 /* nobody tells when a lock is free */
#define RETRY_NS      (30 * 1000 * 1000)
#define MIN_JOBS      4 /* commands wait for networks and disks, too */

static bool want_key(struct build *b, size_t step)
{
	struct node *n = &b->nodes[step];
	bool is_news = !n->wants_key;

	n->wants_key = true;
	return is_news;
}

static bool is_base(const struct build_step *s)
{
	return s->kind == BUILD_STEP_IMAGE || s->kind == BUILD_STEP_SCRATCH;
}

/* ---- going on ---- */

static int advance_base(struct node *n, struct err *err)
{
	if (key_of_step(n->build, n->number, n->result, err) < 0)
		return -err->code;
	n->phase = NODE_READY;
	/* Nothing to be seen of "FROM scratch". */
	if (node_step(n)->kind == BUILD_STEP_IMAGE)
		node_end(n, BUILD_EVENT_STEP_CACHED, NULL);
	return 1;
}

static int advance_new(struct node *n, struct err *err)
{
	struct build *b = n->build;
	const struct build_step *s = node_step(n);
	char key[KEY_LEN];
	bool is_known = true, is_news = false;

	for (size_t i = 0; i < node_count_deps(s); i++) {
		size_t dep = node_get_dep(s, i);

		if (dep == BUILD_NONE)
			continue;
		is_news |= want_key(b, dep);
		is_known &= *b->nodes[dep].result != '\0';
	}
	if (!is_known)
		return is_news;
	if (is_base(s))
		return advance_base(n, err);
	if (s->kind == BUILD_STEP_COPY)
		return copy_node_key(n, err);
	if (key_of_step(b, n->number, key, err) < 0)
		return -err->code;
	return node_settle(n, key, err);
}

/* The same step elsewhere in the graph, that far; NULL. */
static const struct node *find_twin(const struct node *n, enum node_phase phase)
{
	const struct build *b = n->build;

	for (size_t i = 0; i < b->graph.n_steps; i++) {
		const struct node *other = &b->nodes[i];

		if (other != n && other->phase == phase && strcmp(other->key, n->key) == 0)
			return other;
	}
	return NULL;
}

/* What it needs may be in use by others for a moment. */
static void queue(struct node *n)
{
	snapshot_unclaim(n->build->engine->store, n->key, &n->claim_fd);
	n->build->n_busy--;
	n->phase = NODE_QUEUED;
	n->retry_ns = clock_mono_ns() + RETRY_NS;
}

static int start(struct node *n, struct err *err)
{
	int rc = node_prepare_dir(n, err);

	if (rc < 0)
		return rc;
	n->phase = NODE_BUSY;
	n->began_real_ns = clock_coarse_ns();
	n->build->n_busy++;
	node_begin(n);
	if (node_step(n)->kind == BUILD_STEP_RUN)
		rc = run_node_start(n, err);
	else if (node_step(n)->kind == BUILD_STEP_COPY)
		rc = copy_node_start(n, err);
	else
		rc = workdir_node_start(n, err);
	if (rc > 0)
		queue(n);
	return rc < 0 ? rc : 1;
}

/* Takes the key, and looks once more: who had it may just have been through. */
static int claim(struct node *n, struct err *err)
{
	int fd = -1;
	int rc = snapshot_claim(n->build->engine->store, n->key, &fd, err);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		n->wait_fd = fd;
		n->phase = NODE_QUEUED;
		return 1;
	}
	n->claim_fd = fd;
	if (!node_skips_cache(n) || find_twin(n, NODE_READY))
		rc = node_lookup(n, n->key, err);
	else
		rc = 0;
	if (rc == 0)
		return start(n, err);
	if (rc > 0)
		copy_node_kill(n);
	return rc;
}

/* Whether all is there that the step works on; wants it otherwise. */
static bool has_inputs(struct node *n, bool *is_news)
{
	struct build *b = n->build;
	const struct build_step *s = node_step(n);
	bool is_there = true;

	for (size_t i = 0; i < node_count_deps(s); i++) {
		size_t dep = node_get_dep(s, i);

		if (dep == BUILD_NONE)
			continue;
		*is_news |= node_want_files(b, dep);
		is_there &= node_has_files(b, dep);
	}
	return is_there;
}

static int advance_keyed(struct node *n, struct err *err)
{
	struct build *b = n->build;
	bool is_news = false;

	if (!n->wants_files || !has_inputs(n, &is_news) || b->n_busy >= b->jobs ||
	    find_twin(n, NODE_BUSY))
		return is_news;
	return claim(n, err);
}

/* The lock is only asked for: who made the step may have failed, so it is claimed as before. */
static int advance_queued(struct node *n)
{
	if (n->wait_fd >= 0 ? flock(n->wait_fd, LOCK_EX | LOCK_NB) < 0
			    : clock_mono_ns() < n->retry_ns)
		return 0;
	fd_cleanup_close(&n->wait_fd);
	n->phase = NODE_KEYED;
	return 1;
}

static int advance_node(struct node *n, struct err *err)
{
	if (!n->wants_key)
		return 0;
	if (n->phase == NODE_NEW)
		return advance_new(n, err);
	if (n->phase == NODE_KEYED)
		return advance_keyed(n, err);
	return n->phase == NODE_QUEUED ? advance_queued(n) : 0;
}

static bool advance_all(struct build *b)
{
	bool moved = false;

	for (size_t i = 0; i < b->graph.n_steps && !b->failure.code; i++) {
		struct err err = ERR_INIT;
		int rc = advance_node(&b->nodes[i], &err);

		if (rc < 0)
			node_fail(&b->nodes[i], &err);
		moved |= rc > 0;
	}
	return moved;
}

/* Nothing can be known for now: something below is being made. What steps above it will copy from
 * is made meanwhile, if it is not there. It could only be spared if the step above it was in the
 * cache, although that what it copies from is not. */
static bool want_ahead(struct build *b)
{
	bool is_news = false;

	for (size_t i = 0; i < b->graph.n_steps; i++) {
		const struct node *n = &b->nodes[i];
		const struct build_step *s = node_step(n);

		if (n->phase != NODE_NEW || !n->wants_files)
			continue;
		for (size_t j = 1; j < node_count_deps(s); j++) {
			size_t dep = node_get_dep(s, j);

			if (dep != BUILD_NONE && b->nodes[dep].phase == NODE_KEYED)
				is_news |= node_want_files(b, dep);
		}
	}
	return is_news;
}

static void advance(struct build *b)
{
	while (!b->failure.code && !b->is_canceled)
		if (!advance_all(b) && !want_ahead(b))
			break;
}

/* ---- the loop ---- */

static bool has_phase(const struct build *b, enum node_phase phase)
{
	for (size_t i = 0; i < b->graph.n_steps; i++)
		if (b->nodes[i].phase == phase)
			return true;
	return false;
}

static bool is_complete(const struct build *b)
{
	for (size_t i = 0; i < b->graph.n_steps; i++)
		if (b->nodes[i].wants_files && b->nodes[i].phase != NODE_READY)
			return false;
	return true;
}

static int on_signal(void *data, uint32_t events)
{
	struct build *b = data;
	int signal = loop_signals_next(&b->signals);

	(void)events;
	if (signal <= 0)
		return 0;
	b->caught = signal;
	b->is_canceled = true;
	nodes_kill(b, NULL);
	return 0;
}

static void set_up(struct build *b)
{
	cpu_set_t cpus;

	b->jobs = b->request->jobs;
	if (b->jobs <= 0) {
		b->jobs = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
		b->jobs = b->jobs < MIN_JOBS ? MIN_JOBS : b->jobs;
	}
	b->failed_node = BUILD_NONE;
	b->nodes = mem_zalloc(b->graph.n_steps * sizeof(*b->nodes));
	for (size_t i = 0; i < b->graph.n_steps; i++)
		b->nodes[i] = (struct node){
			.build = b,
			.number = i,
			.snapshot = SNAPSHOT_INIT,
			.claim_fd = -1,
			.wait_fd = -1,
			.log_fd = -1,
			.worker = WORKER_INIT,
			.log_source = LOOP_SOURCE_INIT,
			.end_source = LOOP_SOURCE_INIT,
		};
	for (size_t i = 0; i < b->graph.n_images; i++)
		node_want_files(b, b->graph.images[i].step);
}

/* How long nothing but the end of a step matters. */
static int wait_ms(const struct build *b)
{
	int tick = b->progress ? b->progress->tick_ms : 0;

	if (has_phase(b, NODE_QUEUED))
		return tick && tick < QUEUE_POLL_MS ? tick : QUEUE_POLL_MS;
	return tick ? tick : -1;
}

static int run_loop(struct build *b, struct err *err)
{
	while (!b->failure.code && !b->is_canceled) {
		int rc = 0;

		advance(b);
		if (b->failure.code || is_complete(b))
			return 0;
		/* Nothing runs that could change anything: better said than waited for. */
		if (b->n_busy == 0 && !has_phase(b, NODE_QUEUED))
			return err_set(err, ERR_SYSTEM, "the build cannot go on");
		rc = loop_run_once(&b->loop, wait_ms(b));
		if (rc < 0 && rc != -EINTR)
			return err_sys(err, -rc, "wait for the steps of the build");
		vertex_tick(b);
	}
	return 0;
}

/* Stages whose products were there already were not asked for: they count as cached all the same.
 */
static void tell_unneeded(struct build *b)
{
	for (size_t i = 0; i < b->graph.n_steps; i++)
		if (!b->nodes[i].vertex && b->graph.steps[i].kind != BUILD_STEP_SCRATCH)
			node_end(&b->nodes[i], BUILD_EVENT_STEP_CACHED, NULL);
}

static int watch_signals(struct build *b, struct err *err)
{
	sigset_t set;
	int rc = loop_init(&b->loop);

	interrupt_fill(&set);
	if (rc == 0)
		rc = loop_signals_add(&b->loop, &b->signals, &set, on_signal, b);
	return rc < 0 ? err_sys(err, -rc, "watch the steps of the build") : 0;
}

int solve(struct build *b, struct err *err)
{
	int rc = watch_signals(b, err);

	set_up(b);
	if (rc == 0)
		rc = run_loop(b, err);
	nodes_kill(b, NULL);
	if (b->caught)
		interrupt_ignore();
	loop_signals_remove(&b->loop, &b->signals);
	loop_done(&b->loop);
	if (rc < 0)
		return rc;
	if (b->is_canceled)
		return err_set(err, ERR_UNAVAILABLE, "Canceled: context canceled");
	if (b->failure.code) {
		*err = b->failure;
		return -err->code;
	}
	tell_unneeded(b);
	return 0;
}
