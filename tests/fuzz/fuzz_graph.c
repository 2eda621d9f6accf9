/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs: whatever a Dockerfile says, what comes of it stands in order, or the lines of the mistake
 * are in the file. Images have a trigger and an environment; those whose name begins with "no" are
 * not there.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
	"{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Env\":[\"A=b\"],\"WorkingDir\":"
	"\"w\","
	"\"OnBuild\":[\"COPY --from=0 a$A b\",\"ARG V=1\",\"RUN --mount=target=x,from=a c\"]},"
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},\"history\":[{\"created_by\":\"x\"}]}";

static int find_image(void *ctx, const char *ref, const char *platform, struct image *ret,
		      struct err *err)
{
	if (str_has_prefix(ref, "no"))
		return err_set(err, ERR_NOT_FOUND, "not there");
	snprintf(ret->id, sizeof(ret->id), "%064zu", strlen(ref));
	ret->config = str_dup(config);
	if (!str_has_prefix(ref, "empty"))
		strv_add(&ret->chain_ids, ret->id);
	return 0;
}

static void check_before(size_t step, size_t of)
{
	if (step != BUILD_NONE && step >= of)
		abort();
}

static void check_source(const struct build_graph *g, size_t source)
{
	if (source != BUILD_NONE && source >= g->n_sources)
		abort();
}

static void check_copy(const struct build_graph *g, const struct build_copy_op *op, size_t i)
{
	check_before(op->from_step, i);
	check_source(g, op->from_source);
	if (op->target[0] != '/' || !op->n_items)
		abort();
	for (size_t k = 0; k < op->n_items; k++)
		check_source(g, op->items[k].source);
}

static void check_run(const struct build_graph *g, const struct build_run_op *op, size_t i)
{
	if (op->workdir[0] != '/')
		abort();
	for (size_t k = 0; k < op->n_mounts; k++) {
		const struct build_mount *m = &op->mounts[k];

		check_before(m->from_step, i);
		check_source(g, m->from_source);
		if (m->mount.target ? m->mount.target[0] != '/' || !m->mount.target[1]
				    : !m->mount.env)
			abort();
	}
}

static void check_graph(const struct build_graph *g)
{
	for (size_t i = 0; i < g->n_steps; i++) {
		const struct build_step *s = &g->steps[i];

		check_before(s->parent, i);
		if (!s->name || !s->platform)
			abort();
		if (s->kind == BUILD_STEP_COPY)
			check_copy(g, &s->copy, i);
		else if (s->kind == BUILD_STEP_RUN)
			check_run(g, &s->run, i);
	}
	for (size_t i = 0; i < g->n_images; i++) {
		const struct build_result_image *image = &g->images[i];

		check_before(image->step, g->n_steps);
		for (size_t k = 0; k < image->config.n_history; k++)
			check_before(image->history_steps[k], g->n_steps);
		if (image->step == BUILD_NONE || image->first_history > image->config.n_history)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_build_graph struct build_graph graph = {};
	cleanup_build_request struct build_request request;
	struct build_resolver resolver = {.find_image = find_image};
	struct dockerfile_lines where = {};
	struct err err = ERR_INIT;

	build_request_init(&request);
	/* The size chooses the call, and whether there are several platforms and contexts. */
	request.call = size % 4;
	if (size % 3 == 0) {
		strv_add(&request.platforms, "linux/amd64");
		strv_add(&request.platforms, "linux/arm64/v8");
		strv_add(&request.contexts, "b=docker-image://busybox");
		strv_add(&request.contexts, "c=./dir");
		strv_add(&request.build_args, "V=${A}");
	}
	if (dockerfile_parse("Dockerfile", (const char *)data, size, &file, &where, &err) < 0)
		return 0;
	if (build_graph_make(&request, &file, &resolver, &graph, &where, &err) == 0)
		check_graph(&graph);
	else if (where.last > file.source.n || where.first > where.last)
		abort();
	return 0;
}
