/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step on its way: what it needs, where its files are, what the cache has of it, how it ends.
 * When it goes on is the solver's business.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "storage/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what a step needs ---- */

size_t node_count_deps(const struct build_step *s)
{
	if (s->kind == BUILD_STEP_RUN)
		return 1 + s->run.n_mounts;
	return s->kind == BUILD_STEP_COPY ? 2 : 1;
}

/* Number I of what S needs, the step below first; BUILD_NONE where there is none. */
size_t node_get_dep(const struct build_step *s, size_t i)
{
	if (i == 0)
		return s->parent;
	return s->kind == BUILD_STEP_RUN ? s->run.mounts[i - 1].from_step : s->copy.from_step;
}

/* Files are those of the step with all below. */
bool node_want_files(struct build *b, size_t step)
{
	bool is_news = false;

	for (; step != BUILD_NONE; step = b->graph.steps[step].parent) {
		struct node *n = &b->nodes[step];

		is_news |= !n->wants_files;
		n->wants_key = n->wants_files = true;
	}
	return is_news;
}

/* Whether the step and all below it are there. */
bool node_has_files(const struct build *b, size_t step)
{
	for (; step != BUILD_NONE; step = b->graph.steps[step].parent)
		if (b->nodes[step].phase != NODE_READY)
			return false;
	return true;
}

bool node_skips_cache(const struct node *n)
{
	return node_step(n)->no_cache;
}

/* ---- the cache ---- */

static void forget_node(struct node *n)
{
	copy_node_kill(n);
	if (n->phase == NODE_DIGEST)
		n->build->n_busy--;
	fd_cleanup_close(&n->wait_fd);
	snapshot_done(&n->snapshot);
	build_selection_free(take_ptr(n->selection));
	n->phase = NODE_NEW;
	*n->key = *n->result = *n->fast = '\0';
}

/* Keys that were made with the step's result hold no more. Nothing above it is being made: its
 * files were not there. */
static void forget_dependents(struct node *n)
{
	struct build *b = n->build;
	cleanup_free bool *is_hit = mem_zalloc(b->graph.n_steps * sizeof(bool));

	is_hit[n->number] = true;
	for (size_t i = n->number + 1; i < b->graph.n_steps; i++) {
		const struct build_step *s = &b->graph.steps[i];

		for (size_t j = 0; j < node_count_deps(s); j++)
			is_hit[i] |= node_get_dep(s, j) != BUILD_NONE && is_hit[node_get_dep(s, j)];
		if (is_hit[i])
			forget_node(&b->nodes[i]);
	}
}

static void set_ready(struct node *n, enum build_event_type how)
{
	n->phase = NODE_READY;
	memcpy(n->key, n->snapshot.info.key, sizeof(n->key));
	snapshot_unclaim(n->build->engine->store, n->key, &n->claim_fd);
	node_end(n, how, NULL);
	/* Somebody may have made it anew since its key was known. */
	if (*n->result && strcmp(n->result, n->snapshot.info.result) != 0)
		forget_dependents(n);
	memcpy(n->result, n->snapshot.info.result, sizeof(n->result));
}

int node_lookup(struct node *n, const char *key, struct err *err)
{
	struct build *b = n->build;
	int rc = snapshot_open_for(b->engine->store, key, b->graph.epoch_s, &n->snapshot, err);

	if (rc > 0)
		set_ready(n, BUILD_EVENT_STEP_CACHED);
	return rc;
}

int node_settle(struct node *n, const char *key, struct err *err)
{
	int rc = 0;

	memcpy(n->key, key, sizeof(n->key));
	n->phase = NODE_KEYED;
	/* What is made anew gets another result, which nobody knows before. */
	if (node_skips_cache(n)) {
		node_want_files(n->build, n->number);
		return 1;
	}
	rc = node_lookup(n, key, err);
	if (rc == 0)
		memcpy(n->result, key, sizeof(n->result));
	return rc < 0 ? rc : 1;
}

int node_add_alias(struct node *n, struct err *err)
{
	return *n->fast ? snapshot_add_alias(n->build->engine->store, n->fast, n->key, err) : 0;
}

/* ---- directories ---- */

int node_retime(struct node *n, struct err *err)
{
	struct build *b = n->build;
	char name[64];

	if (snapshot_fits(&n->snapshot.info, b->graph.epoch_s))
		return 0;
	if (build_ensure_staging(b, err) < 0)
		return -err->code;
	snprintf(name, sizeof(name), "retimed-%zu", n->number);
	return snapshot_retime(b->engine->store, &b->staging, name, b->graph.epoch_s, &n->snapshot,
			       err);
}

/* Another build may have made a layer of it meanwhile. */
static int add_snapshot(struct node *n, struct strv *ret, struct err *err)
{
	if (n->snapshot.info.is_empty)
		return 0;
	/* What is made on top of it, or copied from it, sees the times of this build. */
	if (node_retime(n, err) < 0 ||
	    snapshot_locate(n->build->engine->store, &n->snapshot, err) < 0)
		return -err->code;
	strv_add(ret, n->snapshot.dir);
	return 0;
}

