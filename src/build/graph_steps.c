/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps: adding them, each once; their names as BuildKit's progress has them
 * ("[linux/amd64 build 2/3] RUN make").
 */
#include "build/graph_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"

/* ---- the end of steps ---- */

static void run_op_done(struct build_run_op *op)
{
	strv_done(&op->argv);
	free(op->script);
	strv_done(&op->env);
	strv_done(&op->unkeyed_env);
	free(op->user);
	free(op->workdir);
	free(op->network);
	strv_done(&op->devices);
	for (size_t i = 0; i < op->n_mounts; i++)
		run_mount_done(&op->mounts[i].mount);
	free(op->mounts);
}

static void copy_op_done(struct build_copy_op *op)
{
	for (size_t i = 0; i < op->n_items; i++) {
		free(op->items[i].path);
		free(op->items[i].name);
		free(op->items[i].content);
	}
	free(op->items);
	free(op->target);
	free(op->chown);
	free(op->chmod);
	strv_done(&op->excludes);
}

void graph_step_done(struct build_step *step)
{
	switch (step->kind) {
	case BUILD_STEP_IMAGE:
		image_done(&step->base.image);
		free(step->base.typed);
		break;
	case BUILD_STEP_SCRATCH:
		break;
	case BUILD_STEP_RUN:
		run_op_done(&step->run);
		break;
	case BUILD_STEP_COPY:
		copy_op_done(&step->copy);
		break;
	case BUILD_STEP_WORKDIR:
		free(step->workdir.path);
		free(step->workdir.user);
		break;
	}
	free(step->name);
	free(step->stage);
	free(step->platform);
}

/* ---- what a step is, as a text: two steps with the same text are one ---- */

static void add_text(struct str *key, const char *text)
{
	if (text)
		str_addf(key, "%zu:%s,", strlen(text), text);
	else
		str_add(key, "-,");
}

static void add_number(struct str *key, int64_t n)
{
	str_addf(key, "%lld,", (long long)n);
}

static void add_list(struct str *key, const struct strv *list)
{
	add_number(key, (int64_t)list->n);
	strv_foreach (i, list)
		add_text(key, list->items[i]);
}

static void add_mount(struct str *key, const struct build_mount *m)
{
	const int64_t numbers[] = {(int64_t)m->from_step, (int64_t)m->from_source, m->mount.type,
				   m->mount.read_only,	  m->mount.required,	   m->mount.sharing,
				   m->mount.size,	  m->mount.has_mode,	   m->mount.has_uid,
				   m->mount.has_gid,	  m->mount.mode,	   m->mount.uid,
				   m->mount.gid};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		add_number(key, numbers[i]);
	add_text(key, m->mount.source);
	add_text(key, m->mount.target);
	add_text(key, m->mount.id);
	add_text(key, m->mount.env);
}

static void add_run(struct str *key, const struct build_run_op *op)
{
	add_list(key, &op->argv);
	add_text(key, op->script);
	add_list(key, &op->env);
	add_list(key, &op->unkeyed_env);
	add_text(key, op->user);
	add_text(key, op->workdir);
	add_text(key, op->network);
	add_number(key, op->insecure);
	add_list(key, &op->devices);
	for (size_t i = 0; i < op->n_mounts; i++)
		add_mount(key, &op->mounts[i]);
}

static void add_copy(struct str *key, const struct build_copy_op *op)
{
	const int64_t numbers[] = {
		op->is_add, (int64_t)op->from_step, (int64_t)op->from_source, op->link, op->parents,
		op->unpack};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		add_number(key, numbers[i]);
	for (size_t i = 0; i < op->n_items; i++) {
		add_number(key, op->items[i].kind);
		add_text(key, op->items[i].path);
		add_text(key, op->items[i].name);
		add_text(key, op->items[i].content);
		add_number(key, (int64_t)op->items[i].source);
	}
	add_text(key, op->target);
	add_text(key, op->chown);
	add_text(key, op->chmod);
	add_list(key, &op->excludes);
}

static char *make_key(const struct build_step *step)
{
	struct str key = STR_INIT;

	add_number(&key, step->kind);
	add_number(&key, (int64_t)step->parent);
	add_number(&key, step->no_cache);
	add_text(&key, step->platform);
	switch (step->kind) {
	case BUILD_STEP_IMAGE:
		add_text(&key, step->base.image.id);
		break;
	case BUILD_STEP_SCRATCH:
		break;
	case BUILD_STEP_RUN:
		add_run(&key, &step->run);
		break;
	case BUILD_STEP_COPY:
		add_copy(&key, &step->copy);
		break;
	case BUILD_STEP_WORKDIR:
		add_text(&key, step->workdir.path);
		add_text(&key, step->workdir.user);
		break;
	}
	return str_take(&key);
}

