/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of a file for one platform: what FROM comes to with the arguments before it, who
 * copies from whom, which one is wanted.
 */
#include "build/graph_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"
#include "oci/reference.h"

/* ---- finding stages ---- */

static bool is_named(const struct graph_stage *s, const char *name)
{
	return s->name && strcasecmp(s->name, name) == 0;
}

/* The last stage called NAME above stage BEFORE; BUILD_NONE. */
static size_t find_above(const struct graph_make *m, const char *name, size_t before)
{
	for (size_t i = before; i > 0; i--)
		if (is_named(&m->stages[i - 1], name))
			return i - 1;
	return BUILD_NONE;
}

size_t graph_stage_find(const struct graph_make *m, const char *name, size_t before, bool numbers)
{
	size_t found = find_above(m, name, before);
	uint64_t number = 0;

	if (found != BUILD_NONE)
		return found;
	for (size_t i = before; i < m->n_stages; i++)
		if (is_named(&m->stages[i], name))
			return i;
	if (numbers && num_parse_u64(name, &number) == 0 && number < m->n_stages)
		return (size_t)number;
	return BUILD_NONE;
}

/* ---- what instructions take from elsewhere ---- */

/* The file's own texts must name stages: which one it is decides what is built at all. */
static int check_constant(const char *from, const char *message, struct err *err)
{
	return strchr(from, '$') ? err_set(err, ERR_INVALID, "%s", message) : 0;
}

static int find_copy_dep(struct graph_make *m, const struct graph_stage *s, const char *from,
			 struct graph_dep *ret, struct err *err)
{
	uint64_t number = 0;

	ret->stage = BUILD_NONE;
	if (!from || !*from)
		return 0;
	if (check_constant(
		    from,
		    "variable expansion is not supported for --from, define a new stage with "
		    "FROM using ARG from global scope as a workaround",
		    err) < 0)
		return -err->code;
	ret->name = str_dup(from);
	ret->stage = graph_stage_find(m, from, s->index, true);
	if (ret->stage == BUILD_NONE && num_parse_u64(from, &number) == 0)
		return err_set(err, ERR_INVALID, "invalid stage index %s", from);
	return 0;
}

static int find_mount_dep(struct graph_make *m, const struct graph_stage *s, const char *mount,
			  struct graph_dep *ret, struct err *err)
{
	cleanup_free char *type = NULL;
	cleanup_free char *from = NULL;

	ret->stage = BUILD_NONE;
	if (graph_mount_peek(mount, &type, &from, err) < 0)
		return -err->code;
	if (!from || !*from || (type && strcmp(type, "bind") != 0 && strcmp(type, "cache") != 0))
		return 0;
	if (check_constant(from,
			   "'from' doesn't support variable expansion, define alias stage instead",
			   err) < 0)
		return -err->code;
	ret->stage = graph_stage_find(m, from, s->index, true);
	ret->name = take_ptr(from);
	return 0;
}

int graph_command_find_deps(struct graph_make *m, const struct graph_stage *s,
			    struct graph_command *command, struct err *err)
{
	const struct instruction *i = command->instruction;
	size_t n = i->keyword == KEYWORD_COPY ? 1 : 0;

	if (i->keyword == KEYWORD_RUN)
		n = i->run.mounts.n;
	if (!n)
		return 0;
	command->deps = mem_zalloc(n * sizeof(*command->deps));
	command->n_deps = n;
	if (i->keyword == KEYWORD_COPY)
		return find_copy_dep(m, s, i->copy.from, command->deps, err);
	for (size_t k = 0; k < n; k++)
		if (find_mount_dep(m, s, i->run.mounts.items[k], &command->deps[k], err) < 0)
			return -err->code;
	return 0;
}

int graph_dep_find_place(struct graph_make *m, const struct graph_stage *s,
			 const struct graph_dep *dep, const char *verb, struct graph_place *ret,
			 struct err *err)
{
	*ret = GRAPH_NOWHERE;
	if (!dep->name) {
		*ret = graph_main_context(m);
		return 0;
	}
	if (dep->stage == BUILD_NONE)
		return graph_find_place(m, dep->name, &m->target, ret, err);
	if (!m->stages[dep->stage].is_done) {
		cleanup_free char *here = s->name ? str_dup(s->name)
						  : str_printf("stage-%zu", s->index);

		return err_set(err, ERR_INVALID,
			       "cannot %s from stage \"%s\", it needs to be defined before current "
			       "stage \"%s\"",
			       verb, dep->name, here);
	}
	*ret = m->stages[dep->stage].place;
	return 0;
}

