/* SPDX-License-Identifier: Apache-2.0 */
/* Makes graphs: for each platform the stages that are needed, then the image that comes out. */
#include "build/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "build/graph_private.h"

/* Stages are followed by functions that call themselves. */
#define MAX_STAGES 2000

/* ---- the image that comes out ---- */

static void set_labels(const struct graph_make *m, struct image_run *run)
{
	strv_foreach (i, &m->request->labels) {
		const char *item = m->request->labels.items[i];
		size_t len = strcspn(item, "=");
		cleanup_free char *key = str_ndup(item, len);

		image_run_set_label(run, key, item[len] ? item + len + 1 : "");
	}
}

static void set_times(const struct graph_make *m, struct image_config *config, size_t first)
{
	char text[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(m->graph->epoch_s * CLOCK_NS_PER_S, text);
	str_replace(&config->created, text);
	for (size_t i = first; i < config->n_history; i++)
		str_replace(&config->history[i].created, text);
}

/* Whoever said a platform gets it; otherwise it is that of the base. */
static void set_platform(const struct graph_make *m, struct image_config *config)
{
	bool is_same = strcmp(config->os, m->target.os) == 0 &&
		       strcmp(config->architecture, m->target.arch) == 0;

	if (m->is_implicit)
		return;
	str_replace(&config->os, m->target.os);
	str_replace(&config->architecture, m->target.arch);
	if (*m->target.variant || !is_same)
		str_replace(&config->variant, *m->target.variant ? m->target.variant : NULL);
}

static void add_image(struct graph_make *m, struct graph_stage *s)
{
	struct build_graph *g = m->graph;
	struct build_result_image *image = NULL;
	struct platform platform = {};
	char text[PLATFORM_LEN];

	graph_stage_ensure_step(m, s);
	g->images = mem_realloc_array(g->images, g->n_images + 1, sizeof(*g->images));
	image = &g->images[g->n_images++];
	*image = (struct build_result_image){
		.step = s->step,
		.config = s->config,
		.history_steps = s->history_steps,
		.first_history = s->first_history,
	};
	s->config = (struct image_config)IMAGE_CONFIG_INIT;
	s->history_steps = NULL;
	image->config.run.has_cmd = image->config.run.cmd.n > 0;
	image->config.run.has_entrypoint = image->config.run.entrypoint.n > 0;
	set_labels(m, &image->config.run);
	set_platform(m, &image->config);
	set_times(m, &image->config, image->first_history);
	platform_set(&platform, image->config.os, image->config.architecture,
		     image->config.variant);
	image->platform = str_dup(platform_format(&platform, text));
}

/* ---- one platform ---- */

static int plan_stages(struct graph_make *m, struct err *err)
{
	bool wants_all = m->request->call == BUILD_CALL_CHECK && !m->request->target;

	for (size_t i = 0; wants_all && i < m->n_stages; i++)
		if (graph_stage_plan(m, &m->stages[i], err) < 0)
			return -err->code;
	return graph_stage_plan(m, &m->stages[m->wanted], err);
}

static int make_platform(struct graph_make *m, struct err *err)
{
	if (graph_args_make_globals(m, err) < 0 || graph_args_set_epoch(m, err) < 0 ||
	    graph_stages_make(m, err) < 0 || plan_stages(m, err) < 0)
		return -err->code;
	for (size_t i = 0; i < m->n_stages; i++) {
		struct graph_stage *s = &m->stages[i];

		if (!s->is_planned)
			continue;
		if (graph_stage_begin(m, s, err) < 0 || graph_stage_apply(m, s, err) < 0)
			return -err->code;
	}
	add_image(m, &m->stages[m->wanted]);
	return 0;
}

static bool is_same_platform(const struct platform *a, const struct platform *b)
{
	return strcmp(a->os, b->os) == 0 && strcmp(a->arch, b->arch) == 0 &&
	       strcmp(a->variant, b->variant) == 0;
}

/* The platforms of the request, each once; the host's for none. */
static int list_platforms(struct graph_make *m, struct platform **ret, size_t *ret_n,
			  struct err *err)
{
	const struct strv *said = &m->request->platforms;
	cleanup_free struct platform *list = mem_alloc((said->n + 1) * sizeof(*list));
	size_t n = 0;

	platform_get_host(&list[0]);
	for (size_t i = 0; i < said->n; i++) {
		size_t k = 0;

		if (platform_parse(said->items[i], &list[n], err) < 0)
			return -err->code;
		while (!is_same_platform(&list[k], &list[n]))
			k++;
		n += k == n;
	}
	*ret = take_ptr(list);
	*ret_n = said->n ? n : 1;
	return 0;
}

static int make_platforms(struct graph_make *m, struct err *err)
{
	cleanup_free struct platform *platforms = NULL;
	size_t n = 0;

	if (list_platforms(m, &platforms, &n, err) < 0)
		return -err->code;
	m->is_implicit = !m->request->platforms.n;
	m->graph->is_multi_platform = n > 1 || graph_args_is_true(m, "BUILDKIT_MULTI_PLATFORM");
	platform_get_host(&m->build);
	for (size_t i = 0; i < n; i++) {
		m->target = platforms[i];
		graph_stages_done(m);
		graph_notes_done(m);
		if (make_platform(m, err) < 0)
			return -err->code;
	}
	return 0;
}

/* ---- checks ---- */

/* Of the images that were found by one name, that for the platform WANTED, else the first. */
static const struct graph_image *find_image(const struct graph_make *m, const char *ref,
					    const char *wanted)
{
	const struct graph_context *context = graph_context_find(m, ref, &m->target);
	const struct graph_image *found = NULL;

	if (context && !context->image)
		return NULL;
	if (context)
		ref = context->image;
	for (size_t i = 0; i < m->n_images; i++) {
		if (strcmp(m->images[i]->ref, ref) != 0)
			continue;
		if (strcmp(m->images[i]->platform, wanted) == 0)
			return m->images[i];
		found = found ? found : m->images[i];
	}
	return found;
}

static const struct graph_image *find_target_image(const struct graph_make *m, const char *ref)
{
	char text[PLATFORM_LEN];

	return find_image(m, ref, platform_format(&m->target, text));
}

static const char *get_platform(void *ctx, const char *ref, const char *wanted)
{
	const struct graph_image *image = NULL;
	struct platform platform = {};
	struct err ignored = ERR_INIT;
	char text[PLATFORM_LEN] = "";

	if (platform_parse(wanted, &platform, &ignored) == 0)
		platform_format(&platform, text);
	image = find_image(ctx, ref, text);
	return image ? image->real_platform : NULL;
}

static const struct strv *get_env(void *ctx, const char *ref)
{
	const struct graph_image *image = find_target_image(ctx, ref);

	return image ? &image->config.run.env : NULL;
}

static const struct strv *get_shell(void *ctx, const char *ref)
{
	const struct graph_image *image = find_target_image(ctx, ref);

	return image ? &image->config.run.shell : NULL;
}

static int check(struct graph_make *m, struct err *err)
{
	char text[PLATFORM_LEN];
	struct check_input input = {
		.file = m->file,
		.stages = &m->parsed,
		.build_args = &m->build_args,
		.ignore = m->resolver->ignore,
		.target = m->request->target,
		.all_stages = m->request->call == BUILD_CALL_CHECK && !m->request->target,
		.get_platform = get_platform,
		.get_env = get_env,
		.get_shell = get_shell,
		.ctx = m,
		.platform = platform_format(&m->target, text),
	};

	return dockerfile_check(&input, &m->graph->findings, &m->graph->findings_are_errors, err);
}

/* ---- all of it ---- */

static void make_done(struct graph_make *m)
{
	graph_stages_done(m);
	graph_contexts_done(m);
	graph_notes_done(m);
	dockerfile_stages_done(&m->parsed);
	strv_done(&m->build_args);
	strv_done(&m->globals);
	strv_done(&m->step_keys);
	for (size_t i = 0; i < m->n_images; i++) {
		free(m->images[i]->ref);
		free(m->images[i]->platform);
		free(m->images[i]->name);
		free(m->images[i]->real_platform);
		image_done(&m->images[i]->image);
		image_config_done(&m->images[i]->config);
		free(m->images[i]);
	}
	free(m->images);
}

static int make(struct graph_make *m, struct err *err)
{
	if (dockerfile_get_stages(m->file, &m->parsed, m->where, err) < 0)
		return -err->code;
	if (!m->parsed.n)
		return err_set(err, ERR_INVALID, "dockerfile contains no stages to build");
	if (m->parsed.n > MAX_STAGES)
		return err_set(err, ERR_INVALID, "more than %d stages", MAX_STAGES);
	if (m->request->call == BUILD_CALL_TARGETS) {
		m->graph->listing = graph_targets_format(m);
		return 0;
	}
	graph_args_collect(m);
	if (graph_contexts_parse(m, err) < 0)
		return -err->code;
	graph_add_main_context(m);
	if (make_platforms(m, err) < 0)
		return -err->code;
	*m->where = (struct dockerfile_lines){};
	graph_args_find_unused(m);
	if (m->request->call == BUILD_CALL_OUTLINE)
		m->graph->listing = graph_outline_format(m);
	return check(m, err);
}

int build_graph_make(const struct build_request *request, const struct dockerfile *file,
		     const struct build_resolver *resolver, struct build_graph *ret,
		     struct dockerfile_lines *ret_where, struct err *err)
{
	size_t spent = 0;
	struct graph_make m = {
		.request = request,
		.file = file,
		.resolver = resolver,
		.graph = ret,
		.where = ret_where,
		.spent = &spent,
		.is_lenient = request->call != BUILD_CALL_BUILD,
	};
	int rc = make(&m, err);

	make_done(&m);
	return rc;
}

void build_graph_done(struct build_graph *g)
{
	for (size_t i = 0; i < g->n_steps; i++)
		graph_step_done(&g->steps[i]);
	free(g->steps);
	for (size_t i = 0; i < g->n_sources; i++) {
		free(g->sources[i].where);
		free(g->sources[i].name);
		free(g->sources[i].checksum);
	}
	free(g->sources);
	for (size_t i = 0; i < g->n_images; i++) {
		free(g->images[i].platform);
		image_config_done(&g->images[i].config);
		free(g->images[i].history_steps);
	}
	free(g->images);
	strv_done(&g->unused_args);
	free(g->listing);
	check_findings_done(&g->findings);
	*g = (struct build_graph){};
}