size_t graph_add_step(struct graph_make *m, struct build_step *step)
{
	struct build_graph *g = m->graph;
	cleanup_free char *text = make_key(step);
	char key[SHA256_HEX_LEN + 1];

	sha256_hex(text, strlen(text), key);

	strv_foreach (i, &m->step_keys) {
		if (strcmp(m->step_keys.items[i], key) == 0) {
			graph_step_done(step);
			return i;
		}
	}
	strv_add(&m->step_keys, key);
	g->steps = mem_realloc_array(g->steps, g->n_steps + 1, sizeof(*g->steps));
	g->steps[g->n_steps] = *step;
	return g->n_steps++;
}

/* ---- names ---- */

/* "->arm64" where a stage of another platform says that it makes something for the target. */
static void add_target(const struct graph_stage *s, struct str *name)
{
	const char *arch = graph_vars_get(&s->vars, "TARGETARCH");
	const char *whole = graph_vars_get(&s->vars, "TARGETPLATFORM");
	const char *variant = graph_vars_get(&s->vars, "TARGETVARIANT");
	struct err err = ERR_INIT;
	struct platform p = {};

	if (whole && platform_parse(whole, &p, &err) == 0) {
		arch = p.arch;
		variant = p.variant;
	}
	if (!arch || strcmp(arch, s->platform.arch) == 0)
		return;
	str_addf(name, "->%s", arch);
	if (variant && *variant)
		str_addf(name, "/%s", variant);
}

static int digits_of(size_t n)
{
	int digits = 1;

	for (; n >= 10; n /= 10)
		digits++;
	return digits;
}

char *graph_step_name(struct graph_make *m, struct graph_stage *s, const char *text)
{
	char platform[PLATFORM_LEN];
	struct str name = STR_INIT;

	str_add_char(&name, '[');
	if (m->graph->is_multi_platform) {
		str_add(&name, platform_format(&s->platform, platform));
		add_target(s, &name);
		str_add_char(&name, ' ');
	}
	if (s->label)
		str_addf(&name, "%s ", s->label);
	str_addf(&name, "%*zu/%zu] ", digits_of(s->total), ++s->number, s->total);
	if (s->runs_trigger)
		str_add(&name, "ONBUILD ");
	str_add(&name, text);
	return str_take(&name);
}

/* The keyword in capitals. */
static char *shout(const char *text)
{
	char *loud = str_dup(text);

	for (char *c = loud; *c && *c != ' '; c++)
		*c = (char)toupper((unsigned char)*c);
	return loud;
}

void graph_stage_add(struct graph_make *m, struct graph_stage *s, struct build_step *step,
		     const char *text, struct dockerfile_lines lines)
{
	char platform[PLATFORM_LEN];
	cleanup_free char *loud = shout(text);

	step->parent = s->step;
	step->name = graph_step_name(m, s, loud);
	step->stage = s->name ? str_dup(s->name) : str_printf("%zu", s->index);
	step->lines = lines;
	step->platform = str_dup(platform_format(&s->platform, platform));
	step->no_cache = s->no_cache;
	s->step = graph_add_step(m, step);
	s->n_layers++;
}

/* ---- where stages begin ---- */

size_t graph_add_scratch(struct graph_make *m, const struct platform *platform)
{
	char text[PLATFORM_LEN];
	struct build_step step = {
		.kind = BUILD_STEP_SCRATCH,
		.parent = BUILD_NONE,
		.name = str_dup("FROM scratch"),
		.platform = str_dup(platform_format(platform, text)),
	};

	return graph_add_step(m, &step);
}

/* A copy that the step owns. */
static struct image copy_image(const struct image *from)
{
	struct image image = *from;

	image.config = str_dup(from->config);
	image.reference = str_dup(from->reference);
	image.chain_ids = (struct strv)STRV_INIT;
	strv_add_all(&image.chain_ids, &from->chain_ids);
	return image;
}

size_t graph_add_image(struct graph_make *m, const struct graph_image *image, const char *typed,
		       char *name)
{
	struct build_step step = {
		.kind = BUILD_STEP_IMAGE,
		.parent = BUILD_NONE,
		.base = {.image = copy_image(&image->image), .typed = str_dup(typed)},
		.name = name,
		.platform = str_dup(image->platform),
	};

	return graph_add_step(m, &step);
}