bool graph_is_step(const struct instruction *instruction)
{
	return instruction->keyword == KEYWORD_RUN || instruction->keyword == KEYWORD_COPY ||
	       instruction->keyword == KEYWORD_ADD || instruction->keyword == KEYWORD_WORKDIR;
}

/* ---- making them ---- */

static int expand_platform(struct graph_make *m, struct graph_stage *s, struct err *err)
{
	const char *typed = s->parsed->from->from.platform;
	cleanup_free char *text = NULL;

	s->platform = m->target;
	if (!typed)
		return 0;
	if (graph_expand_noting(m, &m->globals, typed, &s->used, &text, err) < 0)
		return err_wrap(err, "failed to process arguments for platform %s", typed);
	if (!*text)
		return err_set(err, ERR_INVALID, "empty platform value from expression %s", typed);
	if (platform_parse(text, &s->platform, err) < 0)
		return err_wrap(err, "failed to parse platform %s", typed);
	s->has_platform = true;
	return 0;
}

/* A base that is neither a stage nor a context must at least look like an image. */
static int check_base(const struct graph_make *m, const struct graph_stage *s, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;

	if (s->base_stage != BUILD_NONE || s->context || strcmp(s->base, "scratch") == 0 ||
	    graph_context_find(m, s->base, &s->platform))
		return 0;
	if (reference_parse(s->base, &ref, err) < 0)
		return err_wrap(err, "failed to parse stage name \"%s\"", s->base);
	return 0;
}

static int expand_from(struct graph_make *m, struct graph_stage *s, struct err *err)
{
	const struct from_instruction *from = &s->parsed->from->from;

	if (graph_expand_noting(m, &m->globals, from->image, &s->used, &s->base, err) < 0)
		return -err->code;
	if (!*s->base)
		return err_set(err, ERR_INVALID, "base name (%s) should not be blank", from->image);
	s->name = from->name && *from->name ? str_dup(from->name) : NULL;
	if (expand_platform(m, s, err) < 0)
		return -err->code;
	s->base_stage = find_above(m, s->base, s->index);
	if (s->base_stage != BUILD_NONE) {
		s->platform = m->stages[s->base_stage].platform;
		s->has_platform = m->stages[s->base_stage].has_platform;
	}
	if (s->name)
		s->context = graph_context_find(m, s->name, &s->platform);
	return check_base(m, s, err);
}

static bool is_uncached(const struct graph_make *m, const struct graph_stage *s)
{
	const struct strv *filter = &m->request->no_cache_filter;
	uint64_t number = 0;

	strv_foreach (i, filter) {
		if (is_named(s, filter->items[i]))
			return true;
		if (num_parse_u64(filter->items[i], &number) == 0 && number == s->index)
			return true;
	}
	return m->request->no_cache;
}

/* The stage's own instructions; its triggers come in front later. */
static int add_commands(struct graph_make *m, struct graph_stage *s, struct err *err)
{
	s->total = strcmp(s->base, "scratch") != 0 && s->base_stage == BUILD_NONE;
	/* What stands in for a stage stands for all of it. */
	if (s->context || !s->parsed->n)
		return 0;
	s->commands = mem_zalloc(s->parsed->n * sizeof(*s->commands));
	for (size_t i = 0; i < s->parsed->n; i++) {
		struct graph_command *command = &s->commands[s->n_commands++];

		command->instruction = &s->parsed->items[i];
		command->lines = command->instruction->syntax->lines;
		*m->where = command->lines;
		if (graph_command_find_deps(m, s, command, err) < 0)
			return -err->code;
		s->total += graph_is_step(command->instruction);
		for (size_t k = 0; k < command->n_deps; k++)
			m->n_extra += command->deps[k].name && command->deps[k].stage == BUILD_NONE;
	}
	return 0;
}

/* ---- cycles ---- */

