/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A build from its request to its results: the file and its context, the graph, what is missing of
 * it, what is made of that. Whatever happens on the way, nothing is left but the results of steps
 * that ended well; they are the cache of the next try.
 */
#include "build/build.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "build/build_private.h"
#include "build/git_url.h"
#include "build/interrupt.h"
#include "build/resolve.h"
#include "engine/engine.h"
#include "engine/pending.h"
#include "engine/skeleton.h"
#include "storage/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define LOAD_FILE   "[internal] load build definition from %s"
#define LOAD_IGNORE "[internal] load .dockerignore"
#define LOAD_FILES  "[internal] load build context"

void build_outcome_done(struct build_outcome *o)
{
	free(o->image_id);
	free(o->target);
	strv_done(&o->names);
	free(o->failure.step);
	free(o->failure.excerpt);
	free(o->failure.log);
	str_done(&o->explanation);
	free(o->listing);
	strv_done(&o->unused_args);
	dockerfile_done(&o->file);
	check_findings_done(&o->findings);
	*o = (struct build_outcome){};
}

/* ---- what the files of a build share ---- */

int build_ensure_staging(struct build *b, struct err *err)
{
	cleanup_strv struct strv skeleton = STRV_INIT;

	if (b->staging.fd >= 0)
		return 0;
	/* What builders that were killed have left. */
	pending_sweep(b->engine);
	/* Whoever mounts layers does it there. */
	if (skeleton_add(b->engine, &skeleton, err) < 0)
		return -err->code;
	return staging_create(b->engine->store, &b->staging, err);
}

