/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stages begin with: an image, another stage, a context, nothing. And which stages are needed
 * at all: those that the target is made of or copies from, once the triggers of its bases are
 * known.
 */
#include "build/graph_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "oci/reference.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- images ---- */

static const struct graph_image *find_known(const struct graph_make *m, const char *ref,
					    const char *platform)
{
	for (size_t i = 0; i < m->n_images; i++)
		if (strcmp(m->images[i]->ref, ref) == 0 &&
		    strcmp(m->images[i]->platform, platform) == 0)
			return m->images[i];
	return NULL;
}

/* Images from scratch, for checks also those that are not there. */
static void make_empty_config(const struct platform *p, struct image_config *ret)
{
	ret->os = str_dup(p->os);
	ret->architecture = str_dup(p->arch);
	ret->variant = *p->variant ? str_dup(p->variant) : NULL;
	ret->run.working_dir = str_dup("/");
	strv_add(&ret->run.env, "PATH=" DEFAULT_PATH);
}

/* "x: no such image (did you mean build?)" */
static int explain_absence(const struct graph_make *m, const char *ref, struct err *err)
{
	cleanup_free char *hint = graph_suggest_stage(m, ref);
	size_t len = 0;

	err_wrap(err, "%s", ref);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, "%s", hint);
	return -err->code;
}

static int ask(struct graph_make *m, const struct platform *platform, struct graph_image *image,
	       struct err *err)
{
	const struct build_resolver *r = m->resolver;
	struct err why = ERR_INIT;

	if (r->find_image(r->ctx, image->ref, image->platform, &image->image, &why) < 0) {
		if (!m->is_lenient) {
			*err = why;
			return explain_absence(m, image->ref, err);
		}
		make_empty_config(platform, &image->config);
		return 0;
	}
	if (image_config_parse(image->image.config, strlen(image->image.config), &image->config,
			       err) < 0)
		return err_wrap(err, "%s", image->ref);
	image->real_platform = str_printf("%s/%s%s%s", image->config.os, image->config.architecture,
					  image->config.variant ? "/" : "",
					  image->config.variant ? image->config.variant : "");
	return 0;
}

/* "docker.io/library/busybox:latest"; an image of a layout stays as it is typed. */
static int format_name(const char *ref, char **ret, struct err *err)
{
	cleanup_reference struct reference parsed = REFERENCE_INIT;

	if (strstr(ref, "://")) {
		*ret = str_dup(ref);
		return 0;
	}
	if (reference_parse(ref, &parsed, err) < 0)
		return err_wrap(err, "failed to parse stage name \"%s\"", ref);
	reference_ensure_tag(&parsed);
	*ret = reference_format(&parsed);
	return 0;
}

const struct graph_image *graph_find_image(struct graph_make *m, const char *ref,
					   const struct platform *platform, struct err *err)
{
	char text[PLATFORM_LEN];
	const struct graph_image *known = find_known(m, ref, platform_format(platform, text));
	cleanup_free char *name = NULL;
	struct graph_image *image = NULL;

	if (known)
		return known;
	if (format_name(ref, &name, err) < 0)
		return NULL;
	image = mem_zalloc(sizeof(*image));
	image->ref = str_dup(ref);
	image->platform = str_dup(text);
	image->name = take_ptr(name);
	m->images = mem_realloc_array(m->images, m->n_images + 1, sizeof(*m->images));
	m->images[m->n_images++] = image;
	if (ask(m, platform, image, err) == 0)
		return image;
	/* Nobody may take it for known: it goes with the rest. */
	str_replace(&image->ref, "");
	return NULL;
}

/* ---- planning ---- */

static int add_trigger(struct graph_stage *s, const char *text, struct err *err)
{
	struct graph_trigger *trigger = mem_zalloc(sizeof(*trigger));

	s->triggers = mem_realloc_array(s->triggers, s->n_triggers + 1, sizeof(*s->triggers));
	s->triggers[s->n_triggers++] = trigger;
	/* Images carry no escape directive: their triggers have the usual one. */
	if (dockerfile_parse_line(text, '\\', &trigger->syntax, err) < 0 ||
	    instruction_parse(&trigger->syntax, &trigger->instruction, err) < 0)
		return err_wrap(err, "trigger \"%s\" of the base image", text);
	return 0;
}

/* The reference of the image that S begins with; NULL when it begins with something else. */
static const char *base_image(const struct graph_make *m, const struct graph_stage *s)
{
	const struct graph_context *context = s->context;

	if (s->base_stage != BUILD_NONE && !context)
		return NULL;
	if (!context)
		context = graph_context_find(m, s->base, &s->platform);
	const char *ref = context ? context->image : s->base;

	return ref && strcmp(ref, "scratch") != 0 ? ref : NULL;
}