int node_add_lowers(struct build *b, size_t step, struct strv *ret, struct err *err)
{
	for (; step != BUILD_NONE; step = b->graph.steps[step].parent) {
		const struct build_step *s = &b->graph.steps[step];

		if (s->kind == BUILD_STEP_IMAGE)
			image_get_lower_dirs(b->engine->store, &s->base.image, ret);
		else if (s->kind != BUILD_STEP_SCRATCH &&
			 add_snapshot(&b->nodes[step], ret, err) < 0)
			return -err->code;
	}
	return 0;
}

int node_prepare_dir(struct node *n, struct err *err)
{
	struct build *b = n->build;
	char name[64];

	if (n->dir)
		return 0;
	if (build_ensure_staging(b, err) < 0)
		return -err->code;
	n->dir = str_printf("%s/staging/%s/step-%zu", b->engine->root, b->staging.name, n->number);
	snprintf(name, sizeof(name), "step-%zu", n->number);
	if (mkdirat(b->staging.fd, name, 0700) < 0)
		return err_sys(err, errno, "create a directory for step %s", node_step(n)->name);
	snprintf(name, sizeof(name), "step-%zu/work", n->number);
	if (mkdirat(b->staging.fd, name, 0700) < 0)
		return err_sys(err, errno, "create the directory %s", name);
	snprintf(name, sizeof(name), "step-%zu/upper", n->number);
	/* It becomes "/": every user inside must get through it, whatever our umask says. */
	if (mkdirat(b->staging.fd, name, 0755) < 0 || fchmodat(b->staging.fd, name, 0755, 0) < 0)
		return err_sys(err, errno, "create the directory %s", name);
	return 0;
}

void node_get_place(struct node *n, const struct strv *lowers, const char *id,
		    struct build_place *ret)
{
	*ret = (struct build_place){
		.engine = n->build->engine,
		.lowers = lowers,
		.dir = n->dir,
		.id = id,
		.platform = node_step(n)->platform,
	};
}

/* ---- results ---- */

static enum snapshot_kind snapshot_kind_of(const struct build_step *s)
{
	if (s->kind == BUILD_STEP_RUN)
		return SNAPSHOT_RUN;
	return s->kind == BUILD_STEP_COPY ? SNAPSHOT_COPY : SNAPSHOT_OTHER;
}

static int publish(struct node *n, struct err *err)
{
	struct build *b = n->build;
	const struct build_step *s = node_step(n);
	bool is_linked = s->kind == BUILD_STEP_COPY && s->copy.link;
	struct snapshot_info info = {
		.kind = snapshot_kind_of(s),
		.description = s->name,
		.parent = is_linked || !*b->nodes[s->parent].key ? NULL : b->nodes[s->parent].key,
		.replaces = node_skips_cache(n),
		.epoch_s = b->graph.epoch_s,
		.began_ns = n->began_real_ns,
	};
	char name[64];

	memcpy(info.key, n->key, sizeof(info.key));
	snprintf(name, sizeof(name), "step-%zu", n->number);
	return snapshot_publish(b->engine->store, &b->staging, name, &info, err);
}

int node_publish(struct node *n, struct err *err)
{
	int rc = publish(n, err);

	if (rc < 0)
		return rc;
	rc = snapshot_open_for(n->build->engine->store, n->key, n->build->graph.epoch_s,
			       &n->snapshot, err);
	if (rc == 0)
		return err_set(err, ERR_SYSTEM, "the result of step %s is gone",
			       node_step(n)->name);
	if (rc < 0 || node_add_alias(n, err) < 0)
		return -err->code;
	set_ready(n, BUILD_EVENT_STEP_DONE);
	return 0;
}

/* ---- ends ---- */

static void kill_node(struct node *n)
{
	bool is_busy = n->phase == NODE_BUSY || n->phase == NODE_DIGEST;

	copy_node_kill(n);
	run_node_kill(n);
	if (is_busy && n->vertex)
		node_end(n, BUILD_EVENT_STEP_CANCELED, NULL);
	if (is_busy)
		n->phase = NODE_FAILED;
}

void nodes_kill(struct build *b, const struct node *except)
{
	for (size_t i = 0; i < b->graph.n_steps; i++)
		if (&b->nodes[i] != except)
			kill_node(&b->nodes[i]);
	b->n_busy = except ? 1 : 0;
}

void node_fail(struct node *n, const struct err *err)
{
	struct build *b = n->build;

	if (b->failure.code)
		return;
	b->failure = *err;
	b->failed_node = n->number;
	n->phase = NODE_FAILED;
	if (!n->is_told)
		node_end(n, BUILD_EVENT_STEP_FAILED, err->msg);
	n->is_told = true;
	nodes_kill(b, NULL);
}

static void node_done(struct node *n)
{
	snapshot_done(&n->snapshot);
	if (*n->key)
		snapshot_unclaim(n->build->engine->store, n->key, &n->claim_fd);
	fd_cleanup_close(&n->wait_fd);
	build_selection_free(n->selection);
	log_tail_done(&n->tail);
	free(n->dir);
}

void nodes_done(struct build *b)
{
	for (size_t i = 0; b->nodes && i < b->graph.n_steps; i++)
		node_done(&b->nodes[i]);
	free(b->nodes);
	b->nodes = NULL;
}
