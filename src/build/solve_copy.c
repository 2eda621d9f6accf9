/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY, ADD and WORKDIR on their way. What is copied from a context is looked at here, because what
 * was learnt of its files is kept for the next build. Other steps' files have to be mounted and
 * URLs to be fetched: a worker does it, says the digest, and waits for the word to go on.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "engine/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a worker has to do; it has a copy of all of it. */
struct copy_job {
	struct node *node;
	bool digests, copies;
	struct strv lowers;	 /* to copy onto */
	struct strv from_lowers; /* of the step that is copied from */
};

static void job_done(struct copy_job *job)
{
	strv_done(&job->lowers);
	strv_done(&job->from_lowers);
}

/* ---- in the worker ---- */

/* A directory beside those that the step works in; a descriptor. */
static int make_dir(const struct node *n, const char *name, struct err *err)
{
	cleanup_free char *path = str_printf("step-%zu/%s", n->number, name);
	int staging = n->build->staging.fd;
	int fd = -1;

	if (mkdirat(staging, path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create the directory %s", path);
	fd = openat(staging, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open the directory %s", path) : fd;
}

/* A step without any files has no layers to mount. */
static int open_empty(const struct copy_job *job, struct err *err)
{
	return make_dir(job->node, "empty", err);
}

static int open_step(const struct copy_job *job, struct build_tree *ret, struct err *err)
{
	cleanup_close int mounted = -1;

	*ret = (struct build_tree){.root_fd = -1, .digests = job->node->build->digests};
	if (job->from_lowers.n == 0) {
		ret->root_fd = open_empty(job, err);
		return ret->root_fd < 0 ? -err->code : 0;
	}
	mounted = view_mount_image(job->node->build->engine, &job->from_lowers, err);
	if (mounted < 0)
		return -err->code;
	ret->root_fd = openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ret->root_fd < 0 ? err_sys(err, errno, "open the files to copy") : 0;
}

static int open_remote(const struct copy_job *job, const struct build_copy_item *item, size_t i,
		       struct build_tree *ret, struct err *err)
{
	struct build *b = job->node->build;
	cleanup_free char *name = str_printf("remote-%zu", i);
	cleanup_free char *revision = NULL;
	cleanup_close int fd = make_dir(job->node, name, err);

	*ret = (struct build_tree){.root_fd = -1};
	if (fd < 0)
		return -err->code;
	return build_source_open(b->engine, &b->graph.sources[item->source], fd, ret, &revision,
				 err);
}

/* A tree for each item; what all items share is opened once. */
static int open_trees(const struct copy_job *job, struct build_tree *own, struct build_tree **trees,
		      struct err *err)
{
	struct node *n = job->node;
	const struct build_copy_op *op = &node_step(n)->copy;
	struct build_tree *shared = NULL;

	if (op->from_step != BUILD_NONE) {
		shared = &own[op->n_items];
		if (open_step(job, shared, err) < 0)
			return -err->code;
	} else if (op->from_source != BUILD_NONE &&
		   build_ensure_tree(n->build, op->from_source, &shared, err) < 0) {
		return -err->code;
	}
	for (size_t i = 0; i < op->n_items; i++) {
		trees[i] = op->items[i].kind == BUILD_ITEM_PATH ? shared : NULL;
		if (op->items[i].kind != BUILD_ITEM_REMOTE)
			continue;
		if (open_remote(job, &op->items[i], i, &own[i], err) < 0)
			return -err->code;
		trees[i] = &own[i];
	}
	return 0;
}

static int select_items(const struct copy_job *job, struct err *err)
{
	struct node *n = job->node;
	const struct build_copy_op *op = &node_step(n)->copy;
	/* They live as long as the worker. */
	struct build_tree *own = mem_zalloc((op->n_items + 1) * sizeof(*own));
	struct build_tree **trees = mem_zalloc((op->n_items + 1) * sizeof(struct build_tree *));

	if (open_trees(job, own, trees, err) < 0)
		return -err->code;
	return build_select(op, trees, &n->selection, err);
}

/* Locks of the builder's that must not last as long as its worker. */
static void close_claims(struct build *b)
{
	for (size_t i = 0; i < b->graph.n_steps; i++)
		fd_cleanup_close(&b->nodes[i].claim_fd);
}

/* worker_fn */
static int copy_work(int fd, void *data, struct err *err)
{
	const struct copy_job *job = data;
	struct node *n = job->node;
	char digest[DIGEST_HEX_LEN + 1];
	char id[ID_LEN + 1];
	struct build_place place;

	close_claims(n->build);
	if (!n->selection && select_items(job, err) < 0)
		return -err->code;
	if (job->digests) {
		if (build_selection_digest(n->selection, digest, err) < 0)
			return -err->code;
		if (worker_report(fd, digest) == 0)
			return 0;
	}
	if (!job->copies)
		return 0;
	rand_hex(ID_LEN / 2, id);
	node_get_place(n, &job->lowers, id, &place);
	place.settled_s = n->build->graph.epoch_s;
	/* Times stay: when it becomes a snapshot it is noted what they were. */
	return build_copy(&node_step(n)->copy, n->selection, &place, SNAPSHOT_NO_EPOCH, err);
}

/* worker_fn */
static int workdir_work(int fd, void *data, struct err *err)
{
	const struct copy_job *job = data;
	struct node *n = job->node;
	char id[ID_LEN + 1];
	struct build_place place;

	(void)fd;
	close_claims(n->build);
	rand_hex(ID_LEN / 2, id);
	node_get_place(n, &job->lowers, id, &place);
	return build_workdir(&node_step(n)->workdir, &place, SNAPSHOT_NO_EPOCH, err);
}

/* ---- its words ---- */

static void worker_over(struct node *n)
{
	loop_remove(&n->build->loop, &n->end_source);
	worker_finish(&n->worker);
	n->build->n_busy--;
}

/* The step's files are the same as once before, or they are not: then the worker waits for its turn
 * to copy, if that is wanted. */
static int take_digest(struct node *n, const char *digest, struct err *err)
{
	char key[KEY_LEN];

	n->build->n_busy--;
	loop_remove(&n->build->loop, &n->end_source);
	key_of_copy(n->build, n->number, digest, key);
	if (node_settle(n, key, err) < 0)
		return -err->code;
	if (n->phase == NODE_READY || !n->worker_copies)
		copy_node_kill(n);
	return n->phase == NODE_READY ? node_add_alias(n, err) : 0;
}

static int take_word(struct node *n, struct worker_word *word, struct err *err)
{
	if (word->kind == WORKER_DIGEST)
		return take_digest(n, word->digest, err);
	worker_over(n);
	if (word->kind == WORKER_DONE)
		return node_publish(n, err);
	if (word->kind == WORKER_LOST)
		return err_set(err, ERR_SYSTEM, "the process of step %s was killed",
			       node_step(n)->name);
	*err = word->err;
	return -err->code;
}

/* loop_fn */
static int on_word(void *data, uint32_t events)
{
	struct node *n = data;
	struct worker_word word;
	struct err err = ERR_INIT;

	(void)events;
	worker_read(&n->worker, &word);
	if (take_word(n, &word, &err) < 0)
		node_fail(n, &err);
	return 0;
}

static int watch(struct node *n, struct err *err)
{
	int rc = loop_add(&n->build->loop, &n->end_source, n->worker.fd, EPOLLIN, on_word, n);

	return rc < 0 ? err_sys(err, -rc, "watch a step of the build") : 0;
}

/* ---- starting it ---- */

/* Snapshots stay where they are until the worker has mounted them: it inherits the lease. */
static int start_worker(struct node *n, struct copy_job *job, worker_fn fn, struct err *err)
{
	struct build *b = n->build;
	const struct build_step *s = node_step(n);
	bool is_linked = s->kind == BUILD_STEP_COPY && s->copy.link;
	cleanup_close int lease = snapshot_lease(b->engine->store, err);

	if (lease < 0)
		return -err->code;
	if (job->copies && !is_linked && node_add_lowers(b, s->parent, &job->lowers, err) < 0)
		return -err->code;
	if (s->kind == BUILD_STEP_COPY && s->copy.from_step != BUILD_NONE &&
	    node_add_lowers(b, s->copy.from_step, &job->from_lowers, err) < 0)
		return -err->code;
	return worker_start(&n->worker, fn, job, err) < 0 ? -err->code : watch(n, err);
}

static bool has_remote(const struct build_copy_op *op)
{
	for (size_t i = 0; i < op->n_items; i++)
		if (op->items[i].kind == BUILD_ITEM_REMOTE)
			return true;
	return false;
}

static int digest_here(struct node *n, struct err *err)
{
	struct build *b = n->build;
	const struct build_copy_op *op = &node_step(n)->copy;
	cleanup_free struct build_tree **trees = mem_zalloc((op->n_items + 1) *
							    sizeof(struct build_tree *));
	char digest[DIGEST_HEX_LEN + 1];
	char key[KEY_LEN];

	for (size_t i = 0; i < op->n_items; i++)
		if (op->items[i].kind == BUILD_ITEM_PATH &&
		    build_ensure_tree(b, op->from_source, &trees[i], err) < 0)
			return -err->code;
	if (build_select(op, trees, &n->selection, err) < 0 ||
	    build_selection_digest(n->selection, digest, err) < 0)
		return -err->code;
	key_of_copy(b, n->number, digest, key);
	return node_settle(n, key, err);
}

static int digest_elsewhere(struct node *n, struct err *err)
{
	cleanup_with(job_done) struct copy_job job = {
		.node = n, .digests = true, .copies = n->wants_files};

	if (node_prepare_dir(n, err) < 0)
		return -err->code;
	n->phase = NODE_DIGEST;
	n->worker_copies = job.copies;
	n->build->n_busy++;
	return start_worker(n, &job, copy_work, err);
}

int copy_node_key(struct node *n, struct err *err)
{
	struct build *b = n->build;
	const struct build_step *s = node_step(n);
	bool is_news = false, is_there = true;

	if (!*n->fast) {
		key_of_copy_fast(b, n->number, n->fast);
		int rc = *n->fast && !node_skips_cache(n) ? node_lookup(n, n->fast, err) : 0;

		if (rc != 0)
			return rc;
	}
	if (s->copy.from_step == BUILD_NONE && !has_remote(&s->copy))
		return digest_here(n, err);
	if (s->copy.from_step != BUILD_NONE) {
		is_news |= node_want_files(b, s->copy.from_step);
		is_there &= node_has_files(b, s->copy.from_step);
	}
	/* A worker that is to copy afterwards has to know what is below. */
	if (n->wants_files && !s->copy.link) {
		is_news |= node_want_files(b, s->parent);
		is_there &= node_has_files(b, s->parent);
	}
	if (!is_there || b->n_busy >= b->jobs)
		return is_news;
	return digest_elsewhere(n, err) < 0 ? -err->code : 1;
}

int copy_node_start(struct node *n, struct err *err)
{
	cleanup_with(job_done) struct copy_job job = {.node = n, .copies = true};

	if (n->worker.pid > 0) {
		worker_go(&n->worker);
		return watch(n, err);
	}
	return start_worker(n, &job, copy_work, err);
}

int workdir_node_start(struct node *n, struct err *err)
{
	cleanup_with(job_done) struct copy_job job = {.node = n, .copies = true};

	return start_worker(n, &job, workdir_work, err);
}

void copy_node_kill(struct node *n)
{
	if (n->worker.pid <= 0)
		return;
	loop_remove(&n->build->loop, &n->end_source);
	worker_kill(&n->worker);
}