enum visit { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

/* Whether stage I leads back to an open one; then where it says so is marked. A stage is entered
 * once, so the depth is bounded by their number, which the size of the file bounds. */
static bool has_cycle(struct graph_make *m, enum visit *visits, size_t i);

static bool leads_back(struct graph_make *m, enum visit *visits,
		       const struct graph_command *command)
{
	for (size_t k = 0; k < command->n_deps; k++) {
		size_t to = command->deps[k].stage;

		if (to == BUILD_NONE || visits[to] == VISIT_DONE)
			continue;
		if (visits[to] == VISIT_OPEN) {
			*m->where = command->lines;
			return true;
		}
		if (has_cycle(m, visits, to))
			return true;
	}
	return false;
}

static bool has_cycle(struct graph_make *m, enum visit *visits, size_t i)
{
	const struct graph_stage *s = &m->stages[i];

	visits[i] = VISIT_OPEN;
	for (size_t k = 0; k < s->n_commands; k++)
		if (leads_back(m, visits, &s->commands[k]))
			return true;
	if (s->base_stage != BUILD_NONE && visits[s->base_stage] == VISIT_OPEN) {
		*m->where = s->parsed->from->syntax->lines;
		return true;
	}
	if (s->base_stage != BUILD_NONE && visits[s->base_stage] == VISIT_NEW &&
	    has_cycle(m, visits, s->base_stage))
		return true;
	visits[i] = VISIT_DONE;
	return false;
}

static int check_cycles(struct graph_make *m, struct err *err)
{
	cleanup_free enum visit *visits = mem_zalloc(m->n_stages * sizeof(*visits));

	for (size_t i = 0; i < m->n_stages; i++) {
		const struct graph_stage *s = &m->stages[i];
		cleanup_free char *name = s->name ? str_dup(s->name) : str_printf("stage-%zu", i);

		if (visits[i] == VISIT_NEW && has_cycle(m, visits, i))
			return err_set(err, ERR_INVALID,
				       "circular dependency detected on stage: %s", name);
	}
	return 0;
}

/* ---- the target ---- */

static int find_target(struct graph_make *m, struct err *err)
{
	const char *target = m->request->target;
	cleanup_free char *hint = NULL;

	*m->where = (struct dockerfile_lines){};
	m->wanted = m->n_stages - 1;
	if (!target || !*target)
		return 0;
	m->wanted = graph_stage_find(m, target, m->n_stages, true);
	if (m->wanted != BUILD_NONE)
		return 0;
	hint = graph_suggest_stage(m, target);
	return err_set(err, ERR_INVALID, "target stage \"%s\" could not be found%s", target, hint);
}

/* A file with one stage shows no name of it. */
static void set_labels(struct graph_make *m)
{
	if (m->n_stages + m->n_extra == 1)
		return;
	for (size_t i = 0; i < m->n_stages; i++) {
		struct graph_stage *s = &m->stages[i];

		s->label = s->name ? str_dup(s->name) : str_printf("stage-%zu", i);
	}
}

int graph_stages_make(struct graph_make *m, struct err *err)
{
	m->n_extra = 0;
	m->stages = mem_zalloc(m->parsed.n * sizeof(*m->stages));
	for (size_t i = 0; i < m->parsed.n; i++) {
		struct graph_stage *s = &m->stages[m->n_stages++];

		s->parsed = &m->parsed.items[i];
		s->index = i;
		s->step = BUILD_NONE;
		s->place = GRAPH_NOWHERE;
		*m->where = s->parsed->from->syntax->lines;
		if (expand_from(m, s, err) < 0)
			return -err->code;
		s->no_cache = is_uncached(m, s);
	}
	for (size_t i = 0; i < m->n_stages; i++)
		if (add_commands(m, &m->stages[i], err) < 0)
			return -err->code;
	if (check_cycles(m, err) < 0)
		return -err->code;
	set_labels(m);
	return find_target(m, err);
}

static void commands_done(struct graph_command *commands, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < commands[i].n_deps; k++)
			free(commands[i].deps[k].name);
		free(commands[i].deps);
	}
	free(commands);
}

static void stage_done(struct graph_stage *s)
{
	free(s->name);
	free(s->label);
	free(s->base);
	free(s->dir);
	commands_done(s->commands, s->n_commands);
	for (size_t i = 0; i < s->n_triggers; i++) {
		instruction_done(&s->triggers[i]->instruction);
		dockerfile_instruction_done(&s->triggers[i]->syntax);
		free(s->triggers[i]);
	}
	free(s->triggers);
	image_config_done(&s->config);
	free(s->history_steps);
	strv_done(&s->used);
	strv_done(&s->vars);
	strv_done(&s->args);
}

void graph_stages_done(struct graph_make *m)
{
	for (size_t i = 0; i < m->n_stages; i++)
		stage_done(&m->stages[i]);
	free(m->stages);
	m->stages = NULL;
	m->n_stages = 0;
}
