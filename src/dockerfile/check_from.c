/* SPDX-License-Identifier: Apache-2.0 */
/* Global arguments, and what FROM makes of them. */
#include "dockerfile/check_private.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dockerfile/expand.h"
#include "dockerfile/suggest.h"
#include "oci/platform.h"
#include "oci/reference.h"

static const char *get_var(void *ctx, const char *name)
{
	return check_vars_get(ctx, name);
}

/* What a word of FROM comes to. */
struct expansion {
	char *text; /* NULL: it does not expand */
	struct strv used, unset;
};

static void expansion_done(struct expansion *x)
{
	free(x->text);
	strv_done(&x->used);
	strv_done(&x->unset);
}
#define cleanup_expansion __attribute__((cleanup(expansion_done)))

static void expand(const struct check *c, const char *word, const struct check_vars *vars,
		   struct expansion *ret)
{
	struct err ignored = ERR_INIT;
	const struct expand_scope scope = {
		.get = get_var,
		.ctx = (void *)(uintptr_t)vars,
		.escape = c->in->file->escape,
		.ret_unset = &ret->unset,
		.ret_used = &ret->used,
	};

	if (expand_word(word, &scope, &ret->text, &ignored) < 0)
		ret->text = NULL;
}

/* ---- globals ---- */

/* "linux/arm64/v8" as PREFIX + PLATFORM, OS, ARCH, VARIANT; a build argument goes before it. */
static void set_platform_args(const struct check *c, const char *prefix, const struct platform *p,
			      struct check_vars *vars)
{
	char text[PLATFORM_LEN];
	const struct {
		const char *name, *value;
	} parts[] = {
		{"PLATFORM", platform_format(p, text)},
		{"OS", p->os},
		{"OSVERSION", ""},
		{"ARCH", p->arch},
		{"VARIANT", p->variant},
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		cleanup_free char *name = str_printf("%s%s", prefix, parts[i].name);
		const char *said = check_build_arg(c, name);

		check_vars_set(vars, name, said ? said : parts[i].value);
	}
}

static void set_predefined(const struct check *c, struct check_vars *vars)
{
	struct err ignored = ERR_INIT;
	struct platform host, target;

	platform_get_host(&host);
	if (platform_parse(c->platform, &target, &ignored) < 0)
		target = host;
	set_platform_args(c, "BUILD", &host, vars);
	set_platform_args(c, "TARGET", &target, vars);
	check_vars_set(vars, "TARGETSTAGE", c->in->target ? c->in->target : "default");
}

/* The values of the global ARGs, in their order; with USES_ARGS those of the command line. */
static void make_globals(const struct check *c, bool uses_args, struct check_vars *vars)
{
	const struct dockerfile_stages *stages = c->in->stages;

	set_predefined(c, vars);
	for (size_t i = 0; i < stages->n_globals; i++) {
		const struct arg_instruction *arg = &stages->globals[i].arg;

		for (size_t k = 0; k < arg->n; k++) {
			cleanup_expansion struct expansion x = {};
			const char *said = uses_args ? check_build_arg(c, arg->items[k].name)
						     : NULL;

			if (!said && arg->items[k].value)
				expand(c, arg->items[k].value, vars, &x);
			if (said || x.text)
				check_vars_set(vars, arg->items[k].name, said ? said : x.text);
		}
	}
}

static void declare_globals(struct check *c)
{
	const struct dockerfile_stages *stages = c->in->stages;

	strv_add_all(&c->declared_globals, &c->globals.names);
	for (size_t i = 0; i < stages->n_globals; i++)
		for (size_t k = 0; k < stages->globals[i].arg.n; k++)
			strv_add(&c->declared_globals, stages->globals[i].arg.items[k].name);
}

/* ---- rules ---- */

/* Without arguments of the command line the image must have a name, too. */
static void check_default_image(struct check *c, const struct instruction *from,
				const struct check_vars *defaults)
{
	cleanup_expansion struct expansion x = {};
	cleanup_reference struct reference ref = REFERENCE_INIT;
	struct err ignored = ERR_INIT;

	expand(c, from->from.image, defaults, &x);
	if (!x.text || (!x.used.n && !x.unset.n))
		return;
	if (reference_parse(x.text, &ref, &ignored) < 0)
		dockerfile_report(
			c, RULE_INVALID_DEFAULT_ARG_IN_FROM, from->syntax,
			"Default value for ARG %s results in empty or invalid base image name",
			from->from.image);
}

static void check_declared(struct check *c, const struct instruction *from,
			   const struct strv *unset)
{
	const struct strv *known = &c->declared_globals;

	strv_foreach (i, unset) {
		const char *name = unset->items[i];
		const char *meant = NULL;

		if (strv_has(known, name))
			continue;
		meant = suggest_find(name, (const char *const *)known->items, known->n, false);
		if (meant)
			dockerfile_report(c, RULE_UNDEFINED_ARG_IN_FROM, from->syntax,
					  "FROM argument '%s' is not declared (did you mean %s?)",
					  name, meant);
		else
			dockerfile_report(c, RULE_UNDEFINED_ARG_IN_FROM, from->syntax,
					  "FROM argument '%s' is not declared", name);
	}
}