/* The triggers that S has to run first, as instructions (borrowed) in RET. */
static int collect_triggers(struct graph_make *m, struct graph_stage *s,
			    const struct instruction ***ret, size_t *ret_n, struct err *err)
{
	const char *ref = base_image(m, s);
	const struct graph_image *image = ref ? graph_find_image(m, ref, &s->platform, err) : NULL;
	cleanup_free const struct instruction **list = NULL;
	size_t n = 0;

	if (ref && !image)
		return -err->code;
	for (size_t i = 0; image && !s->context && i < image->config.run.on_build.n; i++) {
		if (add_trigger(s, image->config.run.on_build.items[i], err) < 0)
			return -err->code;
		list = mem_realloc_array(list, n + 1, sizeof(*list));
		list[n++] = &s->triggers[i]->instruction;
	}
	const struct graph_stage *base = s->base_stage != BUILD_NONE && !s->context
						 ? &m->stages[s->base_stage]
						 : NULL;

	for (size_t i = 0; base && !base->context && i < base->parsed->n; i++) {
		if (base->parsed->items[i].keyword != KEYWORD_ONBUILD)
			continue;
		list = mem_realloc_array(list, n + 1, sizeof(*list));
		list[n++] = base->parsed->items[i].trigger;
	}
	*ret = take_ptr(list);
	*ret_n = n;
	return 0;
}

static int put_in_front(struct graph_make *m, struct graph_stage *s,
			const struct instruction *const *triggers, size_t n, struct err *err)
{
	struct graph_command *all = NULL;

	if (!n)
		return 0;
	all = mem_zalloc((n + s->n_commands) * sizeof(*all));
	if (s->n_commands)
		memcpy(all + n, s->commands, s->n_commands * sizeof(*all));
	free(s->commands);
	s->commands = all;
	s->n_commands += n;
	for (size_t i = 0; i < n; i++) {
		all[i].instruction = triggers[i];
		all[i].lines = s->parsed->from->syntax->lines;
		all[i].is_trigger = true;
		s->total += graph_is_step(triggers[i]);
		if (graph_command_find_deps(m, s, &all[i], err) < 0)
			return -err->code;
	}
	return 0;
}

static int plan_command(struct graph_make *m, const struct graph_command *command, struct err *err)
{
	for (size_t k = 0; k < command->n_deps; k++) {
		size_t stage = command->deps[k].stage;

		if (stage != BUILD_NONE && graph_stage_plan(m, &m->stages[stage], err) < 0)
			return -err->code;
	}
	return 0;
}

/* Each stage is entered once, so the depth is bounded by the number of stages. */
int graph_stage_plan(struct graph_make *m, struct graph_stage *s, struct err *err)
{
	cleanup_free const struct instruction **triggers = NULL;
	size_t n = 0;

	if (s->is_planned)
		return 0;
	s->is_planned = true;
	if (s->base_stage != BUILD_NONE && !s->context &&
	    graph_stage_plan(m, &m->stages[s->base_stage], err) < 0)
		return -err->code;
	*m->where = s->parsed->from->syntax->lines;
	if (collect_triggers(m, s, &triggers, &n, err) < 0 ||
	    put_in_front(m, s, triggers, n, err) < 0)
		return -err->code;
	for (size_t i = 0; i < s->n_commands; i++)
		if (plan_command(m, &s->commands[i], err) < 0)
			return -err->code;
	return 0;
}

/* ---- beginning ---- */

static void begin_with_image(struct graph_make *m, struct graph_stage *s,
			     const struct graph_image *image)
{
	graph_copy_config(&image->config, &s->config);
	/* Not the triggers of the base, which run now, nor what its maker said of its making. */
	strv_done(&s->config.run.on_build);
	str_replace(&s->config.created, NULL);
	str_replace(&s->config.comment, NULL);
	str_replace(&s->config.docker_version, NULL);
	s->first_history = s->config.n_history;
	s->history_steps = mem_alloc(s->first_history * sizeof(size_t));
	for (size_t i = 0; i < s->first_history; i++)
		s->history_steps[i] = BUILD_NONE;
	cleanup_free char *text = str_printf("FROM %s", image->name);
	char *name = graph_step_name(m, s, text);

	s->n_layers = image->image.chain_ids.n;
	if (s->n_layers) {
		s->step = graph_add_image(m, image, s->base, name);
		return;
	}
	free(name);
	s->step = graph_add_scratch(m, &s->platform);
}