/* The directory in which source number SOURCE may put what it fetches. */
static int make_source_dir(struct build *b, size_t source, struct err *err)
{
	char name[64];
	int fd = -1;

	if (build_ensure_staging(b, err) < 0)
		return -err->code;
	snprintf(name, sizeof(name), "source-%zu", source);
	if (mkdirat(b->staging.fd, name, 0700) < 0)
		return err_sys(err, errno, "create the directory %s", name);
	fd = openat(b->staging.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open the directory %s", name) : fd;
}

static int open_tree(struct build *b, size_t source, struct err *err)
{
	const struct build_source *s = &b->graph.sources[source];
	struct build_tree *tree = &b->trees[source];
	cleanup_free char *revision = NULL;
	cleanup_close int fd = -1;

	if (s->kind != BUILD_SOURCE_LOCAL) {
		fd = make_source_dir(b, source, err);
		if (fd < 0)
			return -err->code;
	}
	if (build_source_open(b->engine, s, fd, tree, &revision, err) < 0)
		return -err->code;
	if (!tree->digests)
		tree->digests = b->digests;
	return 0;
}

int build_ensure_tree(struct build *b, size_t source, struct build_tree **ret, struct err *err)
{
	bool is_main = source == 0 && b->input.has_context;

	if (!b->digests && file_digests_open(b->engine, &b->digests, err) < 0)
		return -err->code;
	if (is_main) {
		*ret = &b->input.context;
		(*ret)->digests = b->digests;
		return 0;
	}
	if (b->trees[source].root_fd < 0 && open_tree(b, source, err) < 0)
		return -err->code;
	*ret = &b->trees[source];
	return 0;
}

/* ---- phases ---- */

/* A phase that may wait for a network or a pipe: a signal ends it, and not us, who clean up. */
static int run_waiting(struct build *b, int (*phase)(struct build *, struct err *), struct err *err)
{
	sigset_t saved;
	int rc = 0;

	interrupt_block(&saved);
	rc = phase(b, err);
	b->caught = interrupt_get_pending();
	if (b->caught) {
		interrupt_ignore();
		b->ret->signal = b->caught;
		rc = err_set(err, ERR_UNAVAILABLE, "failed to solve: Canceled: context canceled");
	}
	sigprocmask(SIG_SETMASK, &saved, NULL);
	return rc;
}

/* Only what is fetched or unpacked needs room; a directory is used where it is. */
static int ensure_room(struct build *b, struct err *err)
{
	const char *context = b->request->context;
	const char *file = b->request->file;
	struct stat st;

	if (!context || strcmp(context, "-") == 0 || (file && url_is_http(file)))
		return build_ensure_staging(b, err);
	/* lint: what the user typed */
	if (stat(context, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return build_ensure_staging(b, err);
}

/* docker's client says some things itself, and the others come from the builder. */
static int wrap_input(struct err *err)
{
	static const char *const own[] = {"unable to prepare context",
					  "invalid argument: ", "ambiguous Dockerfile source",
					  "failed to peek context"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_has_prefix(err->msg, own[i]))
			return -err->code;
	return err_wrap(err, "failed to solve");
}

static void tell_input(struct build *b)
{
	cleanup_free char *name = str_printf(LOAD_FILE, b->input.file_name);
	char size[32];
	char text[64];
	size_t vertex = vertex_begin(b, name);

	num_format_size((double)b->input.file_len, 3, size, sizeof(size));
	snprintf(text, sizeof(text), "transferring dockerfile: %s", size);
	vertex_status(b, vertex, name, text, b->input.file_len, b->input.file_len);
	vertex_end(b, vertex, name, BUILD_EVENT_STEP_DONE, NULL);
}

static int phase_input(struct build *b, struct err *err)
{
	if (ensure_room(b, err) < 0 ||
	    build_input_open(b->engine, b->request, b->staging.fd, &b->input, err) < 0)
		return wrap_input(err);
	tell_input(b);
	return 0;
}

static int phase_parse(struct build *b, struct err *err)
{
	struct dockerfile_lines where = {};
	int rc = dockerfile_parse(b->input.file_name, b->input.file_text, b->input.file_len,
				  &b->file, &where, err);

	if (rc < 0)
		failure_describe(b, &where);
	return rc < 0 ? err_wrap(err, "failed to solve") : 0;
}

static void tell_findings(struct build *b)
{
	for (size_t i = 0; i < b->graph.findings.n; i++) {
		struct build_event event = {.type = BUILD_EVENT_WARNING,
					    .vertex = 1,
					    .ns = clock_mono_ns(),
					    .finding = &b->graph.findings.items[i]};

		if (b->progress && b->progress->event)
			b->progress->event(b->progress->ctx, &event);
	}
	b->ret->findings_are_errors = b->graph.findings_are_errors;
	b->ret->findings = b->graph.findings;
	b->graph.findings = (struct check_findings){};
}

static int phase_graph(struct build *b, struct err *err)
{
	struct build_resolver resolver = {
		.find_image = resolve_image,
		.ctx = b,
		.ignore = b->input.context.ignore,
		.context = b->input.main,
		.lacks_context = !b->input.has_context,
	};
	cleanup_free char *violation = NULL;
	struct dockerfile_lines where = {};
	size_t vertex = 0;

	if (build_graph_make(b->request, &b->file, &resolver, &b->graph, &where, err) < 0) {
		failure_describe(b, &where);
		return err_wrap(err, "failed to solve");
	}
	vertex = vertex_begin(b, LOAD_IGNORE);
	vertex_end(b, vertex, LOAD_IGNORE, BUILD_EVENT_STEP_DONE, NULL);
	strv_add_all(&b->ret->unused_args, &b->graph.unused_args);
	b->ret->listing = take_ptr(b->graph.listing);
	tell_findings(b);
	if (b->graph.findings_are_errors && b->request->call == BUILD_CALL_BUILD)
		violation = check_findings_format_error(&b->ret->findings);
	if (violation)
		return err_set(err, ERR_INVALID, "failed to solve: %s", violation);
	b->trees = mem_zalloc((b->graph.n_sources + 1) * sizeof(*b->trees));
	for (size_t i = 0; i < b->graph.n_sources; i++)
		b->trees[i].root_fd = -1;
	return 0;
}

static bool uses_context(const struct build *b)
{
	for (size_t i = 0; i < b->graph.n_steps; i++) {
		const struct build_step *s = &b->graph.steps[i];

		if (s->kind == BUILD_STEP_COPY && s->copy.from_source == 0)
			return b->input.has_context;
		for (size_t j = 0; s->kind == BUILD_STEP_RUN && j < s->run.n_mounts; j++)
			if (s->run.mounts[j].from_source == 0)
				return b->input.has_context;
	}
	return false;
}

/* The steps, what came before them, and the results. */
static void tell_total(struct build *b)
{
	struct build_event event = {.type = BUILD_EVENT_TOTAL,
				    .ns = clock_mono_ns(),
				    .total = b->n_vertices + uses_context(b) + 1};

	for (size_t i = 0; i < b->graph.n_steps; i++)
		event.total += b->graph.steps[i].kind != BUILD_STEP_SCRATCH;
	if (b->progress && b->progress->event)
		b->progress->event(b->progress->ctx, &event);
}

/* Named contexts that have to be fetched: in the loop of the steps signals are only looked at
 * between these. */
static int fetch_sources(struct build *b, struct err *err)
{
	struct build_tree *tree = NULL;

	for (size_t i = 0; i < b->graph.n_steps; i++) {
		const struct build_step *s = &b->graph.steps[i];
		size_t n = s->kind == BUILD_STEP_RUN ? s->run.n_mounts : s->kind == BUILD_STEP_COPY;

		for (size_t j = 0; j < n; j++) {
			size_t source = s->kind == BUILD_STEP_COPY ? s->copy.from_source
								   : s->run.mounts[j].from_source;

			if (source != BUILD_NONE &&
			    b->graph.sources[source].kind != BUILD_SOURCE_LOCAL &&
			    build_ensure_tree(b, source, &tree, err) < 0)
				return err_wrap(err, "failed to solve");
		}
	}
	return 0;
}

static int phase_solve(struct build *b, struct err *err)
{
	tell_total(b);
	if (run_waiting(b, fetch_sources, err) < 0)
		return -err->code;
	if (uses_context(b)) {
		size_t vertex = vertex_begin(b, LOAD_FILES);

		vertex_end(b, vertex, LOAD_FILES, BUILD_EVENT_STEP_DONE, NULL);
	}
	if (solve(b, err) == 0)
		return 0;
	b->ret->signal = b->caught;
	failure_describe(b, NULL);
	return err_wrap(err, "failed to solve");
}

/* --explain: what each command was started with. */
static int phase_explain(struct build *b, struct err *err)
{
	for (size_t i = 0; i < b->graph.n_steps; i++) {
		const struct build_step *s = &b->graph.steps[i];

		str_addf(&b->ret->explanation, "# %s\n", s->name);
		if (s->kind == BUILD_STEP_RUN && node_has_files(b, s->parent) &&
		    run_node_explain(&b->nodes[i], &b->ret->explanation, err) < 0)
			return -err->code;
	}
	return 0;
}

/* Times and counts for `builder du` and `prune`. */
static int phase_touch(struct build *b, struct err *err)
{
	cleanup_free const char **keys = mem_zalloc((b->graph.n_steps + 1) * sizeof(char *));
	size_t n = 0;

	for (size_t i = 0; i < b->graph.n_steps; i++)
		if (b->nodes[i].phase == NODE_READY && *b->nodes[i].snapshot.info.key)
			keys[n++] = b->nodes[i].key;
	return n ? snapshot_touch(b->engine->store, keys, n, err) : 0;
}

static int run_phases(struct build *b, struct err *err)
{
	if (build_output_check(b->request, err) < 0 || cache_check(b->request, err) < 0 ||
	    build_output_forget(b->request, err) < 0)
		return -err->code;
	if (run_waiting(b, phase_input, err) < 0 || phase_parse(b, err) < 0 ||
	    phase_graph(b, err) < 0)
		return -err->code;
	if (b->request->call != BUILD_CALL_BUILD)
		return 0;
	if (cache_import(b, err) < 0 || phase_solve(b, err) < 0)
		return -err->code;
	if (b->request->explain && phase_explain(b, err) < 0)
		return -err->code;
	if (build_output(b, err) < 0)
		return err_wrap(err, "failed to solve");
	if (phase_touch(b, err) < 0)
		return -err->code;
	return cache_export(b, err);
}

static void build_done(struct build *b)
{
	nodes_done(b);
	for (size_t i = 0; b->trees && i < b->graph.n_sources; i++)
		if (b->trees[i].root_fd >= 0)
			build_tree_done(&b->trees[i]);
	free(b->trees);
	build_input_done(&b->input);
	file_digests_close(b->digests);
	build_graph_done(&b->graph);
	/* Whoever prints the findings shows their lines. */
	b->ret->file = b->file;
	strv_done(&b->loaded);
	staging_done(&b->staging);
	storage_release(b->engine->store, &b->hold_fd);
}

int build_run_request(struct engine *engine, const struct build_request *request,
		      const struct build_progress *progress, struct build_outcome *ret,
		      struct err *err)
{
	cleanup_with(build_done) struct build b = {
		.engine = engine,
		.request = request,
		.progress = progress,
		.ret = ret,
		.staging = STAGING_INIT,
		.input = {.context = {.root_fd = -1}},
		.failed_node = BUILD_NONE,
	};

	/* Results for the user have the modes that they say; so have files of the store. */
	mode_t mask = umask(022);
	int rc = 0;

	b.hold_fd = storage_hold(engine->store, err);
	rc = b.hold_fd < 0 ? -err->code : run_phases(&b, err);
	umask(mask);
	return rc;
}