static void check_redundant(struct check *c, const struct instruction *from,
			    const struct expansion *x)
{
	const char *target = check_vars_get(&c->globals, "TARGETPLATFORM");

	if (x->used.n == 1 && !x->unset.n && strcmp(x->used.items[0], "TARGETPLATFORM") == 0 &&
	    str_is_equal(x->text, target))
		dockerfile_report(
			c, RULE_REDUNDANT_TARGET_PLATFORM, from->syntax,
			"Setting platform to predefined %s in FROM is redundant as this is "
			"the default behavior",
			from->from.platform);
}

/* A stage that carries the machine in its name is meant for it. */
static void check_constant(struct check *c, const struct instruction *from,
			   const struct expansion *x)
{
	const char *name = from->from.name;
	struct err ignored = ERR_INIT;
	struct platform p;

	if (x->used.n || x->unset.n || !x->text || platform_parse(x->text, &p, &ignored) < 0)
		return;
	if (name && (strstr(name, p.os) || strstr(name, p.arch)))
		return;
	dockerfile_report(c, RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED, from->syntax,
			  "FROM --platform flag should not use constant value \"%s\"", x->text);
}

static void check_from_platform(struct check *c, const struct instruction *from)
{
	cleanup_expansion struct expansion x = {};

	if (!from->from.platform)
		return;
	expand(c, from->from.platform, &c->globals, &x);
	check_declared(c, from, &x.unset);
	check_redundant(c, from, &x);
	check_constant(c, from, &x);
}

void check_from(struct check *c)
{
	const struct dockerfile_stages *stages = c->in->stages;
	cleanup_check_vars struct check_vars defaults = {};

	make_globals(c, false, &defaults);
	make_globals(c, true, &c->globals);
	declare_globals(c);
	for (size_t i = 0; i < stages->n; i++) {
		const struct instruction *from = stages->items[i].from;
		cleanup_expansion struct expansion x = {};

		check_default_image(c, from, &defaults);
		expand(c, from->from.image, &c->globals, &x);
		check_declared(c, from, &x.unset);
		check_from_platform(c, from);
	}
}

/* ---- what stages are made of ---- */

char *check_expand_image(const struct check *c, size_t i)
{
	cleanup_expansion struct expansion x = {};

	expand(c, c->in->stages->items[i].from->from.image, &c->globals, &x);
	return take_ptr(x.text);
}

int check_find_base(const struct check *c, const char *image, size_t i)
{
	int base = dockerfile_find_stage(c->in->stages, image, i);

	/* FROM knows names, not numbers. */
	if (base >= 0 && !c->in->stages->items[base].from->from.name)
		return -1;
	return base >= 0 && strcasecmp(c->in->stages->items[base].from->from.name, image) == 0
		       ? base
		       : -1;
}

/* Marks stage I as needed, and remembers in *N that it is to be looked at. */
static void need(int i, bool *needed, size_t *queue, size_t *n)
{
	if (i < 0 || needed[i])
		return;
	needed[i] = true;
	queue[(*n)++] = (size_t)i;
}

/* The value of "from=" in the mount TEXT; owned, NULL when there is none. */
static char *dup_mount_source(const char *text)
{
	cleanup_strv struct strv fields = STRV_INIT;

	strv_split(&fields, text, ',');
	strv_foreach (i, &fields)
		if (strncasecmp(fields.items[i], "from=", strlen("from=")) == 0)
			return str_dup(fields.items[i] + strlen("from="));
	return NULL;
}

static void need_sources(const struct check *c, size_t stage, bool *needed, size_t *queue,
			 size_t *n)
{
	const struct dockerfile_stage *s = &c->in->stages->items[stage];

	for (size_t i = 0; i < s->n; i++) {
		const struct instruction *item = &s->items[i];

		if (item->keyword == KEYWORD_COPY && item->copy.from)
			need(dockerfile_find_stage(c->in->stages, item->copy.from, stage), needed,
			     queue, n);
		for (size_t k = 0; item->keyword == KEYWORD_RUN && k < item->run.mounts.n; k++) {
			cleanup_free char *from = dup_mount_source(item->run.mounts.items[k]);

			if (from)
				need(dockerfile_find_stage(c->in->stages, from, stage), needed,
				     queue, n);
		}
	}
}

void check_mark_needed(const struct check *c, bool *ret)
{
	const struct dockerfile_stages *stages = c->in->stages;
	cleanup_free size_t *queue = mem_alloc(stages->n * sizeof(*queue));
	size_t n = 0;

	need(c->in->target ? dockerfile_find_stage(stages, c->in->target, stages->n)
			   : (int)stages->n - 1,
	     ret, queue, &n);
	for (size_t done = 0; done < n; done++) {
		size_t stage = queue[done];
		cleanup_free char *image = check_expand_image(c, stage);

		if (image)
			need(check_find_base(c, image, stage), ret, queue, &n);
		need_sources(c, stage, ret, queue, &n);
	}
}