/* The files of a context become the first layer. */
static void add_source_layer(struct graph_make *m, struct graph_stage *s, size_t source)
{
	cleanup_free char *text = str_printf("FROM %s", s->base);
	struct build_step step = {.kind = BUILD_STEP_COPY};

	s->step = graph_add_scratch(m, &s->platform);
	step.copy = (struct build_copy_op){
		.items = mem_zalloc(sizeof(struct build_copy_item)),
		.n_items = 1,
		.from_step = BUILD_NONE,
		.from_source = source,
		.target = str_dup("/"),
		.unpack = -1,
	};
	step.copy.items[0].path = str_dup("/");
	step.copy.items[0].source = BUILD_NONE;
	graph_stage_add(m, s, &step, text, s->parsed->from->syntax->lines);
	graph_add_history(m, s, str_dup(text), s->step);
}

static int begin_with_context(struct graph_make *m, struct graph_stage *s,
			      const struct graph_context *context, struct err *err)
{
	const char *ref = context->image;
	const struct graph_image *image = NULL;
	struct graph_place place = GRAPH_NOWHERE;

	if (ref && strcmp(ref, "scratch") == 0) {
		make_empty_config(&s->platform, &s->config);
		s->step = graph_add_scratch(m, &s->platform);
		return 0;
	}
	if (ref) {
		image = graph_find_image(m, ref, &s->platform, err);
		if (!image)
			return -err->code;
		begin_with_image(m, s, image);
		return 0;
	}
	make_empty_config(&s->platform, &s->config);
	if (graph_find_place(m, s->context ? s->name : s->base, &s->platform, &place, err) < 0)
		return -err->code;
	/* Who only copies from a stage that a directory stands in for needs no layer of it. */
	if (s->context)
		s->place = place;
	else
		add_source_layer(m, s, place.source);
	return 0;
}

void graph_stage_ensure_step(struct graph_make *m, struct graph_stage *s)
{
	if (s->step == BUILD_NONE)
		add_source_layer(m, s, s->place.source);
}

static int begin_with_stage(struct graph_make *m, struct graph_stage *s, struct graph_stage *base,
			    struct err *err)
{
	size_t bytes = graph_strv_bytes(&base->vars);

	graph_stage_ensure_step(m, base);
	graph_copy_config(&base->config, &s->config);
	strv_done(&s->config.run.on_build);
	s->first_history = base->first_history;
	s->history_steps = mem_alloc(s->config.n_history * sizeof(*s->history_steps));
	for (size_t i = 0; i < s->config.n_history; i++)
		s->history_steps[i] = base->history_steps[i];
	strv_add_all(&s->vars, &base->vars);
	strv_add_all(&s->args, &base->args);
	s->step = base->step;
	s->n_layers = base->n_layers;
	for (size_t i = 0; i < s->config.n_history; i++)
		bytes += strlen(s->config.history[i].created_by ? s->config.history[i].created_by
								: "");
	return graph_spend(m, bytes, err);
}

static int begin(struct graph_make *m, struct graph_stage *s, struct err *err)
{
	const struct graph_context *context = s->context;
	const struct graph_image *image = NULL;

	if (!context && s->base_stage != BUILD_NONE)
		return begin_with_stage(m, s, &m->stages[s->base_stage], err);
	if (!context)
		context = graph_context_find(m, s->base, &s->platform);
	if (context)
		return begin_with_context(m, s, context, err);
	if (strcmp(s->base, "scratch") == 0) {
		s->platform = m->target;
		make_empty_config(&s->platform, &s->config);
		s->step = graph_add_scratch(m, &s->platform);
		return 0;
	}
	image = graph_find_image(m, s->base, &s->platform, err);
	if (!image)
		return -err->code;
	begin_with_image(m, s, image);
	return 0;
}

int graph_stage_begin(struct graph_make *m, struct graph_stage *s, struct err *err)
{
	struct image_run *run = &s->config.run;
	cleanup_free char *dir = NULL;

	*m->where = s->parsed->from->syntax->lines;
	if (begin(m, s, err) < 0)
		return -err->code;
	if (!graph_vars_get(&run->env, "PATH"))
		strv_add(&run->env, "PATH=" DEFAULT_PATH);
	if (s->base_stage == BUILD_NONE || s->context)
		graph_vars_set_all(&s->vars, &run->env);
	if (run->working_dir && *run->working_dir) {
		dir = graph_join_typed("/", run->working_dir);
		str_replace(&run->working_dir, dir);
	}
	s->dir = str_dup(dir ? dir : "/");
	return 0;
}
